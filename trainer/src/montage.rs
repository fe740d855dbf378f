//! A picture of an attack: original, attacked and perturbation side by side.

use std::io::Cursor;

use anyhow::{Context, Result};
use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgb, RgbImage};
use shared::image::{Picture, SIDE, difference};

/// Side of the square that each pixel is shown as, in pixels.
const SCALE: u32 = 4;
/// Gap between the pictures, in pixels.
const GAP: u32 = 8;

/// Returns a PNG of the original, the attacked picture and the perturbation, the latter amplified so that a change by
/// `epsilon` (pixel units) is black or white on grey.
///
/// # Errors
/// When the PNG encoder fails.
pub fn side_by_side(original: &Picture, attacked: &Picture, epsilon: f32) -> Result<Vec<u8>> {
    let gain = 127.0 / (epsilon * 255.0).max(1.0);
    let panels = [original, attacked, &difference(original, attacked, gain)];
    let (side, count) = (SIDE as u32, panels.len() as u32);
    let width = count * side * SCALE + (count - 1) * GAP;
    let mut canvas = RgbImage::from_pixel(width, side * SCALE, Rgb([255; 3]));
    for (panel, index) in panels.into_iter().zip(0..) {
        let picture = RgbImage::from_raw(side, side, panel.as_rgb8().to_vec()).context("a picture has 64x64 pixels")?;
        let large = imageops::resize(&picture, side * SCALE, side * SCALE, FilterType::Nearest);
        imageops::replace(&mut canvas, &large, index * i64::from(side * SCALE + GAP), 0);
    }
    let mut png = Cursor::new(Vec::new());
    canvas.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(value: u8) -> Picture {
        Picture::from_rgb8(vec![value; SIDE * SIDE * 3]).unwrap()
    }

    #[test]
    fn three_pictures_stand_side_by_side() {
        let png = side_by_side(&flat(100), &flat(108), 8.0 / 255.0).unwrap();
        let picture = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (3 * 256 + 2 * 8, 256));
        let at = |x| picture.get_pixel(x, 128).0[0];
        assert_eq!((at(0), at(255), at(260), at(264), at(783)), (100, 100, 255, 108, 255));
    }
}
