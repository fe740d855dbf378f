//! Encoded pictures to raw pixels, many at once.

use std::io::Cursor;

use anyhow::{Context, Result, ensure};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use indicatif::ProgressBar;
use rayon::prelude::*;

use super::layout::{RawImage, none_of};
use super::{IMAGE_BYTES, SIDE};
use crate::progress::Stop;

/// How many pictures are in memory decoded (50 MB): enough to keep all cores busy.
const BATCH: usize = 4096;

/// Decodes `images` in their order and gives them to `sink` in batches, `[n, 64, 64, 3]`.
///
/// # Errors
/// Names the pictures that cannot be decoded or are not 64x64, after trying all of them; or the first error of `sink`; or that it was to stop.
pub fn decode_all(
    images: &[RawImage],
    bar: &ProgressBar,
    stop: &Stop,
    mut sink: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut bad = Vec::new();
    let mut pixels = vec![0; BATCH.min(images.len()) * IMAGE_BYTES];
    for batch in images.chunks(BATCH) {
        stop.check()?;
        let pixels = &mut pixels[..batch.len() * IMAGE_BYTES];
        let errors = pixels.par_chunks_exact_mut(IMAGE_BYTES).zip(batch).filter_map(|(pixels, image)| {
            let result = decode(&image.bytes, pixels);
            bar.inc(1);
            result.err().map(|error| format!("{} ({error:#})", image.path))
        });
        bad.extend(errors.collect::<Vec<_>>());
        // Once one is bad nothing will be kept: the rest is decoded only to name the other bad ones.
        if bad.is_empty() {
            sink(pixels)?;
        }
    }
    none_of(&format!("{} of {} pictures are bad", bad.len(), images.len()), bad)
}

/// Decodes one picture to `[64, 64, 3]`; grayscale becomes RGB.
fn decode(bytes: &[u8], pixels: &mut [u8]) -> Result<()> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    // The decoder fills what is missing of a cut off JPEG with grey and says nothing.
    if reader.format() == Some(ImageFormat::Jpeg) {
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        ensure!(bytes[..end].ends_with(&[0xFF, 0xD9]), "cut off");
    }
    let decoder = reader.into_decoder().context("not a picture that can be read")?;
    let (width, height) = decoder.dimensions();
    ensure!((width, height) == (SIDE as u32, SIDE as u32), "{width}x{height} pixels instead of 64x64");
    let rgb = DynamicImage::from_decoder(decoder).context("cannot decode it")?.into_rgb8();
    pixels.copy_from_slice(&rgb);
    Ok(())
}
