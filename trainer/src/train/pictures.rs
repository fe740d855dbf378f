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

/// The position of a crop in the padded picture, and whether it is mirrored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    dx: isize,
    dy: isize,
    flip: bool,
}

impl Crop {
    /// The whole picture, not mirrored.
    pub const NONE: Self = Self { dx: 0, dy: 0, flip: false };

    /// Draws a crop from a border of `padding` pixels, mirrored with probability 1/2.
    pub fn random(padding: usize, random: &mut StdRng) -> Self {
        let padding = padding as i32;
        let mut shift = || random.random_range(-padding..=padding) as isize;
        let (dx, dy) = (shift(), shift());
        Self { dx, dy, flip: random.random_bool(0.5) }
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
    /// Returns the pictures of `views`, `[N, 3, size, size]` in `[0, 1]`, on `device` without autodiff.
    pub fn images(&self, views: &[PictureView], device: &Device) -> Tensor<4> {
        let size = self.image_size;
        let mut pixels = vec![0.0f32; views.len() * 3 * size * size];
        pixels.par_chunks_mut(3 * size * size).zip(views).for_each(|(out, view)| {
            // Loading the sets has checked that the mix has all that it needs.
            let split = view.crafted.map_or(&self.split, |kind| &self.crafted[&kind]);
            prepare(split.image(view.index), view.crop, size, out);
        });
        Tensor::from_data(TensorData::new(pixels, [views.len(), 3, size, size]), &device.clone().inner())
    }

    /// Returns the labels of the pictures `indices`, `[N]`, on `device` without autodiff.
    pub fn targets(&self, indices: &[usize], device: &Device) -> Tensor<1, Int> {
        let labels: Vec<i64> = indices.iter().map(|&index| self.split.label(index) as i64).collect();
        Tensor::from_data(TensorData::new(labels, [indices.len()]), &device.clone().inner())
    }
}

/// Converts `[64, 64, 3]` bytes to `[3, size, size]` in `[0, 1]`: cropped from zero padding, mirrored, averaged over squares.
fn prepare(picture: &[u8], crop: Crop, size: usize, out: &mut [f32]) {
    let factor = SIDE / size;
    let scale = 1.0 / (255.0 * (factor * factor) as f32);
    let side = SIDE as isize;
    for y in 0..SIDE {
        let from_y = y as isize + crop.dy;
        if !(0..side).contains(&from_y) {
            continue;
        }
        for x in 0..SIDE {
            let from_x = if crop.flip { SIDE - 1 - x } else { x } as isize + crop.dx;
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

#[cfg(test)]
pub(super) mod tests {
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
        let shifted = prepared(Crop { dx: 8, dy: -8, flip: false }, 64);
        assert_eq!(shifted[8 * 64], plain[8]);
        assert!(shifted[..8 * 64].iter().all(|&value| value == 0.0));
    }

    #[test]
    fn smaller_pictures_are_averages() {
        let (plain, half) = (prepared(Crop::NONE, 64), prepared(Crop::NONE, 32));
        let mean = (plain[0] + plain[1] + plain[64] + plain[65]) / 4.0;
        assert!((half[0] - mean).abs() < 1e-6);
    }
}
