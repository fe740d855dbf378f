use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::{AttackConfig, AttackError, AttackKind, Goal, LinfBall};
use crate::model::Classifier;

/// An attack under way: a value that its owner steps, so that a page can show each step, yield and cancel.
///
/// # Shapes
///
/// Images are `[batch, 3, height, width]` in `[0, 1]`, labels `[batch]`, both on a plain (non-autodiff) device.
/// Images of a batch do not influence each other.
#[derive(Clone, Debug)]
pub struct AttackRun {
    ball: LinfBall,
    labels: Tensor<1, Int>,
    /// RGB, pixel units; below zero it is a descent.
    step: [f32; 3],
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
        config.validate()?;
        let ([images_len, ..], [labels_len]) = (images.dims(), labels.dims());
        if images_len != labels_len {
            return Err(AttackError::Labels { images: images_len, labels: labels_len });
        }
        let scaled = |length: f32| config.channel_scale.map(|scale| scale * length);
        let ball = LinfBall::new(images, scaled(config.epsilon));
        let adversarial = match config.kind {
            AttackKind::Fgsm | AttackKind::Bim => ball.center(),
            AttackKind::Pgd => ball.random_start(config.seed),
            AttackKind::Noise => ball.random_corner(config.seed),
        };
        let direction = match goal {
            Goal::Untargeted => 1.0,
            Goal::Targeted => -1.0,
        };
        Ok(Self {
            ball,
            labels,
            step: scaled(direction * config.resolved_step_size()),
            steps_total: config.steps_total(),
            steps_done: 0,
            adversarial,
        })
    }

    /// One gradient step against `model`, which is on a plain device; nothing once the run is done.
    pub fn step(&mut self, model: &Classifier) {
        if self.is_done() {
            return;
        }
        let gradient = loss_gradient(model, self.adversarial.clone(), self.labels.clone());
        let moved = self.ball.ascend(self.adversarial.clone(), gradient, self.step);
        self.adversarial = self.ball.project(moved);
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

/// Cross entropy of each image on logits (never on probabilities): `[batch, classes]`, `[batch]` to `[batch]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch] = labels.dims();
    log_softmax(logits, 1).gather(1, labels.reshape([batch, 1])).reshape([batch]).neg()
}

/// Gradient of the **summed** cross entropy with respect to `images`, so that no image's depends on its batch.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]`, plain device, as `model` is
/// - output: the same shape, plain device
pub fn loss_gradient(model: &Classifier, images: Tensor<4>, labels: Tensor<1, Int>) -> Tensor<4> {
    let images = images.autodiff().require_grad();
    let logits = model.for_input_gradient().forward(images.clone());
    let gradients = cross_entropy(logits, labels.autodiff()).sum().backward();
    match images.grad(&gradients) {
        Some(gradient) => gradient,
        // A network that ignores its input: no direction is better than another.
        None => images.inner().zeros_like(),
    }
}
