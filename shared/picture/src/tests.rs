use std::io::Cursor;

use image::{
    DynamicImage, Frame, GrayImage, ImageBuffer, ImageEncoder, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder},
};

use terms::attack::ThreatModel;
use terms::metrics::l2_distance;

use super::*;

/// Makes a picture without symmetry, `width` x `height`.
fn pattern(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, (x * y % 251) as u8])
    })
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encode(image, ImageFormat::Png)
}

/// Returns the RGB of the only colour in a picture.
#[track_caller]
fn only_colour(picture: &Picture) -> [u8; 3] {
    let colour = [0, 1, 2].map(|channel| picture.as_rgb8()[channel]);
    assert!(picture.as_rgb8().chunks_exact(3).all(|rgb| rgb == colour), "more than one colour");
    colour
}

/// Makes an EXIF block with one entry, the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

/// Makes the first 33 bytes of a PNG of that size.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut crc = u32::MAX;
    for byte in &chunk {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0d", &chunk[..], &(!crc).to_be_bytes()].concat()
}

#[test]
fn a_64x64_picture_comes_through_bit_for_bit() {
    let original = pattern(64, 64);
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        let picture = Picture::decode(&encode(original.clone(), format)).unwrap();
        assert_eq!(picture.as_rgb8(), original.as_raw().as_slice(), "{format:?}");
        assert_eq!(picture.original_size(), Some((64, 64)));
    }
}

#[test]
fn a_jpeg_comes_through_but_for_its_own_loss() {
    let smooth = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 3) as u8, (y * 3) as u8, 100]));
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(&smooth).unwrap();
    let picture = Picture::decode(&jpeg).unwrap();
    let worst = picture.as_rgb8().iter().zip(smooth.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst <= Some(12), "differs by {worst:?} levels");
}

#[test]
fn the_content_decides_not_a_name_and_gif_gives_its_first_frame() {
    let frame = |rgba| Frame::new(RgbaImage::from_pixel(64, 64, Rgba(rgba)));
    let mut gif = Vec::new();
    let mut encoder = GifEncoder::new(&mut gif);
    encoder.encode_frames([frame([200, 0, 0, 255]), frame([0, 0, 200, 255])]).unwrap();
    drop(encoder);
    assert_eq!(only_colour(&Picture::decode(&gif).unwrap()), [200, 0, 0]);
}

#[test]
fn every_exif_orientation_is_turned_upright() {
    type Place = (usize, usize);
    const M: usize = 63;
    // Where the pixel shown at (x, y) is stored, for the EXIF values 1 to 8.
    let stored: [fn(usize, usize) -> Place; 8] = [
        |x, y| (x, y),
        |x, y| (M - x, y),
        |x, y| (M - x, M - y),
        |x, y| (x, M - y),
        |x, y| (y, x),
        |x, y| (y, M - x),
        |x, y| (M - y, M - x),
        |x, y| (M - y, x),
    ];
    let original = pattern(64, 64);
    for (orientation, stored) in (1..).zip(stored) {
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(&mut file);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&original, 64, 64, ExtendedColorType::Rgb8).unwrap();
        let picture = Picture::decode(&file).unwrap();
        for (index, shown) in picture.as_rgb8().chunks_exact(3).enumerate() {
            let (x, y) = stored(index % 64, index / 64);
            assert_eq!(shown, original.get_pixel(x as u32, y as u32).0, "orientation {orientation}, pixel {index}");
        }
    }
}

#[test]
fn a_jpeg_on_its_side_is_turned_and_its_size_is_the_upright_one() {
    // Stored lying, top half black; orientation 6 shows it turned clockwise: the right half is black.
    let lying = RgbImage::from_fn(160, 120, |_, y| Rgb([if y < 60 { 0 } else { 255 }; 3]));
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 95);
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.encode_image(&lying).unwrap();
    let picture = Picture::decode(&file).unwrap();
    assert_eq!(picture.original_size(), Some((120, 160)));
    let row = &picture.as_rgb8()[..64 * 3];
    assert!(row[10 * 3] > 240 && row[53 * 3] < 15, "{row:?}");
}

