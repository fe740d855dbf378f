use burn::prelude::*;

use super::ascent::Ascent;
use super::{AttackConfig, AttackError, Goal};
use crate::model::Classifier;

/// An attack under way: a value that its owner steps, so that a page can show each step, yield and cancel.
///
/// # Shapes
///
/// Images are `[batch, 3, height, width]` in `[0, 1]`, labels `[batch]`, both on a plain (non-autodiff) device.
/// Images of a batch do not influence each other.
#[derive(Clone, Debug)]
pub struct AttackRun {
    ascent: Ascent,
    steps_total: usize,
    steps_done: usize,
    adversarial: Tensor<4>,
}

impl AttackRun {
    /// Starts an attack: at the images (FGSM, BIM), at a random point of the ball (PGD), or at a random corner of it, which
    /// is all that noise does.
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
        let ascent = Ascent::new(config, images, labels, goal)?;
        let adversarial = ascent.start(config.kind, config.seed);
        Ok(Self { ascent, steps_total: config.steps_total(), steps_done: 0, adversarial })
    }

    /// One gradient step against `model`, which is on a plain device; nothing once the run is done.
    pub fn step(&mut self, model: &Classifier) {
        if self.is_done() {
            return;
        }
        self.adversarial = self.ascent.step(model, self.adversarial.clone()).0;
        self.steps_done += 1;
    }

    /// Takes all steps that are left.
    pub fn finish(mut self, model: &Classifier) -> Tensor<4> {
        while !self.is_done() {
            self.step(model);
        }
        self.adversarial
    }

    /// Steps taken so far.
    pub fn steps_done(&self) -> usize {
        self.steps_done
    }

    /// Steps of the whole run.
    pub fn steps_total(&self) -> usize {
        self.steps_total
    }

    /// Whether all steps are taken.
    pub fn is_done(&self) -> bool {
        self.steps_done >= self.steps_total
    }

    /// The attacked images as they are now.
    pub fn adversarial(&self) -> Tensor<4> {
        self.adversarial.clone()
    }
}
