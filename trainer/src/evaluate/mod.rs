//! How often networks are right: on clean and on augmented images, under attacks through their own gradients (white-box),
//! and under attacks crafted on another network (transfer, the paper's protocol). Always with the true labels.

pub mod report;
mod tally;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use shared::attack::{AttackConfig, Goal, worst_of};
use shared::bundle::{Bundle, ImageSet, Score};
use shared::image::{Picture, pictures_to_tensor};
use shared::perturb::{Perturbations, perturb};
use shared::seed::derive;

use self::tally::Tally;
use crate::data::Split;
use crate::models::read;

/// How many images go through the network at once.
const BATCH: usize = 100;
/// The augmented and the corrupted validation images are the same for everybody.
const AUGMENTED_SEED: u64 = 0;
/// So are the targets of targeted attacks.
const TARGET_SEED: u64 = 0;

/// One column of a table: what is done to the images before a network sees them.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub set: ImageSet,
    pub attack: Option<Attack>,
}

/// An attack and how it is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    pub config: AttackConfig,
    pub goal: Goal,
    /// Random starts, of which the worst counts.
    pub restarts: usize,
    /// Place of the network whose gradients are used, among those evaluated; none means each one's own.
    pub crafted_on: Option<usize>,
}

impl Trial {
    /// The images as they are.
    pub const CLEAN: Self = Self { set: ImageSet::Validation, attack: None };
    /// The perturbed images.
    pub const AUGMENTED: Self = Self { set: ImageSet::Augmented, attack: None };

    /// Away from the true class, once.
    pub fn attack(config: AttackConfig, crafted_on: Option<usize>) -> Self {
        let attack = Attack { config, goal: Goal::Untargeted, restarts: 1, crafted_on };
        Self { set: ImageSet::Validation, attack: Some(attack) }
    }
}

/// Which images of a set: all of them, or so many, as evenly spread over the classes as they can be. Ascending.
pub fn spread(labels: &[u16], limit: Option<usize>) -> Vec<usize> {
    let mut seen = std::collections::HashMap::<u16, usize>::new();
    let place_in_class = labels.iter().map(|&label| {
        let place = seen.entry(label).or_default();
        *place += 1;
        *place
    });
    let mut order: Vec<(usize, usize)> = place_in_class.zip(0..).collect();
    order.sort_unstable();
    let mut chosen: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
    chosen.truncate(limit.unwrap_or(labels.len()));
    chosen.sort_unstable();
    chosen
}

/// Scores each of `bundles` on the images `indices` of `split`: one list a network, one score a trial, the first of which
/// must be [`Trial::CLEAN`].
///
/// # Errors
/// When there are no images, or the device fails or computes something that is not a number.
pub fn evaluate(
    bundles: &[Bundle],
    split: &Split,
    indices: &[usize],
    trials: &[Trial],
    device: &Device,
    bar: &ProgressBar,
) -> Result<Vec<Vec<Score>>> {
    ensure!(!indices.is_empty(), "there are no images to evaluate on");
    ensure!(trials.first() == Some(&Trial::CLEAN), "the first trial must be that of clean images");
    let mut tallies: Vec<Vec<Tally>> =
        bundles.iter().map(|_| trials.iter().map(|_| Tally::default()).collect()).collect();
    for (number, batch) in indices.chunks(BATCH).enumerate() {
        let batch = Batch::new(split, batch, number, bundles[0].card.classes.len(), device)?;
        for (index, trial) in trials.iter().enumerate() {
            let before = batch.set(trial.set);
            // Images that are the same for every network are made once.
            let common = match &trial.attack {
                Some(Attack { crafted_on: None, .. }) => None,
                Some(Attack { crafted_on: Some(source), .. }) => {
                    Some(batch.attacked(&before, trial, &bundles[*source])?)
                }
                None => Some(before.clone()),
            };
            for (bundle, tallies) in bundles.iter().zip(&mut tallies) {
                let images = match &common {
                    Some(images) => images.clone(),
                    None => batch.attacked(&before, trial, bundle)?,
                };
                tallies[index].add(&batch, &before, images, trial, bundle)?;
            }
            bar.inc(batch.labels.len() as u64);
        }
    }
    let name = |index: usize| bundles[index].card.name.clone();
    let scores = |tallies: Vec<Tally>| -> Vec<Score> {
        let clean = &tallies[0];
        trials.iter().zip(&tallies).map(|(trial, tally)| tally.score(trial, clean, name)).collect()
    };
    Ok(tallies.into_iter().map(scores).collect())
}

