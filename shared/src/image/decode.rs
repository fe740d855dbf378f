//! Decoding: detect the format, check sizes, decode, lay on white. `Photo` crops, scales and turns upright.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage, RgbaImage, metadata::Orientation};

use super::{ImageError, MAX_FILE_BYTES, MAX_PIXELS, MAX_SIDE, content};

/// Most bytes that a decoder may allocate: those of the most pixels in 16-bit RGBA.
const MAX_ALLOC_BYTES: u64 = MAX_PIXELS * 8;

/// Decodes a picture as it is stored, on white, and returns the orientation that turns it upright.
pub(super) fn decode(bytes: &[u8]) -> Result<(RgbImage, Orientation), ImageError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ImageError::FileTooLarge { bytes: bytes.len() });
    }
    let (format, name) = content::format(bytes)?;
    let damaged = |error: image::ImageError| damaged(name, &error);

    if let Some((width, height)) = png_header_size(format, bytes) {
        check_size(name, width, height)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(name, width, height)?;
    if format == ImageFormat::Jpeg && jpeg_is_cut_short(bytes) {
        // The decoder would fill the missing rows with grey, and the network would classify the grey.
        return Err(ImageError::Damaged { format: name, detail: "it ends before the picture does".into() });
    }
    // A broken EXIF block leaves the pixels intact.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    Ok((flatten_on_white(image), orientation))
}

fn limits() -> Limits {
    // No limit of the sides: the error of `check_size` names them.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ALLOC_BYTES);
    limits
}

fn check_size(format: &'static str, width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Damaged { format, detail: format!("it says that it has {width} x {height} pixels") });
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { width, height });
    }
    Ok(())
}

/// Reads width and height from the first chunk of a PNG: the decoder needs more of the file before it returns them.
fn png_header_size(format: ImageFormat, bytes: &[u8]) -> Option<(u32, u32)> {
    let field = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    (format == ImageFormat::Png && bytes.get(12..16)? == b"IHDR").then_some((field(16)?, field(20)?))
}

/// Returns whether a JPEG has no end-of-image marker after its first scan begins. In the data of a scan a 0xFF is always
/// followed by a zero or a restart marker, so the end-of-image marker cannot appear there by chance.
fn jpeg_is_cut_short(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
    let mut at = 2;
    // Segments before the scan carry their length; a thumbnail inside one has an end marker of its own, which must not count.
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == START_OF_SCAN {
            break;
        }
        // 0xFF may be repeated to pad before a marker.
        at += if marker == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    !bytes.get(at..).is_some_and(|rest| rest.windows(2).any(|pair| pair == END_OF_IMAGE))
}

/// Converts to 8-bit RGB, with transparent parts laid on white, as on a web page. Grayscale and 16-bit pictures are converted.
fn flatten_on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba: RgbaImage = image.into_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0;
        image::Rgb([red, green, blue].map(|value| over_white(value, alpha)))
    })
}

/// Blends `value` with opacity `alpha` on white, rounded to the nearest byte.
fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    // At most 255, so the cast keeps everything.
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

fn damaged(format: &'static str, error: &image::ImageError) -> ImageError {
    use image::ImageError as E;
    let detail = match error {
        E::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => "it ends before the picture does".into(),
        E::Unsupported(_) => format!("it uses a variant of the format that is not supported: {error}"),
        E::Limits(_) => "decoding it would need too much memory".into(),
        // The message of the format's own decoder; the outer text only repeats the format's name.
        _ => match std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string).trim() {
            // The JPEG decoder's message for the same.
            short if short.contains("Not enough bytes") => "it ends before the picture does".into(),
            detail => detail.into(),
        },
    };
    ImageError::Damaged { format, detail }
}
