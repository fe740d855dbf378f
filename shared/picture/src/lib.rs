//! From the bytes of a picture file to the 64x64 RGB picture that the networks classify, and back to a PNG.
//!
//! All code that shows, classifies or attacks a picture uses [`Picture`], so the trainer and the page cannot prepare pictures
//! differently.

#[cfg(test)]
mod cases;
mod colour;
mod content;
mod crop;
mod decode;
mod error;
mod guard;
mod jpeg;
mod photo;
mod png;
#[cfg(test)]
mod tests;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use terms::attack::{Norm, ThreatModel};

pub use error::ImageError;
pub use photo::{Photo, Preview};
pub use terms::picture::{Crop, MAX_FILE_BYTES, MAX_PIXELS, SIDE};

/// Number of channels: red, green and blue.
const CHANNELS: usize = 3;
const PIXELS: usize = SIDE * SIDE;
const VALUES: usize = PIXELS * CHANNELS;

/// A 64x64 RGB picture with 8 bits a channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Rows from the top, pixels from the left, RGB interleaved: `[64, 64, 3]`.
    rgb8: Vec<u8>,
    original_size: Option<(u32, u32)>,
}

impl Picture {
    /// Decodes a PNG, JPEG, WebP, GIF (its first frame) or BMP file, told apart by its content and not by its name.
    ///
    /// The picture is turned upright (EXIF), converted to sRGB (ICC), laid on white where it is transparent, cut to its full centre square and scaled to
    /// 64x64 with an antialiased bilinear filter, which is how Tiny ImageNet's pictures were made. A 64x64 picture comes
    /// through unchanged.
    ///
    /// # Errors
    ///
    /// [`ImageError`], whose text is fit for a visitor of the page. Sizes are checked before any pixel is decoded.
    /// [`Photo`] takes other squares than the centre.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        Photo::decode(bytes)?.picture(None)
    }

    /// Makes a picture from its pixels: `[64, 64, 3]`, rows from the top, RGB interleaved.
    ///
    /// # Errors
    ///
    /// [`ImageError::WrongLength`] if there are not 64 * 64 * 3 values.
    pub fn from_rgb8(rgb8: Vec<u8>) -> Result<Self, ImageError> {
        if rgb8.len() != VALUES {
            return Err(ImageError::WrongLength { expected: VALUES, found: rgb8.len() });
        }
        Ok(Self { rgb8, original_size: None })
    }

    /// Makes a picture from a `[3, 64, 64]` tensor's values in `[0, 1]`, rounded to 8 bits. Values outside are clamped.
    ///
    /// # Errors
    ///
    /// [`ImageError::WrongLength`] if there are not 3 * 64 * 64 values, [`ImageError::NotFinite`] for a NaN or infinity.
    pub fn from_chw(values: &[f32]) -> Result<Self, ImageError> {
        if values.len() != VALUES {
            return Err(ImageError::WrongLength { expected: VALUES, found: values.len() });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(ImageError::NotFinite { index });
        }
        let mut rgb8 = Vec::with_capacity(VALUES);
        for pixel in 0..PIXELS {
            for channel in 0..CHANNELS {
                rgb8.push(to_byte(values[channel * PIXELS + pixel] * 255.0));
            }
        }
        Self::from_rgb8(rgb8)
    }

    /// Returns the picture that an attack made of `original`: its values, `[3, 64, 64]` in `[0, 1]`, rounded to 8 bits within
    /// `threat`, since rounding alone may leave the ball. In L-infinity, where the radius is no whole number of 255ths, it may
    /// carry a value half a level outside: such a value is clamped. In L2 it lengthens most changes: then the change is
    /// shortened until, rounded, it is inside. In L0 it changes no further pixel, since all values of `original` have 8 bits.
    ///
    /// # Errors
    ///
    /// As [`Picture::from_chw`].
    pub fn from_attacked(values: &[f32], original: &Self, threat: &ThreatModel) -> Result<Self, ImageError> {
        let rounded = Self::from_chw(values)?;
        Ok(match threat.norm {
            Norm::Linf => rounded.clamped_around(original, threat.radius()),
            Norm::L0 => rounded,
            Norm::L2 if is_in_l2_ball(&rounded.rgb8, original, threat) => rounded,
            Norm::L2 => Self { rgb8: shortened(values, original, threat), original_size: None },
        })
    }

    /// Returns this picture with no channel further than `radius` (RGB, pixel units) from `original`.
    fn clamped_around(&self, original: &Self, radius: [f32; 3]) -> Self {
        // 8/255 as f32 times 255 may be 7.9999995, which are 8 levels.
        let levels = radius.map(|radius| (radius * 255.0 + 1e-3).floor() as u8);
        let pairs = original.rgb8.iter().zip(&self.rgb8).enumerate();
        let clamp = |(index, (&from, &to)): (usize, (&u8, &u8))| {
            let levels = levels[index % CHANNELS];
            to.clamp(from.saturating_sub(levels), from.saturating_add(levels))
        };
        Self { rgb8: pairs.map(clamp).collect(), original_size: self.original_size }
    }

    /// Returns the pixels: `[64, 64, 3]`, rows from the top, RGB interleaved.
    pub fn as_rgb8(&self) -> &[u8] {
        &self.rgb8
    }

    /// Returns the pixels with an opaque alpha, `[64, 64, 4]`, as a canvas takes them.
    pub fn to_rgba8(&self) -> Vec<u8> {
        self.rgb8.chunks_exact(CHANNELS).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], u8::MAX]).collect()
    }

    /// Returns the values in a tensor's order, `[3, 64, 64]`, in `[0, 1]`.
    pub fn to_chw(&self) -> Vec<f32> {
        let plane = |channel| self.rgb8.chunks_exact(CHANNELS).map(move |rgb| f32::from(rgb[channel]) / 255.0);
        (0..CHANNELS).flat_map(plane).collect()
    }

    /// Encodes the picture as a PNG file, which decodes to the same pixels.
    ///
    /// # Errors
    ///
    /// [`ImageError::Encode`] if the encoder fails.
    pub fn encode_png(&self) -> Result<Vec<u8>, ImageError> {
        encode_png(&self.rgb8, SIDE as u32, SIDE as u32)
    }

    /// Returns width and height, in pixels, of the upright picture that this picture was cut from; none for a picture that was
    /// not decoded from a file.
    pub fn original_size(&self) -> Option<(u32, u32)> {
        self.original_size
    }
}

