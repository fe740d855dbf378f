//! Colours: what a file says of its own, and the way from them to sRGB.

use image::{DynamicImage, ImageFormat};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

use super::png;

/// Change, in levels of 255, up to which a profile is taken for sRGB as another program wrote it.
const ROUNDING: u8 = 1;

/// Returns the colours of a file that are other than sRGB's; none where the file says nothing of them, or nothing that can be
/// read: the pixels are then taken as sRGB, as browsers do.
pub(super) fn profile(format: ImageFormat, bytes: &[u8], icc: Option<Vec<u8>>) -> Option<ColorProfile> {
    let by_icc = || ColorProfile::new_from_slice(&icc?).ok();
    if format != ImageFormat::Png {
        return by_icc();
    }
    png::code_points(bytes).or_else(by_icc).or_else(|| png::gamma_and_primaries(bytes))
}

/// Converts 8-bit pixels to sRGB. Pixels that the profile is not for (grey ones with a profile of RGB) are left as they are, and so
/// are those of a profile that differs from sRGB by rounding only.
pub(super) fn to_srgb(mut image: DynamicImage, profile: &ColorProfile) -> DynamicImage {
    let (layout, wanted) = match &image {
        DynamicImage::ImageLuma8(_) => (Layout::Gray, DataColorSpace::Gray),
        DynamicImage::ImageLumaA8(_) => (Layout::GrayAlpha, DataColorSpace::Gray),
        DynamicImage::ImageRgb8(_) => (Layout::Rgb, DataColorSpace::Rgb),
        DynamicImage::ImageRgba8(_) => (Layout::Rgba, DataColorSpace::Rgb),
        _ => return image,
    };
    if profile.color_space != wanted {
        return image;
    }
    let srgb = match wanted {
        DataColorSpace::Gray => {
            let mut grey = ColorProfile::new_gray_with_gamma(2.2);
            grey.gray_trc = ColorProfile::new_srgb().red_trc;
            grey
        }
        _ => ColorProfile::new_srgb(),
    };
    let Ok(transform) = profile.create_transform_8bit(layout, &srgb, layout, TransformOptions::default()) else {
        return image;
    };
    if moves_colours(&*transform, layout.channels()) {
        let row = image.width() as usize * layout.channels();
        match &mut image {
            DynamicImage::ImageLuma8(pixels) => convert(&*transform, pixels, row),
            DynamicImage::ImageLumaA8(pixels) => convert(&*transform, pixels, row),
            DynamicImage::ImageRgb8(pixels) => convert(&*transform, pixels, row),
            DynamicImage::ImageRgba8(pixels) => convert(&*transform, pixels, row),
            _ => {}
        }
    }
    image
}

/// Converts row by row, so that a photograph does not take its memory twice.
fn convert(transform: &dyn TransformExecutor<u8>, pixels: &mut [u8], row: usize) {
    let mut before = vec![0; row];
    for pixels in pixels.chunks_exact_mut(row) {
        before.copy_from_slice(pixels);
        if transform.transform(&before, pixels).is_err() {
            // Only lengths are refused, and both are one row.
            pixels.copy_from_slice(&before);
        }
    }
}

/// Tells whether a transform moves a colour by more than rounding does: asked of all greys, and of a grid of colours.
fn moves_colours(transform: &dyn TransformExecutor<u8>, channels: usize) -> bool {
    let greys = (0..=u8::MAX).map(|level| [level; 3]);
    let grid = (0..216_u16).map(|index| [index / 36, index / 6 % 6, index % 6].map(|level| (level * 51) as u8));
    let before: Vec<u8> = greys
        .chain(grid)
        .flat_map(|[red, green, blue]| match channels {
            1 => vec![green],
            2 => vec![green, u8::MAX],
            3 => vec![red, green, blue],
            _ => vec![red, green, blue, u8::MAX],
        })
        .collect();
    let mut after = vec![0; before.len()];
    transform.transform(&before, &mut after).is_ok()
        && before.iter().zip(&after).any(|(before, after)| before.abs_diff(*after) > ROUNDING)
}
