use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::AttackKind;

/// Radius of attacks where none is given, in 255ths: the radius at which the shipped networks are measured.
pub const DEFAULT_EPSILON_255: u8 = 4;
/// The paper's radius, in normalised space.
pub const PAPER_EPSILON_STD: f32 = 0.2;
/// An attack and its strength.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttackConfig {
    /// Kind of the attack.
    pub kind: AttackKind,
    /// Radius of the L-infinity ball in pixel units: `8.0 / 255.0`, say. 0 to 1.
    pub epsilon: f32,
    /// Gradient steps; FGSM always takes one, and noise none.
    pub steps: usize,
    /// Length of a step in pixel units. Default: epsilon (FGSM), epsilon / 4 (BIM), 2.5 epsilon / steps (PGD).
    pub step_size: Option<f32>,
    /// Seed of PGD's random start, and of noise.
    pub seed: u64,
    /// Factors of epsilon and of the step size, RGB: ones for pixel units, or a network's standard deviations for lengths in
    /// its normalised space, as in the paper.
    #[serde(default = "pixel_units", skip_serializing_if = "is_pixel_units")]
    pub channel_scale: [f32; 3],
}

fn pixel_units() -> [f32; 3] {
    [1.0; 3]
}

fn is_pixel_units(scale: &[f32; 3]) -> bool {
    *scale == pixel_units()
}

impl AttackConfig {
    /// Returns FGSM.
    pub fn fgsm(epsilon: f32) -> Self {
        Self::new(AttackKind::Fgsm, epsilon, 1)
    }

    /// Returns BIM with steps of epsilon / 4; the paper takes 5 steps.
    pub fn bim(epsilon: f32, steps: usize) -> Self {
        Self::new(AttackKind::Bim, epsilon, steps)
    }

    /// Returns PGD with steps of 2.5 epsilon / steps.
    pub fn pgd(epsilon: f32, steps: usize, seed: u64) -> Self {
        Self { seed, ..Self::new(AttackKind::Pgd, epsilon, steps) }
    }

    /// Returns random noise of the size of an attack: the control of an attack.
    pub fn noise(epsilon: f32, seed: u64) -> Self {
        Self { seed, ..Self::new(AttackKind::Noise, epsilon, 0) }
    }

    /// Returns an attack with its default step size and seed 0, in pixel units. FGSM and noise ignore `steps`.
    pub fn new(kind: AttackKind, epsilon: f32, steps: usize) -> Self {
        let steps = kind.steps(steps);
        Self { kind, epsilon, steps, step_size: None, seed: 0, channel_scale: pixel_units() }
    }

    /// Returns the number of steps that the attack takes: one for FGSM, none for noise, `steps` for the others.
    pub fn steps_total(&self) -> usize {
        self.kind.steps(self.steps)
    }

    /// Returns the length of a step in pixel units.
    pub fn resolved_step_size(&self) -> f32 {
        let usual = || self.kind.properties().step_size.length(self.epsilon, self.steps_total());
        self.step_size.unwrap_or_else(usual)
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// [`AttackError`] for a number out of range; the text names the number and the range.
    pub fn validate(&self) -> Result<(), AttackError> {
        if !(0.0..=1.0).contains(&self.epsilon) {
            return Err(AttackError::Epsilon(self.epsilon));
        }
        if !self.kind.is_control() && !(1..=10_000).contains(&self.steps_total()) {
            return Err(AttackError::Steps(self.steps));
        }
        if self.channel_scale.iter().any(|scale| !(scale.is_finite() && *scale > 0.0)) {
            return Err(AttackError::ChannelScale(self.channel_scale));
        }
        match self.step_size {
            Some(size) if !(size.is_finite() && size >= 0.0) => Err(AttackError::StepSize(size)),
            _ => Ok(()),
        }
    }
}

/// Writes `BIM-5 at 8/255` or `FGSM at 0.2 std`.
impl Display for AttackConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let steps = if self.kind.takes_steps() { format!("-{}", self.steps) } else { String::new() };
        let epsilon = match is_pixel_units(&self.channel_scale) {
            true => in_255ths(self.epsilon),
            false => format!("{} std", self.epsilon),
        };
        write!(formatter, "{}{steps} at {epsilon}", self.kind.label())
    }
}

/// Formats a length in pixel units: `4/255`, or a decimal if the length is no whole number of 255ths.
pub fn in_255ths(length: f32) -> String {
    let levels = length * 255.0;
    if (levels - levels.round()).abs() < 1e-3 { format!("{levels:.0}/255") } else { format!("{length:.4}") }
}

/// An attack that cannot be run as asked.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum AttackError {
    /// Radius out of range.
    #[error("epsilon {0} is out of range: it is a radius in pixel units, 0 to 1 (8/255 is 0.0314)")]
    Epsilon(f32),
    /// No steps, or too many.
    #[error("{0} steps are out of range: take 1 to 10000")]
    Steps(usize),
    /// Step size that is no length.
    #[error("step size {0} is out of range: it is a length in pixel units, 0 or more")]
    StepSize(f32),
    /// Channel scale that is not three factors above 0.
    #[error("channel scale {0:?} is out of range: factors above 0")]
    ChannelScale([f32; 3]),
    /// Different numbers of images and labels.
    #[error("{images} images but {labels} labels: give one label an image")]
    Labels {
        /// Images given.
        images: usize,
        /// Labels given.
        labels: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_as_people_write_them() {
        assert_eq!(AttackConfig::bim(8.0 / 255.0, 5).to_string(), "BIM-5 at 8/255");
        assert_eq!(AttackConfig::new(AttackKind::Fgsm, 0.0137, 9).to_string(), "FGSM at 0.0137");
        let paper = AttackConfig { channel_scale: [0.277, 0.269, 0.282], ..AttackConfig::bim(0.2, 5) };
        assert_eq!(paper.to_string(), "BIM-5 at 0.2 std");
        assert_eq!(AttackConfig::noise(4.0 / 255.0, 1).to_string(), "noise at 4/255");
    }

    #[test]
    fn a_record_without_scale_is_in_pixel_units() {
        let attack = AttackConfig::bim(0.1, 5);
        let json = serde_json::to_string(&attack).unwrap();
        assert!(!json.contains("channel_scale"), "{json}");
        assert_eq!(serde_json::from_str::<AttackConfig>(&json).unwrap(), attack);
        let error = AttackConfig { channel_scale: [1.0, 0.0, 1.0], ..attack }.validate().unwrap_err();
        assert!(matches!(error, AttackError::ChannelScale(_)));
    }
}
