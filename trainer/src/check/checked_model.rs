//! A network under check, with the outcomes of the trials on it.

use std::cell::RefCell;
use std::rc::Rc;

use std::ops::Range;

use anyhow::Result;
use burn::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::attack::{AttackConfig, AttackKind, BIM_STEPS, DEFAULT_EPSILON_L2, Direction, Norm, PGD_STEPS, ensemble};
use shared::bundle::Bundle;
use shared::metrics::{Proportion, cross_entropy, rank};

use super::chance::exceeds;
use crate::data::Split;
use crate::evaluate::{Evaluation, EvaluationBatch, ImageResult, Trial};
use crate::kept::{Clock, Kept, Key, Measured};
use crate::progress::Task;

/// Why a part of the images that has not the first hundred measures nothing for an item.
pub const NOT_FIRST: &str = "measured on the first hundred images alone";

/// With fewer images right, even all of them would resolve no difference of 5%.
const MIN_RIGHT: usize = 20;

/// Settings of the checks of one network.
#[derive(Clone, Copy, Debug)]
pub struct CheckPlan {
    /// Number of networks that are checked; images are transferred from the others.
    pub networks: usize,
    /// Place of this network among them.
    pub index: usize,
    /// Radius of the attacks, pixel units.
    pub epsilon: f32,
}

/// Facts of the networks and images that items name besides measurements.
pub struct Subject {
    /// Name and number of classes of each network.
    pub networks: Vec<(String, usize)>,
    /// Images of the commonest class.
    pub commonest: usize,
}

impl Subject {
    /// Describes the networks and the images of `split` that are checked.
    pub fn new(bundles: &[Bundle], split: &Split, indices: &[usize]) -> Self {
        let mut counts = std::collections::HashMap::<usize, usize>::new();
        indices.iter().for_each(|&index| *counts.entry(split.label(index)).or_default() += 1);
        Self {
            networks: bundles.iter().map(|Bundle { card, .. }| (card.name.clone(), card.classes.len())).collect(),
            commonest: counts.into_values().max().unwrap_or_default(),
        }
    }
}

/// The networks, images and device that measure what is not kept.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    /// The networks and images.
    pub evaluation: &'a Evaluation<'a>,
    /// The device.
    pub device: &'a Device,
    /// Advances by one a pass of an image.
    pub task: &'a Task,
}

/// A network under check, with everything measured so far: items share what they can.
pub struct CheckedModel<'a> {
    /// The networks and images.
    pub subject: &'a Subject,
    /// Settings of the checks.
    pub plan: CheckPlan,
    /// Results of the images that are measured here.
    pub kept: &'a Kept,
    /// `None` where results are only read.
    pub live: Option<Live<'a>>,
    measured: RefCell<Vec<(Trial, Rc<TrialOutcome>)>>,
}

/// The outcome of one trial for one network.
#[derive(Clone, Default)]
pub struct TrialOutcome {
    /// Whether the true class came first, for each image.
    pub right: Vec<bool>,
    /// Cross entropy to the true class, for each image.
    pub loss: Vec<f64>,
    /// Sizes of the changes that the attack made.
    pub bounds: Bounds,
}

/// The largest distances of attacked images from their originals, and counts of values that no image may have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The largest change of any value, pixel units.
    pub linf: f32,
    /// The largest Euclidean length of the change of an image, pixel units.
    pub l2: f32,
    /// The largest number of changed pixels of an image.
    pub pixels: usize,
    /// Values below 0 or above 1.
    pub outside: usize,
    /// Values that are no numbers.
    pub not_finite: usize,
}

impl TrialOutcome {
    /// Collects the results of the images.
    fn new(results: &[ImageResult]) -> Self {
        let changes = || results.iter().filter_map(|result| result.change);
        Self {
            right: results.iter().map(|result| result.rank == 0).collect(),
            loss: results.iter().map(|result| f64::from(result.loss)).collect(),
            bounds: Bounds {
                linf: changes().map(|change| change.linf).fold(0.0, f32::max),
                l2: changes().map(|change| change.l2).fold(0.0, f32::max),
                pixels: changes().map(|change| change.pixels).max().unwrap_or(0),
                outside: changes().map(|change| change.outside).sum(),
                not_finite: changes().map(|change| change.not_finite).sum(),
            },
        }
    }

    /// Adds the logits of images whose true classes are `labels`.
    pub fn add(&mut self, logits: &[Vec<f32>], labels: &[usize]) {
        for (row, &label) in logits.iter().zip(labels) {
            self.right.push(rank(row, label) == 0);
            self.loss.push(cross_entropy(row, label));
        }
    }

    /// Returns the proportion of images classified correctly.
    pub fn correct(&self) -> Proportion {
        Proportion { hits: self.right.iter().filter(|&&right| right).count(), of: self.right.len() }
    }
}

