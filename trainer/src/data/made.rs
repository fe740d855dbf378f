//! A small synthetic data set in Tiny ImageNet's layout, for tests and demonstrations.
//!
//! Each class is a colour and a shape (a red disc, a green stripe, ...), drawn at a seeded place and size over a seeded
//! grey background with noise: easy enough to be learned in a minute, but not trivial.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use zip::write::SimpleFileOptions;

use super::SIDE;

/// The size of a synthetic set, and the seed that its pictures are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Number of classes, from 1 to 20.
    pub classes: usize,
    /// Training pictures of each class, at least 1.
    pub train_per_class: usize,
    /// Validation pictures of each class, at least 1.
    pub val_per_class: usize,
    /// Seed of the pictures.
    pub seed: u64,
}

/// A file of a synthetic set: its path from the layout's root, with `/` between the parts, and its bytes.
pub type MadeFile = (String, Vec<u8>);

const COLOURS: [(&str, [u8; 3]); 5] = [
    ("red", [210, 40, 40]),
    ("green", [40, 170, 60]),
    ("blue", [50, 70, 210]),
    ("yellow", [220, 200, 40]),
    ("purple", [150, 50, 170]),
];
const SHAPES: [(&str, Shape); 4] = [
    ("disc", |x, y| x * x + y * y <= 1.0),
    ("square", |x, y| x.abs().max(y.abs()) <= 0.9),
    ("triangle", |x, y| y <= 0.8 && y >= 2.0 * x.abs() - 1.0),
    ("ring", |x, y| (0.3..=1.0).contains(&(x * x + y * y))),
];
/// Returns whether a point is in a shape, which fits into -1..=1 on both axes.
type Shape = fn(f32, f32) -> bool;

impl Made {
    /// Returns all files of the set, in the order of an archive: lists first, then training, then validation.
    ///
    /// # Errors
    /// When `classes` is not from 1 to 20, or one of the counts is 0.
    pub fn files(&self) -> Result<Vec<MadeFile>> {
        ensure!((1..=COLOURS.len() * SHAPES.len()).contains(&self.classes), "a made set has from 1 to 20 classes");
        ensure!(self.train_per_class > 0 && self.val_per_class > 0, "a made set has pictures of every class");
        let wnids: Vec<String> = (0..self.classes).map(|class| format!("n{:08}", 90_000_000 + class)).collect();
        let mut files = vec![("wnids.txt".to_string(), lines(wnids.iter().cloned()))];
        let words = wnids.iter().enumerate().map(|(class, wnid)| format!("{wnid}\t{}", class_name(class)));
        files.push(("words.txt".into(), lines(words)));

        for (class, wnid) in wnids.iter().enumerate() {
            let name = |k: usize| format!("{wnid}_{k}.JPEG");
            let boxes = (0..self.train_per_class).map(|k| format!("{}\t0\t0\t63\t63", name(k)));
            files.push((format!("train/{wnid}/{wnid}_boxes.txt"), lines(boxes)));
            for k in 0..self.train_per_class {
                files.push((format!("train/{wnid}/images/{}", name(k)), self.picture(class, k)?));
            }
        }
        // As in the official set, neighbours in the validation set are of different classes.
        let val_name = |k: usize| format!("val_{k}.JPEG");
        let val = self.classes * self.val_per_class;
        let annotations = (0..val).map(|k| format!("{}\t{}\t0\t0\t63\t63", val_name(k), wnids[k % self.classes]));
        files.push(("val/val_annotations.txt".into(), lines(annotations)));
        for k in 0..val {
            let picture = self.picture(k % self.classes, self.train_per_class + k / self.classes)?;
            files.push((format!("val/images/{}", val_name(k)), picture));
        }
        Ok(files)
    }

    /// Writes the set as files to the folder `dir`.
    ///
    /// # Errors
    /// As [`Made::files`], or when a file cannot be written.
    pub fn write_folder(&self, dir: &Path) -> Result<()> {
        write_folder(dir, &self.files()?)
    }

