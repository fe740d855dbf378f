//! Mean and standard deviation of pictures by channel, which a network's first layer normalises to 0 and 1.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::IMAGE_BYTES;

/// Mean and standard deviation of all pixels of some pictures, RGB, in pixel units (0 to 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelStats {
    /// Mean, 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation, at least 1/255, since pixels are divided by it.
    pub std: [f32; 3],
}

impl PixelStats {
    /// Computes the statistics of pictures `[N, 64, 64, 3]`.
    pub fn of(images: &[u8]) -> Self {
        Sums::of(images).stats()
    }
}

/// The sums from which mean and standard deviation are computed. They are integers, so the order of adding changes no bit;
/// those of Tiny ImageNet are a millionth of the largest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    pixels: u64,
    values: [u64; 3],
    squares: [u64; 3],
}

impl Sums {
    /// Computes the sums over pictures `[N, 64, 64, 3]`.
    pub fn of(images: &[u8]) -> Self {
        images.par_chunks(IMAGE_BYTES).map(Self::of_picture).reduce(Self::default, Self::plus)
    }

    /// Returns the sums over the pictures of both.
    pub fn plus(self, other: Self) -> Self {
        let both = |a: [u64; 3], b: [u64; 3]| std::array::from_fn(|channel| a[channel] + b[channel]);
        Self {
            pixels: self.pixels + other.pixels,
            values: both(self.values, other.values),
            squares: both(self.squares, other.squares),
        }
    }

    pub fn stats(&self) -> PixelStats {
        let count = self.pixels.max(1) as f64;
        let mean = self.values.map(|sum| sum as f64 / count);
        let std = |channel: usize| {
            let variance = self.squares[channel] as f64 / count - mean[channel] * mean[channel];
            (variance.max(0.0).sqrt().max(1.0) / 255.0) as f32
        };
        PixelStats { mean: mean.map(|mean| (mean / 255.0) as f32), std: std::array::from_fn(std) }
    }

    fn of_picture(picture: &[u8]) -> Self {
        // The squares of 4096 pixels fit 32 bits, which is quicker.
        let (mut values, mut squares) = ([0u32; 3], [0u32; 3]);
        for pixel in picture.chunks_exact(3) {
            for (channel, &value) in pixel.iter().enumerate() {
                let value = u32::from(value);
                values[channel] += value;
                squares[channel] += value * value;
            }
        }
        Self { pixels: picture.len() as u64 / 3, values: values.map(u64::from), squares: squares.map(u64::from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_all_pixels_of_a_channel() {
        let mut images = vec![0; 2 * IMAGE_BYTES];
        images[..IMAGE_BYTES].chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&[255, 51, 7]));
        images[IMAGE_BYTES..].chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&[0, 153, 7]));
        let PixelStats { mean, std } = PixelStats::of(&images);
        assert_eq!((mean[0], mean[1]), (0.5, 0.4));
        assert_eq!((std[0], std[1]), (0.5, 0.2));
        assert_eq!((mean[2], std[2]), (7.0 / 255.0, 1.0 / 255.0), "one colour has no spread to divide by");
    }

    #[test]
    fn white_pictures_overflow_nothing_and_parts_add_up() {
        let white = vec![255; 5 * IMAGE_BYTES];
        let parts = white.chunks(2 * IMAGE_BYTES).map(Sums::of).fold(Sums::default(), Sums::plus);
        assert_eq!(parts.stats(), PixelStats::of(&white));
        assert_eq!(parts.stats().mean, [1.0; 3]);
    }
}
