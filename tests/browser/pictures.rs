//! Pictures for the page, valid and invalid, all made by code.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

/// Side of the networks' input in pixels.
pub const SIDE: u32 = 64;

/// Makes a 64x64 picture with colour, edges and texture, whose pixels the page must show unchanged: without scaling or loss.
/// All values are 40 to 215, so that an attack of up to 40/255 is never clipped at black or white.
pub fn striped_disc() -> RgbImage {
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let (dx, dy) = (f64::from(x) - 31.5, f64::from(y) - 31.5);
        let ripple = (dx * 0.7).sin() * (dy * 0.4).cos() * 20.0;
        let value = |base: f64| (base + ripple).clamp(40.0, 215.0) as u8;
        if dx.hypot(dy) < 22.0 {
            Rgb([value(200.0), value(120.0), value(70.0)])
        } else {
            Rgb([value(70.0), value(110.0), value(150.0)])
        }
    })
}

/// Encodes a picture file.
pub fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Makes a PNG of 64 megapixels, the largest that is read, which keeps the decoder busy for about a second without a pause.
pub fn large_png() -> Vec<u8> {
    encode(&RgbImage::from_pixel(8000, 8000, Rgb([200, 120, 70])), ImageFormat::Png)
}

/// Makes a PNG that stops in the middle.
pub fn truncated_png() -> Vec<u8> {
    let mut bytes = encode(&striped_disc(), ImageFormat::Png);
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// Makes a well-formed PNG of a few bytes whose header declares 20,000 x 20,000 pixels, 1.2 GB when decoded.
pub fn huge_png() -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(20_000_u32.to_be_bytes());
    header.extend(20_000_u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]); // 8 bits, RGB, the only compression, filter and interlacing there is
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(png_chunk(b"IHDR", &header));
    png.extend(png_chunk(b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1])); // an empty zlib stream
    png.extend(png_chunk(b"IEND", &[]));
    png
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named: Vec<u8> = kind.iter().chain(data).copied().collect();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    length.into_iter().chain(named.iter().copied()).chain(crc32fast::hash(&named).to_be_bytes()).collect()
}
