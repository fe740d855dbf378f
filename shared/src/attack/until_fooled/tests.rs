use burn::tensor::TensorData;

use super::*;
use crate::attack::{AttackKind, AttackRun};
use crate::model::{Architecture, BuildNetwork as _, WideResNetConfig};

const IMAGES: usize = 7;
const CLASSES: usize = 5;
const STEPS: usize = 3;
const RESTARTS: usize = 2;

fn network(device: &Device) -> Classifier {
    let architecture =
        Architecture::WideResNet(WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(10, 1) });
    architecture.init_seeded(CLASSES, [0.5; 3], [0.25; 3], 1, device).unwrap().valid()
}

fn images(device: &Device) -> Tensor<4> {
    let shape = [IMAGES, 3, 64, 64];
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|index: usize| 0.5 + 0.4 * ((index / 12288 + 1) as f32 * 0.013 * (index % 12288) as f32).sin())
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn logits_of(model: &Classifier, images: Tensor<4>) -> Vec<f32> {
    pollster::block_on(read(model.forward(images))).unwrap()
}

/// Attacks an image alone. Returns whether it reaches the goal after any step of any start, and whether after the last
/// step of the first start.
fn alone(config: &AttackConfig, image: Tensor<4>, label: usize, goal: Goal, model: &Classifier) -> (bool, bool) {
    let device = image.device();
    let (mut ever, mut last) = (false, false);
    for restart in 0..RESTARTS {
        let config = AttackConfig { seed: seed_of_restart(config.seed, restart), ..config.clone() };
        let label_tensor = Tensor::from_ints([label as i64], &device);
        let mut run = AttackRun::new(&config, image.clone(), label_tensor, goal).unwrap();
        loop {
            let now = goal.is_reached(&logits_of(model, run.adversarial()), label);
            ever |= now;
            if run.is_done() {
                last |= restart == 0 && now;
                break;
            }
            run.step(model);
        }
    }
    (ever, last)
}

/// Attacks all images in a batch of at most `room`: new images take the places of those that leave.
fn fool(config: &AttackConfig, labels: &[usize], goal: Goal, room: usize, model: &Classifier) -> Vec<Outcome> {
    let images = images(&Device::flex());
    let mut attack = UntilFooled::new(config, RESTARTS, goal).unwrap();
    let (mut next, mut outcomes) = (0, Vec::new());
    while next < IMAGES || !attack.is_empty() {
        let count = (room - attack.len()).min(IMAGES - next);
        let entries: Vec<NewImage> = (next..next + count)
            .map(|id| NewImage { id, label: labels[id], seed: config.seed + id as u64, targets: vec![] })
            .collect();
        if count > 0 {
            attack.add(&entries, images.clone().narrow(0, next, count)).unwrap();
        }
        next += count;
        outcomes.extend(pollster::block_on(attack.step(model)).unwrap());
    }
    outcomes.sort_by_key(|outcome| outcome.id);
    outcomes
}

