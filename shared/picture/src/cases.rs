//! Files as cameras, programs and networks leave them: without an end, turned, in other colours, long, contradictory.

use std::io::Cursor;
use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Luma, Rgb, RgbImage};
use moxcms::ColorProfile;

use super::*;

#[allow(clippy::disallowed_methods, reason = "tests run where there are files")]
fn case(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/cases/pictures");
    std::fs::read(folder.join(name)).unwrap()
}

/// Makes a smooth picture without symmetry.
fn smooth(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 200 / width) as u8, (y * 200 / height) as u8, 90]))
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(image).unwrap();
    bytes
}

/// Makes an EXIF block with one entry, the orientation.
fn exif(orientation: u8, big_endian: bool) -> Vec<u8> {
    if big_endian {
        [b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0]].concat()
    } else {
        [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat()
    }
}

/// Makes a PNG chunk.
fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), content].concat();
    let mut crc = u32::MAX;
    for byte in &body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    [&(content.len() as u32).to_be_bytes(), body.as_slice(), &(!crc).to_be_bytes()].concat()
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(image.clone()).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Puts a chunk behind the header of a PNG, or before its end.
fn png_with(image: &RgbImage, added: &[u8], behind_the_pixels: bool) -> Vec<u8> {
    const HEADER: usize = 33;
    const END: usize = 12;
    let mut png = png(image);
    let at = if behind_the_pixels { png.len() - END } else { HEADER };
    png.splice(at..at, added.iter().copied());
    png
}

/// Makes a WebP with a block of metadata.
fn webp_with(image: &RgbImage, exif: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut bytes);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(image, image.width(), image.height(), ExtendedColorType::Rgb8).unwrap();
    bytes
}

#[test]
fn a_picture_is_turned_upright_whatever_carries_its_orientation() {
    // Stored lying; orientation 6 turns it clockwise.
    let stored = smooth(80, 48);
    let prefixed = |exif: &[u8]| [b"Exif\0\0", exif].concat();
    let plain = Photo::decode(&png(&stored)).unwrap();
    for big_endian in [false, true] {
        let block = exif(6, big_endian);
        let mut as_jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut as_jpeg, 100);
        encoder.set_exif_metadata(block.clone()).unwrap();
        encoder.encode_image(&stored).unwrap();
        let files = [
            ("JPEG", as_jpeg),
            ("PNG", png_with(&stored, &chunk(b"eXIf", &block), false)),
            ("PNG, behind the pixels", png_with(&stored, &chunk(b"eXIf", &block), true)),
            ("PNG, with a JPEG's prefix", png_with(&stored, &chunk(b"eXIf", &prefixed(&block)), false)),
            ("WebP", webp_with(&stored, block.clone())),
            ("WebP, with a JPEG's prefix", webp_with(&stored, prefixed(&block))),
        ];
        for (carrier, file) in files {
            let photo = Photo::decode(&file).unwrap();
            assert_eq!((plain.size(), photo.size()), ((80, 48), (48, 80)), "{carrier}");
            let preview = photo.preview(1000);
            assert_eq!((preview.width, preview.height), photo.size(), "{carrier}");
            // The corner that was below on the left is above on the left.
            let [red, green, _, _] = preview.rgba8[..4] else { unreachable!() };
            assert!(red < 10 && green > 185, "{carrier}: {red} {green}");
        }
    }
    assert_eq!(Photo::decode(&case("orientation-6.webp")).unwrap().size(), (120, 160));
}

#[test]
fn an_orientation_that_is_none_leaves_the_picture_as_it_is_stored() {
    let stored = smooth(80, 48);
    for block in [exif(0, false), exif(9, true), b"II*\0".to_vec(), b"nonsense".to_vec(), Vec::new()] {
        let file = png_with(&stored, &chunk(b"eXIf", &block), false);
        assert_eq!(Photo::decode(&file).unwrap().size(), (80, 48), "{block:?}");
    }
}

