use burn::prelude::*;

use super::ball::Seeds;
use super::gradient_step::{GradientStep, StepState};
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
        labels: Tensor<1, Int>,
        goal: Goal,
        seeds: Seeds<'_>,
    ) -> Result<Self, AttackError> {
        let step = GradientStep::new(config, images, labels, goal)?;
        let (images, state) = step.begin(seeds);
        let slope = Tensor::zeros([images.dims()[0]], &images.device());
        Ok(Self { step, images, state, slope })
    }

    /// Returns the same images at the beginning of another start.
    pub fn restarted(&self, seeds: Seeds<'_>) -> Self {
        let (images, state) = self.step.begin(seeds);
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

    /// Returns the images before the attack.
    pub fn originals(&self) -> Tensor<4> {
        self.step.ball().center()
    }

    /// Returns the images `rows` alone.
    pub fn select(&self, rows: &Tensor<1, Int>) -> Self {
        Self {
            step: self.step.select(rows),
            images: self.images.clone().select(0, rows.clone()),
            state: self.state.select(rows),
            slope: self.slope.clone().select(0, rows.clone()),
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
