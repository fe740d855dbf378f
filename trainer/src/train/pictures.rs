//! Conversion of pictures to tensors: cropped, mirrored and shrunk on all cores.

use std::sync::Arc;

use burn::prelude::*;
use rand::RngExt;
use rand::rngs::StdRng;
use rayon::prelude::*;
use shared::attack::AttackKind;

use super::sets::CraftedPictures;
use crate::data::{SIDE, Split};

/// Some pictures of a split, and their size in the batch.
#[derive(Clone)]
pub struct Pictures {
    pub split: Arc<Split>,
    /// Attacked copies of the pictures from crafted sets, by attack, for the shares that need them.
    pub crafted: CraftedPictures,
    /// Indices of the pictures in the split.
    pub indices: Arc<Vec<usize>>,
    /// Side in the batch, in pixels: 64 divided by a whole number.
    pub image_size: usize,
}

/// The part of a picture that becomes the whole, and whether it is mirrored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    part: Part,
    flip: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// A square of the picture's side, so many pixels right of and below the picture's corner; black outside the picture.
    Shifted { dx: isize, dy: isize },
    /// A rectangle within the picture, in pixels, enlarged by bilinear interpolation.
    Resized { left: f32, top: f32, width: f32, height: f32 },
}

impl Crop {
    /// The whole picture, not mirrored.
    pub const NONE: Self = Self { part: Part::Shifted { dx: 0, dy: 0 }, flip: false };

    /// Draws a crop from a border of `padding` pixels, mirrored with probability 1/2.
    pub fn random(padding: usize, random: &mut StdRng) -> Self {
        let padding = padding as i32;
        let mut shift = || random.random_range(-padding..=padding) as isize;
        let part = Part::Shifted { dx: shift(), dy: shift() };
        Self { part, flip: random.random_bool(0.5) }
    }

    /// Draws a rectangle of `smallest` to all of the picture's area and of 3:4 to 4:3, as torchvision's `RandomResizedCrop`
    /// does, mirrored with probability 1/2.
    pub fn resized(smallest: f64, random: &mut StdRng) -> Self {
        let side = SIDE as f64;
        let area = random.random_range(smallest..=1.0);
        let ratio = random.random_range((3.0f64 / 4.0).ln()..=(4.0f64 / 3.0).ln()).exp();
        let (width, height) = ((area * ratio).sqrt().min(1.0) * side, (area / ratio).sqrt().min(1.0) * side);
        let (left, top) = (random.random_range(0.0..=side - width), random.random_range(0.0..=side - height));
        let part = Part::Resized { left: left as f32, top: top as f32, width: width as f32, height: height as f32 };
        Self { part, flip: random.random_bool(0.5) }
    }
}

/// One row of a batch.
pub struct PictureView {
    pub index: usize,
    /// Attack of the crafted set that the picture is taken from, if any.
    pub crafted: Option<AttackKind>,
    pub crop: Crop,
}

impl Pictures {
    /// Returns the pictures of `views`: `[N, 3, size, size]` in `[0, 1]`.
    pub fn pixels(&self, views: &[PictureView]) -> TensorData {
        let size = self.image_size;
        let mut pixels = vec![0.0f32; views.len() * 3 * size * size];
        pixels.par_chunks_mut(3 * size * size).zip(views).for_each(|(out, view)| {
            // Loading the sets has checked that the mix has all that it needs.
            let split = view.crafted.map_or(&self.split, |kind| &self.crafted[&kind]);
            prepare(split.image(view.index), view.crop, size, out);
        });
        TensorData::new(pixels, [views.len(), 3, size, size])
    }

    /// Returns the labels of the pictures `indices`: `[N]`.
    pub fn labels(&self, indices: &[usize]) -> TensorData {
        let labels: Vec<i64> = indices.iter().map(|&index| self.split.label(index) as i64).collect();
        TensorData::new(labels, [indices.len()])
    }
}

/// Converts `[64, 64, 3]` bytes to `[3, size, size]` in `[0, 1]`: cropped from zero padding, mirrored, averaged over squares.
fn prepare(picture: &[u8], crop: Crop, size: usize, out: &mut [f32]) {
    let (dx, dy) = match crop.part {
        Part::Shifted { dx, dy } => (dx, dy),
        Part::Resized { left, top, width, height } => {
            return enlarge(picture, [left, top, width, height], crop.flip, size, out);
        }
    };
    let factor = SIDE / size;
    let scale = 1.0 / (255.0 * (factor * factor) as f32);
    let side = SIDE as isize;
    for y in 0..SIDE {
        let from_y = y as isize + dy;
        if !(0..side).contains(&from_y) {
            continue;
        }
        for x in 0..SIDE {
            let from_x = if crop.flip { SIDE - 1 - x } else { x } as isize + dx;
            if !(0..side).contains(&from_x) {
                continue;
            }
            let from = 3 * (from_y as usize * SIDE + from_x as usize);
            for channel in 0..3 {
                out[(channel * size + y / factor) * size + x / factor] += f32::from(picture[from + channel]) * scale;
            }
        }
    }
}

