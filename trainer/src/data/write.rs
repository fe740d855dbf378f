//! Writing a data set: the arrays, each with its hash, and `meta.json` last.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::cache::{FORMAT_VERSION, META, labels_file, overall_hash};
use super::decode::decode_all;
use super::hash::{hex, sha256_of_file};
use super::layout::{Layout, RawImage};
use super::pixel_stats::{PixelStats, Sums};
use super::{Crafted, Dataset, IMAGE_BYTES, Meta, Split, SplitMeta, images_file};
use crate::progress::{Progress, Stop, Task, Unit};

/// Decodes `layout` and writes it to the empty folder `dir`, `meta.json` last.
///
/// # Errors
/// Names the bad pictures, or the file that cannot be written.
pub fn write(dir: &Path, layout: Layout, source: String, progress: &Progress, stop: &Stop) -> Result<Meta> {
    let pictures = layout.train.len() + layout.val.len();
    let task = progress.start("Decoding", Some(pictures as u64), Unit::Pictures);
    let (train, train_pixels) = write_split(dir, "train", &layout.train, &task, stop)?;
    let (val, _) = write_split(dir, "val", &layout.val, &task, stop)?;
    drop(task);
    let sha256 = overall_hash(&layout.classes, &train, &val);
    let (whole, classes) = (layout.whole, layout.classes);
    let train_pixels = Some(train_pixels);
    let (crafted, subset) = (None, None);
    let format_version = FORMAT_VERSION;
    let meta = Meta { format_version, source, whole, train, val, train_pixels, crafted, subset, sha256, classes };
    write_meta(dir, &meta)?;
    Ok(meta)
}

/// Completes a crafted set of the attacked pictures of `clean` that are in `dir`: adds the labels and, last, `meta.json`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn seal(dir: &Path, clean: &Dataset, crafted: Crafted, progress: &Progress) -> Result<Meta> {
    let bytes = (clean.train.len() + clean.val.len()) * IMAGE_BYTES;
    let task = progress.start("Hashing", Some(bytes as u64), Unit::Bytes);
    let split = |name: &str, split: &Split| {
        let images_sha256 = sha256_of_file(&dir.join(images_file(name)), Some(&task))?;
        let labels_sha256 = write_labels(dir, name, split.labels.iter().copied())?;
        anyhow::Ok(SplitMeta { images: split.len(), images_sha256, labels_sha256 })
    };
    let (train, val) = (split("train", &clean.train)?, split("val", &clean.val)?);
    drop(task);
    let meta = Meta {
        format_version: FORMAT_VERSION,
        source: format!("{} on {}", crafted.attack, crafted.source),
        whole: false,
        sha256: overall_hash(&clean.classes, &train, &val),
        train,
        val,
        // Attacked pictures are normalised like clean ones.
        train_pixels: Some(clean.pixels),
        crafted: Some(crafted),
        subset: None,
        classes: clean.classes.clone(),
    };
    write_meta(dir, &meta)?;
    Ok(meta)
}

/// Writes `meta.json`, by which the arrays beside it become a data set.
///
/// # Errors
/// When the file cannot be written.
pub fn write_meta(dir: &Path, meta: &Meta) -> Result<()> {
    let mut out = OutFile::create(dir.join(META))?;
    out.write(serde_json::to_string_pretty(meta)?.as_bytes())?;
    out.finish()?;
    Ok(())
}

/// Writes a split's labels and returns the file's SHA-256.
///
/// # Errors
/// When the file cannot be written.
pub fn write_labels(dir: &Path, split: &str, labels: impl Iterator<Item = u16>) -> Result<String> {
    let mut out = OutFile::create(dir.join(labels_file(split)))?;
    out.write(&labels.flat_map(u16::to_le_bytes).collect::<Vec<u8>>())?;
    out.finish()
}

fn write_split(
    dir: &Path,
    name: &str,
    images: &[RawImage],
    task: &Task,
    stop: &Stop,
) -> Result<(SplitMeta, PixelStats)> {
    let mut out = OutFile::create(dir.join(images_file(name)))?;
    let mut sums = Sums::default();
    decode_all(images, task, stop, |pixels| {
        sums = sums.plus(Sums::of(pixels));
        out.write(pixels)
    })?;
    let images_sha256 = out.finish()?;
    let labels_sha256 = write_labels(dir, name, images.iter().map(|image| image.label))?;
    let split = SplitMeta { images: images.len(), images_sha256, labels_sha256 };
    Ok((split, sums.stats()))
}

/// A file being written, with the SHA-256 of its bytes.
pub struct OutFile {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
}

impl OutFile {
    /// Creates the file `path`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 20, file), hash: Sha256::new() })
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes).with_context(|| self.failure())
    }

    /// Flushes the file to the disk and returns its SHA-256.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(mut self) -> Result<String> {
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).with_context(|| self.failure())?;
        Ok(hex(self.hash.finalize()))
    }

    fn failure(&self) -> String {
        format!("cannot write {} (the whole of Tiny ImageNet needs 1.4 GB of disk space)", self.path.display())
    }
}
