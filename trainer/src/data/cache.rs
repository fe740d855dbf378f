//! The imported data set on disk: `meta.json` and four raw arrays, that need no decoding and can be checked.
//!
//! ```text
//! meta.json           what it is: classes, counts, hashes
//! train.rgb8          [N, 64, 64, 3] bytes          train.labels.u16le   [N] labels, 16 bits, little-endian
//! val.rgb8                                          val.labels.u16le
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::decode::decode_all;
use super::hash::{hex, sha256_of_file};
use super::layout::{Layout, RawImage};
use super::pixel_stats::{PixelStats, Sums};
use super::{Class, Crafted, Dataset, IMAGE_BYTES, Split};
use crate::progress::{self, Stop};

const FORMAT_VERSION: u32 = 1;
const META: &str = "meta.json";

/// `meta.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    pub format_version: u32,
    /// Name of the file or folder it was imported from.
    pub source: String,
    /// Whether it is the whole of Tiny ImageNet.
    pub whole: bool,
    pub train: SplitMeta,
    pub val: SplitMeta,
    /// Of the training pictures; none in what older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_pixels: Option<PixelStats>,
    /// How the pictures were attacked; none in what was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crafted: Option<Crafted>,
    /// Over classes, labels and pictures.
    pub sha256: String,
    /// In the order of their labels.
    pub classes: Vec<Class>,
}

/// Size and hashes of a split's two arrays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitMeta {
    /// Number of pictures.
    pub images: usize,
    pub images_sha256: String,
    pub labels_sha256: String,
}

/// An imported data set on disk.
pub struct Cache {
    dir: PathBuf,
    meta: Meta,
}

