//! Batches of images on the device, and the images that trials make of them.

use std::cell::OnceCell;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use shared::attack::{AttackConfig, AttackRun, Goal};
use shared::bundle::{Bundle, ImageSet};
use shared::corrupt::Corrupt as _;
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::{l0_distance, l2_distance, linf_distance};
use shared::perturb::{Perturbations, draw, perturb};
use shared::seed::{Purpose, derive};

use super::Trial;
use super::image_result::{Change, ImageResult};
use crate::data::Split;
use crate::models::read;

/// Number of images that go through the network at once.
pub(crate) const BATCH: usize = 100;
/// Seed of the augmented and the corrupted validation images, which are the same in every evaluation.
pub(crate) const AUGMENTED_SEED: u64 = 0;
/// Seed of the targets of targeted attacks, which are the same in every evaluation.
const TARGET_SEED: u64 = 0;

/// Images of a set, without any attack.
pub(crate) struct EvaluationBatch {
    /// Number of the batch in the evaluation.
    number: usize,
    /// Numbers of the images in their set.
    pub(crate) indices: Vec<usize>,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) images: Tensor<4>,
    pub(crate) labels: Vec<usize>,
    /// Another class for each image.
    pub(super) targets: Vec<usize>,
}

impl EvaluationBatch {
    /// Returns the images `indices` of `split`, as batch `number` of an evaluation of a network with so many classes.
    pub(crate) fn new(
        split: &Split,
        indices: &[usize],
        number: usize,
        classes: usize,
        device: &Device,
    ) -> Result<Self> {
        let pictures = pictures(split, indices)?;
        let labels: Vec<usize> = indices.iter().map(|&index| split.label(index)).collect();
        let target = |(&index, &label): (&usize, &usize)| {
            let mut rng = StdRng::seed_from_u64(derive(TARGET_SEED, index as u64, Purpose::Target));
            // Any class but the true one.
            (label + rng.random_range(1..classes.max(2))) % classes.max(1)
        };
        let targets = indices.iter().zip(&labels).map(target).collect();
        let images = pictures_to_tensor(&pictures, device);
        Ok(Self { number, indices: indices.to_vec(), pictures, images, labels, targets })
    }

    /// Returns the images of the same numbers in `split`: `[N, 3, height, width]`.
    pub(super) fn images_of(&self, split: &Split) -> Result<Tensor<4>> {
        Ok(pictures_to_tensor(&pictures(split, &self.indices)?, &self.images.device()))
    }

    /// Returns the images as those of `set`, before any attack.
    fn set(&self, set: ImageSet) -> Tensor<4> {
        match set {
            ImageSet::Corrupted { corruption, severity } => {
                let corrupt = |(&index, picture): (&usize, &Picture)| {
                    corruption.apply(picture, severity, derive(AUGMENTED_SEED, index as u64, Purpose::Corruption))
                };
                let corrupted: Vec<_> = self.indices.par_iter().zip(&self.pictures).map(corrupt).collect();
                pictures_to_tensor(&corrupted, &self.images.device())
            }
            ImageSet::Validation | ImageSet::Photos => self.images.clone(),
            ImageSet::Augmented => {
                let perturbations = Perturbations::default();
                let drawn: Vec<_> =
                    self.indices.iter().map(|&index| draw(&perturbations, AUGMENTED_SEED, index as u64)).collect();
                perturb(self.images.clone(), &drawn)
            }
        }
    }

