//! FAB (Croce and Hein, 2019, arXiv 1907.02044), towards one class, or the likeliest other one of the moment: looks for the nearest image that is fooled, by steps onto the
//! plane where the linearised network takes both classes for equally likely. An image on the way may be further than epsilon, and
//! counts only if it is not.

use burn::prelude::*;

use super::ball::{l2_norm, largest};
use super::gradient_step::{Evaluated, evaluate};
use super::objective::Objective;
use super::{Ball, Norm};
use crate::model::Classifier;

/// How far a step goes beyond the plane.
const OVERSHOOT: f32 = 1.05;
/// Part of the change that is left of an image once it is fooled.
const BACK: f32 = 0.9;
/// Largest weight of the step from the image as it was given.
const MOST_WEIGHT: f32 = 0.1;
/// Halvings of the interval of a plane's distance: after as many, f32 tells no more.
const HALVINGS: usize = 32;

/// Moves `images` by one step. Returns the moved images with what the network gave: the logits of the images as they were
/// before, and values and gradient where the step began.
pub(super) fn step(
    model: &Classifier,
    ball: &Ball,
    objective: &Objective,
    images: Tensor<4>,
) -> (Tensor<4>, Evaluated) {
    let logits = model.forward(images.clone());
    let original = ball.center();
    let fooled: Tensor<4, Bool> =
        objective.is_reached(logits.clone()).reshape([images.dims()[0], 1, 1, 1]).expand(images.dims());
    let nearer = original.clone().add(images.clone().sub(original.clone()).mul_scalar(BACK));
    let from = images.mask_where(fooled, nearer);
    // The values are margins, which are 0 on the boundary.
    let Evaluated { gradient, values, .. } = evaluate(model, from.clone(), |logits| objective.values(logits));
    let along = |point: &Tensor<4>| sum(point.clone().sub(from.clone()).mul(gradient.clone()));
    let here = to_plane(ball.norm(), &from, &gradient, values.clone());
    let there = to_plane(ball.norm(), &original, &gradient, values.clone().add(along(&original)));
    let length = |change: &Tensor<4>| match ball.norm() {
        Norm::Linf => largest(change.clone()),
        // FAB has no form in L0.
        Norm::L2 | Norm::L0 => l2_norm(change.clone()),
    };
    let (near, far) = (length(&here).clamp_min(1e-8), length(&there).clamp_min(1e-8));
    let weight = near.clone().div(near.add(far)).clamp_max(MOST_WEIGHT);
    let from_here = from.add(here.mul_scalar(OVERSHOOT)).mul(weight.clone().neg().add_scalar(1.0));
    let from_there = original.add(there.mul_scalar(OVERSHOOT)).mul(weight);
    (from_here.add(from_there).clamp(0.0, 1.0), Evaluated { gradient, values, logits })
}

/// Returns the shortest change of `points` after which a linear function, which is `values` at the points and has that gradient, is 0,
/// with values in `[0, 1]`; where no such change is long enough, the whole way to the ends of the range.
///
/// Each value moves by as much as all (L-infinity), or in proportion to its slope (L2), until it is at an end of its range; the
/// sum of the movements grows with their length, which is found by halving an interval instead of sorting the values.
fn to_plane(norm: Norm, points: &Tensor<4>, gradient: &Tensor<4>, values: Tensor<1>) -> Tensor<4> {
    let [batch, ..] = points.dims();
    let each = |numbers: Tensor<1>| numbers.reshape([batch, 1, 1, 1]);
    // Slopes of 1 at most: the length of a gradient does not matter, and f32 might not square it.
    let steepest = largest(gradient.clone()).clamp_min(f32::MIN_POSITIVE);
    let direction = each(values.clone().sign().neg());
    let slope = gradient.clone().div(steepest.clone()).mul(direction);
    let missing = values.abs().div(steepest.reshape([batch]));
    let up = slope.clone().greater_elem(0.0);
    let room = points.clone().mask_where(up, points.clone().neg().add_scalar(1.0));
    let steep = slope.clone().abs();
    let moved = |length: Tensor<1>| {
        let wanted = match norm {
            // A value without a slope stays.
            Norm::Linf => each(length).mul(steep.clone().greater_elem(0.0).float()),
            Norm::L2 | Norm::L0 => steep.clone().mul(each(length)),
        };
        wanted.min_pair(room.clone())
    };
    let (mut low, mut high) = match norm {
        Norm::Linf => (missing.zeros_like(), missing.ones_like()),
        // In powers of 2 from the length without any end of a range.
        Norm::L2 | Norm::L0 => (missing.zeros_like(), Tensor::full([batch], 40.0, &points.device())),
    };
    let least = missing.clone().div(sum(steep.clone().square()).clamp_min(f32::MIN_POSITIVE));
    let length = |at: Tensor<1>| match norm {
        Norm::Linf => at,
        Norm::L2 | Norm::L0 => at.mul_scalar(std::f32::consts::LN_2).exp().mul(least.clone()),
    };
    for _ in 0..HALVINGS {
        let middle = low.clone().add(high.clone()).mul_scalar(0.5);
        let short = sum(moved(length(middle.clone())).mul(steep.clone())).lower(missing.clone());
        low = low.mask_where(short.clone(), middle.clone());
        high = middle.mask_where(short, high);
    }
    moved(length(high)).mul(slope.sign())
}

