//! How strong each family of perturbations is, and how often it happens.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The paper's seven families. The paper gives no strengths; the defaults are torchvision's own where it has some
/// (grayscale, flips, perspective) and mild ones where it asks for them (affine, rotation, colour jitter).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Perturbations {
    pub affine: Affine,
    pub grayscale: Grayscale,
    pub horizontal_flip: Flip,
    pub vertical_flip: Flip,
    pub rotation: Rotation,
    pub perspective: Perspective,
    pub color_jitter: ColorJitter,
}

/// Shift, zoom and shear (torchvision's `RandomAffine` without its rotation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Affine {
    pub probability: f64,
    /// Largest shift, as a part of the side.
    pub translate: f64,
    /// Range of the zoom.
    pub scale: [f64; 2],
    /// Largest horizontal shear, in degrees.
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
    pub probability: f64,
}

impl Default for Flip {
    fn default() -> Self {
        Self { probability: 0.5 }
    }
}

/// A small turn around the centre (torchvision's `RandomRotation`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    pub probability: f64,
    /// Largest angle, either way.
    pub degrees: f64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { probability: 0.5, degrees: 15.0 }
    }
}

/// The picture seen from the side (torchvision's `RandomPerspective`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Perspective {
    pub probability: f64,
    /// How far a corner may move inwards, as a part of half the side.
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
    pub probability: f64,
    /// Factors are drawn from `1 - strength` (not below 0) to `1 + strength`.
    pub brightness: f64,
    pub contrast: f64,
    pub saturation: f64,
    /// Largest turn of the hue, either way, as a part of the full circle; at most 0.5.
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
    /// As in a configuration file, for example `affine.scale`.
    pub name: &'static str,
    pub value: f64,
    pub range: &'static str,
}

impl Perturbations {
    /// # Errors
    ///
    /// The first setting that is out of its range or not a number.
    pub fn validate(&self) -> Result<(), PerturbError> {
        let part = "from 0 to 1";
        let jitter = &self.color_jitter;
        for (name, value, low, high, range) in [
            ("affine.probability", self.affine.probability, 0.0, 1.0, part),
            ("affine.translate", self.affine.translate, 0.0, 1.0, part),
            ("affine.scale", self.affine.scale[0], 0.1, 10.0, "from 0.1 to 10"),
            ("affine.scale", self.affine.scale[1], self.affine.scale[0], 10.0, "at least the first one, at most 10"),
            ("affine.shear", self.affine.shear, 0.0, 80.0, "from 0 to 80 degrees"),
            ("grayscale.probability", self.grayscale.probability, 0.0, 1.0, part),
            ("horizontal_flip.probability", self.horizontal_flip.probability, 0.0, 1.0, part),
            ("vertical_flip.probability", self.vertical_flip.probability, 0.0, 1.0, part),
            ("rotation.probability", self.rotation.probability, 0.0, 1.0, part),
            ("rotation.degrees", self.rotation.degrees, 0.0, 180.0, "from 0 to 180"),
            ("perspective.probability", self.perspective.probability, 0.0, 1.0, part),
            // At 1 all corners could meet.
            ("perspective.distortion", self.perspective.distortion, 0.0, 0.9, "from 0 to 0.9"),
            ("color_jitter.probability", jitter.probability, 0.0, 1.0, part),
            ("color_jitter.brightness", jitter.brightness, 0.0, 10.0, "from 0 to 10"),
            ("color_jitter.contrast", jitter.contrast, 0.0, 10.0, "from 0 to 10"),
            ("color_jitter.saturation", jitter.saturation, 0.0, 10.0, "from 0 to 10"),
            ("color_jitter.hue", jitter.hue, 0.0, 0.5, "from 0 to 0.5"),
        ] {
            if !(low..=high).contains(&value) {
                return Err(PerturbError { name, value, range });
            }
        }
        Ok(())
    }
}
