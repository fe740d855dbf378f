//! The 15 common corruptions of Tiny-ImageNet-C and their five severities: kinds and names.
//!
//! Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR 2019.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::severity::{Severity, SeverityError};

/// A common corruption of pictures: one that no attacker chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// Normal noise of standard deviation 0.04 to 0.18 on each value: low light.
    GaussianNoise,
    /// Poisson noise: a white pixel counts 250 to 15 photons.
    ShotNoise,
    /// Salt and pepper: 1% to 14% of all values become 0 or 1, channel by channel.
    ImpulseNoise,
    /// A lens out of focus: the mean over a disk of 0.5 to 3 pixels' radius.
    DefocusBlur,
    /// Frosted glass: pixels take colours from up to 2 pixels away, between Gaussian blurs of 0.1 to 0.9 pixels.
    GlassBlur,
    /// A moving camera: half a Gaussian of 1 to 3 pixels, within 45 degrees of the horizontal, as ImageMagick's motion
    /// blur.
    MotionBlur,
    /// An approaching camera: the mean of enlargements up to 6% to 25%.
    ZoomBlur,
    /// Falling snow on a paler picture. The flakes' fall is ImageMagick's motion blur, as for [`Self::MotionBlur`].
    Snow,
    /// Ice on a window. An approximation: the benchmark lays crops of five photographs of frost over the picture, which
    /// no code can make. Here the frost is drawn; the weights of picture and frost are the benchmark's.
    Frost,
    /// A fractal cloud, with which the picture's contrast falls.
    Fog,
    /// The value of HSV raised by 0.1 to 0.5: daylight.
    Brightness,
    /// Contrast lowered to 40% to 5%, channel by channel, around the mean.
    Contrast,
    /// A random affine map and smoothed random shifts of each pixel. Severity goes from a picture bent as a whole to fine
    /// ripples, so the damage need not grow.
    ElasticTransform,
    /// Scaled down to 57 to 32 pixels a side with a box filter, and up again.
    Pixelate,
    /// JPEG at quality 65 to 25, colour at half the resolution.
    JpegCompression,
}

impl Corruption {
    /// All corruptions, in the order of the paper.
    pub const ALL: [Self; 15] = [
        Self::GaussianNoise,
        Self::ShotNoise,
        Self::ImpulseNoise,
        Self::DefocusBlur,
        Self::GlassBlur,
        Self::MotionBlur,
        Self::ZoomBlur,
        Self::Snow,
        Self::Frost,
        Self::Fog,
        Self::Brightness,
        Self::Contrast,
        Self::ElasticTransform,
        Self::Pixelate,
        Self::JpegCompression,
    ];

    /// Returns the benchmark's name: `gaussian_noise`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GaussianNoise => "gaussian_noise",
            Self::ShotNoise => "shot_noise",
            Self::ImpulseNoise => "impulse_noise",
            Self::DefocusBlur => "defocus_blur",
            Self::GlassBlur => "glass_blur",
            Self::MotionBlur => "motion_blur",
            Self::ZoomBlur => "zoom_blur",
            Self::Snow => "snow",
            Self::Frost => "frost",
            Self::Fog => "fog",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::ElasticTransform => "elastic_transform",
            Self::Pixelate => "pixelate",
            Self::JpegCompression => "jpeg_compression",
        }
    }

    /// Returns whether the pictures only approximate the benchmark's, so that an accuracy measured here must not be compared
    /// with a published one. True of [`Self::Frost`] alone.
    pub fn is_approximation(self) -> bool {
        self == Self::Frost
    }
}

impl std::fmt::Display for Corruption {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Corruption {
    type Err = UnknownCorruption;

    /// Reads the benchmark's name.
    fn from_str(name: &str) -> Result<Self, UnknownCorruption> {
        let named = Self::ALL.into_iter().find(|corruption| corruption.name() == name);
        named.ok_or_else(|| UnknownCorruption { given: name.to_owned() })
    }
}

/// A name that no corruption has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no corruption {given:?}; there are {}", Corruption::ALL.map(Corruption::name).join(", "))]
pub struct UnknownCorruption {
    /// The name that was given.
    pub given: String,
}
