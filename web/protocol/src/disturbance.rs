//! What happens to a picture before anyone attacks it: the paper's seven perturbations of the real world, one corruption.

use serde::{Deserialize, Serialize};
use terms::corruption::Corruption;

/// Changes that a camera or the weather may make. The default changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Disturbance {
    /// Affine: shift to the right and down, in pixels of 64.
    pub shift: [i8; 2],
    /// Affine: zoom, in percent.
    pub zoom_percent: u8,
    /// Affine: horizontal shear, in degrees.
    pub shear_degrees: i8,
    /// Mirrored left to right.
    pub flip_horizontal: bool,
    /// Mirrored top to bottom.
    pub flip_vertical: bool,
    /// Turned counter-clockwise, in degrees.
    pub rotation_degrees: i16,
    /// Perspective: how far the right side is moved back (below zero: the left), in percent of half the side.
    pub perspective_percent: i8,
    /// Without colour.
    pub grayscale: bool,
    /// Colour jitter: brightness, contrast and saturation, in percent of what they were.
    pub brightness_percent: u8,
    /// See [`Self::brightness_percent`].
    pub contrast_percent: u8,
    /// See [`Self::brightness_percent`].
    pub saturation_percent: u8,
    /// Colour jitter: turn of the hue, in degrees.
    pub hue_degrees: i16,
    /// A corruption of Tiny-ImageNet-C, after all that.
    pub corruption: Option<Corruption>,
    /// Its severity, 1 to 5.
    pub severity: u8,
}

impl Default for Disturbance {
    fn default() -> Self {
        Self {
            shift: [0, 0],
            zoom_percent: 100,
            shear_degrees: 0,
            flip_horizontal: false,
            flip_vertical: false,
            rotation_degrees: 0,
            perspective_percent: 0,
            grayscale: false,
            brightness_percent: 100,
            contrast_percent: 100,
            saturation_percent: 100,
            hue_degrees: 0,
            corruption: None,
            severity: 3,
        }
    }
}

impl Disturbance {
    /// Farthest shift.
    pub const MAX_SHIFT: i8 = 32;
    /// Range of the zoom.
    pub const ZOOM_PERCENT: [u8; 2] = [50, 200];
    /// Largest shear.
    pub const MAX_SHEAR_DEGREES: i8 = 45;
    /// Largest turn.
    pub const MAX_ROTATION_DEGREES: i16 = 180;
    /// Largest perspective.
    pub const MAX_PERSPECTIVE_PERCENT: i8 = 80;
    /// Highest brightness, contrast or saturation.
    pub const MAX_COLOR_PERCENT: u8 = 200;
    /// Largest turn of the hue.
    pub const MAX_HUE_DEGREES: i16 = 180;

    /// Tells whether the picture stays as it is.
    pub fn is_none(&self) -> bool {
        Self { severity: Self::default().severity, ..*self } == Self::default()
    }

    /// Returns the same with every value in its range.
    #[must_use]
    pub fn within_range(self) -> Self {
        let color = |percent: u8| percent.min(Self::MAX_COLOR_PERCENT);
        let [least, most] = Self::ZOOM_PERCENT;
        Self {
            shift: self.shift.map(|pixels| pixels.clamp(-Self::MAX_SHIFT, Self::MAX_SHIFT)),
            zoom_percent: self.zoom_percent.clamp(least, most),
            shear_degrees: self.shear_degrees.clamp(-Self::MAX_SHEAR_DEGREES, Self::MAX_SHEAR_DEGREES),
            rotation_degrees: self.rotation_degrees.clamp(-Self::MAX_ROTATION_DEGREES, Self::MAX_ROTATION_DEGREES),
            perspective_percent: self
                .perspective_percent
                .clamp(-Self::MAX_PERSPECTIVE_PERCENT, Self::MAX_PERSPECTIVE_PERCENT),
            brightness_percent: color(self.brightness_percent),
            contrast_percent: color(self.contrast_percent),
            saturation_percent: color(self.saturation_percent),
            hue_degrees: self.hue_degrees.clamp(-Self::MAX_HUE_DEGREES, Self::MAX_HUE_DEGREES),
            severity: self.severity.clamp(1, 5),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_severity_of_nothing_is_nothing() {
        assert!(Disturbance { severity: 5, ..Disturbance::default() }.is_none());
        assert!(!Disturbance { flip_vertical: true, ..Disturbance::default() }.is_none());
    }

    #[test]
    fn what_is_out_of_range_is_brought_back() {
        let wild = Disturbance { zoom_percent: 3, severity: 9, rotation_degrees: 999, ..Disturbance::default() };
        let tame = Disturbance { zoom_percent: 50, severity: 5, rotation_degrees: 180, ..Disturbance::default() };
        assert_eq!(wild.within_range(), tame);
        assert_eq!(Disturbance::default().within_range(), Disturbance::default());
    }
}
