//! Decoupled direction and norm (Rony et al., 2018, arXiv 1811.09600): the gradient says where on a sphere around the image to go, and
//! whether the image is fooled says how large the sphere is next. The search stays within epsilon. Images are not rounded to 8 bits on
//! the way, and an image without a gradient stays where it is, where the authors' code rounds and moves at random.

use std::f32::consts::PI;

use burn::prelude::*;

use super::Ball;
use super::deepfool::each_value;
use super::rows::Rows;

/// Radius of the first sphere, in the unit of epsilon: the authors'.
const FIRST_RADIUS: f32 = 1.0;
/// Part by which a sphere grows or shrinks: the authors'.
const GAMMA: f32 = 0.05;
/// Length of the last step as a part of the first, which is 1; a half wave of the cosine in between.
const LAST_LENGTH: f32 = 0.01;

/// Holds the state of DDN for each image.
#[derive(Clone, Debug)]
pub(super) struct Spheres {
    /// Radius of the sphere, `[batch]`, in the unit of epsilon.
    radius: Tensor<1>,
    /// Steps done, `[batch]`.
    steps_done: Tensor<1>,
    /// The fooled image nearest to the original, of the images' shape.
    nearest: Tensor<4>,
    /// Its distance, `[batch]`; above every epsilon where no image was fooled yet.
    distance: Tensor<1>,
}

impl Spheres {
    /// Returns the state before the first step.
    pub fn begin(images: &Tensor<4>) -> Self {
        let ([batch, ..], device) = (images.dims(), images.device());
        Self {
            radius: Tensor::full([batch], FIRST_RADIUS, &device),
            steps_done: Tensor::zeros([batch], &device),
            nearest: images.clone(),
            distance: Tensor::full([batch], f32::MAX, &device),
        }
    }

    /// Takes a step of a run of `total`, given which images are fooled, and the gradient at the images. Returns the next images.
    pub fn step(
        self,
        ball: &Ball,
        images: Tensor<4>,
        fooled: Tensor<1, Bool>,
        gradient: Tensor<4>,
        total: usize,
    ) -> (Tensor<4>, Self) {
        let [batch, ..] = images.dims();
        let distance = ball.distance(images.clone());
        let nearer = fooled.clone().bool_and(distance.clone().lower_equal(self.distance.clone()));
        let nearest = self.nearest.mask_where(each_value(nearer.clone(), &images), images.clone());
        let least = self.distance.mask_where(nearer, distance);

        let part = self.steps_done.clone().mul_scalar(PI / total.max(1) as f32).cos().add_scalar(1.0).mul_scalar(0.5);
        let moved = ball.ascend(images, gradient, part.mul_scalar(1.0 - LAST_LENGTH).add_scalar(LAST_LENGTH));
        let grows = self.radius.clone().mul_scalar(1.0 + GAMMA);
        let radius = grows.mask_where(fooled, self.radius.mul_scalar(1.0 - GAMMA)).clamp_max(ball.epsilon());
        let change = moved.clone().sub(ball.center());
        // A change of nothing has no direction, and stays.
        let factor = radius.clone().div(ball.distance(moved).clamp_min(1e-12)).reshape([batch, 1, 1, 1]);
        let moved = ball.center().add(change.mul(factor)).clamp(0.0, 1.0);
        (moved, Self { radius, steps_done: self.steps_done.add_scalar(1.0), nearest, distance: least })
    }

    /// Returns the fooled images nearest to the originals; where none was fooled, `images`.
    pub fn nearest_or(&self, images: Tensor<4>) -> Tensor<4> {
        let found = each_value(self.distance.clone().lower_elem(f32::MAX), &images);
        images.mask_where(found, self.nearest.clone())
    }

    /// Returns the state of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self {
            radius: rows.of(&self.radius),
            steps_done: rows.of(&self.steps_done),
            nearest: rows.of(&self.nearest),
            distance: rows.of(&self.distance),
        }
    }

    /// Puts the rows of `other` behind these.
    pub fn append(self, other: Self) -> Self {
        let join = |numbers, others| Tensor::cat(vec![numbers, others], 0);
        Self {
            radius: join(self.radius, other.radius),
            steps_done: join(self.steps_done, other.steps_done),
            nearest: Tensor::cat(vec![self.nearest, other.nearest], 0),
            distance: join(self.distance, other.distance),
        }
    }
}
