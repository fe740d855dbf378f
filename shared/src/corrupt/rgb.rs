//! A picture as three planes of numbers, and back.

use super::plane::Plane;
use crate::image::{Picture, SIDE};

/// Red, green and blue, each 64x64 in `[0, 1]`. Values may leave the range: [`Rgb::into_picture`] cuts them off.
#[derive(Clone, Debug)]
pub(super) struct Rgb(pub [Plane; 3]);

impl Rgb {
    pub(super) fn from_picture(picture: &Picture) -> Self {
        let bytes = picture.as_rgb8();
        let plane = |channel| Plane::from_fn(SIDE, |x, y| f32::from(bytes[(y * SIDE + x) * 3 + channel]) / 255.0);
        Self([plane(0), plane(1), plane(2)])
    }

    /// Clamps to `[0, 1]` and truncates to whole levels, without rounding, as the benchmark does.
    pub(super) fn into_picture(self) -> Picture {
        let mut bytes = Vec::with_capacity(SIDE * SIDE * 3);
        for pixel in 0..SIDE * SIDE {
            bytes.extend(self.0.iter().map(|plane| truncate_to_byte(plane.values()[pixel])));
        }
        // The planes of this type have no other size.
        Picture::from_rgb8(bytes).expect("three planes of 64x64 values")
    }

    /// Applies `change` to each channel.
    pub(super) fn map(&self, change: impl FnMut(&Plane) -> Plane) -> Self {
        Self(self.0.each_ref().map(change))
    }

    /// Applies `change` to each value, channel by channel.
    pub(super) fn map_values(&self, mut change: impl FnMut(f32) -> f32) -> Self {
        self.map(|plane| plane.map(&mut change))
    }

    /// Applies `change` to the `[red, green, blue]` of each pixel.
    pub(super) fn map_pixels(&self, mut change: impl FnMut([f32; 3]) -> [f32; 3]) -> Self {
        let mut changed = self.clone();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let pixel = change(self.0.each_ref().map(|plane| plane.get(x, y)));
                for (plane, value) in changed.0.iter_mut().zip(pixel) {
                    plane.set(x, y, value);
                }
            }
        }
        changed
    }

    pub(super) fn max(&self) -> f32 {
        self.0.iter().map(Plane::max).fold(f32::NEG_INFINITY, f32::max)
    }
}

/// Converts a value in `[0, 1]` to the byte at or below it.
pub(super) fn truncate_to_byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0) as u8
}
