//! What can be wrong with a picture, in words for the person who chose it.

use thiserror::Error;

use super::{MAX_FILE_BYTES, MAX_PIXELS, MAX_SIDE};

/// Why a picture could not be read or made: what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is not a single byte.
    #[error("The file is empty. Choose a picture in PNG, JPEG, WebP, GIF or BMP format.")]
    Empty,
    /// The content is no picture, whatever the file is called.
    #[error(
        "This is not a picture: the file holds {looks_like}, whatever its name says. Choose a PNG, JPEG, WebP, GIF or BMP file."
    )]
    NotAnImage {
        /// What the content looks like, with its article: "text", "a PDF document".
        looks_like: &'static str,
    },
    /// A picture, in a format that is not read here.
    #[error("{format} pictures cannot be read here. Save the picture as PNG or JPEG and try again.")]
    UnsupportedFormat {
        /// The format's name.
        format: &'static str,
    },
    /// The file begins as a picture but is cut short or broken inside.
    #[error("The {format} file is damaged or incomplete ({detail}). Download or export the picture again.")]
    Damaged {
        /// The format's name.
        format: &'static str,
        /// What the decoder stumbled over.
        detail: String,
    },
    /// The file itself is too long.
    #[error(
        "The file is too large: {megabytes} MB, and at most {limit} MB are read. Save the picture smaller, as a JPEG for example.",
        megabytes = .bytes.div_ceil(1 << 20), limit = MAX_FILE_BYTES >> 20
    )]
    FileTooLarge {
        /// The file's length.
        bytes: usize,
    },
    /// The picture has too many pixels to decode in a browser's memory.
    #[error(
        "The picture is too large: {width} x {height} pixels, and at most {limit} million in all and {MAX_SIDE} a side are read. \
         Scale it down first; the network sees 64 x 64 pixels.",
        limit = MAX_PIXELS / 1_000_000
    )]
    TooManyPixels {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A square that was to be cut out does not lie within the picture.
    #[error(
        "The crop does not lie within the picture: {side} x {side} pixels from {x}, {y}, of {width} x {height}. Move it inside."
    )]
    CropOutside {
        /// Pixels to the left of it.
        x: u32,
        /// Pixels above it.
        y: u32,
        /// Its pixels a side.
        side: u32,
        /// Pixels a row of the upright picture.
        width: u32,
        /// Its rows.
        height: u32,
    },
    /// A buffer has the wrong number of values for 64x64 RGB.
    #[error("A 64 x 64 RGB picture has {expected} values, but {found} were given.")]
    WrongLength {
        /// 64 * 64 * 3.
        expected: usize,
        /// The buffer's length.
        found: usize,
    },
    /// A tensor's value is NaN or infinite.
    #[error("Value {index} of the picture is not a finite number, so the computation that made it has failed.")]
    NotFinite {
        /// Position of the first such value.
        index: usize,
    },
    /// The PNG encoder failed.
    #[error("The picture could not be written as PNG: {detail}.")]
    Encode {
        /// What the encoder said.
        detail: String,
    },
}
