//! An imported data set on disk: `meta.json` and four raw arrays, which need no decoding. [`super::write`] writes them.
//!
//! ```text
//! meta.json           classes, counts, hashes
//! train.rgb8          [N, 64, 64, 3] bytes          train.labels.u16le   [N] labels, 16 bits, little-endian
//! val.rgb8                                          val.labels.u16le
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hash::{hex, sha256_of_file};
use super::{Class, Crafted, IMAGE_BYTES, PixelStats, Split, Subset, raw};
use crate::progress::{Progress, Task, Unit};

pub(super) const FORMAT_VERSION: u32 = 1;
pub(super) const META: &str = "meta.json";

/// The content of `meta.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Version of the cache's format.
    pub format_version: u32,
    /// Name of the file or folder that the data set was imported from.
    pub source: String,
    /// Whether the set is the whole of Tiny ImageNet.
    pub whole: bool,
    /// Size and hashes of the training pictures.
    pub train: SplitMeta,
    /// Size and hashes of the validation pictures.
    pub val: SplitMeta,
    /// Mean and standard deviation of the training pictures; `None` in sets that older versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_pixels: Option<PixelStats>,
    /// The network and attack that crafted the pictures; `None` in clean sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crafted: Option<Crafted>,
    /// The data set that this one is a subset of; `None` if it is no subset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<Subset>,
    /// SHA-256 over classes, labels and pictures.
    pub sha256: String,
    /// Classes in the order of their labels.
    pub classes: Vec<Class>,
}

/// Size and hashes of a split's two arrays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitMeta {
    /// Number of pictures.
    pub images: usize,
    /// SHA-256 of the file with the pictures.
    pub images_sha256: String,
    /// SHA-256 of the file with the labels.
    pub labels_sha256: String,
}

/// An imported data set on disk.
pub struct Cache {
    dir: PathBuf,
    meta: Meta,
}

