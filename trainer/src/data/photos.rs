//! A folder of photographs, one folder a class, for an evaluation on pictures of any size that are of no data set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use shared::image::{MAX_FILE_BYTES, Picture};

use super::leftovers::is_leftover;
use super::{Class, IMAGE_BYTES, Split, ValSet, hex};
use crate::error::UsageError;
use crate::files::read_up_to;
use crate::output::printable;
use crate::progress::{Progress, Stop, Unit};

/// Most names, of folders or files, that a message lists.
const LISTED: usize = 5;

/// Loads the pictures of `dir/CLASS/*`, their centre squares at 64x64 pixels as the page and `bastion classify` see them, with
/// the labels of `classes`. A folder is named by a class's id or one of its names, in any case, with `_` or `-` for spaces.
///
/// Files that cannot be read are left out, and a note names them. The pictures are in the order of their labels, and of their
/// paths within a class.
///
/// # Errors
/// When there is no such folder, a folder names no class or several, or no picture can be read; or
/// [`Stopped`](crate::error::Stopped).
pub fn load(dir: &Path, classes: &[Class], progress: &Progress, stop: &Stop) -> Result<ValSet> {
    let files = labelled_files(dir, classes)?;
    let task = progress.start("Reading photographs", Some(files.len() as u64), Unit::Pictures);
    let read = |(_, path): &(u16, PathBuf)| {
        stop.check()?;
        let picture = read_up_to(MAX_FILE_BYTES, path).and_then(|bytes| Ok(Picture::decode(&bytes)?));
        task.advance(1);
        anyhow::Ok(picture)
    };
    let pictures = files.par_iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut val = Split { images: Vec::with_capacity(files.len() * IMAGE_BYTES), labels: vec![] };
    let mut bad = vec![];
    for ((label, path), picture) in files.iter().zip(pictures) {
        match picture {
            Ok(picture) => {
                val.images.extend_from_slice(picture.as_rgb8());
                val.labels.push(*label);
            }
            Err(error) => bad.push(format!("{} ({error:#})", path.strip_prefix(dir).unwrap_or(path).display())),
        }
    }
    ensure!(!val.is_empty(), "none of the {} files in {} can be read: {}", files.len(), dir.display(), list(&bad));
    if !bad.is_empty() {
        progress.warn(format!("{} of {} files are no pictures and left out: {}", bad.len(), files.len(), list(&bad)));
    }
    let mut sha256 = Sha256::new();
    val.labels.iter().for_each(|label| sha256.update(label.to_le_bytes()));
    sha256.update(&val.images);
    Ok(ValSet { classes: classes.to_vec(), sha256: hex(sha256.finalize()), val })
}

/// Returns the files of all folders, with the labels that the folders' names stand for.
fn labelled_files(dir: &Path, classes: &[Class]) -> Result<Vec<(u16, PathBuf)>> {
    let known = names(classes);
    let (mut files, mut unknown) = (vec![], vec![]);
    let mut beside = 0;
    for (name, path) in entries(dir)? {
        if !path.is_dir() {
            beside += 1;
            continue;
        }
        let Some(labels) = known.get(&plain(&name)) else {
            unknown.push(name);
            continue;
        };
        let ids: Vec<_> = labels.iter().map(|&label| classes[usize::from(label)].wnid.as_str()).collect();
        let [id] = ids[..] else {
            return Err(UsageError(format!(
                "'{name}' names several classes: name the folder by one of {}",
                ids.join(", ")
            ))
            .into());
        };
        let label = labels.iter().next().copied().with_context(|| format!("class {id} has no label"))?;
        files.extend(entries(&path)?.into_iter().filter(|(_, file)| !file.is_dir()).map(|(_, file)| (label, file)));
    }
    if let Some(first) = unknown.first() {
        return Err(UsageError(format!(
            "{} {} of no class of the network: {}{}",
            unknown.len(),
            if unknown.len() == 1 { "folder's name is that" } else { "folders' names are those" },
            list(&unknown),
            nearest(first, &known)
        ))
        .into());
    }
    ensure!(
        !files.is_empty(),
        UsageError(format!(
            "there are no pictures in folders of {}{}: make a folder for each class, named by its id or one of its names, such as \
             '{}', and put the pictures into them",
            dir.display(),
            if beside == 0 { String::new() } else { format!(", and {beside} files beside them") },
            classes.first().map_or("goldfish", |class| first_name(&class.name))
        ))
    );
    files.sort();
    Ok(files)
}