#[test]
fn verdicts_are_those_of_each_image_alone_and_no_image_holds_that_its_last_step_loses() {
    let device = Device::flex();
    let model = network(&device);
    let seen: Vec<usize> =
        logits_of(&model, images(&device)).chunks_exact(CLASSES).map(|row| crate::metrics::top_k(row, 1)[0]).collect();
    let others: Vec<usize> = seen.iter().map(|class| (class + 1) % CLASSES).collect();
    let mut verdicts = [0, 0];
    for (goal, labels) in [(Goal::Untargeted, &seen), (Goal::Targeted, &others)] {
        for epsilon in [0.1, 1.0, 2.0, 12.0].map(|epsilon_255: f32| epsilon_255 / 255.0) {
            let config = AttackConfig::pgd(epsilon, STEPS, 5);
            let outcomes = fool(&config, labels, goal, 3, &model);
            assert_eq!(outcomes.iter().map(|outcome| outcome.id).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
            for outcome in &outcomes {
                let config = AttackConfig { seed: config.seed + outcome.id as u64, ..config.clone() };
                let image = images(&device).narrow(0, outcome.id, 1);
                let (ever, last) = alone(&config, image, labels[outcome.id], goal, &model);
                assert_eq!(outcome.reached, ever, "{goal:?} {epsilon} {outcome:?}");
                assert!(outcome.reached || !last);
                assert!(outcome.linf <= epsilon + 1e-6);
                assert!(outcome.reached || outcome.passes == RESTARTS * (STEPS + 1), "{outcome:?}");
                verdicts[usize::from(outcome.reached)] += 1;
            }
        }
    }
    assert!(verdicts.iter().all(|&count| count > 3), "there must be some of both: {verdicts:?}");
}

#[test]
fn the_batch_does_not_matter() {
    let device = Device::flex();
    let model = network(&device);
    let config = AttackConfig::pgd(1.0 / 255.0, STEPS, 5);
    let labels: Vec<usize> = (0..IMAGES).map(|index| index % CLASSES).collect();
    let reached = |room| {
        let outcomes = fool(&config, &labels, Goal::Untargeted, room, &model);
        outcomes.into_iter().map(|outcome| (outcome.reached, outcome.passes)).collect::<Vec<_>>()
    };
    assert_eq!(reached(1), reached(4));
    assert_eq!(reached(4), reached(IMAGES));
}

#[test]
fn what_steps_remember_stays_with_its_image() {
    let device = Device::flex();
    let model = network(&device);
    let labels: Vec<usize> =
        logits_of(&model, images(&device)).chunks_exact(CLASSES).map(|row| crate::metrics::top_k(row, 1)[0]).collect();
    let l2 = |epsilon| AttackConfig { step_size: Some(epsilon / 6.0), ..AttackConfig::pgd_l2(epsilon, 6, 5) };
    let (half, one) = (0.5 / 255.0, 1.0 / 255.0);
    let attacks = [AttackConfig::mi_fgsm(half, 6), AttackConfig::mi_fgsm(one, 6), l2(0.25), l2(0.5), l2(1.0)];
    let mut apart_in_time = Vec::new();
    for config in attacks {
        // Images leave after different numbers of steps, and others take their places.
        let outcomes = fool(&config, &labels, Goal::Untargeted, 3, &model);
        if outcomes.iter().any(|outcome| outcome.passes != outcomes[0].passes) {
            apart_in_time.push(config.kind);
        }
        for (index, outcome) in outcomes.iter().enumerate() {
            let config = AttackConfig { seed: config.seed + index as u64, ..config.clone() };
            let (image, label) = (images(&device).narrow(0, index, 1), labels[index] as i64);
            let mut run =
                AttackRun::new(&config, image, Tensor::from_ints([label], &device), Goal::Untargeted).unwrap();
            let steps = (outcome.passes - 1) % (config.steps_total() + 1);
            let restart = (outcome.passes - 1) / (config.steps_total() + 1);
            if restart > 0 {
                continue;
            }
            (0..steps).for_each(|_| run.step(&model));
            let alone = pollster::block_on(read(run.adversarial())).unwrap();
            let apart = alone.iter().zip(&outcome.image).filter(|(a, b)| (*a - *b).abs() > 1e-6).count();
            // Sums in another order may turn the sign of a gradient of nearly zero.
            assert!(apart < alone.len() / 100, "{config}, image {index}: {apart} values differ");
        }
    }
    for kind in [AttackKind::MiFgsm, AttackKind::PgdL2] {
        assert!(apart_in_time.contains(&kind), "all images leave {kind} at once");
    }
}

#[test]
fn attacks_without_a_random_start_have_one_start() {
    let attack = |config: AttackConfig| UntilFooled::new(&config, 9, Goal::Untargeted).unwrap();
    assert_eq!(attack(AttackConfig::bim(0.1, 5)).most_passes(), 6);
    assert_eq!(attack(AttackConfig::pgd(0.1, 5, 0)).most_passes(), 54);
    assert!(UntilFooled::new(&AttackConfig::fgsm(2.0), 1, Goal::Untargeted).is_err());
}