/// Some images, as they are.
struct Batch {
    /// Number of the batch in the evaluation.
    number: usize,
    /// Numbers of the images in their set.
    indices: Vec<usize>,
    pictures: Vec<Picture>,
    images: Tensor<4>,
    labels: Vec<usize>,
    /// Another class for each image.
    targets: Vec<usize>,
}

impl Batch {
    fn new(split: &Split, indices: &[usize], number: usize, classes: usize, device: &Device) -> Result<Self> {
        const SALT: u64 = 5;
        let pictures = indices.iter().map(|&index| Picture::from_rgb8(split.image(index).to_vec()));
        let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
        let labels: Vec<usize> = indices.iter().map(|&index| split.label(index)).collect();
        let target = |(&index, &label): (&usize, &usize)| {
            let mut rng = StdRng::seed_from_u64(derive(TARGET_SEED, index as u64, SALT));
            // Any class but the true one.
            (label + rng.random_range(1..classes.max(2))) % classes.max(1)
        };
        let targets = indices.iter().zip(&labels).map(target).collect();
        let images = pictures_to_tensor(&pictures, device);
        Ok(Self { number, indices: indices.to_vec(), pictures, images, labels, targets })
    }

    /// The images as those of `set`, before any attack.
    fn set(&self, set: ImageSet) -> Tensor<4> {
        match set {
            ImageSet::Corrupted { corruption, severity } => {
                const SALT: u64 = 8;
                let corrupt = |(&index, picture): (&usize, &Picture)| {
                    corruption.apply(picture, severity, derive(AUGMENTED_SEED, index as u64, SALT))
                };
                let corrupted: Vec<_> = self.indices.par_iter().zip(&self.pictures).map(corrupt).collect();
                pictures_to_tensor(&corrupted, &self.images.device())
            }
            ImageSet::Validation => self.images.clone(),
            ImageSet::Augmented => {
                let perturbations = Perturbations::default();
                let drawn: Vec<_> =
                    self.indices.iter().map(|&index| perturbations.draw(AUGMENTED_SEED, index as u64)).collect();
                perturb(self.images.clone(), &drawn)
            }
        }
    }

    /// What the networks see of `images` in `trial`, with the gradients of `source` if there is an attack.
    fn attacked(&self, images: &Tensor<4>, trial: &Trial, source: &Bundle) -> Result<Tensor<4>> {
        const SALT: u64 = 6;
        let images = images.clone();
        let Some(attack) = &trial.attack else { return Ok(images) };
        // Other random starts for every batch.
        let seed = derive(attack.config.seed, self.number as u64, SALT);
        let config = AttackConfig { seed, ..attack.config.clone() };
        let towards = match attack.goal {
            Goal::Untargeted => &self.labels,
            Goal::Targeted => &self.targets,
        };
        let towards: Vec<i64> = towards.iter().map(|&label| label as i64).collect();
        let towards = Tensor::from_data(TensorData::new(towards, [self.labels.len()]), &images.device());
        Ok(worst_of(attack.restarts, &config, images, towards, attack.goal, &source.model)?)
    }
}

/// Logits of `images`, row by row.
///
/// # Errors
/// When the device fails, or computes something that is not a number.
fn logits(bundle: &Bundle, images: Tensor<4>) -> Result<Vec<Vec<f32>>> {
    let classes = bundle.card.classes.len();
    let values =
        read(bundle.model.forward(images)).with_context(|| format!("{} could not be evaluated", bundle.card.name))?;
    ensure!(
        values.iter().all(|logit| logit.is_finite()),
        "{} computed something that is not a number",
        bundle.card.name
    );
    Ok(values.chunks_exact(classes).map(<[f32]>::to_vec).collect())
}
