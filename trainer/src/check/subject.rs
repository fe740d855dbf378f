//! A network under check, and what each attack makes of it.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Result;
use burn::prelude::*;
use shared::attack::{AttackConfig, BIM_STEPS, PGD_STEPS};
use shared::bundle::Bundle;
use shared::metrics::{Proportion, rank};

use super::chance::exceeds;
use crate::data::Split;
use crate::evaluate::{BATCH, Batch, Trial, logits};
use crate::models::read;
use crate::progress::Task;

/// With fewer images right, even all of them would resolve no difference of 5%.
const MIN_RIGHT: usize = 20;

/// One of the networks that are checked, with the images and everything measured so far: items share what they can.
pub struct Subject<'a> {
    pub bundles: &'a [Bundle],
    /// Which of them.
    pub index: usize,
    /// Radius of the attacks, pixel units.
    pub epsilon: f32,
    split: &'a Split,
    indices: &'a [usize],
    device: &'a Device,
    task: &'a Task,
    measured: RefCell<Vec<(Trial, Rc<Outcome>)>>,
}

/// What a network makes of the images in one trial.
#[derive(Default)]
pub struct Outcome {
    /// Whether the true class came first, for each image.
    pub right: Vec<bool>,
    /// Cross entropy to the true class, for each image.
    pub loss: Vec<f64>,
    pub bounds: Bounds,
}

/// How far attacked images are from where they began, and whether they are images.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The largest change of any value, pixel units.
    pub linf: f32,
    /// Values below 0 or above 1.
    pub outside: usize,
    /// Values that are no numbers.
    pub not_finite: usize,
}

impl Bounds {
    /// Takes in images before and after an attack.
    pub fn add(&mut self, before: &[f32], after: &[f32]) {
        for (before, after) in before.iter().zip(after) {
            if !after.is_finite() {
                self.not_finite += 1;
                continue;
            }
            self.linf = self.linf.max((after - before).abs());
            self.outside += usize::from(!(0.0..=1.0).contains(after));
        }
    }
}

impl Outcome {
    /// Takes in the logits of images whose true classes are `labels`.
    pub fn add(&mut self, logits: &[Vec<f32>], labels: &[usize]) {
        for (row, &label) in logits.iter().zip(labels) {
            self.right.push(rank(row, label) == 0);
            self.loss.push(cross_entropy(row, label));
        }
    }

    pub fn correct(&self) -> Proportion {
        Proportion { hits: self.right.iter().filter(|&&right| right).count(), of: self.right.len() }
    }
}

/// In double precision: near 0 a single one cannot tell losses apart.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
    sum.ln() - f64::from(logits[label] - max)
}

impl<'a> Subject<'a> {
    /// Network `index` of `bundles` on the images `indices` of `split`. `task` advances by one a pass of an image.
    pub fn new(
        bundles: &'a [Bundle],
        index: usize,
        split: &'a Split,
        indices: &'a [usize],
        epsilon: f32,
        device: &'a Device,
        task: &'a Task,
    ) -> Self {
        Self { bundles, index, epsilon, split, indices, device, task, measured: RefCell::default() }
    }

    /// Notes that some images have gone through the network so often.
    pub fn passed(&self, images: usize, times: usize) {
        self.task.advance((images * times) as u64);
    }

