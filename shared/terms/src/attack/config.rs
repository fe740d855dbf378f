use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::{AttackKind, Direction, Loss, Norm, ThreatModel};

/// The paper's radius, in normalised space.
pub const PAPER_EPSILON_STD: f32 = 0.2;

/// An attack and its strength.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttackConfig {
    /// Kind of the attack.
    pub kind: AttackKind,
    /// Radius of the ball in the norm of the attack, in pixel units: `8.0 / 255.0`, say, in L-infinity (0 to 1), and 0.5 in L2
    /// (0 to 110.9); in L0 a number of pixels.
    pub epsilon: f32,
    /// Gradient steps, or queries or generations of an attack without gradients; FGSM takes one and noise none, whatever the value.
    pub steps: usize,
    /// Length of a step in the unit of epsilon; `None` for the default of the attack.
    pub step_size: Option<f32>,
    /// The loss that the attack makes large.
    #[serde(default, skip_serializing_if = "is_cross_entropy")]
    pub loss: Loss,
    /// Seed of the random start, and of noise.
    pub seed: u64,
    /// Factors of epsilon and of the step size, RGB: ones for pixel units, or a network's standard deviations for lengths in
    /// its normalised space, as in the paper.
    #[serde(default = "pixel_units", skip_serializing_if = "is_pixel_units")]
    pub channel_scale: [f32; 3],
    /// Candidates of a generation of the one-pixel attack; other attacks have none.
    #[serde(default = "usual_population", skip_serializing_if = "is_usual_population")]
    pub population: usize,
}

/// Candidates of a generation of the one-pixel attack where no number is given: the authors'.
pub const ONE_PIXEL_POPULATION: usize = 400;

fn usual_population() -> usize {
    ONE_PIXEL_POPULATION
}

fn is_usual_population(population: &usize) -> bool {
    *population == ONE_PIXEL_POPULATION
}

fn is_cross_entropy(loss: &Loss) -> bool {
    *loss == Loss::CrossEntropy
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

    /// Returns MI-FGSM with steps of epsilon / steps; the paper takes 10 of them.
    pub fn mi_fgsm(epsilon: f32, steps: usize) -> Self {
        Self::new(AttackKind::MiFgsm, epsilon, steps)
    }

    /// Returns PGD in L2 with steps of 2.5 epsilon / steps.
    pub fn pgd_l2(epsilon: f32, steps: usize, seed: u64) -> Self {
        Self { seed, ..Self::new(AttackKind::PgdL2, epsilon, steps) }
    }

    /// Returns random noise of the size of an attack: its control.
    pub fn noise(epsilon: f32, seed: u64) -> Self {
        Self { seed, ..Self::new(AttackKind::Noise, epsilon, 0) }
    }

    /// Returns an attack with its default step size and seed 0, in pixel units. FGSM and noise ignore `steps`.
    pub fn new(kind: AttackKind, epsilon: f32, steps: usize) -> Self {
        let steps = kind.steps(steps);
        Self {
            kind,
            epsilon,
            steps,
            step_size: None,
            loss: kind.default_loss(),
            seed: 0,
            channel_scale: pixel_units(),
            population: ONE_PIXEL_POPULATION,
        }
    }

    /// Returns the steps that the attack takes: one for FGSM, none for noise.
    pub fn steps_total(&self) -> usize {
        self.kind.steps(self.steps)
    }

    /// Returns the number of starts where `restarts` are requested: 1 for an attack without a random start, and one for each class
    /// that an attack with a targeted loss leads to.
    pub fn starts(&self, restarts: usize) -> usize {
        if self.loss.is_targeted() {
            Loss::TARGETS
        } else if self.kind.is_random() {
            restarts.max(1)
        } else {
            1
        }
    }

    /// Returns the length of a step, in the unit of epsilon.
    pub fn resolved_step_size(&self) -> f32 {
        let usual = || self.kind.properties().step_size.length(self.epsilon, self.steps_total());
        self.step_size.unwrap_or_else(usual)
    }

    /// Returns the threat model of the attack.
    pub fn threat(&self) -> ThreatModel {
        ThreatModel { norm: self.kind.norm(), epsilon: self.epsilon, channel_scale: self.channel_scale }
    }

    /// Checks that the numbers are in range.
    ///
    /// # Errors
    ///
    /// [`AttackError`] that names the number and its range.
    pub fn validate(&self) -> Result<(), AttackError> {
        self.threat().validate()?;
        if !self.kind.is_control() && !(1..=10_000).contains(&self.steps_total()) {
            return Err(AttackError::Steps(self.steps));
        }
        // Three parents, and the candidate that their child would replace.
        if !(4..=10_000).contains(&self.population) {
            return Err(AttackError::Population(self.population));
        }
        match self.step_size {
            Some(size) if !(size.is_finite() && size >= 0.0) => Err(AttackError::StepSize(size)),
            _ => Ok(()),
        }
    }
}

