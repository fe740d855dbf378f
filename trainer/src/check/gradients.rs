//! Checks that gradients are not zero, and that the loss rises along them.

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use shared::attack::{AttackRun, Goal, loss_gradient};
use shared::metrics::Proportion;

use super::Finding;
use super::checked_model::{CheckedModel, NOT_FIRST, TrialOutcome, label_tensor};
use crate::data::IMAGE_BYTES;
use crate::evaluate::{GRADIENT, logits};
use crate::models::read;

/// Largest share of images without a gradient, and of values without one. Each such image adds to robust accuracy for nothing,
/// so the limit is that of twice the steps; `sign(0)` is 0, so each such value is a part of the ball that goes unused.
const ZERO: f64 = 0.01;
/// Least gain of the loss during the attack, in nats: less than any gradient gives at an epsilon of use, more than rounding
/// does.
const GAIN: f64 = 0.01;
/// Largest fall of the loss from its highest value so far, as a part of its gain: steps of a fixed length overshoot.
const DIP: f64 = 0.05;
/// Largest gain in the last quarter of the steps, as a part of the whole gain of the loss: a steady climb adds 25%, and a
/// sound attack on a network that was never hardened, whose loss has no ceiling, nearly 10%.
const STILL_CLIMBING: f64 = 0.15;

/// Counts of input gradients that are zero.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Zeros {
    /// Images whose gradient is zero everywhere.
    images: Proportion,
    /// Values whose gradient is zero.
    values: Proportion,
}

impl Zeros {
    const NONE: Self = Self { images: Proportion { hits: 0, of: 0 }, values: Proportion { hits: 0, of: 0 } };

    /// Adds the gradients of some images, one image after the other.
    fn add(&mut self, gradients: &[f32]) {
        for image in gradients.chunks_exact(IMAGE_BYTES) {
            let zeros = image.iter().filter(|&&value| value == 0.0).count();
            self.values.hits += zeros;
            self.values.of += image.len();
            self.images.hits += usize::from(zeros == image.len());
            self.images.of += 1;
        }
    }
}

/// Counts zeros in the gradients at the images themselves.
pub fn zeros(model: &CheckedModel<'_>, _: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let batches = model.each_batch("gradients", GRADIENT, |bundle, batch| {
        let labels = label_tensor(&batch.labels, &batch.images.device());
        let gradients = read(loss_gradient(&bundle.model, batch.images, labels))?;
        ensure!(gradients.iter().all(|value| value.is_finite()), "an input gradient is not a number");
        let mut zeros = Zeros::NONE;
        zeros.add(&gradients);
        Ok(zeros)
    })?;
    let sum = |a: Proportion, b: Proportion| Proportion { hits: a.hits + b.hits, of: a.of + b.of };
    Ok(judge_zeros(batches.into_iter().fold(Zeros::NONE, |all, batch| Zeros {
        images: sum(all.images, batch.images),
        values: sum(all.values, batch.values),
    })))
}

fn judge_zeros(Zeros { images, values }: Zeros) -> Finding {
    let figure =
        format!("all zero for {} of {} images; {:.3}% of all values", images.hits, images.of, 100.0 * values.value());
    Finding::new(images.value() <= ZERO && values.value() <= ZERO, figure, "1% of either")
}

/// Follows the mean loss of the first batch after each step of the white-box attack.
pub fn climb(model: &CheckedModel<'_>, _: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let losses = model.first_batch("loss curve", |bundle, batch| {
        let config = model.plan.white_box().attack.context("the white-box attack is one")?.config;
        let labels = label_tensor(&batch.labels, &batch.images.device());
        let mut run = AttackRun::new(&config, batch.images, labels, Goal::Untargeted)?;
        let mean_loss = |images: Tensor<4>| {
            let mut outcome = TrialOutcome::default();
            outcome.add(&logits(bundle, images)?, &batch.labels);
            anyhow::Ok((outcome.loss.iter().sum::<f64>() / outcome.loss.len() as f64) as f32)
        };
        let mut losses = vec![mean_loss(run.adversarial())?];
        while !run.is_done() {
            run.step(&bundle.model);
            losses.push(mean_loss(run.adversarial())?);
        }
        Ok(losses)
    })?;
    let Some(losses) = losses else { return Ok(Finding::skipped(NOT_FIRST)) };
    Ok(judge_climb(&losses.iter().copied().map(f64::from).collect::<Vec<_>>()).with_curve(losses))
}

/// `losses` are the mean losses at the start and after each step, in nats.
fn judge_climb(losses: &[f64]) -> Finding {
    let (start, end) = (losses[0], losses[losses.len() - 1]);
    let gain = end - start;
    let mut highest = start;
    let mut dip: f64 = 0.0;
    for &loss in losses {
        dip = dip.max(highest - loss);
        highest = highest.max(loss);
    }
    let before_last_quarter = losses[(losses.len() - 1) * 3 / 4];
    let late = (end - before_last_quarter) / gain;
    let climbs = gain > GAIN && dip <= DIP * gain;
    let figure = match climbs {
        true => format!("{start:.3} to {end:.3}, {:.1}% of the rise in the last quarter of the steps", 100.0 * late),
        false => format!("{start:.3} to {end:.3}, falls by up to {dip:.3} on the way"),
    };
    Finding::new(climbs && late <= STILL_CLIMBING, figure, "15% of the rise; no fall above 5% of it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict::{Fail, Pass};

    #[test]
    fn images_without_a_gradient_fail() {
        let judge = |dead: usize, part: usize| {
            let mut zeros = Zeros::NONE;
            for image in 0..200 {
                let value = |index| if image < dead || index < part { 0.0 } else { -0.1 };
                zeros.add(&(0..IMAGE_BYTES).map(value).collect::<Vec<_>>());
            }
            judge_zeros(zeros)
        };
        assert_eq!(judge(0, 0).verdict, Pass);
        assert_eq!(judge(2, 0).verdict, Pass);
        assert_eq!(judge(3, 0).verdict, Fail);
        assert_eq!(judge(0, IMAGE_BYTES / 50).verdict, Fail);
        assert!(judge(3, 0).figure.starts_with("all zero for 3 of 200 images; 1.5"), "{}", judge(3, 0).figure);
    }

    #[test]
    fn a_loss_that_stays_falls_or_has_not_arrived_fails() {
        let curve = |loss: &dyn Fn(f64) -> f64| {
            let losses: Vec<f64> = (0..=20).map(|step| loss(f64::from(step) / 20.0)).collect();
            judge_climb(&losses).verdict
        };
        assert_eq!(curve(&|t| 1.0 + 2.0 * (1.0 - (-6.0 * t).exp())), Pass);
        assert_eq!(curve(&|_| 1.0), Fail);
        assert_eq!(curve(&|_| 0.0), Fail);
        assert_eq!(curve(&|t| 3.0 - t), Fail);
        assert_eq!(curve(&|t| 1.0 + t), Fail, "it still climbs at the end");
        assert_eq!(curve(&|t| 1.0 + 2.0 * (1.0 - (-6.0 * t).exp()) + 0.5 * (40.0 * t).sin()), Fail, "it swings");
    }
}
