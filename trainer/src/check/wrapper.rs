//! Checks of the code around the network: an attack of radius 0 and a batch must not change a prediction.

use std::rc::Rc;

use anyhow::Result;
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use shared::attack::{AttackConfig, AttackKind, Norm, ThreatModel};

use super::Finding;
use super::chance::count;
use super::checked_model::{Bounds, CheckPlan, CheckedModel, NOT_FIRST, TrialOutcome};
use crate::evaluate::{Trial, logits};

/// Largest excess of a radius by f32 rounding: 0.5 - 8/255 and its way back do not end at 8/255.
const ROUNDING: f32 = 1e-6;
/// Largest excess of a radius in L2: the squares of 12,288 values are added up in f32, in any order.
const ROUNDING_L2: f32 = 1e-5;
/// Number of images whose logits are computed in several batches.
const IMAGES: usize = 32;
/// Size of a small batch: no divisor of [`IMAGES`], so that images get other neighbours.
const FEW: usize = 5;
/// Largest difference of a logit by sums in another order, relative to the largest logit: some thousand terms of 1e-7 each,
/// seldom all in one direction. A network in training mode is off by a hundredth at least.
const SAME_LOGITS: f32 = 1e-4;

/// Largest difference of a sum of probabilities from 1, by rounding of up to 1,000 terms.
const SUM_OF_PROBABILITIES: f32 = 1e-3;

/// Checks that attacks of epsilon 0 change no pixel and no prediction.
pub fn epsilon_zero(model: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let attacked: Vec<&TrialOutcome> = outcomes.iter().map(AsRef::as_ref).collect();
    let plain = model.clean()?;
    Ok(judge_epsilon_zero(&plain, &attacked))
}

/// Returns every attack there is with epsilon 0, and PGD until an image is fooled, as it is published.
pub fn epsilon_zero_trials(_: &CheckPlan) -> Vec<Trial> {
    let attacks = AttackKind::ALL.map(|kind| Trial::attack(AttackConfig::new(kind, 0.0, 2), None));
    attacks.into_iter().chain([Trial::until_fooled(AttackConfig::pgd(0.0, 2, 0))]).collect()
}

fn judge_epsilon_zero(plain: &TrialOutcome, attacked: &[&TrialOutcome]) -> Finding {
    let differs = |outcome: &&&TrialOutcome| outcome.right != plain.right || outcome.bounds.linf > 0.0;
    let wrong = attacked.iter().find(differs);
    let now = wrong.or(attacked.first()).map_or(String::new(), |outcome| count(&outcome.right));
    let moved = wrong.map_or(0.0, |outcome| outcome.bounds.linf);
    let figure = format!("{now} right, {} without it; pixels moved by {moved}", count(&plain.right));
    Finding::new(wrong.is_none(), figure, "the same images, pixels unmoved")
}

/// Checks that no attack leaves its ball or the range of pixels.
pub fn ball(model: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let trials = model.plan.attacks();
    let threats = trials.iter().filter_map(|trial| trial.attack.as_ref()).map(|attack| attack.config.threat());
    Ok(judge_ball(&threats.zip(outcomes.iter().map(|outcome| outcome.bounds)).collect::<Vec<_>>()))
}

/// `bounds` are the ball of each attack (pixel units) and the sizes of its changes.
fn judge_ball(bounds: &[(ThreatModel, Bounds)]) -> Finding {
    let beyond = |(threat, bounds): &(ThreatModel, Bounds)| bounds.distance(threat.norm) - threat.epsilon;
    let inside = bounds.iter().all(|attack| match attack.0.norm {
        Norm::Linf => beyond(attack) <= ROUNDING,
        Norm::L2 => beyond(attack) <= ROUNDING_L2,
        Norm::L0 => beyond(attack) <= 0.0,
    });
    let furthest = bounds.iter().map(beyond).fold(f32::NEG_INFINITY, f32::max);
    let outside: usize = bounds.iter().map(|(_, bounds)| bounds.outside).sum();
    let not_finite: usize = bounds.iter().map(|(_, bounds)| bounds.not_finite).sum();
    let figure = format!("{furthest:+.1e} beyond epsilon; {outside} values outside [0, 1], {not_finite} not a number");
    let limit = format!("{ROUNDING:.0e} for rounding, {ROUNDING_L2:.0e} in L2; none");
    Finding::new(inside && outside + not_finite == 0, figure, limit)
}

/// Checks that an image's logits depend neither on its batch nor on the run.
pub fn logits_alone(model: &CheckedModel<'_>, _: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let differences = model.first_batch("logits", |bundle, batch| {
        let count = batch.labels.len().min(IMAGES);
        let forward = |images| Ok(logits(bundle, images)?.concat());
        Differences::measure(&batch.images.narrow(0, 0, count), forward)
    })?;
    Ok(differences.map_or(Finding::skipped(NOT_FIRST), judge_logits))
}

