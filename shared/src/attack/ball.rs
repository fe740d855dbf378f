use burn::prelude::*;
use burn::tensor::{IndexingUpdateOp, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

use super::largest::largest_places;
use super::rows::Rows;
use super::{Norm, ThreatModel};
use crate::seed::{Purpose, derive};

/// The images that an attacker may make of given ones: images within epsilon of them, in the norm of the threat model, whose
/// values are in `[0, 1]`.
///
/// # Shapes
///
/// All images are `[batch, 3, height, width]` on one plain (non-autodiff) device. No image influences another's.
#[derive(Clone, Debug)]
pub struct Ball {
    threat: ThreatModel,
    center: Tensor<4>,
    /// Lowest and highest value of each pixel in L-infinity; in L2 and L0 a bound on all values together decides instead.
    box_bounds: Option<[Tensor<4>; 2]>,
    /// `[1, 3, 1, 1]`: factor of epsilon for each channel.
    scale: Tensor<4>,
    /// `[1, 3, 1, 1]`, pixel units: epsilon for each channel.
    radius: Tensor<4>,
}

/// Seeds of the random numbers for some images.
#[derive(Clone, Copy, Debug)]
pub enum Seeds<'a> {
    /// One seed for all images together: the numbers of an image depend on its place in the batch.
    Batch(u64),
    /// One seed for each image, in order: an image has the same numbers as alone.
    Each(&'a [u64]),
}

impl Seeds<'_> {
    /// Returns a seed for each of so many images.
    pub(crate) fn of_images(&self, count: usize) -> Vec<u64> {
        match self {
            Self::Batch(seed) => (0..count as u64).map(|place| derive(*seed, place, Purpose::ImageStart)).collect(),
            Self::Each(seeds) => seeds.to_vec(),
        }
    }
}

impl From<u64> for Seeds<'_> {
    fn from(seed: u64) -> Self {
        Self::Batch(seed)
    }
}

impl Ball {
    /// Returns the ball of `threat` around `center`, whose values are in `[0, 1]`.
    pub fn new(center: Tensor<4>, threat: ThreatModel) -> Self {
        let per_channel = |values: [f32; 3]| Tensor::<1>::from_floats(values, &center.device()).reshape([1, 3, 1, 1]);
        let (scale, radius) = (per_channel(threat.channel_scale), per_channel(threat.radius()));
        let box_bounds = (threat.norm == Norm::Linf).then(|| {
            let (lower, upper) = (center.clone().sub(radius.clone()), center.clone().add(radius.clone()));
            [lower.clamp_min(0.0), upper.clamp_max(1.0)]
        });
        Self { threat, center, box_bounds, scale, radius }
    }

    /// Returns the images the ball is around.
    pub fn center(&self) -> Tensor<4> {
        self.center.clone()
    }

    /// Returns the number of images.
    pub(super) fn len(&self) -> usize {
        self.center.dims()[0]
    }

    /// Returns the norm that the ball is in.
    pub fn norm(&self) -> Norm {
        self.threat.norm
    }

    /// Returns the radius in the unit of epsilon.
    pub(super) fn epsilon(&self) -> f32 {
        self.threat.epsilon
    }

    /// Returns epsilon for each channel, `[1, 3, 1, 1]`, in pixel units.
    pub(super) fn radius(&self) -> Tensor<4> {
        self.radius.clone()
    }

