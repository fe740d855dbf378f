//! Reads the size, EXIF block and colours of a PNG.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, MatrixCoefficients,
    TransferCharacteristics, curve_from_gamma,
};

const SIGNATURE: usize = 8;

/// Returns the chunks of a PNG, as far as they are whole: type and content. Checksums are left to the decoder.
fn chunks(png: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = png.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (kind, content) = (after.get(..4)?, after.get(4..)?.get(..length)?);
        // After the content come four bytes of checksum.
        rest = after.get(length.checked_add(8)?..).unwrap_or_default();
        Some((kind, content))
    })
}

/// Returns the content of the first chunk of that type.
fn chunk<'a>(png: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    chunks(png).find(|(kind, _)| kind == wanted).map(|(_, content)| content)
}

/// Returns the big-endian number at a place.
fn number(content: &[u8], at: usize) -> Option<u32> {
    content.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Returns width and height by the header, which may be all that there is of the file: the decoder needs more before it
/// returns them.
pub(super) fn header_size(png: &[u8]) -> Option<(u32, u32)> {
    (png.get(12..16)? == b"IHDR").then_some((number(png, 16)?, number(png, 20)?))
}

/// Returns the EXIF block, which may also follow the pixels, where the decoder does not look for it.
pub(super) fn exif(png: &[u8]) -> Option<&[u8]> {
    chunk(png, b"eXIf")
}

/// Returns the colours by code point (`cICP`), which go before an ICC profile; none if there are none, or none that are known.
pub(super) fn code_points(png: &[u8]) -> Option<ColorProfile> {
    let &[primaries, transfer, _, _] = chunk(png, b"cICP")? else { return None };
    let profile = CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        // A PNG's pixels are RGB in full range whatever the chunk says.
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    let mut colours = ColorProfile::new_srgb();
    colours.cicp = None;
    // moxcms returns false for known code points too, but only those are kept.
    colours.update_rgb_colorimetry_from_cicp(profile);
    colours.cicp.is_some().then_some(colours)
}

/// Returns the colours by exponent (`gAMA`) and primaries (`cHRM`), which count only where there is neither an ICC profile
/// nor the word that the picture is sRGB.
pub(super) fn gamma_and_primaries(png: &[u8]) -> Option<ColorProfile> {
    /// Exponent of sRGB as PNGs have it, in 100,000ths: a rounded one, which stands for sRGB's own curve.
    const SRGB_GAMMA: u32 = 45_455;
    /// Largest difference from [`SRGB_GAMMA`] that encoders write for sRGB.
    const TOLERANCE: u32 = 1_000;
    if chunk(png, b"sRGB").is_some() {
        return None;
    }
    let gamma = number(chunk(png, b"gAMA")?, 0).filter(|gamma| (10_000..=1_000_000).contains(gamma))?;
    let mut colours = ColorProfile::new_srgb();
    colours.cicp = None;
    if gamma.abs_diff(SRGB_GAMMA) > TOLERANCE {
        let curve = curve_from_gamma(100_000.0 / gamma as f32);
        colours.red_trc = Some(curve.clone());
        colours.green_trc = Some(curve.clone());
        colours.blue_trc = Some(curve);
    }
    if let Some(primaries) = chunk(png, b"cHRM") {
        let point = |index: usize| {
            let of = |at| number(primaries, at).map(|value| value as f32 / 100_000.0);
            Some(Chromaticity { x: of(8 * index)?, y: of(8 * index + 4)? }).filter(|point| point.y > 0.0)
        };
        let [white, red, green, blue] = [point(0)?, point(1)?, point(2)?, point(3)?];
        colours.update_rgb_colorimetry(white.to_xyyb(), ColorPrimaries { red, green, blue });
    }
    Some(colours)
}