impl Cache {
    /// Opens what `import` wrote to `dir`, and checks the sizes of all files.
    ///
    /// # Errors
    /// When there is none, it is of a newer format, or a file is missing or of the wrong size.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(META);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "there is no imported data set in {}; make one with `bastion data import PATH` or `bastion data \
                 fetch`, or say with --data where it is",
                dir.display()
            ),
            other => other.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let damaged = || format!("{} is damaged; import the data set again with --force", path.display());
        let json: serde_json::Value = serde_json::from_slice(&text).with_context(damaged)?;
        let version = json["format_version"].as_u64();
        ensure!(
            version.is_none_or(|version| version <= u64::from(FORMAT_VERSION)),
            "{} was written by a newer bastion (format {}, this one knows up to {FORMAT_VERSION}); import the data set \
             again with --force",
            path.display(),
            version.unwrap_or_default()
        );
        let meta: Meta = serde_json::from_value(json).with_context(damaged)?;
        let cache = Self { dir: dir.to_path_buf(), meta };
        for (name, split) in cache.splits() {
            cache.check_size(&images_file(name), split.images * IMAGE_BYTES)?;
            cache.check_size(&labels_file(name), split.images * 2)?;
        }
        Ok(cache)
    }

    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    pub fn into_meta(self) -> Meta {
        self.meta
    }

    /// Reads the training pictures.
    ///
    /// # Errors
    /// When a file cannot be read or holds a label without a class.
    pub fn train(&self) -> Result<Split> {
        self.read("train")
    }

    /// Reads the validation pictures.
    ///
    /// # Errors
    /// When a file cannot be read or holds a label without a class.
    pub fn val(&self) -> Result<Split> {
        self.read("val")
    }

    /// Compares every byte with the hashes in `meta.json`.
    ///
    /// # Errors
    /// Names the first file that differs.
    pub fn verify(&self) -> Result<()> {
        let total: usize = self.splits().iter().map(|(_, split)| split.images * (IMAGE_BYTES + 2)).sum();
        let bar = progress::bytes(total as u64, "Verifying");
        for (name, split) in self.splits() {
            self.check_hash(&images_file(name), &split.images_sha256, &bar)?;
            self.check_hash(&labels_file(name), &split.labels_sha256, &bar)?;
        }
        let meta = &self.meta;
        ensure!(
            overall_hash(&meta.classes, &meta.train, &meta.val) == meta.sha256,
            "the classes in {} are not those that were imported; import the data set again with --force",
            self.dir.join(META).display()
        );
        bar.finish_and_clear();
        Ok(())
    }

    fn splits(&self) -> [(&'static str, &SplitMeta); 2] {
        [("train", &self.meta.train), ("val", &self.meta.val)]
    }

    fn read(&self, name: &str) -> Result<Split> {
        let read = |file: String| {
            let path = self.dir.join(file);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let images = read(images_file(name))?;
        let labels: Vec<u16> =
            read(labels_file(name))?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let classes = self.meta.classes.len();
        let stray = labels.iter().find(|&&label| usize::from(label) >= classes);
        ensure!(
            stray.is_none() && labels.len() * IMAGE_BYTES == images.len(),
            "{} is damaged; import the data set again with --force",
            self.dir.join(labels_file(name)).display()
        );
        Ok(Split { images, labels })
    }

    fn check_size(&self, file: &str, expected: usize) -> Result<()> {
        let path = self.dir.join(file);
        let size = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len();
        ensure!(
            size == expected as u64,
            "{} has {size} bytes instead of {expected}; import the data set again with --force",
            path.display()
        );
        Ok(())
    }

    fn check_hash(&self, file: &str, expected: &str, bar: &ProgressBar) -> Result<()> {
        let path = self.dir.join(file);
        ensure!(
            sha256_of_file(&path, bar)? == expected,
            "{} is damaged (its SHA-256 differs from the one in meta.json); import the data set again with --force",
            path.display()
        );
        Ok(())
    }
}

/// Decodes `layout` and writes it to the empty folder `dir`, `meta.json` last.
///
/// # Errors
/// Names the bad pictures, or the file that could not be written (for example for want of disk space).
pub fn write(dir: &Path, layout: Layout, source: String, stop: &Stop) -> Result<Meta> {
    let bar = progress::count((layout.train.len() + layout.val.len()) as u64, "Decoding");
    let (train, train_pixels) = write_split(dir, "train", &layout.train, &bar, stop)?;
    let (val, _) = write_split(dir, "val", &layout.val, &bar, stop)?;
    bar.finish_and_clear();
    let sha256 = overall_hash(&layout.classes, &train, &val);
    let (whole, classes) = (layout.whole, layout.classes);
    let train_pixels = Some(train_pixels);
    let crafted = None;
    let meta =
        Meta { format_version: FORMAT_VERSION, source, whole, train, val, train_pixels, crafted, sha256, classes };
    write_meta(dir, &meta)?;
    Ok(meta)
}

/// Makes a data set of the pictures that were written to `dir`, which are those of `clean`, attacked: adds the labels and,
/// last, `meta.json`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn seal(dir: &Path, clean: &Dataset, crafted: Crafted) -> Result<Meta> {
    let bar = progress::bytes(((clean.train.len() + clean.val.len()) * IMAGE_BYTES) as u64, "Hashing");
    let split = |name: &str, split: &Split| {
        let images_sha256 = sha256_of_file(&dir.join(images_file(name)), &bar)?;
        let labels_sha256 = write_labels(dir, name, split.labels.iter().copied())?;
        anyhow::Ok(SplitMeta { images: split.len(), images_sha256, labels_sha256 })
    };
    let (train, val) = (split("train", &clean.train)?, split("val", &clean.val)?);
    bar.finish_and_clear();
    let meta = Meta {
        format_version: FORMAT_VERSION,
        source: format!("{} on {}", crafted.attack, crafted.source),
        whole: false,
        sha256: overall_hash(&clean.classes, &train, &val),
        train,
        val,
        // What is attacked is normalised as what is not.
        train_pixels: Some(clean.pixels),
        crafted: Some(crafted),
        classes: clean.classes.clone(),
    };
    write_meta(dir, &meta)?;
    Ok(meta)
}

fn write_meta(dir: &Path, meta: &Meta) -> Result<()> {
    let mut out = OutFile::create(dir.join(META))?;
    out.write(serde_json::to_string_pretty(meta)?.as_bytes())?;
    out.finish()?;
    Ok(())
}

/// Returns the file's SHA-256.
fn write_labels(dir: &Path, split: &str, labels: impl Iterator<Item = u16>) -> Result<String> {
    let mut out = OutFile::create(dir.join(labels_file(split)))?;
    out.write(&labels.flat_map(u16::to_le_bytes).collect::<Vec<u8>>())?;
    out.finish()
}

fn write_split(
    dir: &Path,
    name: &str,
    images: &[RawImage],
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<(SplitMeta, PixelStats)> {
    let mut out = OutFile::create(dir.join(images_file(name)))?;
    let mut sums = Sums::default();
    decode_all(images, bar, stop, |pixels| {
        sums = sums.plus(Sums::of(pixels));
        out.write(pixels)
    })?;
    let images_sha256 = out.finish()?;
    let labels_sha256 = write_labels(dir, name, images.iter().map(|image| image.label))?;
    let split = SplitMeta { images: images.len(), images_sha256, labels_sha256 };
    Ok((split, sums.stats()))
}

/// SHA-256 over one line a class (`wnid <tab> name`), then the four arrays' hashes.
fn overall_hash(classes: &[Class], train: &SplitMeta, val: &SplitMeta) -> String {
    let mut hash = Sha256::new();
    for class in classes {
        hash.update(format!("{}\t{}\n", class.wnid, class.name));
    }
    for split in [train, val] {
        hash.update(format!("{}\n{}\n", split.images_sha256, split.labels_sha256));
    }
    hex(hash.finalize())
}

/// Whether a cache has a file of this name.
pub fn is_file_of(name: &OsStr) -> bool {
    let arrays = ["train", "val"].iter().flat_map(|split| [images_file(split), labels_file(split)]);
    name == META || arrays.into_iter().any(|file| name == file.as_str())
}

/// The file of a split's pictures.
pub fn images_file(split: &str) -> String {
    format!("{split}.rgb8")
}

fn labels_file(split: &str) -> String {
    format!("{split}.labels.u16le")
}

/// A file being written, with the hash of what went into it.
struct OutFile {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
}

impl OutFile {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 20, file), hash: Sha256::new() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes).with_context(|| self.failure())
    }

    /// Waits until the disk has it all, and tells the SHA-256.
    fn finish(mut self) -> Result<String> {
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).with_context(|| self.failure())?;
        Ok(hex(self.hash.finalize()))
    }

    fn failure(&self) -> String {
        format!("cannot write {} (the whole of Tiny ImageNet needs 1.4 GB of disk space)", self.path.display())
    }
}