    /// Returns `images` under the attack of `trial`, through the gradients of `source`; unchanged if there is no attack.
    pub(crate) fn attacked(&self, images: &Tensor<4>, trial: &Trial, source: &Bundle) -> Result<Attacked> {
        let images = images.clone();
        let Some(attack) = &trial.attack else { return Ok(Attacked::before(images)) };
        // Other random starts for every batch.
        let seed = derive(attack.config.seed, self.number as u64, Purpose::BatchStarts);
        let config = AttackConfig { seed, ..attack.config.clone() };
        let towards = match attack.goal {
            Goal::Untargeted => &self.labels,
            Goal::Targeted => &self.targets,
        };
        let towards: Vec<i64> = towards.iter().map(|&label| label as i64).collect();
        let towards = Tensor::from_data(TensorData::new(towards, [self.labels.len()]), &images.device());
        let mut run = AttackRun::new(&config, images, towards, attack.goal)?.with_restarts(attack.restarts);
        while !run.is_done() {
            run.step(&source.model);
        }
        let no_gradient = match config.kind.is_control() {
            true => vec![],
            false => read(run.slope())?.into_iter().map(|slope| slope == 0.0).collect(),
        };
        Ok(Attacked { images: run.adversarial(), no_gradient })
    }
}

/// Images after an attack.
pub(crate) struct Attacked {
    pub images: Tensor<4>,
    /// Whether the attack met no gradient but zero on an image; empty for an attack that follows none, and where this is not known.
    no_gradient: Vec<bool>,
}

impl Attacked {
    /// Returns images that were attacked before, or not at all.
    pub fn before(images: Tensor<4>) -> Self {
        Self { images, no_gradient: vec![] }
    }
}

fn pictures(split: &Split, indices: &[usize]) -> Result<Vec<Picture>> {
    let pictures = indices.iter().map(|&index| Picture::from_rgb8(split.image(index).to_vec()));
    Ok(pictures.collect::<Result<Vec<_>, _>>()?)
}

/// Images before an attack.
pub(super) struct Originals {
    pub images: Tensor<4>,
    /// Values of the images, read back from the device at most once for all networks of a trial.
    values: OnceCell<Vec<f32>>,
}

impl Originals {
    pub fn new(batch: &EvaluationBatch, set: ImageSet) -> Self {
        Self { images: batch.set(set), values: OnceCell::new() }
    }

    fn values(&self) -> Result<&[f32]> {
        if self.values.get().is_none() {
            let _ = self.values.set(read(self.images.clone())?);
        }
        Ok(self.values.get().map_or(&[], Vec::as_slice))
    }
}

/// Images that a trial shows to networks.
pub(super) struct Shown {
    pub images: Tensor<4>,
    /// Change of each image by an attack; empty if there was none.
    changes: Vec<Change>,
}

impl Shown {
    pub fn as_they_are(originals: &Originals) -> Self {
        Self { images: originals.images.clone(), changes: vec![] }
    }

    /// Returns the images that an attack made of `originals`, with their changes.
    ///
    /// # Errors
    /// When the device fails.
    pub fn attacked(originals: &Originals, attacked: Attacked) -> Result<Self> {
        let Attacked { images, no_gradient } = attacked;
        let (still, moved) = (originals.values()?, read(images.clone())?);
        let size = moved.len() / images.dims()[0];
        let pairs = still.chunks_exact(size).zip(moved.chunks_exact(size));
        let change = |(row, (a, b)): (usize, (&[f32], &[f32]))| Change {
            no_gradient: no_gradient.get(row) == Some(&true),
            ..Change::new(linf_distance(a, b), l2_distance(a, b), l0_distance(a, b), b)
        };
        Ok(Self { images, changes: pairs.enumerate().map(change).collect() })
    }

    /// Returns the result of a network on each image; the images were made of those of `batch`.
    ///
    /// # Errors
    /// When the device fails, or computes something that is not a number.
    pub fn results(&self, batch: &EvaluationBatch, bundle: &Bundle) -> Result<Vec<ImageResult>> {
        let rows = logits(bundle, self.images.clone())?;
        let result = |(row, logits): (usize, &Vec<f32>)| {
            ImageResult::new(logits, batch.labels[row], batch.targets[row], self.changes.get(row).copied())
        };
        Ok(rows.iter().enumerate().map(result).collect())
    }
}

/// Returns the logits of `images`, row by row.
///
/// # Errors
/// When the device fails, or computes something that is not a number.
pub(crate) fn logits(bundle: &Bundle, images: Tensor<4>) -> Result<Vec<Vec<f32>>> {
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