/// Writes `BIM-5 at 8/255`, `FGSM at 0.2 std`, `L2-PGD-20 at L2 0.5`, `APGD-T-100 at 8/255`, `One-pixel-100 at 3 pixels`.
impl Display for AttackConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.kind.takes_steps() { format!("-{}", self.steps) } else { String::new() };
        let loss = match (self.kind.properties().direction, self.loss) {
            // As the authors name the attacks: APGD always by its loss, FAB by its target.
            (Direction::Adaptive, loss) => format!("-{}", loss.name().to_uppercase()),
            (Direction::Boundary, _) => "-T".into(),
            (_, loss) if loss == self.kind.default_loss() => String::new(),
            (_, loss) => format!("-{loss}"),
        };
        write!(formatter, "{}{loss}{steps} at {}", self.kind.label(), self.threat())
    }
}

/// Returns a length in pixel units as people write it: `4/255`, or a decimal where it is no whole number of 255ths.
pub fn in_255ths(length: f32) -> String {
    let levels = length * 255.0;
    if (levels - levels.round()).abs() < 1e-3 { format!("{levels:.0}/255") } else { format!("{length:.4}") }
}

fn range_in_words(norm: Norm) -> String {
    let largest = norm.largest_radius();
    match norm {
        Norm::Linf => format!("a radius in pixel units, 0 to {largest} (8/255 is 0.0314)"),
        Norm::L2 => format!("an L2 radius in pixel units, 0 to {largest:.1} (0.5, say)"),
        Norm::L0 => format!("a whole number of pixels, 0 to {largest}"),
    }
}

/// An attack whose settings are out of range.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum AttackError {
    /// Radius out of range.
    #[error("epsilon {epsilon} is out of range: it is {}", range_in_words(*.norm))]
    Epsilon {
        /// Norm that the radius is measured in.
        norm: Norm,
        /// The radius.
        epsilon: f32,
    },
    /// No steps, or too many.
    #[error("{0} steps are out of range: take 1 to 10000")]
    Steps(usize),
    /// Too few candidates for a generation, or too many.
    #[error("a population of {0} is out of range: take 4 to 10000")]
    Population(usize),
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
        assert_eq!(AttackConfig::mi_fgsm(8.0 / 255.0, 10).to_string(), "MI-FGSM-10 at 8/255");
        assert_eq!(AttackConfig::pgd_l2(0.5, 20, 1).to_string(), "L2-PGD-20 at L2 0.5");
        let apgd = |loss| AttackConfig { loss, ..AttackConfig::new(AttackKind::Apgd, 8.0 / 255.0, 100) }.to_string();
        let names = [Loss::CrossEntropy, Loss::TargetedDlr].map(apgd);
        assert_eq!(names, ["APGD-CE-100 at 8/255", "APGD-T-100 at 8/255"]);
        let margin = AttackConfig { loss: Loss::TargetedMargin, ..AttackConfig::pgd(8.0 / 255.0, 50, 1) };
        assert_eq!(margin.to_string(), "PGD-margin-t-50 at 8/255");
        let of = |kind: AttackKind| AttackConfig::new(kind, kind.default_epsilon(), kind.default_steps()).to_string();
        let names = [AttackKind::Deepfool, AttackKind::Ddn, AttackKind::OnePixel].map(of);
        assert_eq!(names, ["DeepFool-50 at L2 5", "DDN-100 at L2 5", "One-pixel-100 at 1 pixel"]);
    }

    #[test]
    fn a_record_without_scale_is_in_pixel_units() {
        let attack = AttackConfig::bim(0.1, 5);
        let json = serde_json::to_string(&attack).unwrap();
        assert!(!json.contains("channel_scale"), "{json}");
        assert_eq!(serde_json::from_str::<AttackConfig>(&json).unwrap(), attack);
        assert!(!json.contains("population"), "{json}");
        let small = AttackConfig { population: 10, ..AttackConfig::new(AttackKind::OnePixel, 3.0, 5) };
        assert_eq!(serde_json::from_str::<AttackConfig>(&serde_json::to_string(&small).unwrap()).unwrap(), small);
        assert_eq!(AttackConfig { population: 3, ..small }.validate(), Err(AttackError::Population(3)));
        let error = AttackConfig { channel_scale: [1.0, 0.0, 1.0], ..attack }.validate().unwrap_err();
        assert!(matches!(error, AttackError::ChannelScale(_)));
    }
}