    /// The network.
    pub fn bundle(&self) -> &'a Bundle {
        &self.bundles[self.index]
    }

    /// The images, batched as an evaluation has them.
    pub fn batches(&self) -> impl Iterator<Item = Result<Batch>> {
        let classes = self.bundle().card.classes.len();
        let batch = move |(number, indices)| Batch::new(self.split, indices, number, classes, self.device);
        self.indices.chunks(BATCH).enumerate().map(batch)
    }

    /// What the network makes of the images without an attack.
    pub fn clean(&self) -> Result<Rc<Outcome>> {
        self.under(&Trial::CLEAN)
    }

    /// What the network makes of the images in `trial`, which is measured once.
    pub fn under(&self, trial: &Trial) -> Result<Rc<Outcome>> {
        if let Some((_, outcome)) = self.measured.borrow().iter().find(|(measured, _)| measured == trial) {
            return Ok(outcome.clone());
        }
        let crafted_on = trial.attack.as_ref().and_then(|attack| attack.crafted_on).unwrap_or(self.index);
        let mut outcome = Outcome::default();
        for batch in self.batches() {
            let batch = batch?;
            let attacked = batch.attacked(&batch.images, trial, &self.bundles[crafted_on])?;
            outcome.bounds.add(&read(batch.images)?, &read(attacked.clone())?);
            outcome.add(&logits(self.bundle(), attacked)?, &batch.labels);
            self.passed(batch.labels.len(), passes_of(trial));
        }
        let outcome = Rc::new(outcome);
        self.measured.borrow_mut().push((trial.clone(), outcome.clone()));
        Ok(outcome)
    }

    /// Why accuracies say nothing of the network on these images, if they do not.
    pub fn not_measurable(&self) -> Result<Option<String>> {
        let mut counts = vec![0usize; self.bundle().card.classes.len()];
        for &index in self.indices {
            counts[self.split.label(index)] += 1;
        }
        let commonest = counts.into_iter().max().unwrap_or_default();
        Ok(not_measurable(self.clean()?.correct(), commonest))
    }

    /// FGSM.
    pub fn fgsm(&self) -> Trial {
        Trial::attack(AttackConfig::fgsm(self.epsilon), None)
    }

    /// BIM as in the paper.
    pub fn bim(&self, epsilon: f32) -> Trial {
        Trial::attack(AttackConfig::bim(epsilon, BIM_STEPS), None)
    }

    /// PGD with `times` the usual steps, on the network's own gradients or on those of network `crafted_on`.
    pub fn pgd(&self, epsilon: f32, times: usize, crafted_on: Option<usize>) -> Trial {
        Trial::attack(AttackConfig::pgd(epsilon, times * PGD_STEPS, 0), crafted_on)
    }

    /// The attack that the others are held against.
    pub fn white_box(&self) -> Trial {
        self.pgd(self.epsilon, 1, None)
    }

    /// A random corner of the ball.
    pub fn noise(&self) -> Trial {
        Trial::attack(AttackConfig::noise(self.epsilon, 0), None)
    }
}

/// Gradients and, for the answer, one pass without; of every random start.
pub fn passes_of(trial: &Trial) -> usize {
    trial.attack.as_ref().map_or(1, |attack| attack.restarts * (attack.config.steps_total() + 1))
}

/// `commonest` images are of one class: whoever always names it is right about so many.
fn not_measurable(clean: Proportion, commonest: usize) -> Option<String> {
    let by_chance = !exceeds(clean, commonest as f64 / clean.of as f64);
    (by_chance || clean.hits < MIN_RIGHT)
        .then(|| format!("not measurable: {} of {} images right", clean.hits, clean.of))
}

/// Classes as the device wants them: `[N]`.
pub fn label_tensor(labels: &[usize], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let count = labels.len();
    Tensor::from_data(TensorData::new(labels, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_say_nothing_of_a_network_that_is_right_by_chance_or_hardly_ever() {
        let reason = |hits, commonest| not_measurable(Proportion { hits, of: 200 }, commonest);
        assert_eq!(reason(3, 1).as_deref(), Some("not measurable: 3 of 200 images right"));
        assert!(reason(19, 1).is_some());
        assert!(reason(20, 1).is_none());
        // One answer for two classes.
        assert!(reason(100, 100).is_some());
        assert!(reason(120, 100).is_none());
    }

    #[test]
    fn losses_are_told_apart_where_the_network_is_sure() {
        assert!((cross_entropy(&[0.0; 4], 2) - 4f64.ln()).abs() < 1e-12);
        let (sure, surer) = (cross_entropy(&[30.0, 0.0], 0), cross_entropy(&[31.0, 0.0], 0));
        assert!(sure > surer && surer > 0.0, "{sure} {surer}");
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn bounds_see_what_leaves_the_ball_and_what_is_no_number() {
        let mut bounds = Bounds::default();
        bounds.add(&[0.5, 0.5, 0.9, 0.5], &[0.5, 0.4, 1.1, f32::NAN]);
        assert!((bounds.linf - 0.2).abs() < 1e-6);
        assert_eq!((bounds.outside, bounds.not_finite), (1, 1));
    }
}
