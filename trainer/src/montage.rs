//! Pictures in rows, and a picture of an attack: original, attacked and perturbation side by side.

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
    let side = SIDE as u32;
    let large = |panel: &Picture| -> Result<RgbImage> {
        let picture = RgbImage::from_raw(side, side, panel.as_rgb8().to_vec()).context("a picture has 64x64 pixels")?;
        Ok(imageops::resize(&picture, side * SCALE, side * SCALE, FilterType::Nearest))
    };
    png(&grid(&[panels.into_iter().map(large).collect::<Result<_>>()?]))
}

/// Puts rows of tiles together on white, with gaps between: a row is as high as its highest tile.
pub fn grid(rows: &[Vec<RgbImage>]) -> RgbImage {
    let gaps = |count: usize| GAP * (count.max(1) as u32 - 1);
    let width_of = |row: &Vec<RgbImage>| row.iter().map(RgbImage::width).sum::<u32>() + gaps(row.len());
    let height_of = |row: &Vec<RgbImage>| row.iter().map(RgbImage::height).max().unwrap_or(0);
    let width = rows.iter().map(width_of).max().unwrap_or(0);
    let height = rows.iter().map(height_of).sum::<u32>() + gaps(rows.len());
    let mut canvas = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut top = 0;
    for row in rows {
        let mut left = 0;
        for tile in row {
            imageops::replace(&mut canvas, tile, i64::from(left), i64::from(top));
            left += tile.width() + GAP;
        }
        top += height_of(row) + GAP;
    }
    canvas
}

/// Returns a canvas as a PNG file.
///
/// # Errors
/// When the PNG encoder fails.
pub fn png(canvas: &RgbImage) -> Result<Vec<u8>> {
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
