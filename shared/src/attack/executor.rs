use burn::prelude::*;

use super::ball::Seeds;
use super::gradient_step::{Classes, GradientStep, StepState};
use super::rows::Rows;
use super::{AttackConfig, AttackError, Goal};
use crate::model::Classifier;

/// Some images under an attack: the images as they are now, the state of their next step, and the step itself. All attacks run
/// here; [`super::AttackRun`] and [`super::UntilFooled`] decide when an image is done. Nothing is read from the device.
#[derive(Clone, Debug)]
pub(super) struct Executor {
    step: GradientStep,
    images: Tensor<4>,
    state: StepState,
    /// Largest absolute value of each image's gradients so far, `[batch]`.
    slope: Tensor<1>,
}

impl Executor {
    /// Puts `images` at the beginning of the attack `config`.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if a setting is out of range or the labels do not fit the images.
    pub fn new(
        config: &AttackConfig,
        images: Tensor<4>,
        classes: Classes,
        goal: Goal,
        seeds: Seeds<'_>,
    ) -> Result<Self, AttackError> {
        let step = GradientStep::new(config, images, classes, goal)?;
        let (images, state) = step.begin(seeds);
        let slope = Tensor::zeros([images.dims()[0]], &images.device());
        Ok(Self { step, images, state, slope })
    }

    /// Returns the same images at the beginning of another start, which leads from or to `classes`.
    pub fn restarted(&self, classes: Classes, seeds: Seeds<'_>) -> Self {
        let step = self.step.with_classes(classes);
        let (images, state) = step.begin(seeds);
        Self { step, images, state, slope: self.slope.clone() }
    }

    /// Returns the same images at `start`, brought into the ball.
    pub fn beginning_at(&self, start: Tensor<4>) -> Self {
        let images = self.step.ball().project(start);
        let state = self.step.begin_at(&images);
        Self { step: self.step.clone(), images, state, slope: self.slope.clone() }
    }

    /// Moves all images by one step. Returns their logits as they were before it: `[batch, classes]`, plain device.
    pub fn step(&mut self, model: &Classifier) -> Tensor<2> {
        let moved = self.step.step(model, self.images.clone(), self.state.clone());
        (self.images, self.state) = (moved.images, moved.state);
        self.slope = self.slope.clone().max_pair(moved.slope);
        moved.logits
    }

    /// Returns the images as they are now.
    pub fn images(&self) -> Tensor<4> {
        self.images.clone()
    }

    /// Returns the largest absolute value of each image's gradients so far, over all starts: `[batch]`.
    pub fn slope(&self) -> Tensor<1> {
        self.slope.clone()
    }

    /// Returns how far each image is from where it was, as a share of epsilon: `[batch]`.
    pub fn share_of_radius(&self) -> Tensor<1> {
        let ball = self.step.ball();
        ball.distance(self.images.clone()).div_scalar(ball.epsilon().max(f32::MIN_POSITIVE))
    }

    /// Returns what the attack has come to: the images as they are now, brought into the ball, or the best that a search has found.
    pub fn result(&self) -> Tensor<4> {
        match self.state.best(self.images()) {
            Some(best) => best,
            None if self.may_leave_the_ball() => self.step.ball().project(self.images()),
            None => self.images(),
        }
    }

    /// Returns whether images may leave the ball on their way.
    pub fn may_leave_the_ball(&self) -> bool {
        self.step.may_leave_the_ball()
    }

    /// Returns whether a fooled image does not move any more, even one that is outside of the ball.
    pub fn stays_once_fooled(&self) -> bool {
        self.step.stays_once_fooled()
    }

    /// Returns whether a fooled image moves on to a smaller change, so that the last step decides.
    pub fn goes_on_once_fooled(&self) -> bool {
        self.step.goes_on_once_fooled()
    }

    /// Returns the images before the attack.
    pub fn originals(&self) -> Tensor<4> {
        self.step.ball().center()
    }

    /// Returns the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self {
            step: self.step.select(rows),
            images: rows.of(&self.images),
            state: self.state.select(rows),
            slope: rows.of(&self.slope),
        }
    }

    /// Puts the images of `other`, under the same attack, behind these.
    pub fn append(self, other: Self) -> Self {
        Self {
            step: self.step.append(other.step),
            images: Tensor::cat(vec![self.images, other.images], 0),
            state: self.state.append(other.state),
            slope: Tensor::cat(vec![self.slope, other.slope], 0),
        }
    }
}
