use serde::{Deserialize, Serialize};

/// Which attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackKind {
    /// Fast gradient sign method (Goodfellow et al., 2014): one step of epsilon.
    Fgsm,
    /// Basic iterative method (Kurakin et al., 2016): small steps, projected, from the image itself.
    Bim,
    /// Projected gradient descent (Madry et al., 2017): BIM from a random start in the ball.
    Pgd,
}

impl AttackKind {
    /// All attacks, in the order of a menu.
    pub const ALL: [Self; 3] = [Self::Fgsm, Self::Bim, Self::Pgd];

    /// The name in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fgsm => "FGSM",
            Self::Bim => "BIM",
            Self::Pgd => "PGD",
        }
    }
}

/// An attack and its strength.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttackConfig {
    /// Which attack.
    pub kind: AttackKind,
    /// Radius of the L-infinity ball in pixel units: `8.0 / 255.0`, say. 0 to 1.
    pub epsilon: f32,
    /// Gradient steps; FGSM always takes one.
    pub steps: usize,
    /// Length of a step in pixel units. Default: epsilon (FGSM), epsilon / 4 (BIM), 2.5 epsilon / steps (PGD).
    pub step_size: Option<f32>,
    /// Seed of PGD's random start.
    pub seed: u64,
}

impl AttackConfig {
    /// FGSM.
    pub fn fgsm(epsilon: f32) -> Self {
        Self::new(AttackKind::Fgsm, epsilon, 1)
    }

    /// BIM with steps of epsilon / 4; the paper takes 5 of them.
    pub fn bim(epsilon: f32, steps: usize) -> Self {
        Self::new(AttackKind::Bim, epsilon, steps)
    }

    /// PGD with steps of 2.5 epsilon / steps.
    pub fn pgd(epsilon: f32, steps: usize, seed: u64) -> Self {
        Self { seed, ..Self::new(AttackKind::Pgd, epsilon, steps) }
    }

    /// Any attack with its default step size and seed 0.
    pub fn new(kind: AttackKind, epsilon: f32, steps: usize) -> Self {
        Self { kind, epsilon, steps, step_size: None, seed: 0 }
    }

    /// Steps the attack really takes: one for FGSM.
    pub fn steps_total(&self) -> usize {
        match self.kind {
            AttackKind::Fgsm => 1,
            AttackKind::Bim | AttackKind::Pgd => self.steps,
        }
    }

    /// Length of a step in pixel units.
    pub fn resolved_step_size(&self) -> f32 {
        self.step_size.unwrap_or(match self.kind {
            AttackKind::Fgsm => self.epsilon,
            AttackKind::Bim => self.epsilon / 4.0,
            AttackKind::Pgd => 2.5 * self.epsilon / self.steps as f32,
        })
    }

    /// # Errors
    ///
    /// If a number is out of range; the text names it and the range.
    pub fn validate(&self) -> Result<(), AttackError> {
        if !(0.0..=1.0).contains(&self.epsilon) {
            return Err(AttackError::Epsilon(self.epsilon));
        }
        if !(1..=10_000).contains(&self.steps) {
            return Err(AttackError::Steps(self.steps));
        }
        match self.step_size {
            Some(size) if !(size.is_finite() && size >= 0.0) => Err(AttackError::StepSize(size)),
            _ => Ok(()),
        }
    }
}

/// What an attack wants of the labels it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Away from these labels: the true ones, or the model's own prediction where the truth is unknown (eq. 3 of the
    /// paper, which also avoids label leaking).
    Untargeted,
    /// Towards these labels.
    Targeted,
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
    /// Not a length.
    #[error("step size {0} is out of range: it is a length in pixel units, 0 or more")]
    StepSize(f32),
    /// Images and labels do not fit together.
    #[error("{images} images but {labels} labels: give one label an image")]
    Labels {
        /// Images given.
        images: usize,
        /// Labels given.
        labels: usize,
    },
}
