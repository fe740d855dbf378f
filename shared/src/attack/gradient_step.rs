use burn::prelude::*;

use super::adaptive::Adaptive;
use super::ball::{Seeds, scaled_to_one};
use super::objective::{Objective, cross_entropy};
use super::rows::Rows;
use super::square::Square;
use super::{AttackConfig, AttackError, Ball, Direction, Goal, Start, fab};
use crate::model::Classifier;

/// The step of an attack for some images: the ball that it stays in, the direction it follows, and its length. No image
/// influences another's, so images may come and go.
#[derive(Clone, Debug)]
pub(super) struct GradientStep {
    ball: Ball,
    objective: Objective,
    /// Length of a step, of an adaptive attack that of the first, in the unit of epsilon.
    length: f32,
    /// Steps of the attack.
    steps: usize,
    start: Start,
    direction: Direction,
}

/// The classes that an attack on some images is about: `[batch]` each, on a plain device.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    /// The classes that the attack leads away from, or towards.
    pub labels: Tensor<1, Int>,
    /// The classes that a targeted loss leads to.
    pub targets: Option<Tensor<1, Int>>,
}

/// State of each image from the steps before: one row an image, `None` where the attack needs none.
#[derive(Clone, Debug, Default)]
pub(super) struct StepState {
    /// The gradients so far, each divided by its mean absolute value and all added up, older ones weaker. Shape of the images.
    momentum: Option<Tensor<4>>,
    adaptive: Option<Adaptive>,
    square: Option<Square>,
}

/// Holds the result of a step for some images. All tensors are on a plain device.
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
    /// Returns the step of the attack `config` on `images` with `classes`, on a plain device.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if a setting is out of range or the labels do not fit the images.
    pub fn new(config: &AttackConfig, images: Tensor<4>, classes: Classes, goal: Goal) -> Result<Self, AttackError> {
        config.validate()?;
        let ([images_len, ..], [labels_len]) = (images.dims(), classes.labels.dims());
        if images_len != labels_len {
            return Err(AttackError::Labels { images: images_len, labels: labels_len });
        }
        let properties = config.kind.properties();
        Ok(Self {
            length: config.resolved_step_size(),
            steps: config.steps_total(),
            ball: Ball::new(images, config.threat()),
            objective: Objective::new(config.loss, goal, classes.labels, classes.targets),
            start: properties.start,
            direction: properties.direction,
        })
    }

    /// Returns the same step with other classes, as many as before.
    pub fn with_classes(&self, classes: Classes) -> Self {
        Self { objective: self.objective.with_classes(classes.labels, classes.targets), ..self.clone() }
    }

    /// Returns the ball that the steps stay in.
    pub fn ball(&self) -> &Ball {
        &self.ball
    }

    /// Returns whether images may leave the ball on their way.
    pub fn may_leave_the_ball(&self) -> bool {
        self.direction == Direction::Boundary
    }

    /// Returns the images where the attack begins, and the state before its first step.
    pub fn begin(&self, seeds: Seeds<'_>) -> (Tensor<4>, StepState) {
        if self.direction == Direction::Search {
            let (images, square) = Square::begin(&self.ball, &seeds.of_images(self.ball.len()));
            return (images, StepState { square: Some(square), ..StepState::default() });
        }
        let images = match self.start {
            Start::Image => self.ball.center(),
            Start::RandomPoint => self.ball.random_start(seeds),
            Start::RandomCorner => self.ball.random_corner(seeds),
        };
        let state = self.begin_at(&images);
        (images, state)
    }

    /// Returns the state before the first step from `images`.
    pub fn begin_at(&self, images: &Tensor<4>) -> StepState {
        let momentum = matches!(self.direction, Direction::Momentum { .. }).then(|| images.zeros_like());
        let adaptive =
            (self.direction == Direction::Adaptive).then(|| Adaptive::begin(images, self.length, self.steps));
        StepState { momentum, adaptive, square: None }
    }

    /// Moves `images` by one step.
    pub fn step(&self, model: &Classifier, images: Tensor<4>, state: StepState) -> Stepped {
        match self.direction {
            Direction::Boundary => {
                let (moved, Evaluated { gradient, logits, .. }) = fab::step(model, &self.ball, &self.objective, images);
                return Stepped { images: moved, state, logits, slope: largest_value(gradient) };
            }
            Direction::Search => return self.query(model, images, state),
            Direction::Gradient | Direction::Momentum { .. } | Direction::Adaptive => {}
        }
        let Evaluated { gradient, values, logits } =
            evaluate(model, images.clone(), |logits| self.objective.values(logits));
        let slope = largest_value(gradient.clone());
        if let Some(adaptive) = state.adaptive {
            let (images, adaptive) = adaptive.step(&self.ball, images, values, gradient, self.steps);
            return Stepped {
                images,
                state: StepState { adaptive: Some(adaptive), ..StepState::default() },
                logits,
                slope,
            };
        }
        let (along, momentum) = match (self.direction, state.momentum) {
            (Direction::Momentum { decay }, Some(sum)) => {
                let sum = sum.mul_scalar(decay).add(mean_abs_normalized(gradient));
                (sum.clone(), Some(sum))
            }
            _ => (gradient, None),
        };
        let length = Tensor::from_floats([self.length], &images.device());
        let moved = self.ball.ascend(images, along, length);
        let state = StepState { momentum, ..StepState::default() };
        Stepped { images: self.ball.project(moved), state, logits, slope }
    }

    /// Asks the network about the last images of a search, and returns the next. A search asks for no gradient, so none is missing.
    fn query(&self, model: &Classifier, images: Tensor<4>, state: StepState) -> Stepped {
        let logits = model.forward(images.clone());
        let slope = Tensor::ones([self.ball.len()], &images.device());
        let Some(square) = state.square else { return Stepped { images, state: StepState::default(), logits, slope } };
        let values = self.objective.values(logits.clone());
        let (images, square) = square.next(&self.ball, images, values, self.steps);
        Stepped { images, state: StepState { square: Some(square), ..StepState::default() }, logits, slope }
    }

    /// Returns the step of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self { ball: self.ball.select(rows), objective: self.objective.select(rows), ..self.clone() }
    }

    /// Puts the images of `other`, of the same settings, behind these.
    pub fn append(self, other: Self) -> Self {
        Self { ball: self.ball.append(other.ball), objective: self.objective.append(other.objective), ..self }
    }
}