impl Bounds {
    /// Returns the largest distance in `norm`, pixel units.
    pub fn distance(&self, norm: Norm) -> f32 {
        match norm {
            Norm::Linf => self.linf,
            Norm::L2 => self.l2,
            Norm::L0 => self.pixels as f32,
        }
    }
}

impl<'a> CheckedModel<'a> {
    /// Returns the network of `plan`, of which nothing is measured yet but what is in `kept`.
    pub fn new(subject: &'a Subject, plan: CheckPlan, kept: &'a Kept, live: Option<Live<'a>>) -> Self {
        Self { subject, plan, kept, live, measured: RefCell::default() }
    }

    /// Returns an error once the user has asked to stop.
    ///
    /// # Errors
    /// [`crate::error::Stopped`].
    pub fn check_stop(&self) -> Result<()> {
        self.live.map_or(Ok(()), |live| live.evaluation.check_stop(self.kept))
    }

    /// Returns the name of the network.
    pub fn name(&self) -> &'a str {
        &self.subject.networks[self.plan.index].0
    }

    /// Returns the number of classes of the network.
    pub fn classes(&self) -> usize {
        self.subject.networks[self.plan.index].1
    }

    /// Returns what `measure` finds on each hundred of the images, for the item `item`, each image in `passes` passes.
    ///
    /// # Errors
    /// As `measure`; when a hundred is neither kept nor can be measured; [`crate::error::Stopped`] after a request to stop.
    pub fn each_batch<T: Serialize + DeserializeOwned>(
        &self,
        item: &str,
        passes: u64,
        measure: impl Fn(&Bundle, EvaluationBatch) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.batches(item, self.kept.hundreds(), passes, measure)
    }

    /// Returns what `measure` finds on the first hundred of all images, for the item `item`; `None` where it is not measured here.
    ///
    /// # Errors
    /// Under the conditions of [`CheckedModel::each_batch`].
    pub fn first_batch<T: Serialize + DeserializeOwned>(
        &self,
        item: &str,
        measure: impl Fn(&Bundle, EvaluationBatch) -> Result<T>,
    ) -> Result<Option<T>> {
        let Range { start, end } = self.kept.hundreds();
        Ok(self.batches(item, start..end.min(1), 0, measure)?.pop())
    }

    fn batches<T: Serialize + DeserializeOwned>(
        &self,
        item: &str,
        hundreds: Range<usize>,
        passes: u64,
        measure: impl Fn(&Bundle, EvaluationBatch) -> Result<T>,
    ) -> Result<Vec<T>> {
        let measured = Measured::Item(item.into());
        let Some(Live { evaluation, device, task }) = self.live else {
            return self.kept.all(self.plan.index, &measured, 0, hundreds);
        };
        let mut clock = Clock::start();
        let of_hundred = |hundred: usize| {
            let key = Key { network: self.plan.index, measured: measured.clone(), stage: 0, hundred };
            let units = self.kept.places(hundred).len() as u64 * passes;
            let found = match self.kept.get(&key)? {
                Some(found) => {
                    task.skip(units);
                    found
                }
                None => {
                    self.check_stop()?;
                    let batch = evaluation.batch(hundred, self.kept, device)?;
                    let found = measure(&evaluation.bundles[self.plan.index], batch)?;
                    self.kept.add(key, &found, clock.lap())?;
                    task.advance(units);
                    found
                }
            };
            Ok(found)
        };
        hundreds.map(of_hundred).collect()
    }

    /// Returns the outcome on the images without an attack.
    pub fn clean(&self) -> Result<Rc<TrialOutcome>> {
        self.outcome(&Trial::CLEAN)
    }

    /// Returns the outcome on the images in `trial`, which is measured once.
    pub fn outcome(&self, trial: &Trial) -> Result<Rc<TrialOutcome>> {
        if let Some((_, outcome)) = self.measured.borrow().iter().find(|(measured, _)| measured == trial) {
            return Ok(outcome.clone());
        }
        let index = self.plan.index;
        let results = match self.live {
            Some(Live { evaluation, device, task }) => {
                evaluation.results(trial, &[index], self.kept.hundreds(), self.kept, device, task)?.concat()
            }
            None => self.kept.results(index, trial)?,
        };
        let outcome = Rc::new(TrialOutcome::new(&results));
        self.measured.borrow_mut().push((trial.clone(), outcome.clone()));
        Ok(outcome)
    }

    /// Returns why accuracies of the network on these images mean nothing; `None` if they do, and for a part of the images, by
    /// which that is not known.
    pub fn not_measurable(&self) -> Result<Option<String>> {
        if !self.kept.is_whole() {
            return Ok(None);
        }
        Ok(not_measurable(self.clean()?.correct(), self.subject.commonest))
    }
}

/// Queries of Square, which is a control here and not an attack in full.
pub const QUERIES: usize = 100;

impl CheckPlan {
    /// Returns FGSM.
    pub fn fgsm(&self) -> Trial {
        Trial::attack(AttackConfig::fgsm(self.epsilon), None)
    }