#[test]
fn transparency_is_laid_on_white() {
    for (rgba, expected) in
        [([10, 20, 30, 0], [255, 255, 255]), ([10, 20, 30, 255], [10, 20, 30]), ([0, 100, 255, 128], [127, 177, 255])]
    {
        let picture = Picture::decode(&png(RgbaImage::from_pixel(64, 64, Rgba(rgba)))).unwrap();
        assert_eq!(only_colour(&picture), expected, "{rgba:?}");
    }
}

#[test]
fn the_full_centre_square_is_taken() {
    // 64 green columns between red ones, and the same standing.
    let wide =
        RgbImage::from_fn(160, 64, |x, _| if (48..112).contains(&x) { Rgb([0, 255, 0]) } else { Rgb([255, 0, 0]) });
    let tall = image::imageops::rotate90(&wide);
    for image in [wide, tall] {
        assert_eq!(only_colour(&Picture::decode(&png(image)).unwrap()), [0, 255, 0]);
    }
}

#[test]
fn scaling_down_averages_instead_of_skipping() {
    // Without antialiasing a chequerboard of single pixels would become black, white or moire.
    let board = RgbImage::from_fn(640, 640, |x, y| Rgb([if (x + y) % 2 == 0 { 0 } else { 255 }; 3]));
    let picture = Picture::decode(&png(board)).unwrap();
    assert!(picture.as_rgb8().iter().all(|value| (125..=130).contains(value)));
}

#[test]
fn one_pixel_and_other_small_pictures_are_scaled_up() {
    let dot = RgbImage::from_pixel(1, 1, Rgb([9, 99, 199]));
    assert_eq!(only_colour(&Picture::decode(&png(dot)).unwrap()), [9, 99, 199]);
    assert!(Picture::decode(&png(pattern(3, 2))).is_ok());
}

#[test]
fn grey_and_16_bit_pictures_become_8_bit_rgb() {
    let grey = GrayImage::from_pixel(64, 64, Luma([77]));
    assert_eq!(only_colour(&Picture::decode(&png(grey)).unwrap()), [77; 3]);
    let deep = ImageBuffer::<Rgb<u16>, _>::from_pixel(64, 64, Rgb([0x1212, 0x8080, 0xffff]));
    assert_eq!(only_colour(&Picture::decode(&png(deep)).unwrap()), [0x12, 0x80, 0xff]);
    let deep_grey = ImageBuffer::<Luma<u16>, _>::from_pixel(64, 64, Luma([0x4040]));
    assert_eq!(only_colour(&Picture::decode(&png(deep_grey)).unwrap()), [0x40; 3]);
}

#[test]
fn a_huge_header_is_refused_before_anything_is_decoded() {
    let whole = [png_header(20_000, 20_000), png(pattern(8, 8))[33..].to_vec()].concat();
    for file in [png_header(20_000, 20_000), whole] {
        let error = Picture::decode(&file).unwrap_err();
        assert_eq!(error, ImageError::TooManyPixels { width: 20_000, height: 20_000 });
        assert!(error.to_string().contains("20000 x 20000 pixels"), "{error}");
    }
    // Within a side's limit, but not both together; and with one side too long.
    for (width, height) in [(16_000, 16_000), (u32::MAX, 1)] {
        assert_eq!(
            Picture::decode(&png_header(width, height)).unwrap_err(),
            ImageError::TooManyPixels { width, height }
        );
    }
}

#[test]
fn huge_sizes_in_other_formats_are_refused_too() {
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frame(Frame::new(RgbaImage::new(4, 4))).unwrap();
    gif[6..10].copy_from_slice(&[0xff; 4]);
    let mut bmp = encode(pattern(4, 4), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&20_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&20_000u32.to_le_bytes());
    let mut jpeg = encode(pattern(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    for file in [gif, bmp, jpeg] {
        let error = Picture::decode(&file).unwrap_err();
        assert!(matches!(error, ImageError::TooManyPixels { .. }), "{error}");
    }
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let mut file = png(pattern(4, 4));
    file.resize(MAX_FILE_BYTES + 1, 0);
    let error = Picture::decode(&file).unwrap_err();
    assert_eq!(error, ImageError::FileTooLarge { bytes: MAX_FILE_BYTES + 1 });
    assert!(error.to_string().contains("65 MB, and at most 64 MB"), "{error}");
}

#[test]
fn a_cut_file_is_said_to_be_incomplete() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
        let whole = encode(pattern(100, 80), format);
        for share in [3, 6, 9] {
            let error = Picture::decode(&whole[..whole.len() * share / 10]).unwrap_err();
            assert!(matches!(error, ImageError::Damaged { .. }), "{format:?}, {share}0%: {error}");
        }
        // Nothing but the signature.
        let error = Picture::decode(&whole[..16]).unwrap_err();
        assert!(matches!(error, ImageError::Damaged { .. }), "{format:?}, 16 bytes: {error}");
    }
}

