use burn::prelude::*;
use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What the attacker may do: move each value by at most the radius of its channel, and stay within `[0, 1]`.
///
/// # Shapes
///
/// All images are `[batch, 3, height, width]` on one plain (non-autodiff) device.
#[derive(Clone, Debug)]
pub struct LinfBall {
    center: Tensor<4>,
    lower: Tensor<4>,
    upper: Tensor<4>,
    /// `[1, 3, 1, 1]`, pixel units.
    radius: Tensor<4>,
}

impl LinfBall {
    /// The ball around `center` whose radius is `radius` (RGB, pixel units), cut to the pixel range.
    pub fn new(center: Tensor<4>, radius: [f32; 3]) -> Self {
        let radius = per_channel(radius, &center.device());
        Self {
            lower: center.clone().sub(radius.clone()).clamp_min(0.0),
            upper: center.clone().add(radius.clone()).clamp_max(1.0),
            center,
            radius,
        }
    }

    /// A point drawn uniformly from the ball, the same one for a seed on every device.
    pub fn random_start(&self, seed: u64) -> Tensor<4> {
        self.moved_at_random(seed, |rng| rng.random_range(-1.0..=1.0))
    }

    /// A corner of the ball by the toss of a coin for each value, the same one for a seed on every device.
    pub fn random_corner(&self, seed: u64) -> Tensor<4> {
        self.moved_at_random(seed, |rng| if rng.random() { 1.0 } else { -1.0 })
    }

    /// A step of `step_size` (RGB, pixel units) along the sign of `gradient`: the steepest ascent in L-infinity. `sign(0)`
    /// is 0.
    pub fn ascend(&self, images: Tensor<4>, gradient: Tensor<4>, step_size: [f32; 3]) -> Tensor<4> {
        let step = per_channel(step_size, &images.device());
        images.add(gradient.sign().mul(step))
    }

    /// The nearest point of the ball.
    pub fn project(&self, images: Tensor<4>) -> Tensor<4> {
        images.max_pair(self.lower.clone()).min_pair(self.upper.clone())
    }

    /// The images the ball is around.
    pub fn center(&self) -> Tensor<4> {
        self.center.clone()
    }

    /// The centre moved by a `part` of the radius that is drawn for each value.
    fn moved_at_random(&self, seed: u64, part: impl Fn(&mut StdRng) -> f32) -> Tensor<4> {
        // Not the device's own generator: each backend draws other numbers, and shares one state with the whole process.
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = self.center.dims();
        let parts: Vec<f32> = (0..shape.iter().product()).map(|_| part(&mut rng)).collect();
        let parts = Tensor::<4>::from_data(TensorData::new(parts, shape), &self.center.device());
        self.project(self.center.clone().add(parts.mul(self.radius.clone())))
    }
}

/// `[1, 3, 1, 1]`.
fn per_channel(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1])
}
