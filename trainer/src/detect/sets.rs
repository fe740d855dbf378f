//! Sets of images that detectors are measured on: attacked ones, and ones that must raise no alarm.

use anyhow::Result;
use burn::prelude::*;
use rayon::prelude::*;
use shared::attack::{AttackConfig, AttackKind, AttackRun, Direction, Goal, in_255ths};
use shared::bundle::Bundle;
use shared::corrupt::{Corrupt as _, Corruption, Severity};
use shared::image::{Picture, pictures_to_tensor};
use shared::perturb::{Perturbations, draw, perturb};
use shared::seed::{Purpose, derive};

use super::pictures::{in_8_bits, noise};
use crate::evaluate::GRADIENT;

/// Radii of the attacks by epsilon, in 255ths.
const RADII: [f32; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];
/// Severities of the corruptions.
const SEVERITIES: [u8; 3] = [1, 3, 5];
/// Of so many images one is shown to a search, which takes a thousand queries.
const FEWER: usize = 10;

/// A set of images: how each is made of a validation image.
#[derive(Clone, Debug)]
pub struct ImagesOf {
    /// Name in reports: `bim-5 at 4/255`.
    pub name: String,
    /// Name of the attack alone; empty for images that are not attacked.
    pub attack: String,
    /// Of so many images one is made.
    pub one_of: usize,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Attack {
        config: AttackConfig,
        /// Whether the images are crafted on another network.
        transfer: bool,
    },
    Noise {
        epsilon: f32,
        corner: bool,
    },
    Perturbed,
    Corrupted(Corruption, Severity),
}

impl ImagesOf {
    /// Returns whether an alarm is right.
    pub fn is_attacked(&self) -> bool {
        !self.attack.is_empty()
    }

    /// Returns the cost of an image, in passes through the network.
    pub fn passes(&self) -> u64 {
        match &self.change {
            Change::Attack { config, .. } => {
                let gradient = !matches!(config.kind.properties().direction, Direction::Search | Direction::Evolution);
                let pass = if gradient { GRADIENT } else { 1 };
                1 + pass * config.steps_total() as u64
            }
            _ => 1,
        }
    }

    /// Returns all sets of a report; those of transfer where there is another network.
    pub fn all(has_other: bool) -> Vec<Self> {
        let mut sets = vec![];
        let linf = |kind: AttackKind, steps: usize, level: f32| AttackConfig::new(kind, level / 255.0, steps);
        for (kind, steps) in [(AttackKind::Fgsm, 1), (AttackKind::Bim, 5)] {
            sets.extend(RADII.map(|level| Self::attacked(linf(kind, steps, level), false)));
        }
        for level in [4.0, 8.0] {
            sets.push(Self::attacked(linf(AttackKind::Pgd, 50, level), false));
            sets.push(Self::attacked(linf(AttackKind::Apgd, 50, level), false));
        }
        sets.extend([0.5, 1.0].map(|radius| Self::attacked(AttackConfig::new(AttackKind::PgdL2, radius, 50), false)));
        sets.push(Self { one_of: FEWER, ..Self::attacked(linf(AttackKind::Square, 1000, 8.0), false) });
        if has_other {
            sets.extend([4.0, 8.0, 16.0].map(|level| Self::attacked(linf(AttackKind::Pgd, 10, level), true)));
        }
        for level in [4.0, 8.0] {
            let radius = in_255ths(level / 255.0);
            let noise = |name: &str, corner| {
                Self::harmless(format!("{name} at {radius}"), Change::Noise { epsilon: level / 255.0, corner })
            };
            sets.extend([noise("uniform noise", false), noise("noise of signs", true)]);
        }
        sets.push(Self::harmless("the seven perturbations".into(), Change::Perturbed));
        for corruption in Corruption::ALL {
            let severities = Severity::ALL.into_iter().filter(|severity| SEVERITIES.contains(&severity.get()));
            sets.extend(severities.map(|severity| {
                let name = format!("{} {}", corruption.name().replace('_', " "), severity.get());
                Self::harmless(name, Change::Corrupted(corruption, severity))
            }));
        }
        sets
    }

    fn attacked(config: AttackConfig, transfer: bool) -> Self {
        let steps = if config.steps_total() > 1 { format!("-{}", config.steps_total()) } else { String::new() };
        let attack = format!("{}{steps}", config.kind.name());
        let from = if transfer { ", crafted on the other network" } else { "" };
        let radius = config.kind.properties().norm.in_words(config.epsilon);
        let name = format!("{attack} at {radius}{from}");
        Self { name, attack, one_of: 1, change: Change::Attack { config, transfer } }
    }

    fn harmless(name: String, change: Change) -> Self {
        Self { name, attack: String::new(), one_of: 1, change }
    }

    /// Makes the images of one batch, in 8 bits. `first` is the number of the first picture, which decides draws.
    ///
    /// # Errors
    /// When an attack cannot be run.
    pub fn make(
        &self,
        (pictures, images): (&[Picture], &Tensor<4>),
        labels: &Tensor<1, Int>,
        (own, other): (&Bundle, Option<&Bundle>),
        first: usize,
    ) -> Result<Tensor<4>> {
        let made = match &self.change {
            Change::Attack { config, transfer } => {
                let seed = derive(config.seed, first as u64, Purpose::BatchStarts);
                let config = AttackConfig { seed, ..config.clone() };
                let model = if *transfer { other.unwrap_or(own) } else { own };
                AttackRun::new(&config, images.clone(), labels.clone(), Goal::Untargeted)?.finish(&model.model)
            }
            Change::Noise { epsilon, corner } => {
                noise(images, *epsilon, derive(0, first as u64, Purpose::BatchStarts), *corner)
            }
            Change::Perturbed => {
                let drawn: Vec<_> = (0..pictures.len())
                    .map(|place| draw(&Perturbations::default(), 0, (first + place) as u64))
                    .collect();
                perturb(images.clone(), &drawn)
            }
            Change::Corrupted(corruption, severity) => {
                let corrupt = |(place, picture): (usize, &Picture)| {
                    corruption.apply(picture, *severity, derive(0, (first + place) as u64, Purpose::Corruption))
                };
                let corrupted: Vec<Picture> = pictures.par_iter().enumerate().map(corrupt).collect();
                pictures_to_tensor(&corrupted, &images.device())
            }
        };
        Ok(in_8_bits(made))
    }
}
