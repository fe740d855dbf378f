//! Decoding of pictures to raw pixels, in parallel.

use anyhow::Result;
use rayon::prelude::*;
use shared::image::{ImageError, Picture};

use super::error::BadSource;
use super::layout::{RawImage, ensure_none};
use super::{IMAGE_BYTES, SIDE};
use crate::progress::{Stop, Task};

/// Number of decoded pictures in memory (50 MB): enough to keep all cores busy.
const BATCH: usize = 4096;

/// Decodes `images` in their order and calls `sink` with batches of them, `[n, 64, 64, 3]`.
///
/// # Errors
/// [`BadSource`] that names the pictures that cannot be decoded or are not 64x64, after trying all of them; the first error
/// of `sink`; or [`Stopped`](crate::error::Stopped) when a stop was requested.
pub fn decode_all(
    images: &[RawImage],
    task: &Task,
    stop: &Stop,
    mut sink: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut bad = Vec::new();
    let mut pixels = vec![0; BATCH.min(images.len()) * IMAGE_BYTES];
    for batch in images.chunks(BATCH) {
        stop.check()?;
        let pixels = &mut pixels[..batch.len() * IMAGE_BYTES];
        let errors = pixels.par_chunks_exact_mut(IMAGE_BYTES).zip(batch).filter_map(|(pixels, image)| {
            let result = image.picture.decode();
            task.advance(1);
            match result {
                Ok(picture) => {
                    pixels.copy_from_slice(picture.as_rgb8());
                    None
                }
                Err(why) => Some(format!("{} ({why})", image.path)),
            }
        });
        bad.extend(errors.collect::<Vec<_>>());
        // After one bad picture nothing is kept: the rest is decoded only to name the other bad ones.
        if bad.is_empty() {
            sink(pixels)?;
        }
    }
    ensure_none(&format!("{} of {} pictures are bad", bad.len(), images.len()), bad).map_err(BadSource::from_error)
}

/// Decodes one picture as the page and the other commands do, and refuses any size but 64x64.
pub fn decode(bytes: &[u8]) -> Result<Picture, String> {
    let picture = Picture::decode(bytes).map_err(|error| match error {
        // Leaves out the advice of the error's text, which is for a user who chose one picture.
        ImageError::Empty => "an empty file".into(),
        ImageError::NotAnImage { looks_like } => format!("not a picture but {looks_like}"),
        ImageError::Damaged { detail, .. } => detail.trim().into(),
        other => other.to_string(),
    })?;
    match picture.original_size() {
        Some((width, height)) if (width, height) != (SIDE as u32, SIDE as u32) => {
            Err(format!("{width}x{height} pixels instead of 64x64"))
        }
        _ => Ok(picture),
    }
}