    /// Draws a point of the ball, uniformly before values are clamped to `[0, 1]`; the same one for a seed on every device.
    ///
    /// In L2 the point is uniform in the ball, as in Foolbox, so that nearly all points are at its surface (torchattacks draws
    /// the distance uniformly instead). In L0 places and colours of epsilon pixels are drawn.
    pub fn random_start<'a>(&self, seeds: impl Into<Seeds<'a>>) -> Tensor<4> {
        match self.threat.norm {
            Norm::Linf => self
                .moved_at_random(seeds.into(), |rng, size| (0..size).map(|_| rng.random_range(-1.0..=1.0)).collect()),
            Norm::L2 => self.moved_at_random(seeds.into(), uniform_in_l2_ball),
            Norm::L0 => self.random_pixels(seeds.into(), |rng| rng.random_range(-1.0..=1.0)),
        }
    }

    /// Draws a point at distance epsilon whose moved values are all moved equally far, each up or down by the toss of a coin; the
    /// same point for a seed on every device. In L-infinity all values are moved: a corner of the ball. In L2 as many values,
    /// drawn at random, as can be moved by a 255th or more, since less is lost in a picture of 8 bits. In L0 epsilon pixels become black
    /// or white in each channel.
    pub fn random_corner<'a>(&self, seeds: impl Into<Seeds<'a>>) -> Tensor<4> {
        let toss = |rng: &mut StdRng, by: f32| if rng.random() { by } else { -by };
        match self.threat.norm {
            Norm::Linf => self.moved_at_random(seeds.into(), |rng, size| (0..size).map(|_| toss(rng, 1.0)).collect()),
            Norm::L2 => {
                let levels = 255.0 * self.threat.epsilon;
                self.moved_at_random(seeds.into(), |rng, size| {
                    let count = ((levels * levels) as usize).clamp(1, size);
                    let by = (count as f32).sqrt().recip();
                    let mut parts = vec![0.0; size];
                    for index in rand::seq::index::sample(rng, size, count) {
                        parts[index] = toss(rng, by);
                    }
                    parts
                })
            }
            Norm::L0 => self.random_pixels(seeds.into(), |rng| toss(rng, 1.0)),
        }
    }

    /// Moves all channels of epsilon pixels, which are drawn at random, by what `draw` draws.
    fn random_pixels(&self, seeds: Seeds<'_>, draw: impl Fn(&mut StdRng) -> f32 + Sync) -> Tensor<4> {
        let [_, channels, height, width] = self.center.dims();
        self.moved_at_random(seeds, |rng, size| {
            let mut parts = vec![0.0; size];
            for pixel in rand::seq::index::sample(rng, height * width, self.pixels()) {
                (0..channels).for_each(|channel| parts[channel * height * width + pixel] = draw(rng));
            }
            parts
        })
    }

    /// Returns how many pixels may change in L0: at most all.
    pub(super) fn pixels(&self) -> usize {
        let [_, _, height, width] = self.center.dims();
        (self.threat.epsilon as usize).min(height * width)
    }

    /// Moves `images` along the direction of steepest ascent for `gradient`: its sign in L-infinity (`sign(0)` is 0), the
    /// gradient divided by its length in L2 (a gradient of zeros moves nothing). A length below zero is a descent. L0 bounds no value, and
    /// takes the sign as well.
    ///
    /// # Shapes
    ///
    /// - `images`, `gradient`: `[batch, 3, height, width]`
    /// - `length`: `[1]` for all images or `[batch]`, in the unit of epsilon
    pub fn ascend(&self, images: Tensor<4>, gradient: Tensor<4>, length: Tensor<1>) -> Tensor<4> {
        let [lengths] = length.dims();
        let step = self.scale.clone().mul(length.reshape([lengths, 1, 1, 1]));
        let steepest = match self.threat.norm {
            Norm::Linf | Norm::L0 => gradient.sign(),
            // In normalised space the slope is along normalised values.
            Norm::L2 => l2_normalized(gradient.mul(self.scale.clone())),
        };
        images.add(steepest.mul(step))
    }

    /// Brings `images` into the ball: in L-infinity to the nearest points; in L2, as torchattacks does, by shortening changes to
    /// epsilon first and clamping values to `[0, 1]` then, which moves them towards the center and so keeps them in the ball; in L0 by
    /// taking back all but the longest changes of a pixel.
    pub fn project(&self, images: Tensor<4>) -> Tensor<4> {
        if let Some([lower, upper]) = &self.box_bounds {
            return images.max_pair(lower.clone()).min_pair(upper.clone());
        }
        let change = images.sub(self.center.clone());
        if self.threat.norm == Norm::L0 {
            let mask = self.largest_pixels(change.clone());
            return self.center.clone().add(change.mul(mask)).clamp(0.0, 1.0);
        }
        let length = l2_norm(change.clone().div(self.scale.clone()));
        // The smallest number above 0 keeps 0 / 0 away.
        let factor = length.clamp_min(f32::MIN_POSITIVE).recip().mul_scalar(self.threat.epsilon).clamp_max(1.0);
        self.center.clone().add(change.mul(factor)).clamp(0.0, 1.0)
    }

    /// Returns how far each of `images` is from the center, in the ball's norm and in the unit of epsilon: `[batch]`.
    pub fn distance(&self, images: Tensor<4>) -> Tensor<1> {
        let [batch, ..] = images.dims();
        let change = images.sub(self.center.clone()).div(self.scale.clone());
        match self.threat.norm {
            Norm::Linf => largest(change).reshape([batch]),
            Norm::L2 => l2_norm(change).reshape([batch]),
            Norm::L0 => pixels_of(change.abs()).greater_elem(0.0).float().sum_dim(1).reshape([batch]),
        }
    }

    /// Returns 1 for the epsilon pixels of each image with the largest changes and 0 for the others, `[batch, 1, height, width]`.
    fn largest_pixels(&self, change: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = change.dims();
        let none = Tensor::<2>::zeros([batch, height * width], &change.device());
        let count = self.pixels();
        let mask = match count {
            0 => none,
            all if all == height * width => none.ones_like(),
            _ => {
                let places = largest_places(pixels_of(change.square()), count);
                let ones = Tensor::ones([batch, count], &none.device());
                none.scatter(1, places, ones, IndexingUpdateOp::Add)
            }
        };
        mask.reshape([batch, 1, height, width])
    }

    /// Returns how much a function with this gradient grows at most along a step of length 1 in L2, `[batch]`.
    pub(super) fn slope(&self, gradient: Tensor<4>) -> Tensor<1> {
        let [batch, ..] = gradient.dims();
        let gradient = gradient.mul(self.scale.clone());
        // The square of a small gradient is 0 in f32.
        let steepest = largest(gradient.clone());
        l2_norm(scaled_to_one(gradient)).mul(steepest).reshape([batch])
    }

    /// Returns the ball around the images `rows` alone.
    pub(super) fn select(&self, rows: &Rows) -> Self {
        Self {
            center: rows.of(&self.center),
            box_bounds: self.box_bounds.as_ref().map(|bounds| bounds.each_ref().map(|bound| rows.of(bound))),
            ..self.clone()
        }
    }

    /// Puts the images of `other`, a ball of the same threat model, behind these.
    pub(super) fn append(self, other: Self) -> Self {
        let join = |images, others| Tensor::cat(vec![images, others], 0);
        let box_bounds = self.box_bounds.zip(other.box_bounds);
        Self {
            center: join(self.center, other.center),
            box_bounds: box_bounds.map(|([a, b], [c, d])| [join(a, c), join(b, d)]),
            ..self
        }
    }

    /// Moves the center by parts of the radius that `draw` draws for the values of an image, as many as its second argument.
    /// The device's own generator is not used: each backend draws other numbers, and shares one state with the whole process.
    fn moved_at_random(&self, seeds: Seeds<'_>, draw: impl Fn(&mut StdRng, usize) -> Vec<f32> + Sync) -> Tensor<4> {
        let shape = self.center.dims();
        let [batch, channels, height, width] = shape;
        let size = channels * height * width;
        let seeds = match seeds {
            // The first image has the numbers that it has alone.
            Seeds::Batch(first) => {
                std::iter::once(first).chain(seeds.of_images(batch).into_iter().skip(1)).take(batch).collect()
            }
            Seeds::Each(seeds) => seeds.to_vec(),
        };
        assert_eq!(seeds.len(), batch, "one seed for each image");
        let mut parts = vec![0.0; batch * size];
        let fill =
            |(out, &seed): (&mut [f32], &u64)| out.copy_from_slice(&draw(&mut StdRng::seed_from_u64(seed), size));
        // Drawing the noise of a large batch on one core takes longer than a GPU's step.
        #[cfg(not(target_family = "wasm"))]
        parts.par_chunks_mut(size).zip(&seeds).for_each(fill);
        #[cfg(target_family = "wasm")]
        parts.chunks_mut(size).zip(&seeds).for_each(fill);
        let parts = Tensor::<4>::from_data(TensorData::new(parts, shape), &self.center.device());
        // L0 bounds no value.
        let change = if self.threat.norm == Norm::L0 { parts } else { parts.mul(self.radius.clone()) };
        self.project(self.center.clone().add(change))
    }
}

