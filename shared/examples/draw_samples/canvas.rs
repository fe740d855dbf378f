//! A canvas: layers of colour painted over each other at three times the final resolution.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use crate::paint::{Color, mix};

/// Painted pixels for each final pixel along each axis, for smooth edges.
const OVERSAMPLING: usize = 3;

/// A square picture. Places are `(x, y)` in `[0, 1]`, from the left and from the top.
pub struct Canvas {
    side: usize,
    pixels: Vec<Color>,
}

impl Canvas {
    /// Makes a black picture of `side` x `side` pixels.
    pub fn new(side: usize) -> Self {
        let painted = side * OVERSAMPLING;
        Self { side, pixels: vec![[0.0; 3]; painted * painted] }
    }

    /// Paints the whole picture.
    pub fn fill(&mut self, color: impl Fn(f32, f32) -> Color) {
        self.over(|x, y| Some((color(x, y), 1.0)));
    }

    /// Paints where `layer` returns a colour, with its opacity.
    pub fn over(&mut self, layer: impl Fn(f32, f32) -> Option<(Color, f32)>) {
        let painted = self.side * OVERSAMPLING;
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let place = |at: usize| (at as f32 + 0.5) / painted as f32;
            if let Some((color, opacity)) = layer(place(index % painted), place(index / painted)) {
                *pixel = mix(*pixel, color, opacity.clamp(0.0, 1.0));
            }
        }
    }

    /// Paints where the signed distance `inside` is negative.
    pub fn shape(&mut self, inside: impl Fn(f32, f32) -> f32, color: impl Fn(f32, f32) -> Color) {
        self.over(|x, y| (inside(x, y) < 0.0).then(|| (color(x, y), 1.0)));
    }

    /// Paints a soft shadow around the inside of a signed distance.
    pub fn shadow(&mut self, inside: impl Fn(f32, f32) -> f32, softness: f32, darkness: f32) {
        self.over(|x, y| {
            let nearness = 1.0 - (inside(x, y) / softness).clamp(0.0, 1.0);
            Some(([0.0; 3], darkness * nearness * nearness))
        });
    }

    /// Encodes the picture as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, image::ImageError> {
        let mut rgb8 = Vec::with_capacity(self.side * self.side * 3);
        for row in 0..self.side {
            for column in 0..self.side {
                for channel in 0..3 {
                    rgb8.push((self.average(row, column, channel) * 255.0).round() as u8);
                }
            }
        }
        let mut png = Vec::new();
        let side = self.side as u32;
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive).write_image(
            &rgb8,
            side,
            side,
            ExtendedColorType::Rgb8,
        )?;
        Ok(png)
    }

    fn average(&self, row: usize, column: usize, channel: usize) -> f32 {
        let painted = self.side * OVERSAMPLING;
        let mut sum = 0.0;
        for y in 0..OVERSAMPLING {
            for x in 0..OVERSAMPLING {
                let index = (row * OVERSAMPLING + y) * painted + column * OVERSAMPLING + x;
                sum += self.pixels[index][channel].clamp(0.0, 1.0);
            }
        }
        sum / (OVERSAMPLING * OVERSAMPLING) as f32
    }
}