/// Checks that logits are not probabilities already, as AutoAttack does before it begins.
pub fn logits_not_probabilities(model: &CheckedModel<'_>, _: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let range = model.first_batch("range of logits", |bundle, batch| Ok(Range::of(&logits(bundle, batch.images)?)))?;
    Ok(range.map_or(Finding::skipped(NOT_FIRST), judge_range))
}

/// The range of some images' logits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Range {
    lowest: f32,
    highest: f32,
    /// The largest difference of an image's sum from 1.
    off: f32,
}

impl Range {
    fn of(logits: &[Vec<f32>]) -> Self {
        let values = || logits.iter().flatten().copied();
        let sums = logits.iter().map(|row| row.iter().sum::<f32>());
        Self {
            lowest: values().fold(f32::INFINITY, f32::min),
            highest: values().fold(f32::NEG_INFINITY, f32::max),
            off: sums.map(|sum| (sum - 1.0).abs()).fold(0.0, f32::max),
        }
    }
}

fn judge_range(Range { lowest, highest, off }: Range) -> Finding {
    let figure = format!("from {lowest:.2} to {highest:.2}; sums up to {off:.2} from 1");
    Finding::new(lowest < 0.0 || off > SUM_OF_PROBABILITIES, figure, "some below 0, or a sum other than 1")
}

/// The largest differences of a logit, relative to the largest logit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Differences {
    /// Largest difference between batches of other sizes.
    batch: f32,
    /// Largest difference between two runs on the same batch.
    run: f32,
}

impl Differences {
    /// Measures the logits that `forward` gives for `images`, `[N, 3, 64, 64]`, in batches of several sizes.
    fn measure(images: &Tensor<4>, forward: impl Fn(Tensor<4>) -> Result<Vec<f32>>) -> Result<Self> {
        let count = images.dims()[0];
        let together = forward(images.clone())?;
        let in_batches_of = |size: usize| {
            let starts = (0..count).step_by(size);
            let batch = |start: usize| forward(images.clone().narrow(0, start, size.min(count - start)));
            Ok(starts.map(batch).collect::<Result<Vec<_>>>()?.concat())
        };
        let of_batches: Result<Vec<Vec<f32>>> = [1, FEW].map(in_batches_of).into_iter().collect();
        let scale = together.iter().fold(f32::MIN_POSITIVE, |max, logit| max.max(logit.abs()));
        let difference = |other: &Vec<f32>| {
            let pairs = together.iter().zip(other);
            pairs.map(|(a, b)| (a - b).abs() / scale).fold(0.0, f32::max)
        };
        let batch = of_batches?.iter().map(difference).fold(0.0, f32::max);
        Ok(Self { batch, run: difference(&forward(images.clone())?) })
    }
}

fn judge_logits(Differences { batch, run }: Differences) -> Finding {
    let figure = format!("alone or in a batch {batch:.1e}, again {run:.1e} of the largest logit");
    Finding::new(batch.max(run) <= SAME_LOGITS, figure, format!("{SAME_LOGITS:.0e} for rounding"))
}

#[cfg(test)]
mod tests {
    use shared::attack::{Ball, n_fgsm};
    use shared::image::{Picture, pictures_to_tensor};
    use shared::metrics::{l2_distance, linf_distance};
    use shared::model::{Architecture, BuildNetwork as _, Classifier, WideResNetConfig};

    use super::*;
    use crate::check::Verdict;
    use crate::check::checked_model::label_tensor;
    use crate::data::made;
    use crate::models::read;

    fn images(device: &Device) -> Tensor<4> {
        let picture = |k: usize| Picture::from_rgb8(made::picture(k % 5, k as u64)).unwrap();
        pictures_to_tensor(&(0..7).map(picture).collect::<Vec<_>>(), device)
    }

    fn network(device: &Device) -> Classifier {
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        architecture.init_seeded(5, [0.5; 3], [0.25; 3], 1, device).unwrap()
    }

    fn outcome(right: &[bool], linf: f32) -> TrialOutcome {
        TrialOutcome { right: right.to_vec(), bounds: Bounds { linf, ..Bounds::default() }, ..TrialOutcome::default() }
    }

    #[test]
    fn a_wrapper_that_changes_images_or_answers_fails() {
        let plain = outcome(&[true, false, true], 0.0);
        let judge = |attacked: &TrialOutcome| judge_epsilon_zero(&plain, &[&plain, attacked]);
        assert_eq!(judge(&outcome(&[true, false, true], 0.0)).verdict, Verdict::Pass);
        assert_eq!(judge(&outcome(&[true, false, true], 0.01)).verdict, Verdict::Fail);
        // As many images are right, but other ones.
        let finding = judge(&outcome(&[true, true, false], 0.0));
        assert_eq!((finding.verdict, finding.figure.contains("2 of 3 right")), (Verdict::Fail, true));
    }

