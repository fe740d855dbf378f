//! DeepFool (Moosavi-Dezfooli et al., 2016, arXiv 1511.04599) in L2: steps onto the nearest boundary between the label and another class,
//! as the linearised network has it, until the boundary is crossed. An image on the way may be further than epsilon, and counts only
//! if it is not.

use burn::prelude::*;

use super::Ball;
use super::gradient_step::{Evaluated, evaluate};
use super::objective::Objective;
use crate::model::Classifier;

/// Part by which the change goes beyond the boundary, in the authors' code.
const OVERSHOOT: f32 = 0.02;
/// Length that is added to each step, as in the authors' code: an image may else stop short of a boundary for ever.
const ADDED: f32 = 1e-4;

/// Moves `images` by one step, but for those that are at their goal. `steps` is the sum of all steps so far, of the images' shape.
/// Returns the moved images with the new sum, and what the network gave: logits at the images, and values and gradient of the
/// boundary that each image moved towards.
///
/// Away from a label the boundaries are those to the nine likeliest other classes of the moment (the authors keep those of the first
/// step); towards one it is that to the likeliest class of the moment.
pub(super) fn step(
    model: &Classifier,
    ball: &Ball,
    objective: &Objective,
    images: Tensor<4>,
    steps: Tensor<4>,
) -> (Tensor<4>, Tensor<4>, Evaluated) {
    let [batch, ..] = images.dims();
    let logits = model.forward(images.clone());
    let boundary = |objective: &Objective| {
        let evaluated = evaluate(model, images.clone(), |logits| objective.values(logits));
        // Without a slope the boundary is nowhere.
        let slope = ball.slope(evaluated.gradient.clone()).clamp_min(f32::MIN_POSITIVE);
        let distance = evaluated.values.clone().abs().div(slope);
        (evaluated, distance)
    };
    let (mut nearest, mut distance) = match objective.leads_away() {
        false => boundary(objective),
        true => {
            let others = objective.likeliest_others(&logits);
            let towards = |place: usize| {
                let class = others.clone().narrow(1, place, 1).reshape([batch]);
                boundary(&objective.with_classes(objective.labels(), Some(class)))
            };
            let [_, count] = others.dims();
            let first = towards(0);
            (1..count).map(towards).fold(first, nearer)
        }
    };
    // A boundary beyond all pictures is none.
    let beyond = distance.clone().greater_equal_elem(ball.norm().largest_radius());
    distance = distance.mask_fill(beyond, 0.0);
    nearest.logits = logits;
    let step = ball.ascend(steps.zeros_like(), nearest.gradient.clone(), distance.add_scalar(ADDED));
    let steps = steps.add(step);
    let moved = ball.center().add(steps.clone().mul_scalar(1.0 + OVERSHOOT)).clamp(0.0, 1.0);
    let fooled = each_value(objective.is_reached(nearest.logits.clone()), &images);
    (moved.mask_where(fooled, images), steps, nearest)
}

/// Returns for each image the nearer of two boundaries, with its distance.
fn nearer(one: (Evaluated, Tensor<1>), other: (Evaluated, Tensor<1>)) -> (Evaluated, Tensor<1>) {
    let ((one, distance), (other, other_distance)) = (one, other);
    let is_nearer = other_distance.clone().lower(distance.clone());
    let evaluated = Evaluated {
        gradient: one.gradient.clone().mask_where(each_value(is_nearer.clone(), &one.gradient), other.gradient),
        values: one.values.mask_where(is_nearer.clone(), other.values),
        logits: one.logits,
    };
    (evaluated, distance.mask_where(is_nearer, other_distance))
}

/// Repeats what is true of an image for each of its values.
pub(super) fn each_value(images: Tensor<1, Bool>, like: &Tensor<4>) -> Tensor<4, Bool> {
    let [batch, ..] = like.dims();
    images.reshape([batch, 1, 1, 1]).expand(like.dims())
}
