//! Detection of a file's format by its first bytes.

use image::ImageFormat;

use super::ImageError;

/// Formats that are read, with their names for visitors.
const READ: [(ImageFormat, &str); 5] = [
    (ImageFormat::Png, "PNG"),
    (ImageFormat::Jpeg, "JPEG"),
    (ImageFormat::WebP, "WebP"),
    (ImageFormat::Gif, "GIF"),
    (ImageFormat::Bmp, "BMP"),
];

/// Returns the format of a picture file and the format's name, by content.
///
/// # Errors
///
/// [`ImageError::Empty`], [`ImageError::UnsupportedFormat`] or [`ImageError::NotAnImage`].
pub(super) fn format(bytes: &[u8]) -> Result<(ImageFormat, &'static str), ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let guess = image::guess_format(bytes).ok();
    if let Some(read) = READ.into_iter().find(|(format, _)| Some(*format) == guess) {
        return Ok(read);
    }
    Err(match other_picture(bytes, guess) {
        Some(format) => ImageError::UnsupportedFormat { format },
        None => ImageError::NotAnImage { looks_like: looks_like(bytes) },
    })
}

/// Returns the name of a picture format that is not read here; none for other content.
fn other_picture(bytes: &[u8], guess: Option<ImageFormat>) -> Option<&'static str> {
    // ISO base media files name their brand at byte 8; phones write HEIC by default, so the error names it.
    match (bytes.get(4..8), bytes.get(8..12)) {
        (Some(b"ftyp"), Some(b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1")) => {
            return Some("HEIC");
        }
        (Some(b"ftyp"), Some(b"avif" | b"avis")) => return Some("AVIF"),
        _ => {}
    }
    if bytes.starts_with(b"\xff\x0a") || bytes.starts_with(b"\0\0\0\x0cJXL ") {
        return Some("JPEG XL");
    }
    if bytes.starts_with(b"8BPS") {
        return Some("Photoshop");
    }
    if is_text(bytes) {
        // The two letters of a portable pixmap also begin many texts, and an SVG is text.
        return contains(head(bytes), b"<svg").then_some("SVG");
    }
    match guess? {
        ImageFormat::Tiff => Some("TIFF"),
        ImageFormat::Ico => Some("ICO"),
        ImageFormat::Dds => Some("DDS"),
        ImageFormat::Hdr => Some("Radiance HDR"),
        ImageFormat::OpenExr => Some("OpenEXR"),
        ImageFormat::Qoi => Some("QOI"),
        ImageFormat::Pnm => Some("PNM"),
        ImageFormat::Farbfeld => Some("Farbfeld"),
        _ => None,
    }
}

/// Describes the content of a file that is no picture, with its article: "text", "a PDF document".
fn looks_like(bytes: &[u8]) -> &'static str {
    const SIGNATURES: [(usize, &[u8], &str); 11] = [
        (0, b"%PDF", "a PDF document"),
        (0, b"PK\x03\x04", "a ZIP archive or an office document"),
        (0, b"\x1f\x8b", "a gzip archive"),
        (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
        (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (0, b"ID3", "music"),
        (0, b"OggS", "sound or a video"),
        (0, b"\x1a\x45\xdf\xa3", "a video"),
        (4, b"ftyp", "a video"),
        (0, b"\x7fELF", "a program"),
        (0, b"MZ", "a program"),
    ];
    let found =
        SIGNATURES.iter().find(|(offset, magic, _)| bytes.get(*offset..).is_some_and(|rest| rest.starts_with(magic)));
    if let Some((_, _, name)) = found {
        return name;
    }
    if !is_text(bytes) {
        return "data of an unknown kind";
    }
    let text = head(bytes).to_ascii_lowercase();
    if contains(&text, b"<!doctype html") || contains(&text, b"<html") { "a web page" } else { "text" }
}

/// Returns whether the beginning is UTF-8 without control characters other than white space.
fn is_text(bytes: &[u8]) -> bool {
    let head = head(bytes);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character cut at the end of the examined part is still text.
        Err(error) if error.error_len().is_none() => {
            return is_text(&head[..error.valid_up_to()]);
        }
        Err(_) => return false,
    };
    !valid.is_empty() && valid.chars().all(|c| !c.is_control() || c.is_ascii_whitespace())
}

fn head(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(1024)]
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}