/// Returns the sum of each image's values: `[batch]`.
fn sum(images: Tensor<4>) -> Tensor<1> {
    let [batch, channels, height, width] = images.dims();
    images.reshape([batch, channels * height * width]).sum_dim(1).reshape([batch])
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::device::read;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        pollster::block_on(read(tensor)).unwrap()
    }

    fn wave(batch: usize, by: f32, around: f32, size: f32) -> Tensor<4> {
        let shape = [batch, 3, 8, 8];
        let values = (0..batch * 192).map(|index| around + size * (index as f32 * by).sin()).collect::<Vec<_>>();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn the_way_to_a_plane_ends_on_it_and_is_the_shortest() {
        for norm in [Norm::Linf, Norm::L2] {
            for sign in [1.0, -1.0] {
                let (points, gradient) = (wave(2, 0.7, 0.5, 0.5), wave(2, 1.3, 0.0, 2.0));
                let missing = Tensor::<1>::from_floats([sign * 3.0, sign * 30.0], &Device::flex());
                let change = to_plane(norm, &points, &gradient, missing.clone());
                let left = values(sum(change.clone().mul(gradient.clone())).add(missing));
                assert!(left.iter().all(|left| left.abs() < 1e-2), "{norm:?}: {left:?}");
                let inside = values(points.clone().add(change.clone()));
                assert!(inside.iter().all(|value| (-1e-6..=1.000_001).contains(value)));
                // No value with a slope and with room moves less than the others.
                let (change, points, gradient) = (values(change), values(points), values(gradient));
                for image in 0..2 {
                    let range = image * 192..(image + 1) * 192;
                    let rate = |index: usize| match norm {
                        Norm::Linf => change[index].abs(),
                        Norm::L2 | Norm::L0 => change[index].abs() / gradient[index].abs(),
                    };
                    let most = range.clone().map(rate).fold(0.0, f32::max);
                    for index in range {
                        let end = points[index] + change[index];
                        let at_an_end = !(1e-5..=1.0 - 1e-5).contains(&end);
                        let is_flat = gradient[index].abs() < 1e-3;
                        assert!(at_an_end || is_flat || rate(index) > most * 0.999, "{norm:?}: {index} moves less");
                    }
                }
            }
        }
    }

    #[test]
    fn a_plane_out_of_reach_is_approached_as_far_as_the_range_goes() {
        let (points, gradient) = (wave(1, 0.7, 0.5, 0.4), wave(1, 1.3, 0.0, 2.0));
        for norm in [Norm::Linf, Norm::L2] {
            let far = Tensor::<1>::from_floats([1e4], &Device::flex());
            let moved = values(points.clone().add(to_plane(norm, &points, &gradient, far)));
            let at_ends = moved.iter().filter(|value| **value < 1e-4 || **value > 1.0 - 1e-4).count();
            assert!(at_ends > 185, "{norm:?}: {at_ends} of 192");
        }
    }
}