impl Cache {
    /// Opens the data set that `import` wrote to `dir`, and checks `meta.json` and the sizes of all files.
    ///
    /// # Errors
    /// When there is no data set, its format is newer, `meta.json` is damaged, or a file is missing or of the wrong size.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(META);
        let text = match fs::read(&path) {
            // `dir` is a file: the archive itself, most likely.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                bail!(raw::advice(dir))
            }
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
        let meta = &cache.meta;
        let sound = |pixels: &PixelStats| {
            pixels.mean.iter().all(|mean| (0.0..=1.0).contains(mean))
                && pixels.std.iter().all(|&std| std > 0.0 && std <= 1.0)
        };
        ensure!(
            overall_hash(&meta.classes, &meta.train, &meta.val) == meta.sha256
                && meta.train_pixels.as_ref().is_none_or(sound),
            "{}: its values do not belong together",
            damaged()
        );
        for (name, split) in cache.splits() {
            // Numbers of pictures that no disk holds overflow.
            let bytes = split.images.checked_mul(IMAGE_BYTES).with_context(damaged)?;
            cache.check_size(&images_file(name), bytes)?;
            cache.check_size(&labels_file(name), split.images * 2)?;
        }
        Ok(cache)
    }

    /// Returns the content of `meta.json`.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Returns the content of `meta.json`, and drops the rest.
    pub fn into_meta(self) -> Meta {
        self.meta
    }

    /// Checks that the set is not crafted: attacked pictures would pass for clean ones.
    ///
    /// # Errors
    /// When it is crafted.
    pub fn check_clean(&self) -> Result<()> {
        let Some(crafted) = &self.meta.crafted else { return Ok(()) };
        bail!(
            "{} is no clean data set but a crafted one ({}): name the set that it was crafted from (SHA-256 {}) with --data; \
             `bastion evaluate --crafted {0}` shows these pictures to networks",
            self.dir.display(),
            self.meta.source,
            crafted.data_sha256
        )
    }

    /// Reads the training pictures, and compares them with their hashes.
    ///
    /// # Errors
    /// When a file cannot be read, is damaged or holds a label without a class.
    pub fn train(&self) -> Result<Split> {
        self.read("train")
    }

    /// Reads the validation pictures, and compares them with their hashes.
    ///
    /// # Errors
    /// When a file cannot be read, is damaged or holds a label without a class.
    pub fn val(&self) -> Result<Split> {
        self.read("val")
    }

    /// Reads the labels of the split `name`, `train` or `val`.
    ///
    /// # Errors
    /// When the file cannot be read or holds a label without a class.
    pub fn labels(&self, name: &str) -> Result<Vec<u16>> {
        let path = self.dir.join(labels_file(name));
        let bytes = self.read_file(&labels_file(name), &self.split(name).labels_sha256)?;
        let labels: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let classes = self.meta.classes.len();
        ensure!(
            labels.iter().all(|&label| usize::from(label) < classes),
            "{} is damaged; import the data set again with --force",
            path.display()
        );
        Ok(labels)
    }

    /// Calls `sink` with each of the pictures `indices` (ascending) of the split `name`, `[64, 64, 3]` each, without reading
    /// the others.
    ///
    /// # Errors
    /// When the file cannot be read; the first error of `sink`.
    pub fn each_picture(&self, name: &str, indices: &[usize], mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let path = self.dir.join(images_file(name));
        let context = || format!("cannot read {}", path.display());
        let mut file = BufReader::with_capacity(1 << 20, File::open(&path).with_context(context)?);
        let (mut next, mut picture) = (0, vec![0; IMAGE_BYTES]);
        for &index in indices {
            file.seek_relative(((index - next) * IMAGE_BYTES) as i64).with_context(context)?;
            file.read_exact(&mut picture).with_context(context)?;
            sink(&picture)?;
            next = index + 1;
        }
        Ok(())
    }

    /// Compares all files with the hashes in `meta.json`.
    ///
    /// # Errors
    /// Names the first file that differs.
    pub fn verify(&self, progress: &Progress) -> Result<()> {
        let total: usize = self.splits().iter().map(|(_, split)| split.images * (IMAGE_BYTES + 2)).sum();
        let task = progress.start("Verifying", Some(total as u64), Unit::Bytes);
        for (name, split) in self.splits() {
            self.check_hash(&images_file(name), &split.images_sha256, &task)?;
            self.check_hash(&labels_file(name), &split.labels_sha256, &task)?;
        }
        let meta = &self.meta;
        ensure!(
            overall_hash(&meta.classes, &meta.train, &meta.val) == meta.sha256,
            "the classes in {} are not those that were imported; import the data set again with --force",
            self.dir.join(META).display()
        );
        Ok(())
    }

    fn split(&self, name: &str) -> &SplitMeta {
        if name == "train" { &self.meta.train } else { &self.meta.val }
    }

    fn splits(&self) -> [(&'static str, &SplitMeta); 2] {
        [("train", &self.meta.train), ("val", &self.meta.val)]
    }

    fn read(&self, name: &str) -> Result<Split> {
        let images = self.read_file(&images_file(name), &self.split(name).images_sha256)?;
        let labels = self.labels(name)?;
        ensure!(
            labels.len() * IMAGE_BYTES == images.len(),
            "{} is damaged; import the data set again with --force",
            self.dir.join(labels_file(name)).display()
        );
        Ok(Split { images, labels })
    }

    fn read_file(&self, file: &str, sha256: &str) -> Result<Vec<u8>> {
        let path = self.dir.join(file);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(hex(Sha256::digest(&bytes)) == sha256, differs(&path));
        Ok(bytes)
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

    fn check_hash(&self, file: &str, expected: &str, task: &Task) -> Result<()> {
        let path = self.dir.join(file);
        ensure!(sha256_of_file(&path, Some(task))? == expected, differs(&path));
        Ok(())
    }
}

fn differs(file: &Path) -> String {
    format!(
        "{} is damaged (its SHA-256 differs from the one in meta.json); import the data set again with --force",
        file.display()
    )
}

/// Returns the SHA-256 over one line a class (`wnid <tab> name`), then the four arrays' hashes.
pub(super) fn overall_hash(classes: &[Class], train: &SplitMeta, val: &SplitMeta) -> String {
    let mut hash = Sha256::new();
    for class in classes {
        hash.update(format!("{}\t{}\n", class.wnid, class.name));
    }
    for split in [train, val] {
        hash.update(format!("{}\n{}\n", split.images_sha256, split.labels_sha256));
    }
    hex(hash.finalize())
}

/// Returns whether a file of a cache has this name.
pub fn is_file_of(name: &OsStr) -> bool {
    let arrays = ["train", "val"].iter().flat_map(|split| [images_file(split), labels_file(split)]);
    name == META || arrays.into_iter().any(|file| name == file.as_str())
}

/// Returns the name of the file with a split's pictures.
pub fn images_file(split: &str) -> String {
    format!("{split}.rgb8")
}

/// Returns the name of the file with a split's labels.
pub(super) fn labels_file(split: &str) -> String {
    format!("{split}.labels.u16le")
}