    /// Returns BIM as in the paper.
    pub fn bim(&self, epsilon: f32) -> Trial {
        Trial::attack(AttackConfig::bim(epsilon, BIM_STEPS), None)
    }

    /// Returns PGD on cross entropy with `times` the usual steps, until an image is fooled: the first of the attacks of published
    /// scores.
    pub fn pgd(&self, epsilon: f32, times: usize) -> Trial {
        Trial::until_fooled(AttackConfig::pgd(epsilon, times * PGD_STEPS, 0))
    }

    /// Returns the attack that the others are compared with.
    pub fn white_box(&self) -> Trial {
        self.pgd(self.epsilon, 1)
    }

    /// Returns [`CheckPlan::white_box`], followed by the margin losses on what is left: the attack of published scores.
    pub fn with_margins(&self) -> Trial {
        let mut trial = self.white_box();
        if let Some(attack) = &mut trial.attack {
            attack.then = ensemble::margins_after(&attack.config);
        }
        trial
    }

    /// Returns PGD whose images count as they are after the last step; through the gradients of network `crafted_on`, where
    /// there is one.
    pub fn pgd_to_the_last_step(&self, crafted_on: Option<usize>) -> Trial {
        Trial::attack(AttackConfig::pgd(self.epsilon, PGD_STEPS, 0), crafted_on)
    }

    /// Returns [`CheckPlan::white_box`] with each image as it is after the last step.
    pub fn last_step(&self) -> Trial {
        self.pgd_to_the_last_step(None)
    }

    /// Returns the control: a random corner of the ball.
    pub fn noise(&self) -> Trial {
        Trial::attack(AttackConfig::noise(self.epsilon, 0), None)
    }

    /// Returns Square with few queries, each image as the best of them left it.
    pub fn square(&self) -> Trial {
        Trial::attack(AttackConfig::new(AttackKind::Square, self.epsilon, QUERIES), None)
    }

    /// Returns every attack that any item compares, and one of each other kind, through the network's own gradients.
    pub fn attacks(&self) -> Vec<Trial> {
        let mut attacks =
            vec![self.fgsm(), self.bim(self.epsilon), self.white_box(), self.last_step(), self.noise(), self.square()];
        attacks.push(self.unbounded());
        for kind in AttackKind::ALL {
            if !attacks.iter().any(|trial| trial.attack.as_ref().is_some_and(|attack| attack.config.kind == kind)) {
                attacks.push(self.sample(kind));
            }
        }
        attacks
    }

    /// Returns an attack that no item compares, with few steps, as its published scores are measured. In L2 the radius is the
    /// default, since [`Self::epsilon`] is one in L-infinity.
    fn sample(&self, kind: AttackKind) -> Trial {
        let epsilon = match kind.norm() {
            Norm::Linf => self.epsilon,
            Norm::L2 => DEFAULT_EPSILON_L2,
            Norm::L0 => kind.default_epsilon(),
        };
        let mut config = AttackConfig::new(kind, epsilon, kind.default_steps().min(PGD_STEPS));
        if kind.properties().direction == Direction::Evolution {
            // Each generation asks as often as it has candidates.
            (config.population, config.steps) = (10, 3);
        }
        if kind.properties().until_fooled { Trial::until_fooled(config) } else { Trial::attack(config, None) }
    }
}

/// `commonest` is the number of images of the commonest class: a network that always predicts it is right about so many.
fn not_measurable(clean: Proportion, commonest: usize) -> Option<String> {
    let by_chance = !exceeds(clean, commonest as f64 / clean.of as f64);
    (by_chance || clean.hits < MIN_RIGHT)
        .then(|| format!("not measurable: {} of {} images right", clean.hits, clean.of))
}

/// Returns class numbers as a tensor on `device`: `[N]`.
pub fn label_tensor(labels: &[usize], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let count = labels.len();
    Tensor::from_data(TensorData::new(labels, [count]), device)
}

#[cfg(test)]
mod tests {
    use shared::attack::AttackKind;

    use super::*;

    #[test]
    fn every_attack_is_checked_for_its_ball() {
        let attacks = CheckPlan { networks: 1, index: 0, epsilon: 0.1 }.attacks();
        let has = |kind| attacks.iter().any(|trial| trial.attack.as_ref().is_some_and(|it| it.config.kind == kind));
        for kind in AttackKind::ALL {
            assert!(has(kind), "{kind}");
        }
    }

    #[test]
    fn accuracies_say_nothing_of_a_network_that_is_right_by_chance_or_hardly_ever() {
        let reason = |hits, commonest| not_measurable(Proportion { hits, of: 200 }, commonest);
        assert_eq!(reason(3, 1).as_deref(), Some("not measurable: 3 of 200 images right"));
        assert!(reason(19, 1).is_some());
        assert!(reason(20, 1).is_none());
        // A network that gives one answer for two classes.
        assert!(reason(100, 100).is_some());
        assert!(reason(120, 100).is_none());
    }
}
