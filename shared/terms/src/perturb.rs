//! Strength and probability of each family of perturbations.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Settings of the paper's seven families. The paper gives no strengths; the defaults are torchvision's where torchvision has
/// defaults (grayscale, flips, perspective) and mild elsewhere (affine, rotation, colour jitter).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Perturbations {
    /// Shift, zoom and shear.
    pub affine: Affine,
    /// Luma in all three channels.
    pub grayscale: Grayscale,
    /// Mirror image, left and right swapped.
    pub horizontal_flip: Flip,
    /// Mirror image, top and bottom swapped.
    pub vertical_flip: Flip,
    /// Rotation around the centre.
    pub rotation: Rotation,
    /// Change of perspective.
    pub perspective: Perspective,
    /// Change of brightness, contrast, saturation and hue.
    pub color_jitter: ColorJitter,
}

/// Shift, zoom and shear (torchvision's `RandomAffine` without its rotation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Affine {
    /// Probability of a change, 0 to 1.
    pub probability: f64,
    /// Largest shift along each axis, as a part of the side, 0 to 1.
    pub translate: f64,
    /// Range of the zoom factor, within 0.1 to 10, the smaller bound first.
    pub scale: [f64; 2],
    /// Largest horizontal shear to either side, in degrees, 0 to 80.
    pub shear: f64,
}

impl Default for Affine {
    fn default() -> Self {
        Self { probability: 0.5, translate: 0.1, scale: [0.8, 1.2], shear: 10.0 }
    }
}

/// Luma in all three channels (torchvision's `RandomGrayscale`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grayscale {
    /// Probability of a change, 0 to 1.
    pub probability: f64,
}

impl Default for Grayscale {
    fn default() -> Self {
        Self { probability: 0.1 }
    }
}

/// A mirror (torchvision's `RandomHorizontalFlip` and `RandomVerticalFlip`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flip {
    /// Probability of a change, 0 to 1.
    pub probability: f64,
}

impl Default for Flip {
    fn default() -> Self {
        Self { probability: 0.5 }
    }
}

/// A rotation around the centre (torchvision's `RandomRotation`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    /// Probability of a change, 0 to 1.
    pub probability: f64,
    /// Largest angle to either side, in degrees, 0 to 180.
    pub degrees: f64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { probability: 0.5, degrees: 15.0 }
    }
}

/// A change of perspective (torchvision's `RandomPerspective`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Perspective {
    /// Probability of a change, 0 to 1.
    pub probability: f64,
    /// Largest shift of a corner inwards along each axis, as a part of half the side, 0 to 0.9.
    pub distortion: f64,
}

impl Default for Perspective {
    fn default() -> Self {
        Self { probability: 0.5, distortion: 0.5 }
    }
}

/// Brightness, contrast, saturation and hue, in this order (torchvision's `ColorJitter` draws the order too).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColorJitter {
    /// Probability of a change, 0 to 1.
    pub probability: f64,
    /// Strength of the change of brightness, 0 to 10: factors are drawn from `1 - strength` (not below 0) to `1 + strength`.
    pub brightness: f64,
    /// Strength of the change of contrast, 0 to 10, as for the brightness.
    pub contrast: f64,
    /// Strength of the change of saturation, 0 to 10, as for the brightness.
    pub saturation: f64,
    /// Largest turn of the hue to either side, as a part of the full circle, 0 to 0.5.
    pub hue: f64,
}

impl Default for ColorJitter {
    fn default() -> Self {
        Self { probability: 0.5, brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05 }
    }
}

/// A setting out of its range.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("perturbations: {name} is {value}, but must be {range}")]
pub struct PerturbError {
    /// Name of the setting in a configuration file, for example `affine.scale`.
    pub name: &'static str,
    /// Value that was given.
    pub value: f64,
    /// Range in words: `from 0 to 1`.
    pub range: &'static str,
}

impl Perturbations {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`PerturbError`] for the first setting that is out of its range or not a number.
    pub fn validate(&self) -> Result<(), PerturbError> {
        let part = "from 0 to 1";
        // Without `..`, so that a setting without a range fails to compile.
        let Self {
            affine: Affine { probability: affine, translate, scale: [smallest, largest], shear },
            grayscale: Grayscale { probability: grayscale },
            horizontal_flip: Flip { probability: horizontal_flip },
            vertical_flip: Flip { probability: vertical_flip },
            rotation: Rotation { probability: rotation, degrees },
            perspective: Perspective { probability: perspective, distortion },
            color_jitter: ColorJitter { probability: color_jitter, brightness, contrast, saturation, hue },
        } = *self;
        for (name, value, low, high, range) in [
            ("affine.probability", affine, 0.0, 1.0, part),
            ("affine.translate", translate, 0.0, 1.0, part),
            ("affine.scale", smallest, 0.1, 10.0, "from 0.1 to 10"),
            ("affine.scale", largest, smallest, 10.0, "at least the first one, at most 10"),
            ("affine.shear", shear, 0.0, 80.0, "from 0 to 80 degrees"),
            ("grayscale.probability", grayscale, 0.0, 1.0, part),
            ("horizontal_flip.probability", horizontal_flip, 0.0, 1.0, part),
            ("vertical_flip.probability", vertical_flip, 0.0, 1.0, part),
            ("rotation.probability", rotation, 0.0, 1.0, part),
            ("rotation.degrees", degrees, 0.0, 180.0, "from 0 to 180"),
            ("perspective.probability", perspective, 0.0, 1.0, part),
            // At 1 the four corners could meet.
            ("perspective.distortion", distortion, 0.0, 0.9, "from 0 to 0.9"),
            ("color_jitter.probability", color_jitter, 0.0, 1.0, part),
            ("color_jitter.brightness", brightness, 0.0, 10.0, "from 0 to 10"),
            ("color_jitter.contrast", contrast, 0.0, 10.0, "from 0 to 10"),
            ("color_jitter.saturation", saturation, 0.0, 10.0, "from 0 to 10"),
            ("color_jitter.hue", hue, 0.0, 0.5, "from 0 to 0.5"),
        ] {
            if !(low..=high).contains(&value) {
                return Err(PerturbError { name, value, range });
            }
        }
        Ok(())
    }
}