    fn picture(&self, class: usize, k: usize) -> Result<Vec<u8>> {
        // Seeds differ for all classes and numbers below a million, so a picture does not depend on the size of the set.
        let mut rng = StdRng::seed_from_u64(self.seed ^ ((class as u64 + 1) * 1_000_003 + k as u64).rotate_left(20));
        jpeg(&draw(class, &mut rng))
    }
}

/// Returns the name of a class in `words.txt`, such as `red disc`.
pub fn class_name(class: usize) -> String {
    let (colour, shape) = (COLOURS[class % COLOURS.len()].0, SHAPES[class / COLOURS.len() % SHAPES.len()].0);
    format!("{colour} {shape}")
}

/// Draws a picture of `class` from `seed`, `[64, 64, 3]`.
pub fn picture(class: usize, seed: u64) -> Vec<u8> {
    draw(class, &mut StdRng::seed_from_u64(seed))
}

/// Draws a picture of `class`, `[64, 64, 3]`.
fn draw(class: usize, rng: &mut StdRng) -> Vec<u8> {
    let (colour, shape) = (COLOURS[class % COLOURS.len()].1, SHAPES[class / COLOURS.len() % SHAPES.len()].1);
    let grey: i16 = rng.random_range(60..200);
    let size: f32 = rng.random_range(14.0..26.0);
    let (left, top) = (rng.random_range(size..64.0 - size), rng.random_range(size..64.0 - size));
    let mut pixels = Vec::with_capacity(super::IMAGE_BYTES);
    for index in 0..SIDE * SIDE {
        let (x, y) = ((index % SIDE) as f32 - left, (index / SIDE) as f32 - top);
        let inside = shape(x / size, y / size);
        let noise: i16 = rng.random_range(-20..=20);
        for channel in colour {
            let value = if inside { i16::from(channel) } else { grey };
            pixels.push((value + noise).clamp(0, 255) as u8);
        }
    }
    pixels
}

/// Encodes `[64, 64, 3]` pixels as a JPEG.
fn jpeg(pixels: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let side = SIDE as u32;
    JpegEncoder::new_with_quality(&mut bytes, 92).encode(pixels, side, side, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// Encodes `[height, width, 3]` pixels as a PNG, for tests with pictures of other sizes.
///
/// # Errors
/// When `pixels` is not `width * height * 3` bytes.
pub fn png(width: u32, height: u32, pixels: Vec<u8>) -> Result<Vec<u8>> {
    let picture = image::RgbImage::from_raw(width, height, pixels).context("not width * height * 3 bytes")?;
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// Writes `files` under the folder `dir`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_folder(dir: &Path, files: &[MadeFile]) -> Result<()> {
    for (path, bytes) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Returns the bytes of a `.tar` of `files`, under the folder `top` (empty for none).
///
/// # Errors
/// When a path is too long for the archive.
pub fn tar(top: &str, files: &[MadeFile]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, join(top, path), bytes.as_slice())?;
    }
    Ok(archive.into_inner()?)
}

/// Returns the bytes of a `.tar.zst` of `files`, under the folder `top` (empty for none).
///
/// # Errors
/// When a path is too long for the archive.
pub fn tar_zst(top: &str, files: &[MadeFile]) -> Result<Vec<u8>> {
    Ok(zstd::encode_all(tar(top, files)?.as_slice(), 3)?)
}

/// Returns the bytes of a `.zip` of `files`, under the folder `top` (empty for none).
///
/// # Errors
/// When a path is in `files` twice.
pub fn zip(top: &str, files: &[MadeFile]) -> Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        archive.start_file(join(top, path), SimpleFileOptions::default())?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Writes `bytes` to `dir/name` and returns the path.
///
/// # Errors
/// When the file cannot be written.
pub fn write_file(dir: &Path, name: &str, bytes: &[u8]) -> Result<std::path::PathBuf> {
    let path = dir.join(name);
    File::create(&path)?.write_all(bytes)?;
    Ok(path)
}

fn join(top: &str, path: &str) -> String {
    if top.is_empty() { path.to_string() } else { format!("{top}/{path}") }
}

fn lines(lines: impl Iterator<Item = String>) -> Vec<u8> {
    lines.map(|line| line + "\n").collect::<String>().into_bytes()
}
