//! Decoding: detect the format, check sizes, decode, convert to sRGB, lay on white. `Photo` crops, scales and turns upright.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage, metadata::Orientation};

use super::guard::guarded;
use super::{ImageError, MAX_FILE_BYTES, MAX_PIXELS, colour, content, jpeg, png};

/// Most bytes that a decoder may allocate: those of the most pixels in 16-bit RGBA.
const MAX_ALLOC_BYTES: u64 = MAX_PIXELS * 8;

/// A picture as it is stored in its file, in sRGB, and the transform that turns it upright.
type Stored = (DynamicImage, Orientation);

/// Decodes a picture as it is stored, in sRGB on white, and returns the orientation that turns it upright.
pub(super) fn decode(bytes: &[u8]) -> Result<(RgbImage, Orientation), ImageError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(ImageError::FileTooLarge { bytes: bytes.len() });
    }
    let (format, name) = content::format(bytes)?;
    let decoded = guarded(|| {
        if format != ImageFormat::Jpeg {
            return decode_as(bytes, format, name);
        }
        let bytes = &*jpeg::with_colours_settled(bytes);
        if jpeg::has_no_end(bytes) { decode_without_end(bytes, name) } else { decode_as(bytes, format, name) }
    });
    let (image, orientation) = decoded.unwrap_or_else(|| Err(inconsistent(name)))?;
    Ok((flatten_on_white(image), orientation))
}

/// Returns the error of a file that made its decoder panic.
fn inconsistent(format: &'static str) -> ImageError {
    ImageError::Damaged { format, detail: "its parts contradict each other".into() }
}

/// Decodes a JPEG without an end marker, unless rows are missing: the decoder would fill those with grey, and the network would
/// classify the grey.
fn decode_without_end(bytes: &[u8], name: &'static str) -> Result<Stored, ImageError> {
    let cut = || ImageError::Damaged { format: name, detail: "it ends before the picture does".into() };
    let mut decoded = jpeg::with_ends(bytes).map(|file| decode_as(&file, ImageFormat::Jpeg, name));
    let first = decoded.next().unwrap_or_else(|| Err(cut()))?;
    for other in decoded {
        if other.map_err(|_| cut())?.0 != first.0 {
            return Err(cut());
        }
    }
    Ok(first)
}

fn decode_as(bytes: &[u8], format: ImageFormat, name: &'static str) -> Result<Stored, ImageError> {
    let damaged = |error: image::ImageError| damaged(name, &error);
    if format == ImageFormat::Png
        && let Some((width, height)) = png::header_size(bytes)
    {
        check_size(name, width, height)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(name, width, height)?;
    // A broken EXIF block or colour profile leaves the pixels intact.
    let orientation = orientation(format, bytes, &mut decoder).unwrap_or(Orientation::NoTransforms);
    let profile = colour::profile(format, bytes, decoder.icc_profile().ok().flatten());
    let image = in_8_bits(DynamicImage::from_decoder(decoder).map_err(damaged)?);
    let image = match profile {
        Some(profile) => colour::to_srgb(image, &profile),
        None => image,
    };
    Ok((image, orientation))
}

/// Returns the orientation by the file's EXIF block, with or without the prefix that only JPEG files should have.
fn orientation(format: ImageFormat, bytes: &[u8], decoder: &mut impl ImageDecoder) -> Option<Orientation> {
    let exif = match format {
        ImageFormat::Png => png::exif(bytes)?.to_vec(),
        _ => decoder.exif_metadata().ok()??,
    };
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif))
}

fn limits() -> Limits {
    // No limit of the sides: the error of `check_size` names them.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ALLOC_BYTES);
    limits
}

/// Checks that a picture has pixels, and not too many to be decoded.
pub(super) fn check_size(format: &'static str, width: u32, height: u32) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::Damaged { format, detail: format!("it says that it has {width} x {height} pixels") });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { width, height });
    }
    Ok(())
}

/// Converts 16-bit and floating-point pixels to 8 bits, and leaves grey and opacity as they are.
fn in_8_bits(image: DynamicImage) -> DynamicImage {
    let colour = image.color();
    if colour.bytes_per_pixel() == colour.channel_count() {
        return image;
    }
    match (colour.has_color(), colour.has_alpha()) {
        (false, false) => image.into_luma8().into(),
        (false, true) => image.into_luma_alpha8().into(),
        (true, false) => image.into_rgb8().into(),
        (true, true) => image.into_rgba8().into(),
    }
}

/// Converts to RGB, with transparent parts laid on white, as on a web page.
pub(super) fn flatten_on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba = image.into_rgba8();
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

/// Returns the error of a file that its decoder refuses.
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
            // Fit for programmers only.
            internal if internal.contains('{') => "a part of it cannot be read".into(),
            detail => detail.trim_end_matches('.').into(),
        },
    };
    ImageError::Damaged { format, detail }
}
