use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::{AttackConfig, AttackError, AttackKind, Goal, LinfBall};
use crate::model::Classifier;

/// The step that every attack is made of, for some images: where it may lead, what it leads away from or towards, and how far
/// at once. No image influences another's, so images may come and go.
#[derive(Clone, Debug)]
pub(super) struct Ascent {
    pub ball: LinfBall,
    labels: Tensor<1, Int>,
    /// RGB, pixel units; below zero it is a descent.
    step: [f32; 3],
}

impl Ascent {
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
        let direction = match goal {
            Goal::Untargeted => 1.0,
            Goal::Targeted => -1.0,
        };
        Ok(Self {
            ball: LinfBall::new(images, scaled(config.epsilon)),
            labels,
            step: scaled(direction * config.resolved_step_size()),
        })
    }

    /// Where an attack of this kind begins, all images with one seed.
    pub fn start(&self, kind: AttackKind, seed: u64) -> Tensor<4> {
        match kind {
            AttackKind::Fgsm | AttackKind::Bim => self.ball.center(),
            AttackKind::Pgd => self.ball.random_start(seed),
            AttackKind::Noise => self.ball.random_corner(seed),
        }
    }

    /// Where an attack of this kind begins with a seed for each image, as it would for each of them alone.
    pub fn starts(&self, kind: AttackKind, seeds: &[u64]) -> Tensor<4> {
        match kind {
            AttackKind::Fgsm | AttackKind::Bim => self.ball.center(),
            AttackKind::Pgd => self.ball.random_starts(seeds),
            AttackKind::Noise => self.ball.random_corners(seeds),
        }
    }

    /// One step of all `images`; and the logits of them as they were before it, on a plain device.
    pub fn step(&self, model: &Classifier, images: Tensor<4>) -> (Tensor<4>, Tensor<2>) {
        let (gradient, logits) = gradient_and_logits(model, images.clone(), self.labels.clone());
        let moved = self.ball.ascend(images, gradient, self.step);
        (self.ball.project(moved), logits)
    }

    /// The images `rows` alone.
    pub fn select(&self, rows: Tensor<1, Int>) -> Self {
        Self { ball: self.ball.select(rows.clone()), labels: self.labels.clone().select(0, rows), step: self.step }
    }

    /// With the images of `other`, of the same settings, behind these.
    pub fn append(self, other: Self) -> Self {
        Self {
            ball: self.ball.append(other.ball),
            labels: Tensor::cat(vec![self.labels, other.labels], 0),
            step: self.step,
        }
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
    gradient_and_logits(model, images, labels).0
}

/// [`loss_gradient`], and the logits that the loss is of, `[batch, classes]`.
fn gradient_and_logits(model: &Classifier, images: Tensor<4>, labels: Tensor<1, Int>) -> (Tensor<4>, Tensor<2>) {
    let images = images.autodiff().require_grad();
    let logits = model.for_input_gradient().forward(images.clone());
    let gradients = cross_entropy(logits.clone(), labels.autodiff()).sum().backward();
    let gradient = match images.grad(&gradients) {
        Some(gradient) => gradient,
        // A network that ignores its input: no direction is better than another.
        None => images.inner().zeros_like(),
    };
    (gradient, logits.inner())
}
