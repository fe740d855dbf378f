use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::ball::{Seeds, scaled_to_one};
use super::{AttackConfig, AttackError, Ball, Direction, Goal, Start};
use crate::model::Classifier;

/// The step of an attack for some images: the ball that it stays in, the direction it follows, and its length. No image
/// influences another's, so images may come and go.
#[derive(Clone, Debug)]
pub(super) struct GradientStep {
    ball: Ball,
    labels: Tensor<1, Int>,
    /// Length of a step, `[1]`, in the unit of epsilon; below zero for a descent.
    length: Tensor<1>,
    start: Start,
    direction: Direction,
}

/// State of each image from the steps before: tensors with one row an image, `None` where the attack needs none.
#[derive(Clone, Debug)]
pub(super) struct StepState {
    /// The gradients so far, each divided by its mean absolute value and all added up, older ones weaker. Shape of the images.
    momentum: Option<Tensor<4>>,
}

/// What a step made of some images. All tensors are on a plain device.
pub(super) struct Stepped {
    /// The moved images.
    pub images: Tensor<4>,
    /// The state for the next step.
    pub state: StepState,
    /// Logits of the images as they were before, `[batch, classes]`.
    pub logits: Tensor<2>,
    /// Largest absolute value of each image's gradient, `[batch]`: 0 where no direction raises the loss in 32-bit numbers.
    pub slope: Tensor<1>,
}

impl GradientStep {
    /// Returns the step of the attack `config` on `images` with `labels`, on a plain device.
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
        let sign = match goal {
            Goal::Untargeted => 1.0,
            Goal::Targeted => -1.0,
        };
        let properties = config.kind.properties();
        Ok(Self {
            length: Tensor::from_floats([sign * config.resolved_step_size()], &images.device()),
            ball: Ball::new(images, config.threat()),
            labels,
            start: properties.start,
            direction: properties.direction,
        })
    }

    /// Returns the ball that the steps stay in.
    pub fn ball(&self) -> &Ball {
        &self.ball
    }

    /// Returns the images where the attack begins, and the state before its first step.
    pub fn begin(&self, seeds: Seeds<'_>) -> (Tensor<4>, StepState) {
        let images = match self.start {
            Start::Image => self.ball.center(),
            Start::RandomPoint => self.ball.random_start(seeds),
            Start::RandomCorner => self.ball.random_corner(seeds),
        };
        let momentum = match self.direction {
            Direction::Gradient => None,
            Direction::Momentum { .. } => Some(images.zeros_like()),
        };
        (images, StepState { momentum })
    }

    /// Moves `images` by one step.
    pub fn step(&self, model: &Classifier, images: Tensor<4>, state: StepState) -> Stepped {
        let (gradient, logits) = gradient_and_logits(model, images.clone(), self.labels.clone());
        let slope = largest_value(gradient.clone());
        let (along, momentum) = match (self.direction, state.momentum) {
            (Direction::Momentum { decay }, Some(sum)) => {
                let sum = sum.mul_scalar(decay).add(mean_abs_normalized(gradient));
                (sum.clone(), Some(sum))
            }
            (Direction::Gradient | Direction::Momentum { .. }, _) => (gradient, None),
        };
        let moved = self.ball.ascend(images, along, self.length.clone());
        Stepped { images: self.ball.project(moved), state: StepState { momentum }, logits, slope }
    }

    /// Returns the step of the images `rows` alone.
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        Self { ball: self.ball.select(rows), labels: self.labels.clone().select(0, rows.clone()), ..self.clone() }
    }

    /// Puts the images of `other`, of the same settings, behind these.
    pub fn append(self, other: Self) -> Self {
        Self { ball: self.ball.append(other.ball), labels: Tensor::cat(vec![self.labels, other.labels], 0), ..self }
    }
}

impl StepState {
    /// Returns the state of the images `rows` alone.
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        Self { momentum: self.momentum.as_ref().map(|sum| sum.clone().select(0, rows.clone())) }
    }

    /// Puts the rows of `other`, a state of the same attack, behind these.
    pub fn append(self, other: Self) -> Self {
        let sums = self.momentum.zip(other.momentum);
        Self { momentum: sums.map(|(sum, others)| Tensor::cat(vec![sum, others], 0)) }
    }
}

/// Returns the largest absolute value of each image, `[batch]`.
fn largest_value(images: Tensor<4>) -> Tensor<1> {
    let [batch, channels, height, width] = images.dims();
    images.abs().reshape([batch, channels * height * width]).max_dim(1).reshape([batch])
}

/// Divides the gradient of each image by its mean absolute value, as torchattacks does: the L1 norm of the paper (Dong et al.,
/// 2018, equation 6) but for a factor that all images and steps share. A gradient of zeros stays zero.
fn mean_abs_normalized(gradient: Tensor<4>) -> Tensor<4> {
    let gradient = scaled_to_one(gradient);
    let [batch, channels, height, width] = gradient.dims();
    let mean = gradient.clone().abs().reshape([batch, channels * height * width]).mean_dim(1);
    // With 1 the largest value the mean is one in as many as there are values at least, or 0.
    gradient.div(mean.clamp_min(f32::MIN_POSITIVE).reshape([batch, 1, 1, 1]))
}

/// Returns the cross entropy of each image on logits (never on probabilities): `[batch, classes]`, `[batch]` to `[batch]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch] = labels.dims();
    log_softmax(logits, 1).gather(1, labels.reshape([batch, 1])).reshape([batch]).neg()
}

/// Returns the gradient of the **summed** cross entropy with respect to `images`, so that no image's gradient depends
/// on its batch.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]`, plain device, as `model` is
/// - output: the same shape, plain device
pub fn loss_gradient(model: &Classifier, images: Tensor<4>, labels: Tensor<1, Int>) -> Tensor<4> {
    gradient_and_logits(model, images, labels).0
}

/// Returns the gradient of [`cross_entropy`], summed, and the logits: `[batch, classes]`.
fn gradient_and_logits(model: &Classifier, images: Tensor<4>, labels: Tensor<1, Int>) -> (Tensor<4>, Tensor<2>) {
    input_gradient(model, images, |logits| cross_entropy(logits, labels.autodiff()))
}

/// Returns the gradient of `loss`, which takes `[batch, classes]` to `[batch]`, summed over `images`, and the logits. Both are
/// on a plain device, as `model` and `images` are; the loss is computed on the autodiff device.
fn input_gradient(
    model: &Classifier,
    images: Tensor<4>,
    loss: impl FnOnce(Tensor<2>) -> Tensor<1>,
) -> (Tensor<4>, Tensor<2>) {
    let images = images.autodiff().require_grad();
    let logits = model.for_input_gradient().forward(images.clone());
    let gradients = loss(logits.clone()).sum().backward();
    let gradient = match images.grad(&gradients) {
        Some(gradient) => gradient,
        // A network that ignores its input: no direction is better than another.
        None => images.inner().zeros_like(),
    };
    (gradient, logits.inner())
}