impl StepState {
    /// Returns the best images that a search has found; `None` for attacks that go on from where they are.
    pub fn best(&self) -> Option<Tensor<4>> {
        self.square.as_ref().map(Square::best)
    }

    /// Returns the state of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self {
            momentum: self.momentum.as_ref().map(|sum| rows.of(sum)),
            adaptive: self.adaptive.as_ref().map(|adaptive| adaptive.select(rows)),
            square: self.square.as_ref().map(|square| square.select(rows)),
        }
    }

    /// Puts the rows of `other`, a state of the same attack, behind these.
    pub fn append(self, other: Self) -> Self {
        let sums = self.momentum.zip(other.momentum);
        Self {
            momentum: sums.map(|(sum, others)| Tensor::cat(vec![sum, others], 0)),
            adaptive: self.adaptive.zip(other.adaptive).map(|(adaptive, others)| adaptive.append(others)),
            square: self.square.zip(other.square).map(|(square, others)| square.append(others)),
        }
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

/// Returns the gradient of the **summed** cross entropy with respect to `images`, so that no image's gradient depends
/// on its batch.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]`, plain device, as `model` is
/// - output: the same shape, plain device
pub fn loss_gradient(model: &Classifier, images: Tensor<4>, labels: Tensor<1, Int>) -> Tensor<4> {
    evaluate(model, images, |logits| cross_entropy(logits, labels.autodiff())).gradient
}

/// Holds the results of a pass forward and back through a network for some images, on a plain device.
pub(super) struct Evaluated {
    /// Gradient of the summed values with respect to the images.
    pub gradient: Tensor<4>,
    /// `[batch]`.
    pub values: Tensor<1>,
    /// `[batch, classes]`.
    pub logits: Tensor<2>,
}

/// Computes `values_of`, which takes `[batch, classes]` to `[batch]`, and its gradient. `model` and `images` are on a plain device;
/// the values are computed on the autodiff device.
pub(super) fn evaluate(
    model: &Classifier,
    images: Tensor<4>,
    values_of: impl FnOnce(Tensor<2>) -> Tensor<1>,
) -> Evaluated {
    let images = images.autodiff().require_grad();
    let logits = model.for_input_gradient().forward(images.clone());
    let values = values_of(logits.clone());
    let gradients = values.clone().sum().backward();
    let gradient = match images.grad(&gradients) {
        Some(gradient) => gradient,
        // A network that ignores its input: no direction is better than another.
        None => images.inner().zeros_like(),
    };
    Evaluated { gradient, values: values.inner(), logits: logits.inner() }
}