/// Draws a point uniformly from the unit ball of L2 in `size` dimensions: a direction by normal numbers, and a distance whose
/// `size`-th power is uniform (Muller, 1959).
fn uniform_in_l2_ball(rng: &mut StdRng, size: usize) -> Vec<f32> {
    let direction: Vec<f64> = (0..size).map(|_| rng.sample(StandardNormal)).collect();
    let length = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
    let distance = rng.random::<f64>().powf(1.0 / size as f64);
    direction.into_iter().map(|value| (value / length * distance) as f32).collect()
}

/// Returns the sum over the channels of each pixel: `[batch, height * width]`.
fn pixels_of(images: Tensor<4>) -> Tensor<2> {
    let [batch, _, height, width] = images.dims();
    images.sum_dim(1).reshape([batch, height * width])
}

/// Returns the largest absolute value of each image: `[batch, 1, 1, 1]`.
pub(super) fn largest(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    images.abs().reshape([batch, channels * height * width]).max_dim(1).reshape([batch, 1, 1, 1])
}

/// Divides each image by its largest absolute value, so that no later square or sum is lost to rounding: the gradient of a
/// confident network may be smaller than f32 can square. An image of zeros stays zero.
pub(super) fn scaled_to_one(images: Tensor<4>) -> Tensor<4> {
    let largest = largest(images.clone()).clamp_min(f32::MIN_POSITIVE);
    images.div(largest)
}