#[test]
fn colour_profiles_are_applied() {
    let seen = Picture::decode(&case("colour-profile.png")).unwrap();
    let reference = Picture::decode(&case("colour-profile-reference.png")).unwrap();
    let farthest = seen.as_rgb8().iter().zip(reference.as_rgb8()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(farthest <= Some(3), "{farthest:?} levels from the reference");
}

/// Returns one pixel of a picture of one colour in that profile, in each format that carries profiles.
fn shown_in(colour: [u8; 3], profile: &ColorProfile) -> [(&'static str, [u8; 3]); 3] {
    let flat = RgbImage::from_pixel(64, 64, Rgb(colour));
    let icc = profile.encode().unwrap();
    let (mut as_png, mut as_jpeg, mut as_webp) = (Vec::new(), Vec::new(), Vec::new());
    let mut encoder = PngEncoder::new(&mut as_png);
    encoder.set_icc_profile(icc.clone()).unwrap();
    encoder.write_image(&flat, 64, 64, ExtendedColorType::Rgb8).unwrap();
    let mut encoder = JpegEncoder::new_with_quality(&mut as_jpeg, 100);
    encoder.set_icc_profile(icc.clone()).unwrap();
    encoder.encode_image(&flat).unwrap();
    let mut encoder = WebPEncoder::new_lossless(&mut as_webp);
    encoder.set_icc_profile(icc).unwrap();
    encoder.write_image(&flat, 64, 64, ExtendedColorType::Rgb8).unwrap();
    [("PNG", as_png), ("JPEG", as_jpeg), ("WebP", as_webp)].map(|(format, file)| {
        let picture = Picture::decode(&file).unwrap();
        (format, [0, 1, 2].map(|channel| picture.as_rgb8()[channel]))
    })
}

#[track_caller]
fn near(what: &str, found: [u8; 3], expected: [u8; 3]) {
    assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 3), "{what}: {found:?}, not {expected:?}");
}

#[test]
fn profiles_of_cameras_and_phones_become_srgb_in_each_format() {
    // By the profiles' published primaries and curves.
    for (profile, from, to) in [
        (ColorProfile::new_display_p3(), [200, 100, 50], [217, 96, 34]),
        (ColorProfile::new_adobe_rgb(), [100, 150, 100], [64, 151, 98]),
    ] {
        for (format, found) in shown_in(from, &profile) {
            near(format, found, to);
        }
    }
}

#[test]
fn srgb_as_any_program_writes_it_changes_no_pixel() {
    let flat = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 4) as u8, (y * 4) as u8, ((x + y) * 2) as u8]));
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    encoder.set_icc_profile(ColorProfile::new_srgb().encode().unwrap()).unwrap();
    encoder.write_image(&flat, 64, 64, ExtendedColorType::Rgb8).unwrap();
    assert_eq!(Picture::decode(&file).unwrap().as_rgb8(), flat.as_raw().as_slice());
    let with_gamma = png_with(&flat, &chunk(b"gAMA", &45_455_u32.to_be_bytes()), false);
    assert_eq!(Picture::decode(&with_gamma).unwrap().as_rgb8(), flat.as_raw().as_slice());
}

#[test]
fn a_profile_that_cannot_be_used_leaves_the_pixels_as_they_are() {
    let flat = RgbImage::from_pixel(64, 64, Rgb([200, 100, 50]));
    let grey = ColorProfile::new_gray_with_gamma(1.8).encode().unwrap();
    for icc in [b"no profile at all".to_vec(), grey] {
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(&mut file);
        encoder.set_icc_profile(icc).unwrap();
        encoder.write_image(&flat, 64, 64, ExtendedColorType::Rgb8).unwrap();
        assert_eq!(Picture::decode(&file).unwrap().as_rgb8()[..3], [200, 100, 50]);
    }
}

#[test]
fn a_grey_picture_follows_its_grey_profile() {
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    encoder.set_icc_profile(ColorProfile::new_gray_with_gamma(1.0).encode().unwrap()).unwrap();
    let linear = image::GrayImage::from_pixel(64, 64, Luma([55]));
    encoder.write_image(&linear, 64, 64, ExtendedColorType::L8).unwrap();
    let picture = Picture::decode(&file).unwrap();
    // 55/255 of the light is level 128 or so of sRGB.
    near("linear grey", [0, 1, 2].map(|channel| picture.as_rgb8()[channel]), [128; 3]);
}

#[test]
fn a_png_s_own_words_on_colour_count_in_their_order() {
    let flat = RgbImage::from_pixel(64, 64, Rgb([200, 100, 50]));
    let pixel = |added: &[u8]| {
        let picture = Picture::decode(&png_with(&flat, added, false)).unwrap();
        [0, 1, 2].map(|channel| picture.as_rgb8()[channel])
    };
    // Display P3 by code points: primaries 12, transfer 13 as sRGB.
    let p3 = chunk(b"cICP", &[12, 13, 0, 1]);
    near("cICP", pixel(&p3), [217, 96, 34]);
    // Linear light.
    let linear = chunk(b"gAMA", &100_000_u32.to_be_bytes());
    near("gAMA", pixel(&linear), [229, 168, 122]);
    assert_eq!(pixel(&[linear, chunk(b"sRGB", &[0])].concat()), [200, 100, 50]);
    assert_eq!(pixel(&chunk(b"cICP", &[99, 99, 0, 1])), [200, 100, 50], "unknown code points");
}

