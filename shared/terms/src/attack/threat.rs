use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::{AttackError, in_255ths};
use crate::picture::SIDE;

/// The radius of attacks in L-infinity where none is given, in 255ths: the radius of the shipped networks' scores.
pub const DEFAULT_EPSILON_255: u8 = 4;
/// The radius of attacks in L2 where none is given, in pixel units: that of CIFAR-10 on RobustBench.
pub const DEFAULT_EPSILON_L2: f32 = 0.5;

/// The length by which the size of a change is measured.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// The largest change of a value. A radius is at most 1, and usually given in 255ths.
    Linf,
    /// The Euclidean length over all values of an image. A radius is given in pixel units: 0.5, say.
    L2,
    /// The number of pixels that change, each as much as it likes in all channels. A radius is a whole number of pixels.
    L0,
}

impl Norm {
    /// All norms.
    pub const ALL: [Self; 3] = [Self::Linf, Self::L2, Self::L0];

    /// Returns the name in print: `L-inf`, `L2`, `L0`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Linf => "L-inf",
            Self::L2 => "L2",
            Self::L0 => "L0",
        }
    }

    /// Returns the distance between a black and a white picture, which no radius need exceed, in pixel units: 1 in
    /// L-infinity, 110.9 in L2, 4,096 in L0.
    pub fn largest_radius(self) -> f32 {
        match self {
            Self::Linf => 1.0,
            Self::L2 => ((3 * SIDE * SIDE) as f32).sqrt(),
            Self::L0 => (SIDE * SIDE) as f32,
        }
    }

    /// Returns the radius of an attack where none is given, in pixel units.
    pub fn default_epsilon(self) -> f32 {
        match self {
            Self::Linf => f32::from(DEFAULT_EPSILON_255) / 255.0,
            Self::L2 => DEFAULT_EPSILON_L2,
            Self::L0 => 1.0,
        }
    }

    /// Returns `length`, in pixel units, as people write it: `4/255` in L-infinity, `L2 0.5` in L2, `3 pixels` in L0.
    pub fn in_words(self, length: f32) -> String {
        match self {
            Self::Linf => in_255ths(length),
            Self::L2 => format!("L2 {length}"),
            Self::L0 if length == 1.0 => "1 pixel".into(),
            Self::L0 => format!("{length} pixels"),
        }
    }
}

/// The changes of an image that an attacker may make: by at most epsilon, in a norm, with each value within `[0, 1]`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ThreatModel {
    /// Norm that the change is measured in.
    pub norm: Norm,
    /// Largest change, in pixel units times `channel_scale`: 0 to [`Norm::largest_radius`].
    pub epsilon: f32,
    /// Divisors of a change of each channel before it is measured, RGB: ones for pixel units, a network's standard
    /// deviations for its normalised space.
    pub channel_scale: [f32; 3],
}

impl ThreatModel {
    /// Returns the threat model of radius `epsilon`, pixel units, in `norm`.
    pub const fn new(norm: Norm, epsilon: f32) -> Self {
        Self { norm, epsilon, channel_scale: [1.0; 3] }
    }

    /// Returns the threat model of radius `epsilon`, pixel units, in L-infinity.
    pub const fn linf(epsilon: f32) -> Self {
        Self::new(Norm::Linf, epsilon)
    }

    /// Returns the threat model of radius `epsilon`, pixel units, in L2.
    pub const fn l2(epsilon: f32) -> Self {
        Self::new(Norm::L2, epsilon)
    }

    /// Returns whether epsilon is in pixel units, and not in the normalised space of a network. A number of pixels is the same in both.
    pub fn is_in_pixel_units(&self) -> bool {
        self.norm == Norm::L0 || self.channel_scale == [1.0; 3]
    }

    /// Returns the largest change of each channel alone, RGB, in pixel units.
    pub fn radius(&self) -> [f32; 3] {
        self.channel_scale.map(|scale| scale * self.epsilon)
    }

    /// Checks that the numbers are in range.
    ///
    /// # Errors
    ///
    /// [`AttackError`] that names the number and its range.
    pub fn validate(&self) -> Result<(), AttackError> {
        let Self { norm, epsilon, channel_scale } = *self;
        let counts = norm != Norm::L0 || epsilon.fract() == 0.0;
        if !(counts && (0.0..=norm.largest_radius()).contains(&epsilon)) {
            return Err(AttackError::Epsilon { norm, epsilon });
        }
        if channel_scale.iter().any(|scale| !(scale.is_finite() && *scale > 0.0)) {
            return Err(AttackError::ChannelScale(channel_scale));
        }
        Ok(())
    }
}

/// Writes `8/255`, `L2 0.5`, `3 pixels`, `0.2 std`, `L2 0.5 std`.
impl Display for ThreatModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.norm, self.is_in_pixel_units()) {
            (norm, true) => formatter.write_str(&norm.in_words(self.epsilon)),
            (Norm::Linf, false) => write!(formatter, "{} std", self.epsilon),
            (norm, false) => write!(formatter, "{} {} std", norm.label(), self.epsilon),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_norm_has_its_range_and_the_error_says_it() {
        let refused = |threat: ThreatModel| threat.validate().unwrap_err().to_string();
        assert!(ThreatModel::l2(110.0).validate().is_ok() && ThreatModel::linf(1.0).validate().is_ok());
        assert!(refused(ThreatModel::linf(1.1)).contains("0 to 1 (8/255 is 0.0314)"));
        assert!(refused(ThreatModel::l2(111.0)).contains("L2 radius in pixel units, 0 to 110.9"));
        assert!(ThreatModel::new(Norm::L0, 3.0).validate().is_ok());
        for wrong in [0.5, 4097.0] {
            assert!(refused(ThreatModel::new(Norm::L0, wrong)).contains("a whole number of pixels, 0 to 4096"));
        }
        for threat in [ThreatModel::linf, ThreatModel::l2] {
            assert!(threat(f32::NAN).validate().is_err() && threat(-0.1).validate().is_err());
        }
    }

    #[test]
    fn radii_as_people_write_them() {
        let in_std = |threat: ThreatModel| ThreatModel { channel_scale: [0.3, 0.2, 0.25], ..threat };
        let written = [
            (ThreatModel::linf(8.0 / 255.0), "8/255"),
            (ThreatModel::l2(0.5), "L2 0.5"),
            (in_std(ThreatModel::linf(0.2)), "0.2 std"),
            (in_std(ThreatModel::l2(1.0)), "L2 1 std"),
            (ThreatModel::new(Norm::L0, 1.0), "1 pixel"),
            (in_std(ThreatModel::new(Norm::L0, 3.0)), "3 pixels"),
        ];
        for (threat, words) in written {
            assert_eq!(threat.to_string(), words);
        }
    }
}
