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

    /// As [`Self::random_start`] with a seed for each image: what it would be for a ball around that image alone.
    pub fn random_starts(&self, seeds: &[u64]) -> Tensor<4> {
        self.each_moved_at_random(seeds, |rng| rng.random_range(-1.0..=1.0))
    }

    /// As [`Self::random_corner`] with a seed for each image: what it would be for a ball around that image alone.
    pub fn random_corners(&self, seeds: &[u64]) -> Tensor<4> {
        self.each_moved_at_random(seeds, |rng| if rng.random() { 1.0 } else { -1.0 })
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

    /// The ball around the images `rows` alone.
    pub(super) fn select(&self, rows: Tensor<1, Int>) -> Self {
        let rows_of = |images: &Tensor<4>| images.clone().select(0, rows.clone());
        Self {
            center: rows_of(&self.center),
            lower: rows_of(&self.lower),
            upper: rows_of(&self.upper),
            radius: self.radius.clone(),
        }
    }

    /// With the images of `other`, of the same radius, behind these.
    pub(super) fn append(self, other: Self) -> Self {
        let join = |images, others| Tensor::cat(vec![images, others], 0);
        Self {
            center: join(self.center, other.center),
            lower: join(self.lower, other.lower),
            upper: join(self.upper, other.upper),
            radius: self.radius,
        }
    }

    /// The centre moved by a `part` of the radius that is drawn for each value.
    fn moved_at_random(&self, seed: u64, part: impl Fn(&mut StdRng) -> f32) -> Tensor<4> {
        self.moved(drawn(seed, self.center.shape().num_elements(), part).collect())
    }

    /// The same with a seed for each image.
    fn each_moved_at_random(&self, seeds: &[u64], part: impl Fn(&mut StdRng) -> f32) -> Tensor<4> {
        let [_, channels, height, width] = self.center.dims();
        self.moved(seeds.iter().flat_map(|&seed| drawn(seed, channels * height * width, &part)).collect())
    }

    /// The centre moved by `parts` of the radius.
    fn moved(&self, parts: Vec<f32>) -> Tensor<4> {
        let shape = self.center.dims();
        let parts = Tensor::<4>::from_data(TensorData::new(parts, shape), &self.center.device());
        self.project(self.center.clone().add(parts.mul(self.radius.clone())))
    }
}

/// `count` values of `part`. Not by the device's own generator: each backend draws other numbers, and shares one state with the
/// whole process.
fn drawn(seed: u64, count: usize, part: impl Fn(&mut StdRng) -> f32) -> impl Iterator<Item = f32> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count).map(move |_| part(&mut rng))
}

/// `[1, 3, 1, 1]`.
fn per_channel(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1])
}
