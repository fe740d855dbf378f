//! What the visitor chooses.

use serde::{Deserialize, Serialize};

/// Where one of the two networks that are compared stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// On the left, or first where there is no room beside each other.
    Left,
    /// On the right.
    Right,
}

impl Slot {
    /// Both, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Left, Self::Right];

    /// Its place in a pair.
    pub fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// Its name in element ids and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// What the visitor wants the engine to compute with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendChoice {
    /// WebGPU on real hardware if it works, else the CPU.
    #[default]
    Auto,
    /// WebGPU, on a software adapter too.
    WebGpu,
    /// The CPU.
    Cpu,
}

impl BackendChoice {
    /// All, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Auto, Self::WebGpu, Self::Cpu];

    /// Its value in the menu and in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }

    /// The choice of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// Which attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackKind {
    /// Fast gradient sign method: one step.
    Fgsm,
    /// Basic iterative method: small steps.
    Bim,
    /// Projected gradient descent: small steps from a random start.
    Pgd,
}

impl AttackKind {
    /// All, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Fgsm, Self::Bim, Self::Pgd];

    /// Its name in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fgsm => "FGSM",
            Self::Bim => "BIM",
            Self::Pgd => "PGD",
        }
    }
}

/// What an attack is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Which attack.
    pub kind: AttackKind,
    /// Largest change of a pixel's channel, in 255ths: a whole number, so that rounding to 8 bits stays within it.
    pub epsilon_255: u8,
    /// Gradient steps; FGSM takes one whatever this says.
    pub steps: u32,
    /// Class to move towards; none moves away from the network's own answer.
    pub target: Option<usize>,
}

impl Settings {
    /// Largest epsilon that can be chosen, in 255ths.
    pub const MAX_EPSILON_255: u8 = 32;
    /// Most steps that can be chosen.
    pub const MAX_STEPS: u32 = 40;

    /// The steps that will be taken.
    pub fn steps_total(&self) -> u32 {
        match self.kind {
            AttackKind::Fgsm => 1,
            AttackKind::Bim | AttackKind::Pgd => self.steps,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { kind: AttackKind::Bim, epsilon_255: 4, steps: 10, target: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_names_in_the_address() {
        for choice in BackendChoice::ALL {
            assert_eq!(BackendChoice::from_name(choice.name()), Some(choice));
        }
        assert_eq!(BackendChoice::from_name("cuda"), None);
    }
}
