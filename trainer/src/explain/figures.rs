//! Figures of an explanation, as PNG files.

use anyhow::{Context, Result};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use shared::explain::Attribution;
use shared::image::{Picture, SIDE, difference};

use super::ChosenStage;
use crate::montage::{grid, png};

/// Side of a picture in a figure, in pixels.
const LARGE: u32 = 256;
/// Side of a feature map in a figure, in pixels.
const SMALL: u32 = 64;
/// Width between the maps of two networks, besides the gaps of the grid, in pixels.
const BETWEEN: u32 = 16;
/// Share of a colour over the picture where a map is largest.
const STRONGEST: f32 = 0.75;
/// Colours of what speaks for a class and against it.
const FOR: [f32; 3] = [220.0, 30.0, 30.0];
const AGAINST: [f32; 3] = [30.0, 60.0, 230.0];

/// Returns a figure as PNG: the picture and its map; where there is an attack also the attacked picture, the difference,
/// amplified so that a change by `reach` (pixel units) is black or white on grey, and the map of the attacked picture. Red cells
/// have positive values, blue ones negative values; both maps have one scale.
///
/// # Errors
/// When the PNG encoder fails.
pub fn panel(
    picture: &Picture,
    map: &Attribution,
    attacked: Option<(&Picture, &Attribution)>,
    reach: f32,
) -> Result<Vec<u8>> {
    let largest = |map: &Attribution| map.values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = attacked.map_or(0.0, |(_, after)| largest(after)).max(largest(map));
    let mut tiles = vec![enlarged(picture)?];
    match attacked {
        None => tiles.push(overlay(picture, map, scale)?),
        Some((changed, after)) => {
            let gain = 127.0 / (reach * 255.0).max(1.0);
            tiles.push(enlarged(changed)?);
            tiles.push(enlarged(&difference(picture, changed, gain))?);
            tiles.push(overlay(picture, map, scale)?);
            tiles.push(overlay(changed, after, scale)?);
        }
    }
    png(&grid(&[tiles]))
}

/// Returns feature maps of several networks as PNG, side by side. Of each stage of a network there is one row, and one below of the
/// attacked picture; a column is a channel. Grey is 0, white and black the largest value of a channel in either row.
///
/// # Errors
/// When the PNG encoder fails.
pub fn feature_maps(networks: &[&[ChosenStage]]) -> Result<Vec<u8>> {
    let blocks = networks.iter().map(|stages| {
        let mut rows = Vec::new();
        for ChosenStage { before, after } in *stages {
            let scale = |channel: usize| {
                let both = before.get(channel).into_iter().chain(after.get(channel)).flat_map(|map| &map.values);
                both.fold(0.0f32, |largest, value| largest.max(value.abs()))
            };
            for maps in [before, after] {
                rows.push(maps.iter().enumerate().map(|(channel, map)| tile(map, scale(channel))).collect());
            }
        }
        rows.retain(|row: &Vec<RgbImage>| !row.is_empty());
        grid(&rows)
    });
    let mut row = Vec::new();
    for (place, block) in blocks.enumerate() {
        if place > 0 {
            row.push(RgbImage::from_pixel(BETWEEN, 1, Rgb([255; 3])));
        }
        row.push(block);
    }
    png(&grid(&[row]))
}

/// Draws a map in grey, each cell as a square.
fn tile(map: &Attribution, scale: f32) -> RgbImage {
    let small = RgbImage::from_fn(map.width as u32, map.height as u32, |x, y| {
        let value = map.values[y as usize * map.width + x as usize] / scale.max(f32::MIN_POSITIVE);
        Rgb([(128.0 + 127.0 * value) as u8; 3])
    });
    imageops::resize(&small, SMALL, SMALL, FilterType::Nearest)
}

fn enlarged(picture: &Picture) -> Result<RgbImage> {
    let side = SIDE as u32;
    let small = RgbImage::from_raw(side, side, picture.as_rgb8().to_vec()).context("a picture has 64x64 pixels")?;
    Ok(imageops::resize(&small, LARGE, LARGE, FilterType::Nearest))
}