/// Returns the L2 norm of each image: `[batch, 1, 1, 1]`.
pub(super) fn l2_norm(images: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    images.square().reshape([batch, channels * height * width]).sum_dim(1).sqrt().reshape([batch, 1, 1, 1])
}

/// Divides each image by its L2 norm; an image of zeros stays zero.
fn l2_normalized(images: Tensor<4>) -> Tensor<4> {
    let images = scaled_to_one(images);
    // With 1 the largest value the length is 1 at least, or 0.
    images.clone().div(l2_norm(images).clamp_min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        pollster::block_on(read(tensor)).unwrap()
    }

    fn grey(batch: usize) -> Tensor<4> {
        Tensor::full([batch, 3, 64, 64], 0.5, &Device::flex())
    }

    #[test]
    fn random_points_of_the_l2_ball_are_near_its_surface_and_an_image_s_own() {
        let ball = Ball::new(grey(3), ThreatModel::l2(0.5));
        for distance in values(ball.distance(ball.random_start(7))) {
            assert!((0.498..=0.50001).contains(&distance), "{distance}");
        }
        let each = ball.random_start(Seeds::Each(&[4, 5, 6]));
        let alone = Ball::new(grey(1), ThreatModel::l2(0.5)).random_start(5);
        assert_eq!(values(each.clone().narrow(0, 1, 1)), values(alone));
        let means = values(each.sub(grey(3)).mean_dim(3).mean_dim(2).mean_dim(1));
        // A value is 0.5 / 110.9 off on average, up as often as down; a mean of 12,288 of them 4e-5.
        assert!(means.iter().all(|mean| mean.abs() < 2e-4), "{means:?}");
    }

    #[test]
    fn the_ball_of_l0_keeps_the_pixels_that_change_most() {
        let ball = Ball::new(grey(2), ThreatModel::new(Norm::L0, 3.0));
        // Each pixel changes by more than the one before, and one channel of it only.
        let change = Tensor::<4>::from_data(
            TensorData::new((0..2 * 4096).map(|i| 1e-4 + (i % 4096) as f32 / 1e4).collect::<Vec<_>>(), [2, 1, 64, 64]),
            &Device::flex(),
        );
        let kept = ball.project(grey(2).slice_assign([0..2, 1..2, 0..64, 0..64], change.add_scalar(0.5)));
        assert_eq!(values(ball.distance(kept.clone())), [3.0, 3.0]);
        let changed: Vec<usize> = values(kept)
            .iter()
            .enumerate()
            .filter(|(_, value)| **value != 0.5)
            .map(|(index, _)| index % 4096)
            .collect();
        assert_eq!(changed, [4093, 4094, 4095, 4093, 4094, 4095]);
        assert_eq!(values(ball.project(grey(2))), values(grey(2)));
    }

    #[test]
    fn corners_are_as_far_as_epsilon_in_every_norm() {
        for threat in [ThreatModel::linf(0.1), ThreatModel::l2(2.0), ThreatModel::new(Norm::L0, 5.0)] {
            let ball = Ball::new(grey(2), threat);
            for distance in values(ball.distance(ball.random_corner(3))) {
                assert!((distance / threat.epsilon - 1.0).abs() < 1e-5, "{threat}: {distance}");
            }
        }
    }

    #[test]
    fn steps_have_the_length_of_their_image_however_small_the_gradient() {
        let device = Device::flex();
        let ball = Ball::new(grey(3), ThreatModel::l2(9.0));
        let wave: Vec<f32> = (0..3 * 12_288).map(|i| (i as f32 / 300.0).sin()).collect();
        let wave = Tensor::<4>::from_data(TensorData::new(wave, [3, 3, 64, 64]), &device);
        // The squares of the second image's values are 0 in f32, and the third has no gradient.
        let sizes = Tensor::<1>::from_floats([1.0, 1e-30, 0.0], &device).reshape([3, 1, 1, 1]);
        let lengths = Tensor::<1>::from_floats([0.25, 0.75, 0.5], &device);
        let moved = values(ball.distance(ball.ascend(grey(3), wave.mul(sizes), lengths)));
        for (found, expected) in moved.iter().zip([0.25, 0.75, 0.0]) {
            assert!((found - expected).abs() < 1e-4, "{moved:?}");
        }
    }

    #[test]
    fn projection_shortens_what_is_outside_and_leaves_what_is_inside() {
        for scale in [[1.0; 3], [0.2, 0.3, 0.4]] {
            let ball = Ball::new(grey(2), ThreatModel { channel_scale: scale, ..ThreatModel::l2(1.0) });
            let near = ball.random_corner(1).sub(grey(2)).mul_scalar(0.5).add(grey(2));
            let far = near.clone().sub(grey(2)).mul_scalar(20.0).add(grey(2));
            let distances = |images| values(ball.distance(ball.project(images)));
            assert!(distances(near).iter().all(|distance| (distance - 0.5).abs() < 1e-4));
            assert!(distances(far).iter().all(|distance| (distance - 1.0).abs() < 1e-4));
            let none = Ball::new(grey(2), ThreatModel { epsilon: 0.0, channel_scale: scale, ..ThreatModel::l2(1.0) });
            assert_eq!(values(none.random_start(1)), values(grey(2)));
        }
    }
}