#[test]
fn a_changed_byte_in_a_png_is_found() {
    let mut file = png(pattern(64, 64));
    let middle = file.len() / 2;
    file[middle] ^= 0x55;
    assert!(matches!(Picture::decode(&file), Err(ImageError::Damaged { format: "PNG", .. })));
}

#[test]
fn what_is_no_picture_is_named() {
    for (bytes, expected) in [
        (&b"Dear diary,\nnothing happened today.\n"[..], "text"),
        ("Gr\u{fc}\u{df}e aus K\u{f6}ln".as_bytes(), "text"),
        (b"P1 is where the text begins", "text"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        (b"%PDF-1.7\n\xe2\xe3", "a PDF document"),
        (b"PK\x03\x04\x14\0", "a ZIP archive or an office document"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"\x01\x02\x03\x04\xfe", "data of an unknown kind"),
    ] {
        assert_eq!(Picture::decode(bytes), Err(ImageError::NotAnImage { looks_like: expected }));
    }
    // A character cut in two where the examined part ends is still text.
    let long = format!("{}\u{fc}", "a".repeat(1023));
    assert_eq!(Picture::decode(long.as_bytes()), Err(ImageError::NotAnImage { looks_like: "text" }));
    assert_eq!(Picture::decode(b""), Err(ImageError::Empty));
}

#[test]
fn pictures_of_other_formats_are_named() {
    for (bytes, expected) in [
        (&b"II*\0\x08\0\0\0"[..], "TIFF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"\0\0\x01\0\x01\0", "ICO"),
        (b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>", "SVG"),
        (b"P5 2 2 255\n\x00\x80\xff\x01", "PNM"),
    ] {
        assert_eq!(Picture::decode(bytes), Err(ImageError::UnsupportedFormat { format: expected }));
    }
}

#[test]
fn a_png_written_here_reads_back_the_same() {
    let picture = Picture::from_rgb8(pattern(64, 64).into_raw()).unwrap();
    let png = picture.encode_png().unwrap();
    assert_eq!(Picture::decode(&png).unwrap().as_rgb8(), picture.as_rgb8());
    assert!(matches!(encode_png(&[0; 6], 2, 2), Err(ImageError::WrongLength { expected: 12, found: 6 })));
}

#[test]
fn values_are_rounded_and_clamped_but_nan_is_refused() {
    let mut values = vec![0.5; 3 * 64 * 64];
    values[0] = -3e-8;
    values[1] = 1.5;
    let picture = Picture::from_chw(&values).unwrap();
    assert_eq!((picture.as_rgb8()[0], picture.as_rgb8()[3], picture.as_rgb8()[1]), (0, 255, 128));
    values[7] = f32::NAN;
    assert_eq!(Picture::from_chw(&values), Err(ImageError::NotFinite { index: 7 }));
    assert_eq!(Picture::from_chw(&[0.0]), Err(ImageError::WrongLength { expected: 12_288, found: 1 }));
    assert_eq!(Picture::from_rgb8(vec![]), Err(ImageError::WrongLength { expected: 12_288, found: 0 }));
}

#[test]
fn the_difference_is_amplified_around_grey() {
    let flat = |value| Picture::from_rgb8(vec![value; 64 * 64 * 3]).unwrap();
    assert_eq!(only_colour(&difference(&flat(100), &flat(100), 10.0)), [128; 3]);
    assert_eq!(only_colour(&difference(&flat(100), &flat(104), 10.0)), [168; 3]);
    assert_eq!(only_colour(&difference(&flat(100), &flat(50), 10.0)), [0; 3]);
}

#[test]
fn rgba_is_opaque() {
    let picture = Picture::from_rgb8(pattern(64, 64).into_raw()).unwrap();
    let rgba = picture.to_rgba8();
    assert_eq!(rgba.len(), 64 * 64 * 4);
    assert_eq!((&rgba[..3], rgba[3]), (&picture.as_rgb8()[..3], 255));
}

#[test]
fn no_byte_leaves_the_ball() {
    let flat = |value: u8| Picture::from_rgb8(vec![value; SIDE * SIDE * 3]).unwrap();
    for (epsilon, allowed) in [(8.0 / 255.0, 8), (7.65 / 255.0, 7), (0.0, 0), (0.5, 127), (1.0, 200)] {
        let clamped = Picture::from_attacked(&flat(250).to_chw(), &flat(50), &ThreatModel::linf(epsilon)).unwrap();
        assert_eq!(clamped.as_rgb8()[0], 50 + allowed, "{epsilon}");
    }
    for levels in 0..=32_u8 {
        let scaled = ThreatModel { channel_scale: [f32::from(levels) / 255.0, 1.0, 0.0], ..ThreatModel::linf(1.0) };
        let clamped = Picture::from_attacked(&flat(0).to_chw(), &flat(100), &scaled).unwrap();
        assert_eq!(clamped.as_rgb8()[..3], [100 - levels, 0, 100]);
    }
}

#[test]
fn rounding_does_not_leave_an_l2_ball_and_uses_all_of_it() {
    let original = Picture::from_rgb8(pattern(64, 64).into_raw()).unwrap();
    let wave = |by: f32| -> Vec<f32> {
        let values = original.to_chw().into_iter().enumerate();
        values.map(|(index, value)| (value + by * (index as f32 * 0.37).sin()).clamp(0.0, 1.0)).collect()
    };
    for (by, scale) in [(0.003, [1.0; 3]), (0.006, [1.0; 3]), (0.05, [1.0; 3]), (0.006, [0.25; 3])] {
        // The values themselves are inside.
        let length = l2_distance(&wave(by), &original.to_chw());
        let threat = ThreatModel { channel_scale: scale, ..ThreatModel::l2(length / scale[0]) };
        let picture = Picture::from_attacked(&wave(by), &original, &threat).unwrap();
        let rounded = l2_distance(&picture.to_chw(), &original.to_chw());
        assert!(rounded <= length + 1e-5 && rounded > 0.99 * length, "{by}: {rounded} of {length}");
    }
    let none = Picture::from_attacked(&wave(0.05), &original, &ThreatModel::l2(0.0)).unwrap();
    assert_eq!(none.as_rgb8(), original.as_rgb8());
}

#[test]
fn a_photo_is_turned_upright_before_a_square_is_taken() {
    // Stored lying, 120 x 80 with the top half black; orientation 6 shows it standing: its right half is black.
    let lying = RgbImage::from_fn(120, 80, |_, y| Rgb([if y < 40 { 0 } else { 255 }; 3]));
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.write_image(&lying, 120, 80, ExtendedColorType::Rgb8).unwrap();
    let photo = Photo::decode(&file).unwrap();
    assert_eq!(photo.size(), (80, 120));
    assert_eq!(photo.picture(None), Picture::decode(&file));
    for (x, colour) in [(0, 255), (40, 0)] {
        for y in [0, 40, 80] {
            assert_eq!(only_colour(&photo.picture(Some(Crop { x, y, side: 40 })).unwrap()), [colour; 3], "{x}, {y}");
        }
    }
    // Inside the picture as it is stored, and not inside the upright picture.
    let error = photo.picture(Some(Crop { x: 60, y: 0, side: 40 })).unwrap_err();
    assert_eq!(error, ImageError::CropOutside { x: 60, y: 0, side: 40, width: 80, height: 120 });
}

#[test]
fn a_square_is_laid_on_white_like_the_whole() {
    let half = RgbaImage::from_fn(90, 70, |x, _| Rgba([10, 20, 30, if x < 45 { 255 } else { 0 }]));
    let photo = Photo::decode(&png(half)).unwrap();
    assert_eq!(only_colour(&photo.picture(Some(Crop { x: 0, y: 5, side: 45 })).unwrap()), [10, 20, 30]);
    assert_eq!(only_colour(&photo.picture(Some(Crop { x: 45, y: 5, side: 45 })).unwrap()), [255; 3]);
}