    #[test]
    fn probabilities_in_the_place_of_logits_fail() {
        let judge = |rows: &[[f32; 3]]| {
            judge_range(Range::of(&rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>())).verdict
        };
        assert_eq!(judge(&[[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]), Verdict::Fail);
        assert_eq!(judge(&[[0.2, 0.3, 0.5], [1.2, 0.3, -0.5]]), Verdict::Pass);
        assert_eq!(judge(&[[2.0, 3.0, 5.0]]), Verdict::Pass);
    }

    #[test]
    fn an_attack_that_leaves_the_ball_or_the_range_fails() {
        let (device, epsilon) = (Device::flex(), 8.0 / 255.0);
        let (images, labels) = (images(&device), label_tensor(&[0; 7], &device));
        // N-FGSM has no projection, so images move up to three times as far.
        let crafted = n_fgsm(epsilon, images.clone(), labels, &network(&device), 3).unwrap();
        let linf = linf_distance(&read(images).unwrap(), &read(crafted).unwrap());
        let bounds = Bounds { linf, ..Bounds::default() };
        let threat = ThreatModel::linf(epsilon);
        let finding = judge_ball(&[(threat, Bounds::default()), (threat, bounds)]);
        assert_eq!(finding.verdict, Verdict::Fail, "{}", finding.figure);

        let within =
            |bounds: Bounds| judge_ball(&[(ThreatModel::linf(0.1), Bounds { linf: 0.1 + 5e-7, ..bounds })]).verdict;
        assert_eq!(within(Bounds::default()), Verdict::Pass);
        assert_eq!(within(Bounds { outside: 1, ..Bounds::default() }), Verdict::Fail);
        assert_eq!(within(Bounds { not_finite: 1, ..Bounds::default() }), Verdict::Fail);
    }

    #[test]
    fn an_l2_attack_that_is_not_shortened_to_its_ball_fails() {
        let (device, threat) = (Device::flex(), ThreatModel::l2(0.5));
        let ball = Ball::new(images(&device), threat);
        let step = Tensor::from_floats([2.0], &device);
        let leaking = ball.ascend(ball.center(), ball.center().ones_like(), step).clamp(0.0, 1.0);
        let judge = |crafted: Tensor<4>| {
            let (before, after) = (read(ball.center()).unwrap(), read(crafted).unwrap());
            let size = before.len() / ball.center().dims()[0];
            let pairs = || before.chunks_exact(size).zip(after.chunks_exact(size));
            let linf = pairs().map(|(a, b)| linf_distance(a, b)).fold(0.0, f32::max);
            let l2 = pairs().map(|(a, b)| l2_distance(a, b)).fold(0.0, f32::max);
            // No value has moved by the radius, so L-infinity sees nothing.
            assert!(linf < threat.epsilon / 10.0, "{linf}");
            judge_ball(&[(threat, Bounds { linf, l2, ..Bounds::default() })])
        };
        let finding = judge(leaking.clone());
        assert_eq!(finding.verdict, Verdict::Fail, "{}", finding.figure);
        let finding = judge(ball.project(leaking));
        assert_eq!(finding.verdict, Verdict::Pass, "{}", finding.figure);
    }

    #[test]
    fn batch_norm_in_training_mode_fails_and_in_inference_mode_passes() {
        let device = Device::flex();
        let model = network(&device);
        let alone = |images: Tensor<4>| read(model.valid().forward(images));
        let differences = Differences::measure(&images(&device), alone).unwrap();
        assert_eq!(judge_logits(differences).verdict, Verdict::Pass, "{differences:?}");

        let training = model.train();
        let of_the_batch = |images: Tensor<4>| read(training.forward(images.autodiff()).inner());
        let differences = Differences::measure(&images(&device), of_the_batch).unwrap();
        assert_eq!(judge_logits(differences).verdict, Verdict::Fail, "{differences:?}");
    }

    #[test]
    fn a_network_that_answers_otherwise_every_time_fails() {
        let calls = std::cell::Cell::new(0.0);
        let restless = |images: Tensor<4>| {
            calls.set(calls.get() + 0.01);
            Ok(vec![1.0 + calls.get(); images.dims()[0]])
        };
        let differences = Differences::measure(&images(&Device::flex()), restless).unwrap();
        assert_eq!(judge_logits(differences).verdict, Verdict::Fail, "{differences:?}");
        assert!(differences.run > SAME_LOGITS);
    }
}
