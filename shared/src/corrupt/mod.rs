//! The 15 common corruptions of Tiny-ImageNet-C at their five severities: noise, blur, weather and digital artefacts.
//!
//! Method and parameters are those of Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common
//! Corruptions and Perturbations", ICLR 2019, as in their `make_tinyimagenet_c.py` (github.com/hendrycks/robustness). Three
//! things differ:
//!
//! - The random draws are Bastion's own: the pictures match the published ones in kind and strength, not in pixels.
//! - The published pictures were saved as JPEG (quality 85) once more; these are not.
//! - Frost is drawn, see [`Corruption::is_approximation`].

mod blur;
mod digital;
mod frost;
mod jpeg;
mod noise;
mod plane;
mod rgb;
#[cfg(test)]
mod tests;
mod weather;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::image::Picture;
use rgb::Rgb;
pub use terms::corruption::{Corruption, Severity, SeverityError, UnknownCorruption};

/// Applies a corruption to a picture.
pub trait Corrupt {
    /// Returns `picture` corrupted at `severity`; the same bytes for the same `seed`, natively and in the browser.
    ///
    /// Each picture needs a seed of its own, or all have the same noise. At another severity the same seed draws the same
    /// numbers. Defocus and zoom blur, brightness, contrast, pixelate and JPEG draw nothing and ignore the seed.
    ///
    /// Results are cut to 0..=255 and truncated to whole levels, not rounded, as the benchmark does.
    fn apply(self, picture: &Picture, severity: Severity, seed: u64) -> Picture;
}

impl Corrupt for Corruption {
    fn apply(self, picture: &Picture, severity: Severity, seed: u64) -> Picture {
        let image = &Rgb::from_picture(picture);
        let rng = &mut StdRng::seed_from_u64(seed);
        let corrupted = match self {
            Self::GaussianNoise => noise::gaussian(image, severity, rng),
            Self::ShotNoise => noise::shot(image, severity, rng),
            Self::ImpulseNoise => noise::impulse(image, severity, rng),
            Self::DefocusBlur => blur::defocus(image, severity),
            Self::GlassBlur => blur::glass(image, severity, rng),
            Self::MotionBlur => blur::motion(image, severity, rng),
            Self::ZoomBlur => blur::zoom(image, severity),
            Self::Snow => weather::snow(image, severity, rng),
            Self::Frost => frost::frost(image, severity, rng),
            Self::Fog => weather::fog(image, severity, rng),
            Self::Brightness => digital::brightness(image, severity),
            Self::Contrast => digital::contrast(image, severity),
            Self::ElasticTransform => digital::elastic(image, severity, rng),
            Self::Pixelate => digital::pixelate(image, severity),
            Self::JpegCompression => jpeg::compress(image, severity),
        };
        corrupted.into_picture()
    }
}
