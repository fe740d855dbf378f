use burn::prelude::*;

use super::ball::Seeds;
use super::executor::Executor;
use super::gradient_step::Classes;
use super::{AttackConfig, AttackError, Goal, cross_entropy, seed_of_restart};
use crate::model::Classifier;

/// An attack that all images follow to its last step: a value that the caller steps, so that a page can show each step, yield
/// and cancel. Nothing is read from the device.
///
/// # Shapes
///
/// Images are `[batch, 3, height, width]` in `[0, 1]`, labels `[batch]`, both on a plain (non-autodiff) device.
/// Images of a batch do not influence each other.
#[derive(Clone, Debug)]
pub struct AttackRun {
    executor: Executor,
    config: AttackConfig,
    classes: Classes,
    goal: Goal,
    starts: usize,
    /// Starts whose last step is taken and, where there are several, whose results are compared with the worst.
    starts_done: usize,
    /// Steps taken of the current start.
    steps_done: usize,
    /// The worst result of each image so far with its [`damage`], where there are several starts.
    worst: Option<(Tensor<4>, Tensor<1>)>,
}

impl AttackRun {
    /// Begins an attack: at the images (FGSM, BIM), at a random point of the ball (PGD), or at a random corner of it, which
    /// is the whole of noise.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if a setting is out of range or the labels do not fit the images.
    pub fn new(
        config: &AttackConfig,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
        goal: Goal,
    ) -> Result<Self, AttackError> {
        Self::of_classes(config, images, Classes { labels, targets: None }, goal)
    }

    /// Begins an attack with a targeted loss: away from `labels`, towards `targets`, `[batch]` both. Without targets such an attack
    /// leads to the likeliest other class of the moment.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if a setting is out of range or the labels do not fit the images.
    pub fn leading_to(
        config: &AttackConfig,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
        targets: Tensor<1, Int>,
    ) -> Result<Self, AttackError> {
        Self::of_classes(config, images, Classes { labels, targets: Some(targets) }, Goal::Untargeted)
    }

    fn of_classes(config: &AttackConfig, images: Tensor<4>, classes: Classes, goal: Goal) -> Result<Self, AttackError> {
        let executor = Executor::new(config, images, classes.clone(), goal, Seeds::Batch(config.seed))?;
        let (starts, config) = (1, config.clone());
        Ok(Self { executor, config, classes, goal, starts, starts_done: 0, steps_done: 0, worst: None })
    }

    /// Begins at `start` instead, brought into the ball: for an attack that has taken no step yet.
    #[must_use]
    pub fn beginning_at(self, start: Tensor<4>) -> Self {
        Self { executor: self.executor.beginning_at(start), ..self }
    }

    /// Takes all steps from so many random starts, and keeps the worst result of each image: one that reaches the goal if
    /// there is any, and among those the one with the largest loss (to a target: the smallest). The first start has the seed of
    /// the configuration. Attacks without a random start give the same result each time, so they have one start.
    #[must_use]
    pub fn with_restarts(self, restarts: usize) -> Self {
        Self { starts: if self.config.kind.is_random() { restarts.max(1) } else { 1 }, ..self }
    }

    /// Takes one gradient step against `model`, which is on a plain device; nothing once the run is done. The step that ends
    /// one of several starts also classifies the images, to compare them, and begins the next start.
    pub fn step(&mut self, model: &Classifier) {
        if self.is_done() {
            return;
        }
        if self.steps_done < self.config.steps_total() {
            self.executor.step(model);
            self.steps_done += 1;
        }
        if self.starts > 1 && self.steps_done == self.config.steps_total() {
            self.end_start(model);
        }
    }

    fn end_start(&mut self, model: &Classifier) {
        let images = self.executor.result();
        let damage = damage(model, images.clone(), self.classes.labels.clone(), self.goal);
        self.worst = Some(match self.worst.take() {
            None => (images, damage),
            Some((worst, most)) => {
                let worse = damage.clone().greater(most.clone());
                let most = most.mask_where(worse.clone(), damage);
                let worse: Tensor<4, Bool> = worse.reshape([worst.dims()[0], 1, 1, 1]).expand(worst.dims());
                (worst.mask_where(worse, images), most)
            }
        });
        self.starts_done += 1;
        if self.starts_done < self.starts {
            let seed = seed_of_restart(self.config.seed, self.starts_done);
            let restarted = self.executor.restarted(self.classes.clone(), Seeds::Batch(seed));
            (self.executor, self.steps_done) = (restarted, 0);
        }
    }

    /// Takes all steps that are left. Returns the attacked images.
    pub fn finish(mut self, model: &Classifier) -> Tensor<4> {
        while !self.is_done() {
            self.step(model);
        }
        self.adversarial()
    }

    /// Returns the steps taken so far, over all starts.
    pub fn steps_done(&self) -> usize {
        match self.starts_done < self.starts {
            true => self.starts_done * self.config.steps_total() + self.steps_done,
            false => self.steps_total(),
        }
    }

    /// Returns the steps of the whole run, over all starts.
    pub fn steps_total(&self) -> usize {
        self.starts * self.config.steps_total()
    }

    /// Returns whether all steps are taken.
    pub fn is_done(&self) -> bool {
        match self.starts {
            1 => self.steps_done >= self.config.steps_total(),
            starts => self.starts_done >= starts,
        }
    }

    /// Returns the largest absolute value of each image's input gradients so far, over all starts: `[batch]`. Where it is 0 after
    /// a step, there was no gradient to follow, and that the network held says nothing about it.
    pub fn slope(&self) -> Tensor<1> {
        self.executor.slope()
    }

    /// Returns the attacked images as they are now: in the ball, and of a search the best that it has found; of several starts, once
    /// the run is done, the worst.
    pub fn adversarial(&self) -> Tensor<4> {
        match &self.worst {
            Some((worst, _)) if self.is_done() => worst.clone(),
            _ => self.executor.result(),
        }
    }
}

/// Returns the rank of each image for the attacker, `[batch]`: its loss (to a target: negative), and above every loss where the
/// image reaches the goal.
fn damage(model: &Classifier, images: Tensor<4>, labels: Tensor<1, Int>, goal: Goal) -> Tensor<1> {
    // Above every loss that f32 logits give in practice, and small enough to leave their order.
    const REACHED: f32 = 1e4;
    let logits = model.forward(images);
    let [batch, _] = logits.dims();
    let named = logits.clone().argmax(1).reshape([batch]).equal(labels.clone()).float();
    let loss = cross_entropy(logits, labels);
    match goal {
        Goal::Untargeted => loss.add(named.neg().add_scalar(1.0).mul_scalar(REACHED)),
        Goal::Targeted => loss.neg().add(named.mul_scalar(REACHED)),
    }
}
