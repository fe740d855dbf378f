//! What the visitor chooses.

use serde::{Deserialize, Serialize};
use terms::attack::{AttackKind, Norm};

use crate::Radius;

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

    /// Returns the place in a pair.
    pub fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }

    /// Returns the other place.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// Returns the name in element ids and labels.
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

    /// Returns the value in the menu and in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }

    /// Returns the choice of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// What an attack is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Which attack.
    pub kind: AttackKind,
    /// Epsilon of an attack in L-infinity, the largest change of a channel, in 255ths.
    pub epsilon_255: u8,
    /// Epsilon of an attack in L2, in hundredths of a pixel unit.
    pub epsilon_l2_hundredths: u16,
    /// Pixels that an attack in L0 may change.
    pub pixels: u8,
    /// Gradient steps, or queries or generations of an attack without gradients; FGSM takes one and noise none, whatever this says.
    pub steps: u32,
    /// Length of a step in tenths of a unit of epsilon; none is what is usual for the attack.
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
    /// Most steps that can be chosen.
    pub const MAX_STEPS: u32 = 100;

    /// Returns the norm of the attack.
    pub fn norm(&self) -> Norm {
        self.kind.norm()
    }

    /// Returns the radius of the attack in its norm.
    pub fn radius(&self) -> Radius {
        let norm = self.norm();
        let units = match norm {
            Norm::Linf => self.epsilon_255.into(),
            Norm::L2 => self.epsilon_l2_hundredths,
            Norm::L0 => self.pixels.into(),
        };
        Radius { norm, units }
    }

    /// Returns the settings with another radius in the norm of the attack.
    #[must_use]
    pub fn with_radius(self, units: u16) -> Self {
        let units = units.min(Radius::largest(self.norm()));
        match self.norm() {
            // The largest is 32.
            Norm::Linf => Self { epsilon_255: units as u8, ..self },
            Norm::L2 => Self { epsilon_l2_hundredths: units, ..self },
            // The largest is 10.
            Norm::L0 => Self { pixels: units as u8, ..self },
        }
    }

    /// Returns the longest step that can be chosen, in tenths of a unit.
    pub fn max_step_size_tenths(&self) -> u16 {
        10 * Radius::largest(self.norm())
    }

    /// Returns the gradient steps that will be taken, if none is the last before.
    pub fn steps_total(&self) -> u32 {
        self.kind.steps(self.steps as usize) as u32
    }

    /// Returns the length of a step in units of epsilon: the one that was chosen, where one can be, or the usual one; 0 of an attack that
    /// finds its own.
    pub fn step_size_units(&self) -> f32 {
        match self.step_size_tenths.filter(|_| self.kind.takes_step_size()) {
            Some(tenths) => f32::from(tenths) / 10.0,
            None => {
                let usual = self.kind.properties().step_size;
                usual.length(self.radius().units.into(), self.steps_total() as usize)
            }
        }
    }

    /// Returns the same with every value in its range, for a network with so many classes.
    #[must_use]
    pub fn within_range(self, classes: usize) -> Self {
        Self {
            // The largest is 32.
            epsilon_255: self.epsilon_255.min(Radius::largest(Norm::Linf) as u8),
            epsilon_l2_hundredths: self.epsilon_l2_hundredths.min(Radius::largest(Norm::L2)),
            // The largest is 10.
            pixels: self.pixels.min(Radius::largest(Norm::L0) as u8),
            steps: self.steps.clamp(1, Self::MAX_STEPS),
            step_size_tenths: self.step_size_tenths.map(|tenths| tenths.clamp(1, self.max_step_size_tenths())),
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
            epsilon_l2_hundredths: 50,
            pixels: 1,
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
        assert_eq!([bim, pgd, fgsm].map(|settings| settings.step_size_units()), [2.0, 2.0, 8.0]);
        assert_eq!(Settings { step_size_tenths: Some(15), ..pgd }.step_size_units(), 1.5);
    }

    #[test]
    fn each_norm_keeps_its_own_radius() {
        let bim = Settings { epsilon_255: 8, ..Settings::default() };
        let l2 = Settings { kind: AttackKind::PgdL2, ..bim }.with_radius(75);
        assert_eq!((l2.radius().units, l2.radius().in_pixel_units(), l2.epsilon_255), (75, 0.75, 8));
        assert_eq!(Settings { kind: AttackKind::Bim, ..l2 }.radius(), Radius::linf(8));
        let few = Settings { kind: AttackKind::OnePixel, ..l2 }.with_radius(3);
        assert_eq!((few.radius().units, few.epsilon_l2_hundredths, few.step_size_units()), (3, 75, 0.0));
        assert_eq!([bim.with_radius(999).epsilon_255.into(), l2.with_radius(999).epsilon_l2_hundredths], [32, 500]);
    }

    #[test]
    fn what_is_out_of_range_is_brought_back() {
        let wild = Settings {
            epsilon_255: 255,
            epsilon_l2_hundredths: 501,
            pixels: 11,
            steps: 0,
            step_size_tenths: Some(0),
            target: Some(200),
            ..Settings::default()
        };
        let tame = Settings {
            epsilon_255: 32,
            epsilon_l2_hundredths: 500,
            pixels: 10,
            steps: 1,
            step_size_tenths: Some(1),
            ..Settings::default()
        };
        assert_eq!(wild.within_range(200), tame);
    }
}