/// Returns the entries of a folder, without what systems leave behind, by name.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let context = || format!("cannot read the folder {}", dir.display());
    let mut entries = vec![];
    for entry in fs::read_dir(dir).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_leftover(&name) {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// Returns the labels by ids and names, in plain form.
fn names(classes: &[Class]) -> BTreeMap<String, BTreeSet<u16>> {
    let mut names = BTreeMap::<String, BTreeSet<u16>>::new();
    for (class, label) in classes.iter().zip(0..) {
        for name in class.name.split(',').chain([class.wnid.as_str(), class.name.as_str()]) {
            names.entry(plain(name)).or_default().insert(label);
        }
    }
    names
}

fn plain(name: &str) -> String {
    let spaced = name.to_lowercase().replace(['_', '-'], " ");
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_name(name: &str) -> &str {
    name.split(',').next().unwrap_or(name).trim()
}

fn nearest(name: &str, known: &BTreeMap<String, BTreeSet<u16>>) -> String {
    let name = plain(name);
    let near = known.keys().map(|known| (strsim::normalized_damerau_levenshtein(&name, known), known));
    match near.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((alike, known)) if alike > 0.6 => format!(". Is '{known}' meant?"),
        _ => ". `bastion classify` prints names of classes".into(),
    }
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).map(|name| printable(name).into_owned()).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgb, RgbImage};
    use tempfile::TempDir;

    use super::*;

    fn classes() -> Vec<Class> {
        let class = |(wnid, name): (&str, &str)| Class { wnid: wnid.into(), name: name.into() };
        [
            ("n1", "goldfish, Carassius auratus"),
            ("n2", "crane"),
            ("n3", "crane, lifting device"),
            ("n4", "tabby, tabby cat"),
        ]
        .map(class)
        .to_vec()
    }

    fn photo(dir: &TempDir, path: &str, size: [u32; 2], colour: u8) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(size[0], size[1], Rgb([colour, 0, 0])).save_with_format(path, ImageFormat::Png).unwrap();
    }

    fn load_all(dir: &TempDir) -> Result<ValSet> {
        load(dir.path(), &classes(), &Progress::silent(), &Stop::default())
    }

    #[test]
    fn folders_are_classes_by_id_or_name_and_pictures_have_any_size() {
        let dir = TempDir::new().unwrap();
        photo(&dir, "n4/b.png", [300, 200], 4);
        photo(&dir, "n4/a.png", [64, 64], 3);
        photo(&dir, "Carassius_Auratus/one", [10, 90], 1);
        fs::write(dir.path().join("n4/.DS_Store"), b"x").unwrap();
        fs::write(dir.path().join("n4/c.jpg"), b"no picture").unwrap();
        let set = load_all(&dir).unwrap();
        assert_eq!(set.val.labels, [0, 3, 3]);
        let reds: Vec<u8> = (0..3).map(|index| set.val.image(index)[0]).collect();
        assert_eq!(reds, [1, 3, 4]);
    }

    #[test]
    fn what_names_no_class_or_several_is_refused_in_words() {
        let dir = TempDir::new().unwrap();
        let said = |dir: &TempDir| load_all(dir).err().unwrap().to_string();
        assert!(said(&dir).contains("make a folder for each class"), "{}", said(&dir));
        photo(&dir, "loose.png", [64, 64], 0);
        assert!(said(&dir).contains("1 files beside them"), "{}", said(&dir));
        photo(&dir, "goldfsh/a.png", [64, 64], 0);
        assert!(said(&dir).contains("goldfsh. Is 'goldfish' meant?"), "{}", said(&dir));
        let dir = TempDir::new().unwrap();
        photo(&dir, "crane/a.png", [64, 64], 0);
        assert!(said(&dir).contains("by one of n2, n3"), "{}", said(&dir));
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("n1")).unwrap();
        fs::write(dir.path().join("n1/a.heic"), b"not readable").unwrap();
        assert!(said(&dir).contains("none of the 1 files"), "{}", said(&dir));
    }
}
