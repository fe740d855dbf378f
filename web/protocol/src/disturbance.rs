//! What happens to a picture before anyone attacks it: the paper's seven perturbations of the real world, one corruption.

use serde::{Deserialize, Serialize};
use terms::corruption::Corruption;

/// How a visitor sets a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// By a slider.
    Slider {
        /// Both ends.
        range: [i16; 2],
        /// Unit behind the value: `°`.
        unit: &'static str,
    },
    /// By a check box: 0 or 1.
    CheckBox,
}

/// A value of a [`Disturbance`]: its range, its names, and the way to get and to set it.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// Name of the field, and in reports: `rotation_degrees`.
    pub field: &'static str,
    /// Name in addresses: `rotate`.
    pub key: &'static str,
    /// Name in elements' ids, behind `disturb-`: `rotation`.
    pub id: &'static str,
    /// Name in print: `Rotation`.
    pub label: &'static str,
    /// How a visitor sets it.
    pub control: Control,
    get: fn(&Disturbance) -> i16,
    set: fn(&mut Disturbance, i16),
}

impl Value {
    /// Returns the lowest and the highest number.
    pub fn range(&self) -> [i16; 2] {
        match self.control {
            Control::Slider { range, .. } => range,
            Control::CheckBox => [0, 1],
        }
    }

    /// Returns the number that `disturbance` has; 1 for a ticked check box.
    pub fn get(&self, disturbance: &Disturbance) -> i16 {
        (self.get)(disturbance)
    }

    /// Sets the value to the number in its range that is nearest to `number`.
    pub fn set(&self, disturbance: &mut Disturbance, number: i32) {
        let [low, high] = self.range();
        // A number between two of 16 bits is one.
        (self.set)(disturbance, number.clamp(low.into(), high.into()) as i16);
    }
}

/// A type of a value: a number, or yes and no.
trait Held {
    fn of(number: i16) -> Self;
}

impl Held for i16 {
    fn of(number: i16) -> Self {
        number
    }
}

impl Held for bool {
    fn of(number: i16) -> Self {
        number != 0
    }
}

/// Defines [`Disturbance`] from one row a value, so that no control, name or range of it can be forgotten.
macro_rules! disturbance {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $usual:expr, $key:literal, $id:literal, $label:literal, $control:expr;)*) => {
        /// Changes that a camera or the weather may make. The default changes nothing.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        pub struct Disturbance {
            $($(#[$doc])* pub $field: $type,)*
            /// A corruption of Tiny-ImageNet-C, after all that.
            pub corruption: Option<Corruption>,
            /// Its severity, 1 to 5.
            pub severity: u8,
        }

        impl Default for Disturbance {
            fn default() -> Self {
                Self { $($field: $usual,)* corruption: None, severity: 3 }
            }
        }

        impl Disturbance {
            /// All values but the corruption's, in the order of the page.
            pub const VALUES: [Value; [$(stringify!($field)),*].len()] = [$(Value {
                field: stringify!($field),
                key: $key,
                id: $id,
                label: $label,
                control: $control,
                get: |disturbance| disturbance.$field.into(),
                set: |disturbance, number| disturbance.$field = Held::of(number),
            }),*];
        }
    };
}

const fn slider(range: [i16; 2], unit: &'static str) -> Control {
    Control::Slider { range, unit }
}

disturbance! {
    /// Affine: shift to the right, in pixels of 64.
    shift_right: i16 = 0, "x", "shift-x", "Shift right", slider([-32, 32], "px");
    /// Affine: shift down, in pixels of 64.
    shift_down: i16 = 0, "y", "shift-y", "Shift down", slider([-32, 32], "px");
    /// Affine: zoom, in percent.
    zoom_percent: i16 = 100, "zoom", "zoom", "Zoom", slider([50, 200], "%");
    /// Affine: horizontal shear, in degrees.
    shear_degrees: i16 = 0, "shear", "shear", "Shear", slider([-45, 45], "°");
    /// Mirrored left to right.
    flip_horizontal: bool = false, "mirror", "mirror", "Mirror left to right", Control::CheckBox;
    /// Mirrored top to bottom.
    flip_vertical: bool = false, "flip", "flip", "Upside down", Control::CheckBox;
    /// Turned counter-clockwise, in degrees.
    rotation_degrees: i16 = 0, "rotate", "rotation", "Rotation", slider([-180, 180], "°");
    /// Perspective: how far the right side is moved back (below zero: the left), in percent of half the side.
    perspective_percent: i16 = 0, "tilt", "perspective", "Perspective", slider([-80, 80], "%");
    /// Without colour.
    grayscale: bool = false, "gray", "grayscale", "Without colour", Control::CheckBox;
    /// Colour jitter: brightness, in percent of what it was.
    brightness_percent: i16 = 100, "bright", "brightness", "Brightness", slider([0, 200], "%");
    /// Colour jitter: contrast, in percent of what it was.
    contrast_percent: i16 = 100, "contrast", "contrast", "Contrast", slider([0, 200], "%");
    /// Colour jitter: saturation, in percent of what it was.
    saturation_percent: i16 = 100, "color", "saturation", "Saturation", slider([0, 200], "%");
    /// Colour jitter: turn of the hue, in degrees.
    hue_degrees: i16 = 0, "hue", "hue", "Hue", slider([-180, 180], "°");
}

impl Disturbance {
    /// Severity of the corruption, which addresses name together with the corruption.
    pub const SEVERITY: Value = Value {
        field: "severity",
        key: "",
        id: "severity",
        label: "Severity",
        control: slider([1, 5], " of 5"),
        get: |disturbance| disturbance.severity.into(),
        // A number from 1 to 5 fits.
        set: |disturbance, number| disturbance.severity = number as u8,
    };

    /// Tells whether the picture stays as it is.
    pub fn is_none(&self) -> bool {
        Self { severity: Self::default().severity, ..*self } == Self::default()
    }

    /// Returns the same with every value in its range.
    #[must_use]
    pub fn within_range(mut self) -> Self {
        for value in Self::VALUES.into_iter().chain([Self::SEVERITY]) {
            let number = value.get(&self);
            value.set(&mut self, number.into());
        }
        self
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

    #[test]
    fn no_two_values_have_a_name_in_common() {
        for name in [|value: &Value| value.key, |value: &Value| value.id, |value: &Value| value.label] {
            let names: std::collections::BTreeSet<_> = Disturbance::VALUES.iter().map(name).collect();
            assert_eq!(names.len(), Disturbance::VALUES.len());
        }
    }
}