/// Converts a rectangle `[left, top, width, height]` of `[64, 64, 3]` bytes to `[3, size, size]` in `[0, 1]`, by bilinear
/// interpolation between the centres of pixels.
fn enlarge(picture: &[u8], [left, top, width, height]: [f32; 4], flip: bool, size: usize, out: &mut [f32]) {
    let last = SIDE - 1;
    // The pixels on both sides of a position, and the weight of the second one.
    let between = |start: f32, length: f32, at: usize| {
        let position = (start + (at as f32 + 0.5) * length / size as f32 - 0.5).clamp(0.0, last as f32);
        let first = position as usize;
        (first, (first + 1).min(last), position - first as f32)
    };
    let columns: Vec<_> = (0..size).map(|x| between(left, width, if flip { size - 1 - x } else { x })).collect();
    for y in 0..size {
        let (above, below, down) = between(top, height, y);
        for (x, &(before, after, right)) in columns.iter().enumerate() {
            for channel in 0..3 {
                let value = |row: usize, column: usize| f32::from(picture[3 * (row * SIDE + column) + channel]);
                let mix = |a: f32, b: f32, part: f32| a + (b - a) * part;
                let upper = mix(value(above, before), value(above, after), right);
                let lower = mix(value(below, before), value(below, after), right);
                out[(channel * size + y) * size + x] = mix(upper, lower, down) / 255.0;
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rand::SeedableRng;

    use super::*;

    pub fn picture() -> Vec<u8> {
        (0..SIDE * SIDE * 3).map(|i| (i * 7 % 251) as u8).collect()
    }

    fn prepared(crop: Crop, size: usize) -> Vec<f32> {
        let mut out = vec![0.0; 3 * size * size];
        prepare(&picture(), crop, size, &mut out);
        out
    }

    #[test]
    fn without_crop_the_channels_are_the_pixels() {
        let (picture, out) = (picture(), prepared(Crop::NONE, 64));
        for (channel, y, x) in [(0, 0, 0), (1, 5, 9), (2, 63, 63)] {
            let expected = f32::from(picture[3 * (y * SIDE + x) + channel]) / 255.0;
            assert!((out[(channel * 64 + y) * 64 + x] - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_flip_mirrors_and_a_shift_pads_with_black() {
        let (plain, flipped) = (prepared(Crop::NONE, 64), prepared(Crop { flip: true, ..Crop::NONE }, 64));
        assert_eq!(plain[10], flipped[53]);
        let shifted = prepared(Crop { part: Part::Shifted { dx: 8, dy: -8 }, flip: false }, 64);
        assert_eq!(shifted[8 * 64], plain[8]);
        assert!(shifted[..8 * 64].iter().all(|&value| value == 0.0));
    }

    #[test]
    fn a_rectangle_is_enlarged_between_the_centres_of_pixels() {
        let whole = Part::Resized { left: 0.0, top: 0.0, width: 64.0, height: 64.0 };
        let near = |a: Vec<f32>, b: Vec<f32>| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6));
        near(prepared(Crop { part: whole, flip: false }, 64), prepared(Crop::NONE, 64));
        near(prepared(Crop { part: whole, flip: true }, 64), prepared(Crop { flip: true, ..Crop::NONE }, 64));
        // Half of the side: each pixel of the crop is three quarters of one and a quarter of its neighbour.
        let part = Part::Resized { left: 16.0, top: 8.0, width: 32.0, height: 32.0 };
        let (plain, enlarged) = (prepared(Crop::NONE, 64), prepared(Crop { part, flip: false }, 64));
        let row = |y: usize, x: usize| 0.75 * plain[y * 64 + x] + 0.25 * plain[y * 64 + x + 1];
        assert!((enlarged[64 + 1] - (0.75 * row(8, 16) + 0.25 * row(9, 16))).abs() < 1e-6);
    }

    #[test]
    fn rectangles_lie_within_the_picture_and_have_the_area_asked_for() {
        let random = &mut StdRng::seed_from_u64(3);
        let mut areas = vec![];
        for _ in 0..1000 {
            let Crop { part: Part::Resized { left, top, width, height }, .. } = Crop::resized(0.25, random) else {
                panic!("not resized")
            };
            assert!(left >= 0.0 && top >= 0.0 && left + width <= 64.001 && top + height <= 64.001);
            areas.push(width * height / 4096.0);
        }
        // Where the ratio would lead out of the picture, a rectangle is cut, to 3/4 of its area at the least.
        assert!(areas.iter().all(|&area| (0.75 * 0.25..=1.0).contains(&area)));
        assert!(areas.iter().any(|&area| area < 0.3) && areas.iter().any(|&area| area > 0.9));
    }

    #[test]
    fn smaller_pictures_are_averages() {
        let (plain, half) = (prepared(Crop::NONE, 64), prepared(Crop::NONE, 32));
        let mean = (plain[0] + plain[1] + plain[64] + plain[65]) / 4.0;
        assert!((half[0] - mean).abs() < 1e-6);
    }
}
