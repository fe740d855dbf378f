//! The files of a data set, read one after the other from a folder, a `.tar`, a `.tar.gz`, a `.tar.zst` or a `.zip`.
//!
//! An archive is recognised by its first bytes, not by its name, and is never unpacked on disk.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::MultiGzDecoder;

use super::layout::{RawFiles, Role, classify};
use super::leftovers::is_leftover;
use crate::files::open_regular;
use crate::progress::{Progress, Stop, Task, Unit};

/// Largest size of a picture's file: 64x64 pixels need no more.
const MAX_IMAGE_BYTES: u64 = 1 << 20;
/// Largest size of all text files together; those of Tiny ImageNet have 8 MB.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Reads all files of the data set at `path` into memory, most pictures still encoded (some 200 MB for the whole set).
///
/// # Errors
/// When `path` cannot be read, is no folder or archive of a known kind, or is cut off; or when a stop was requested.
pub fn read(path: &Path, progress: &Progress, stop: &Stop) -> Result<RawFiles> {
    if path.is_dir() {
        return read_folder(path, progress, stop);
    }
    let (mut file, bytes) = open_regular(path)?;
    let task = progress.start("Reading", Some(bytes), Unit::Bytes);
    let files = match kind_of(&mut file)? {
        Kind::Zip => read_zip(file, &task, stop),
        Kind::Tar => read_tar(task.reader(BufReader::new(file)), stop),
        Kind::TarGz => read_tar(MultiGzDecoder::new(BufReader::new(task.reader(file))), stop),
        Kind::TarZst => read_tar(zstd::Decoder::new(task.reader(file))?, stop),
        Kind::Other => bail!(
            "{} is neither a folder nor a .zip, .tar, .tar.gz or .tar.zst archive; give it in one of these forms",
            path.display()
        ),
    };
    files.with_context(|| format!("cannot read {} to its end", path.display()))
}

enum Kind {
    Zip,
    Tar,
    TarGz,
    TarZst,
    Other,
}

fn kind_of(file: &mut File) -> Result<Kind> {
    let mut head = Vec::new();
    file.by_ref().take(512).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(match head.as_slice() {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Kind::Zip,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Kind::TarZst,
        [0x1F, 0x8B, ..] => Kind::TarGz,
        head if head.get(257..262) == Some(b"ustar") => Kind::Tar,
        _ => Kind::Other,
    })
}

fn read_zip(file: File, task: &Task, stop: &Stop) -> Result<RawFiles> {
    let cut_off = "the zip archive is damaged or cut off; download it again";
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).context(cut_off)?;
    let mut files = RawFiles::default();
    for index in 0..archive.len() {
        stop.check()?;
        let entry = archive.by_index(index).context(cut_off)?;
        if entry.is_file() {
            let name = entry.name().context(cut_off)?.into_owned();
            let (size, packed) = (entry.size(), entry.compressed_size());
            add(&mut files, &name, size, entry).context(cut_off)?;
            task.advance(packed);
        }
    }
    Ok(files)
}

fn read_tar(reader: impl Read, stop: &Stop) -> Result<RawFiles> {
    let cut_off = "the tar archive is damaged or cut off; download it again";
    let mut archive = tar::Archive::new(EndWatch { inner: reader, reached: false });
    let mut files = RawFiles::default();
    for entry in archive.entries()? {
        stop.check()?;
        let entry = entry.context(cut_off)?;
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let size = entry.size();
            add(&mut files, &name, size, entry).context(cut_off)?;
        }
    }
    // A whole archive ends with zero blocks, after which nothing is read; reading on finds damage in the compression.
    let mut rest = archive.into_inner();
    ensure!(!rest.reached, cut_off);
    io::copy(&mut rest, &mut io::sink()).context(cut_off)?;
    Ok(files)
}

/// A reader that notes whether its end was reached.
struct EndWatch<R> {
    inner: R,
    reached: bool,
}

impl<R: Read> Read for EndWatch<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.reached |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}

fn read_folder(path: &Path, progress: &Progress, stop: &Stop) -> Result<RawFiles> {
    let root = layout_root(path)?;
    let task = progress.start("Reading", None, Unit::Files);
    let mut files = RawFiles::default();
    let mut folders = vec![(root, String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let context = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(context)? {
            stop.check()?;
            let entry = entry.with_context(context)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // Others may be anything, links to nowhere too.
            if classify(&name).is_none() && !is_folder_of_layout(&name) {
                continue;
            }
            // Links are followed: data sets are often links to another disk.
            let meta = fs::metadata(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
            if meta.is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else if classify(&name).is_some() {
                let (file, bytes) = open_regular(&entry.path())?;
                add(&mut files, &name, bytes, file)?;
                task.advance(1);
            }
        }
    }
    Ok(files)
}

/// Returns whether a folder is one of those that the layout's files are in: `train`, `train/<wnid>`, `train/<wnid>/images`,
/// `val` and `val/images`. No deeper one is, so a link to a folder above it leads to no end.
fn is_folder_of_layout(name: &str) -> bool {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["train" | "val"] | ["train", _, "images"] | ["val", "images"] => true,
        ["train", wnid] => !is_leftover(wnid),
        _ => false,
    }
}

/// Returns `path` itself, or the only folder in it that has a `wnids.txt`.
fn layout_root(path: &Path) -> Result<PathBuf> {
    if has_wnids(path) {
        return Ok(path.to_path_buf());
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let below = entries.filter_map(Result::ok).filter(|entry| !is_leftover(&entry.file_name().to_string_lossy()));
    let mut below: Vec<_> = below.map(|entry| entry.path()).filter(|below| has_wnids(below)).collect();
    match (below.pop(), below.is_empty()) {
        (Some(root), true) => Ok(root),
        (Some(_), false) => bail!("{} holds more than one data set; give the path of one of them", path.display()),
        (None, _) => bail!("{} is not a data set in Tiny ImageNet's layout: it has no wnids.txt", path.display()),
    }
}

/// Returns whether a folder has a `wnids.txt`, or files with whole paths in their names, as some programs unpack the archives
/// of Windows.
fn has_wnids(dir: &Path) -> bool {
    let is_wnids = |entry: fs::DirEntry| {
        matches!(classify(&entry.file_name().to_string_lossy()), Some((_, Role::Wnids))) && entry.path().is_file()
    };
    fs::read_dir(dir).into_iter().flatten().flatten().any(is_wnids)
}

fn add(files: &mut RawFiles, path: &str, size: u64, reader: impl Read) -> Result<()> {
    let Some((root, role)) = classify(path) else { return Ok(()) };
    let limit = match role {
        Role::TrainImage { .. } | Role::ValImage { .. } => MAX_IMAGE_BYTES,
        _ => MAX_TEXT_BYTES.saturating_sub(files.text_bytes),
    };
    ensure!(size <= limit, "{path} has {size} bytes: too many for a file of this data set");
    let mut bytes = Vec::with_capacity(size as usize);
    // The archive's header may state a wrong size: the limit holds for the bytes that are read.
    reader.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {path}"))?;
    ensure!(bytes.len() as u64 == size, "{path} has {} bytes instead of {size}", bytes.len());
    if !matches!(role, Role::TrainImage { .. } | Role::ValImage { .. }) {
        files.text_bytes += size;
    }
    files.add(path, root, role, bytes)
}
