//! FGSM, BIM, PGD, MI-FGSM and L2-PGD move every pixel as torchattacks does, but where the gradient is so near zero that rounding decides
//! its sign.

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackRun, Ball, Goal, ThreatModel, loss_gradient};
use shared::model::Classifier;
use tests::{Golden, compare, label_tensor, read};

use crate::network::classifier;

const EPSILON: f32 = 8.0 / 255.0;
const STEPS: usize = 5;
/// The golden images are rounded to multiples of 1/65535.
const ROUNDING: f32 = 1e-5;
/// The share of values that may have gone the other way in one step: one gradient in ten thousand is that near to zero.
const MAX_SHARE: f32 = 1e-3;
/// The same after several steps, since a pixel that went the other way also moves the gradients of others.
const MAX_SHARE_LATER: f32 = 1e-2;

struct Setup {
    device: Device,
    model: Classifier,
    images: Tensor<4>,
    labels: Vec<usize>,
    targets: Vec<usize>,
    golden: Golden,
}

impl Setup {
    fn new() -> Self {
        let device = Device::flex();
        let values = Golden::open("wrn_10_1.values.safetensors");
        let golden = Golden::open("attacks.safetensors");
        let targets = golden.labels("targets");
        Self {
            model: classifier("wrn_10_1.weights.safetensors", [1, 2, 2], &device),
            images: values.images("images", &device).narrow(0, 0, targets.len()),
            labels: values.labels("labels")[..targets.len()].to_vec(),
            device,
            targets,
            golden,
        }
    }

    fn start(&self, config: &AttackConfig, goal: Goal) -> AttackRun {
        let labels = match goal {
            Goal::Untargeted => &self.labels,
            Goal::Targeted => &self.targets,
        };
        AttackRun::new(config, self.images.clone(), label_tensor(labels, &self.device), goal).unwrap()
    }

    /// The images after each step from `start`, of the length `step_size` away from `labels` (below zero: towards them).
    fn steps(&self, threat: ThreatModel, start: Tensor<4>, labels: &[usize], step_size: f32) -> Vec<Tensor<4>> {
        let ball = Ball::new(self.images.clone(), threat);
        let length = Tensor::<1>::from_floats([step_size], &self.device);
        let mut attacked = ball.project(start);
        let step = |_| {
            let gradient = loss_gradient(&self.model, attacked.clone(), label_tensor(labels, &self.device));
            attacked = ball.project(ball.ascend(attacked.clone(), gradient, length.clone()));
            attacked.clone()
        };
        (0..STEPS).map(step).collect()
    }

    /// Asserts that `found` is the golden images `name`, but for `share` of the values, and within the attack's ball.
    #[track_caller]
    fn assert_matches(&self, found: Tensor<4>, name: &str, share: f32) {
        self.assert_is(found, &self.golden, name, share);
    }

    /// The same with the golden images `name` of another file.
    #[track_caller]
    fn assert_is(&self, found: Tensor<4>, golden: &Golden, name: &str, share: f32) {
        let found = read(found);
        let moved = compare(&found, &read(self.images.clone()), 0.0);
        assert!(moved.max <= EPSILON + 1e-6, "{name} leaves the ball: {moved:?}");
        let difference = compare(&found, &golden.values(name).0, ROUNDING);
        // A value that goes the other way at every step ends up twice epsilon apart.
        assert!(difference.share <= share, "{name}: {difference:?}");
        assert!(difference.mean <= ROUNDING + share * 2.0 * EPSILON, "{name}: {difference:?}");
    }
}

#[test]
fn fgsm_is_that_of_torchattacks() {
    let setup = Setup::new();
    for (goal, name) in [(Goal::Untargeted, "fgsm"), (Goal::Targeted, "fgsm_targeted")] {
        let attacked = setup.start(&AttackConfig::fgsm(EPSILON), goal).finish(&setup.model);
        setup.assert_matches(attacked, name, MAX_SHARE);
    }
}

