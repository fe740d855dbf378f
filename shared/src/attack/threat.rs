use burn::prelude::*;
use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What the attacker may do: move each pixel by at most `epsilon`, and stay within `[0, 1]`.
///
/// # Shapes
///
/// All images are `[batch, 3, height, width]` on one plain (non-autodiff) device.
#[derive(Clone, Debug)]
pub struct LinfBall {
    center: Tensor<4>,
    lower: Tensor<4>,
    upper: Tensor<4>,
    epsilon: f32,
}

impl LinfBall {
    /// The ball of radius `epsilon` (pixel units) around `center`, cut to the pixel range.
    pub fn new(center: Tensor<4>, epsilon: f32) -> Self {
        Self {
            lower: center.clone().sub_scalar(epsilon).clamp_min(0.0),
            upper: center.clone().add_scalar(epsilon).clamp_max(1.0),
            center,
            epsilon,
        }
    }

    /// A point drawn uniformly from the ball, the same one for a seed on every device.
    pub fn random_start(&self, seed: u64) -> Tensor<4> {
        // Not the device's own generator: each backend draws other numbers, and shares one state with the whole process.
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = self.center.dims();
        let noise: Vec<f32> =
            (0..shape.iter().product()).map(|_| self.epsilon * rng.random_range(-1.0..=1.0_f32)).collect();
        let noise = Tensor::from_data(TensorData::new(noise, shape), &self.center.device());
        self.project(self.center.clone().add(noise))
    }

    /// A step of `step_size` along the sign of `gradient`: the steepest ascent in L-infinity. `sign(0)` is 0.
    pub fn ascend(&self, images: Tensor<4>, gradient: Tensor<4>, step_size: f32) -> Tensor<4> {
        images.add(gradient.sign().mul_scalar(step_size))
    }

    /// The nearest point of the ball.
    pub fn project(&self, images: Tensor<4>) -> Tensor<4> {
        images.max_pair(self.lower.clone()).min_pair(self.upper.clone())
    }

    /// The images the ball is around.
    pub fn center(&self) -> Tensor<4> {
        self.center.clone()
    }
}