impl std::fmt::Debug for Picture {
    /// Leaves the pixels out: a failed assertion would print twelve thousand numbers.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Picture").field("original_size", &self.original_size).finish_non_exhaustive()
    }
}

/// Encodes pixels of any width and height as a PNG file: `[height, width, 3]`, rows from the top, RGB interleaved.
///
/// # Errors
///
/// [`ImageError::WrongLength`] if that is not the number of values; [`ImageError::Encode`] if the encoder fails.
pub fn encode_png(rgb8: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let expected = width as usize * height as usize * CHANNELS;
    if rgb8.len() != expected {
        return Err(ImageError::WrongLength { expected, found: rgb8.len() });
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(rgb8, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| ImageError::Encode { detail: error.to_string() })?;
    Ok(png)
}

/// Returns the difference of `changed` and `original`, amplified `gain` times around mid-grey: grey is no change, lighter is
/// more.
pub fn difference(original: &Picture, changed: &Picture, gain: f32) -> Picture {
    let pairs = original.rgb8.iter().zip(&changed.rgb8);
    let rgb8 = pairs.map(|(&from, &to)| to_byte(128.0 + gain * (f32::from(to) - f32::from(from)))).collect();
    Picture { rgb8, original_size: None }
}

/// Tells whether pixels, RGB interleaved, are within the L2 ball of `threat` around `original`.
fn is_in_l2_ball(rgb8: &[u8], original: &Picture, threat: &ThreatModel) -> bool {
    let square = |(index, (&from, &to)): (usize, (&u8, &u8))| {
        let levels = f64::from(to) - f64::from(from);
        (levels / f64::from(threat.channel_scale[index % CHANNELS])).powi(2)
    };
    let squares: f64 = original.rgb8.iter().zip(rgb8).enumerate().map(square).sum();
    squares.sqrt() <= 255.0 * f64::from(threat.epsilon)
}

/// Returns the pixels that are left of a change when it is shortened by the least that brings it into the L2 ball of `threat`
/// once it is rounded. The shorter a change, the smaller each of its rounded values, so halving an interval finds it.
fn shortened(values: &[f32], original: &Picture, threat: &ThreatModel) -> Vec<u8> {
    /// After as many halvings the next change of a factor moves hardly any of the 12,288 values.
    const HALVINGS: usize = 16;
    let pixels = |factor: f32| -> Vec<u8> {
        let moved = |(index, &from): (usize, &u8)| {
            let value = values[index % CHANNELS * PIXELS + index / CHANNELS].clamp(0.0, 1.0);
            to_byte(f32::from(from) + (factor * (value * 255.0 - f32::from(from))).round())
        };
        original.rgb8.iter().enumerate().map(moved).collect()
    };
    let (mut inside, mut outside) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let factor = f32::midpoint(inside, outside);
        match is_in_l2_ball(&pixels(factor), original, threat) {
            true => inside = factor,
            false => outside = factor,
        }
    }
    pixels(inside)
}

/// Rounds to the nearest byte; `as` saturates at 0 and 255.
fn to_byte(value: f32) -> u8 {
    value.round() as u8
}
