use burn::prelude::*;

use super::adaptive::Adaptive;
use super::ball::{Seeds, scaled_to_one};
use super::ddn::Spheres;
use super::objective::{Objective, cross_entropy};
use super::one_pixel::Evolution;
use super::rows::Rows;
use super::square::Square;
use super::{AttackConfig, AttackError, Ball, Direction, Goal, Start, deepfool, fab};
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
    /// Candidates of a generation.
    population: usize,
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
    /// Sum over the steps, of the shape of the images: with momentum the gradients so far, each divided by its mean
    /// absolute value, older ones weaker; in DeepFool the steps so far.
    sum: Option<Tensor<4>>,
    adaptive: Option<Adaptive>,
    square: Option<Square>,
    spheres: Option<Spheres>,
    evolution: Option<Evolution>,
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
            population: config.population,
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
        matches!(self.direction, Direction::Boundary | Direction::NearestClass)
    }

    /// Returns whether a fooled image does not move any more, even one that is outside of the ball.
    pub fn stays_once_fooled(&self) -> bool {
        self.direction == Direction::NearestClass
    }

    /// Returns whether a fooled image moves on to a smaller change.
    pub fn goes_on_once_fooled(&self) -> bool {
        self.direction == Direction::Sphere
    }

    /// Returns the images where the attack begins, and the state before its first step.
    pub fn begin(&self, seeds: Seeds<'_>) -> (Tensor<4>, StepState) {
        if self.direction == Direction::Search {
            let (images, square) = Square::begin(&self.ball, &seeds.of_images(self.ball.len()));
            return (images, StepState { square: Some(square), ..StepState::default() });
        }
        if self.direction == Direction::Evolution {
            let seeds = seeds.of_images(self.ball.len());
            let evolution = Evolution::begin(&self.ball, self.population, &seeds);
            return (self.ball.center(), StepState { evolution: Some(evolution), ..StepState::default() });
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
        let adds_up = matches!(self.direction, Direction::Momentum { .. } | Direction::NearestClass);
        let adaptive =
            (self.direction == Direction::Adaptive).then(|| Adaptive::begin(images, self.length, self.steps));
        StepState {
            sum: adds_up.then(|| images.zeros_like()),
            adaptive,
            spheres: (self.direction == Direction::Sphere).then(|| Spheres::begin(images)),
            ..StepState::default()
        }
    }

    /// Moves `images` by one step.
    pub fn step(&self, model: &Classifier, images: Tensor<4>, state: StepState) -> Stepped {
        match self.direction {
            Direction::Boundary => {
                let (moved, Evaluated { gradient, logits, .. }) = fab::step(model, &self.ball, &self.objective, images);
                return Stepped { images: moved, state, logits, slope: largest_value(gradient) };
            }
            Direction::NearestClass => {
                let sum = state.sum.unwrap_or_else(|| images.zeros_like());
                let (moved, sum, evaluated) = deepfool::step(model, &self.ball, &self.objective, images, sum);
                let Evaluated { gradient, logits, .. } = evaluated;
                let state = StepState { sum: Some(sum), ..StepState::default() };
                return Stepped { images: moved, state, logits, slope: largest_value(gradient) };
            }
            Direction::Search | Direction::Evolution => return self.query(model, images, state),
            Direction::Gradient | Direction::Momentum { .. } | Direction::Adaptive | Direction::Sphere => {}
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
        if let Some(spheres) = state.spheres {
            let fooled = self.objective.is_reached(logits.clone());
            let (images, spheres) = spheres.step(&self.ball, images, fooled, gradient, self.steps);
            let state = StepState { spheres: Some(spheres), ..StepState::default() };
            return Stepped { images, state, logits, slope };
        }
        let (along, sum) = match (self.direction, state.sum) {
            (Direction::Momentum { decay }, Some(sum)) => {
                let sum = sum.mul_scalar(decay).add(mean_abs_normalized(gradient));
                (sum.clone(), Some(sum))
            }
            _ => (gradient, None),
        };
        let length = Tensor::from_floats([self.length], &images.device());
        let moved = self.ball.ascend(images, along, length);
        let state = StepState { sum, ..StepState::default() };
        Stepped { images: self.ball.project(moved), state, logits, slope }
    }

    /// Asks the network about the last images of a search, and returns the next. A search asks for no gradient, so none is missing.
    fn query(&self, model: &Classifier, images: Tensor<4>, state: StepState) -> Stepped {
        let logits = model.forward(images.clone());
        let slope = Tensor::ones([self.ball.len()], &images.device());
        if let Some(evolution) = state.evolution {
            let (images, evolution) = evolution.next(model, &self.ball, &self.objective);
            let state = StepState { evolution: Some(evolution), ..StepState::default() };
            return Stepped { images, state, logits, slope };
        }
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
    /// Returns the best images that a search has found, given where it is; `None` for attacks that go on from where they are.
    pub fn best(&self, images: Tensor<4>) -> Option<Tensor<4>> {
        let of_square = self.square.as_ref().map(Square::best);
        of_square.or_else(|| self.spheres.as_ref().map(|spheres| spheres.nearest_or(images)))
    }

    /// Returns the state of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self {
            sum: self.sum.as_ref().map(|sum| rows.of(sum)),
            adaptive: self.adaptive.as_ref().map(|adaptive| adaptive.select(rows)),
            square: self.square.as_ref().map(|square| square.select(rows)),
            spheres: self.spheres.as_ref().map(|spheres| spheres.select(rows)),
            evolution: self.evolution.as_ref().map(|evolution| evolution.select(rows)),
        }
    }

    /// Puts the rows of `other`, a state of the same attack, behind these.
    pub fn append(self, other: Self) -> Self {
        let sums = self.sum.zip(other.sum);
        Self {
            sum: sums.map(|(sum, others)| Tensor::cat(vec![sum, others], 0)),
            adaptive: self.adaptive.zip(other.adaptive).map(|(adaptive, others)| adaptive.append(others)),
            square: self.square.zip(other.square).map(|(square, others)| square.append(others)),
            spheres: self.spheres.zip(other.spheres).map(|(spheres, others)| spheres.append(others)),
            evolution: self.evolution.zip(other.evolution).map(|(evolution, others)| evolution.append(others)),
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