/// Draws a map over a grey picture, each cell as it is: between cells nothing is known.
fn overlay(picture: &Picture, map: &Attribution, scale: f32) -> Result<RgbImage> {
    let mut large = enlarged(picture)?;
    for (x, y, pixel) in large.enumerate_pixels_mut() {
        let cell = |at: u32, cells: usize| at as usize * cells / LARGE as usize;
        let value = map.values[cell(y, map.height) * map.width + cell(x, map.width)] / scale.max(f32::MIN_POSITIVE);
        let share = STRONGEST * value.abs().min(1.0);
        let colour = if value > 0.0 { FOR } else { AGAINST };
        let [red, green, blue] = pixel.0.map(f32::from);
        let grey = 0.299 * red + 0.587 * green + 0.114 * blue;
        pixel.0 = colour.map(|colour| (grey + share * (colour - grey)).round() as u8);
    }
    Ok(large)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(value: u8) -> Picture {
        Picture::from_rgb8(vec![value; SIDE * SIDE * 3]).unwrap()
    }

    fn map(values: [f32; 4]) -> Attribution {
        Attribution { height: 2, width: 2, values: values.to_vec() }
    }

    fn decoded(png: &[u8]) -> RgbImage {
        image::load_from_memory(png).unwrap().into_rgb8()
    }

    #[test]
    fn red_speaks_for_and_blue_against_in_cells_of_one_scale() {
        let (before, after) = (map([1.0, 0.0, -2.0, 0.0]), map([4.0, 0.0, 0.0, 0.0]));
        let figure = decoded(&panel(&flat(100), &before, Some((&flat(104), &after)), 4.0 / 255.0).unwrap());
        assert_eq!(figure.dimensions(), (5 * 256 + 4 * 8, 256));
        let at = |tile: u32, x: u32, y: u32| figure.get_pixel(tile * 264 + x, y).0;
        assert_eq!((at(0, 9, 9), at(1, 9, 9), at(2, 9, 9)), ([100; 3], [104; 3], [255; 3]));
        let [[red, _, blue], faint, strong] = [at(3, 9, 200), at(3, 9, 9), at(4, 9, 9)];
        assert!(blue > 120 && red < 100, "against");
        assert!(faint[0] > 100 && strong[0] > faint[0], "one scale for both: {faint:?} {strong:?}");
        assert_eq!(at(3, 200, 9), [100; 3], "no evidence, no colour");
        assert_eq!((at(3, 0, 0), at(3, 127, 127)), (faint, faint), "a cell has one colour");
        let alone = decoded(&panel(&flat(100), &before, None, 0.0).unwrap());
        assert_eq!(alone.dimensions(), (2 * 256 + 8, 256));
    }

    #[test]
    fn feature_maps_stand_before_over_after_and_network_beside_network() {
        let stage = |value: f32| ChosenStage {
            before: vec![map([value, 0.0, -value, 0.0]), map([0.0; 4])],
            after: vec![map([2.0 * value, 0.0, 0.0, 0.0]), map([0.0; 4])],
        };
        let (one, two) = ([stage(1.0), stage(2.0)], [stage(3.0)]);
        let figure = decoded(&feature_maps(&[&one, &two]).unwrap());
        let block = 2 * SMALL + 8;
        let other = block + 8 + BETWEEN + 8;
        assert_eq!(figure.dimensions(), (other + block, 4 * SMALL + 3 * 8));
        let at = |x: u32, y: u32| figure.get_pixel(x, y).0[0];
        assert_eq!((at(9, 9), at(9, 81), at(9, 40), at(40, 9)), (191, 255, 64, 128));
        assert_eq!(at(other + 9, 9), 191, "the other network");
        assert_eq!(at(other + 9, 170), 255, "which has no second stage");
    }
}
