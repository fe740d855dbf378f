//! What the visitor chooses.

use serde::{Deserialize, Serialize};
use terms::attack::AttackKind;

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

/// What an attack is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Which attack.
    pub kind: AttackKind,
    /// Largest change of a pixel's channel, in 255ths: a whole number, so that rounding to 8 bits stays within it.
    pub epsilon_255: u8,
    /// Gradient steps; FGSM takes one and noise none, whatever this says.
    pub steps: u32,
    /// Length of a step of BIM and PGD, in tenths of a 255th; none is what is usual for the attack.
    pub step_size_tenths: Option<u16>,
    /// Class to move towards; none moves away from the network's own answer.
    pub target: Option<usize>,
    /// Whether to stop as soon as the answer is another one, or the target.
    pub stop_at_success: bool,
    /// The network whose gradients make the one attacked picture that both are shown (transfer); none attacks each network
    /// through its own (white-box).
    pub crafted_on: Option<Slot>,
    /// Seed of PGD's random start, and of noise.
    pub seed: u32,
}

impl Settings {
    /// Largest epsilon that can be chosen, in 255ths.
    pub const MAX_EPSILON_255: u8 = 32;
    /// Most steps that can be chosen.
    pub const MAX_STEPS: u32 = 100;
    /// Longest step that can be chosen, in tenths of a 255th.
    pub const MAX_STEP_SIZE_TENTHS: u16 = 10 * Self::MAX_EPSILON_255 as u16;

    /// The gradient steps that will be taken, if none is the last before.
    pub fn steps_total(&self) -> u32 {
        self.kind.steps(self.steps as usize) as u32
    }

    /// Length of a step, in 255ths: the one that was chosen, where the attack takes steps, or the usual one of the attack.
    pub fn step_size_255(&self) -> f32 {
        match self.step_size_tenths.filter(|_| self.kind.takes_steps()) {
            Some(tenths) => f32::from(tenths) / 10.0,
            None => {
                let usual = self.kind.properties().step_size;
                usual.length(self.epsilon_255.into(), self.steps_total() as usize)
            }
        }
    }

    /// The same with every value in its range, for a network with so many classes.
    #[must_use]
    pub fn within_range(self, classes: usize) -> Self {
        Self {
            epsilon_255: self.epsilon_255.min(Self::MAX_EPSILON_255),
            steps: self.steps.clamp(1, Self::MAX_STEPS),
            step_size_tenths: self.step_size_tenths.map(|tenths| tenths.clamp(1, Self::MAX_STEP_SIZE_TENTHS)),
            target: self.target.filter(|&class| class < classes),
            ..self
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kind: AttackKind::Bim,
            // Enough for an undefended network, and too little to be seen.
            epsilon_255: 2,
            steps: 10,
            step_size_tenths: None,
            target: None,
            stop_at_success: false,
            crafted_on: None,
            seed: 0,
        }
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

    #[test]
    fn a_step_is_as_long_as_is_usual_unless_it_is_chosen() {
        let bim = Settings { epsilon_255: 8, ..Settings::default() };
        let pgd = Settings { kind: AttackKind::Pgd, ..bim };
        let fgsm = Settings { kind: AttackKind::Fgsm, step_size_tenths: Some(5), ..bim };
        assert_eq!([bim, pgd, fgsm].map(|settings| settings.step_size_255()), [2.0, 2.0, 8.0]);
        assert_eq!(Settings { step_size_tenths: Some(15), ..pgd }.step_size_255(), 1.5);
    }

    #[test]
    fn what_is_out_of_range_is_brought_back() {
        let wild = Settings {
            epsilon_255: 255,
            steps: 0,
            step_size_tenths: Some(0),
            target: Some(200),
            ..Settings::default()
        };
        let tame = Settings { epsilon_255: 32, steps: 1, step_size_tenths: Some(1), ..Settings::default() };
        assert_eq!(wild.within_range(200), tame);
    }
}