#[test]
fn a_jpeg_without_its_end_marker_is_read_if_nothing_else_is_missing() {
    let whole = jpeg(&smooth(100, 80));
    let expected = Picture::decode(&whole).unwrap();
    for missing in 1..=2 {
        assert_eq!(Picture::decode(&whole[..whole.len() - missing]).unwrap(), expected, "{missing} bytes missing");
    }
    assert!(Picture::decode(&case("no-end-marker.jpg")).is_ok());
    for (name, file) in [("case", case("really-cut.jpg")), ("most", whole[..whole.len() * 9 / 10].to_vec())] {
        let error = Picture::decode(&file).unwrap_err();
        assert!(matches!(error, ImageError::Damaged { format: "JPEG", .. }), "{name}: {error}");
    }
}

#[test]
fn adobe_s_marker_may_stand_anywhere() {
    // An Adobe marker after the frame's header: the colours change after their number was settled.
    assert!(Photo::decode(&case("late-adobe-marker.jpg")).is_ok());
    let grey = image::GrayImage::from_pixel(32, 32, Luma([99]));
    let colour = RgbImage::from_pixel(32, 32, Rgb([180, 90, 40]));
    let (mut as_grey, mut as_colour) = (Vec::new(), Vec::new());
    JpegEncoder::new(&mut as_grey).encode_image(&grey).unwrap();
    JpegEncoder::new(&mut as_colour).encode_image(&colour).unwrap();
    // In every place, once and twice. Transform 1 is what files without the marker are taken for.
    for (plain, expected, transforms) in [(as_grey, [99; 3], 0..=2), (as_colour, [180, 90, 40], 1..=1)] {
        let mut at = 2;
        while let Some(&[0xff, marker, high, low]) = plain.get(at..at + 4) {
            for transform in transforms.clone() {
                let adobe = [b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat();
                for adobe in [adobe.clone(), [adobe.as_slice(), &adobe].concat()] {
                    let mut file = plain.clone();
                    file.splice(at..at, adobe);
                    let picture = Picture::decode(&file).unwrap();
                    near("a pixel", [0, 1, 2].map(|channel| picture.as_rgb8()[channel]), expected);
                }
            }
            if marker == 0xda {
                break;
            }
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
    }
}

#[test]
fn a_jpeg_with_any_segment_changed_is_read_or_damaged_and_no_panic() {
    let plain = jpeg(&smooth(40, 30));
    // Every byte of the headers, to values that move lengths, counts and tables.
    let scan = plain.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 14;
    for at in 3..scan {
        for value in [0, 1, 2, 0x7f, 0xff] {
            let mut file = plain.clone();
            file[at] = value;
            match Picture::decode(&file) {
                Ok(_) | Err(ImageError::Damaged { .. } | ImageError::TooManyPixels { .. }) => {}
                Err(error) => panic!("byte {at} as {value}: {error}"),
            }
        }
    }
}

#[test]
fn a_long_screenshot_is_read() {
    for (width, height) in [(1080, 20_000), (20_000, 1000)] {
        let photo = Photo::decode(&png(&RgbImage::new(width, height))).unwrap();
        assert_eq!(photo.size(), (width, height));
        let preview = photo.preview(1024);
        assert_eq!(preview.width.max(preview.height), 1024);
        assert_eq!(preview.rgba8.len(), (preview.width * preview.height * 4) as usize);
    }
}

#[test]
fn a_preview_shows_what_squares_are_cut_from() {
    let photo = Photo::decode(&png(&smooth(200, 100))).unwrap();
    let preview = photo.preview(50);
    assert_eq!((preview.width, preview.height), (50, 25));
    let whole = photo.preview(1000);
    assert_eq!((whole.width, whole.height), (200, 100), "never larger than the picture");
    let cut = photo.picture(Some(Crop { x: 30, y: 20, side: 64 })).unwrap();
    let row = &whole.rgba8[(20 * 200 + 30) * 4..][..64 * 4];
    assert_eq!(cut.to_rgba8()[..64 * 4], *row);
}

#[test]
fn pixels_of_another_decoder_are_laid_on_white_and_checked() {
    let photo = Photo::from_rgba8("AVIF", 2, 1, vec![10, 20, 30, 255, 0, 0, 0, 0]).unwrap();
    assert_eq!(photo.preview(2).rgba8, [10, 20, 30, 255, 255, 255, 255, 255]);
    assert!(matches!(
        Photo::from_rgba8("AVIF", 2, 1, vec![0; 7]),
        Err(ImageError::WrongLength { expected: 8, found: 7 })
    ));
    assert!(matches!(Photo::from_rgba8("AVIF", 0, 1, vec![]), Err(ImageError::Damaged { format: "AVIF", .. })));
    let error = Photo::from_rgba8("AVIF", 8001, 8000, Vec::new()).unwrap_err();
    assert_eq!(error, ImageError::TooManyPixels { width: 8001, height: 8000 });
}
