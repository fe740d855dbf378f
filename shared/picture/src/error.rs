//! Errors of reading and making pictures, with texts for the person who chose the picture.

use thiserror::Error;

use super::{MAX_FILE_BYTES, MAX_PIXELS};

/// A picture that could not be read or made; the text says what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file without a byte.
    #[error("The file is empty. Choose a picture in PNG, JPEG, WebP, GIF or BMP format.")]
    Empty,
    /// Content that is no picture, whatever the name of the file.
    #[error(
        "This is not a picture: the file holds {looks_like}, whatever its name says. Choose a PNG, JPEG, WebP, GIF or BMP file."
    )]
    NotAnImage {
        /// Kind of the content, with its article: "text", "a PDF document".
        looks_like: &'static str,
    },
    /// A picture, in a format that is not read here.
    #[error("{format} pictures cannot be read here. Save the picture as PNG or JPEG and try again.")]
    UnsupportedFormat {
        /// Name of the format.
        format: &'static str,
    },
    /// A file that begins as a picture but is cut short or broken inside.
    #[error("The {format} file is damaged or incomplete ({detail}). Download or export the picture again.")]
    Damaged {
        /// Name of the format.
        format: &'static str,
        /// Message of the decoder.
        detail: String,
    },
    /// A file that is too long.
    #[error(
        "The file is too large: {megabytes} MB, and at most {limit} MB are read. Save the picture smaller, as a JPEG for example.",
        megabytes = .bytes.div_ceil(1 << 20), limit = MAX_FILE_BYTES >> 20
    )]
    FileTooLarge {
        /// Length of the file.
        bytes: usize,
    },
    /// A picture with too many pixels to decode in a browser's memory.
    #[error(
        "The picture is too large: {width} x {height} pixels, and at most {limit} million are read. \
         Scale it down first; the network sees 64 x 64 pixels.",
        limit = MAX_PIXELS / 1_000_000
    )]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A crop that does not lie within the picture.
    #[error(
        "The crop does not lie within the picture: {side} x {side} pixels from {x}, {y}, of {width} x {height}. Move it inside."
    )]
    CropOutside {
        /// Pixels to the left of the crop.
        x: u32,
        /// Pixels above the crop.
        y: u32,
        /// Side of the crop in pixels.
        side: u32,
        /// Width of the upright picture in pixels.
        width: u32,
        /// Height of the upright picture in pixels.
        height: u32,
    },
    /// A buffer with the wrong number of values for 64x64 RGB.
    #[error("A 64 x 64 RGB picture has {expected} values, but {found} were given.")]
    WrongLength {
        /// Number of values of a picture, 64 * 64 * 3.
        expected: usize,
        /// Length of the buffer.
        found: usize,
    },
    /// A tensor with a value that is NaN or infinite.
    #[error("Value {index} of the picture is not a finite number, so the computation that made it has failed.")]
    NotFinite {
        /// Position of the first such value.
        index: usize,
    },
    /// A failure of the PNG encoder.
    #[error("The picture could not be written as PNG: {detail}.")]
    Encode {
        /// Message of the encoder.
        detail: String,
    },
}