#[test]
fn where_fgsm_differs_the_gradient_is_nearly_zero() {
    let setup = Setup::new();
    let attacked = read(setup.start(&AttackConfig::fgsm(EPSILON), Goal::Untargeted).finish(&setup.model));
    let (expected, _) = setup.golden.values("fgsm");
    let (gradient, _) = Golden::open("wrn_10_1.values.safetensors").values("input_gradient");
    let largest = gradient.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    for (index, (found, expected)) in attacked.iter().zip(&expected).enumerate() {
        let apart = (found - expected).abs() > ROUNDING;
        assert!(!apart || gradient[index].abs() <= 1e-4 * largest, "value {index}: {found} instead of {expected}");
    }
}

#[test]
fn every_step_of_bim_is_that_of_torchattacks() {
    let setup = Setup::new();
    let mut run = setup.start(&AttackConfig::bim(EPSILON, STEPS), Goal::Untargeted);
    for step in 1..=STEPS {
        run.step(&setup.model);
        setup.assert_matches(
            run.adversarial(),
            &format!("bim_{step}"),
            if step == 1 { MAX_SHARE } else { MAX_SHARE_LATER },
        );
    }
    assert!(run.is_done());
}

#[test]
fn targeted_bim_is_that_of_torchattacks() {
    let setup = Setup::new();
    let run = setup.start(&AttackConfig::bim(EPSILON, STEPS), Goal::Targeted);
    setup.assert_matches(run.finish(&setup.model), "bim_targeted_5", MAX_SHARE_LATER);
}

#[test]
fn pgd_from_the_same_start_is_that_of_torchattacks() {
    // The random start is the library's own, so PGD's steps are taken from torchattacks' start.
    let setup = Setup::new();
    let step_size = AttackConfig::pgd(EPSILON, STEPS, 0).resolved_step_size();
    let start = setup.golden.images("pgd_start", &setup.device);
    let steps = setup.steps(ThreatModel::linf(EPSILON), start, &setup.labels, step_size);
    let attacked = steps.last().unwrap().clone();
    setup.assert_matches(attacked, "pgd_5", MAX_SHARE_LATER);
}

#[test]
fn every_step_of_mi_fgsm_is_that_of_torchattacks() {
    let (setup, golden) = (Setup::new(), Golden::open("mi_fgsm.safetensors"));
    let config = AttackConfig::mi_fgsm(EPSILON, STEPS);
    let mut run = setup.start(&config, Goal::Untargeted);
    for step in 1..=STEPS {
        run.step(&setup.model);
        let share = if step == 1 { MAX_SHARE } else { MAX_SHARE_LATER };
        setup.assert_is(run.adversarial(), &golden, &format!("step_{step}"), share);
    }
    let targeted = setup.start(&config, Goal::Targeted).finish(&setup.model);
    setup.assert_is(targeted, &golden, "targeted", MAX_SHARE_LATER);
}

#[test]
fn every_step_of_l2_pgd_is_that_of_torchattacks() {
    // From the images themselves, as the random start is the library's own.
    const EPSILON: f32 = 0.5;
    let (setup, golden) = (Setup::new(), Golden::open("pgd_l2.safetensors"));
    let threat = ThreatModel::l2(EPSILON);
    let step_size = AttackConfig::pgd_l2(EPSILON, STEPS, 0).resolved_step_size();
    // No sign decides here, so all values agree.
    let assert_is = |found: Tensor<4>, name: &str| {
        let difference = compare(&read(found), &golden.values(name).0, ROUNDING);
        assert!(difference.max <= 2.0 * ROUNDING, "{name}: {difference:?}");
    };
    for (step, found) in setup.steps(threat, setup.images.clone(), &setup.labels, step_size).into_iter().enumerate() {
        assert_is(found, &format!("step_{}", step + 1));
    }
    let towards = setup.steps(threat, setup.images.clone(), &setup.targets, -step_size);
    assert_is(towards.last().unwrap().clone(), "targeted");
}
