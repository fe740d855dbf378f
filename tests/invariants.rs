//! Invariants of every attack on every network, whatever its success: all pairs of a table of attacks and a table of networks.

use burn::prelude::*;
use safetensors::{SafeTensors, tensor::TensorView};
use shared::attack::{
    AttackConfig, AttackError, AttackKind, AttackRun, Ball, Direction, Goal, NewImage, Norm, ThreatModel, UntilFooled,
    cross_entropy, loss_gradient,
};
use shared::bundle::load_weights;
use shared::image::{Picture, pictures_to_tensor};
use shared::model::{Architecture, BuildNetwork as _, Classifier, WideResNetConfig};
use tests::{Golden, compare, label_tensor, read};

const CLASSES: usize = 20;
const MEAN: [f32; 3] = [0.480, 0.448, 0.398];
const STD: [f32; 3] = [0.277, 0.269, 0.282];
const LABELS: [usize; 4] = [3, 17, 0, 9];
const TARGETS: [usize; 4] = [12, 5, 19, 1];
const GOALS: [Goal; 2] = [Goal::Untargeted, Goal::Targeted];

/// Makes an attack of a radius in 255ths, a number of steps and a step size in 255ths.
fn attack(kind: AttackKind, epsilon_255: f32, steps: usize, step_255: Option<f32>) -> AttackConfig {
    AttackConfig {
        step_size: step_255.map(|step| step / 255.0),
        seed: 7,
        ..AttackConfig::new(kind, epsilon_255 / 255.0, steps)
    }
}

fn attacks() -> Vec<AttackConfig> {
    use AttackKind::{Bim, Fgsm, MiFgsm, Pgd};
    let each = AttackKind::ALL.map(|kind| match kind.norm() {
        Norm::Linf => attack(kind, 8.0, 4, None),
        Norm::L2 => AttackConfig { seed: 7, ..AttackConfig::new(kind, 0.5, 3) },
        // Few candidates suffice for what holds of any number.
        Norm::L0 => AttackConfig { seed: 7, population: 6, ..AttackConfig::new(kind, 3.0, 3) },
    });
    let extremes = [
        attack(Fgsm, 255.0, 1, None),
        // Steps longer than the radius, and steps too short to reach the edge.
        attack(Bim, 2.0, 3, Some(20.0)),
        attack(MiFgsm, 2.0, 3, Some(20.0)),
        attack(Bim, 16.0, 2, Some(1.0)),
        attack(Pgd, 255.0, 2, None),
        // Beyond the ends of the range nearly everywhere.
        AttackConfig::pgd_l2(60.0, 2, 7),
    ];
    each.into_iter().chain(extremes).collect()
}

fn networks(device: &Device) -> Vec<(&'static str, Classifier)> {
    let random = |seed, config: WideResNetConfig| {
        Architecture::WideResNet(config).init_seeded(CLASSES, MEAN, STD, seed, device).unwrap()
    };
    vec![
        ("random weights", random(1, WideResNetConfig::new(10, 1))),
        ("strides of 2", random(2, WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(10, 1) })),
        ("weights of the golden files", golden_network(Golden::open("wrn_10_1.weights.safetensors").bytes(), device)),
    ]
}

fn golden_network(weights: &[u8], device: &Device) -> Classifier {
    let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
    let mut model = architecture.init(CLASSES, MEAN, STD, device).unwrap();
    load_weights(&mut model, weights).unwrap();
    model.valid()
}

/// Makes a smooth picture, noise, and two pictures whose values are all at an end of the range.
fn images(device: &Device) -> Tensor<4> {
    let picture = |value: &dyn Fn(usize) -> u8| Picture::from_rgb8((0..64 * 64 * 3).map(value).collect()).unwrap();
    // A multiplicative hash: noise that needs no generator.
    let noise = |index: usize| (index.wrapping_mul(2_654_435_761) >> 13) as u8;
    let soft = |index: usize| (index / 3 % 64 * 3 + index / 192 + index % 3 * 20) as u8;
    pictures_to_tensor(&[picture(&soft), picture(&noise), picture(&|_| 0), picture(&|_| 255)], device)
}

fn labels(goal: Goal) -> [usize; 4] {
    match goal {
        Goal::Untargeted => LABELS,
        Goal::Targeted => TARGETS,
    }
}

fn start(config: &AttackConfig, images: &Tensor<4>, goal: Goal) -> AttackRun {
    let count = images.dims()[0];
    AttackRun::new(config, images.clone(), label_tensor(&labels(goal)[..count], &images.device()), goal).unwrap()
}

/// How far the image that is furthest from `images` is, in the norm of the attack and the unit of epsilon.
fn furthest(config: &AttackConfig, images: &Tensor<4>, attacked: Tensor<4>) -> f32 {
    read(Ball::new(images.clone(), config.threat()).distance(attacked)).into_iter().fold(0.0, f32::max)
}

/// Returns how much rounding may add to a radius: sums of 12,288 squares are less exact.
fn rounding(config: &AttackConfig) -> f32 {
    match config.kind.norm() {
        Norm::Linf => 1e-6,
        Norm::L2 => 1e-5 * config.epsilon.max(0.1),
        Norm::L0 => 0.0,
    }
}

/// Cross entropy to `labels`, one an image.
fn losses(model: &Classifier, images: &Tensor<4>, labels: &[usize]) -> Vec<f32> {
    read(cross_entropy(model.forward(images.clone()), label_tensor(labels, &images.device())))
}

/// Calls `check` with each attack on each network, each goal.
fn for_all(check: impl Fn(&str, &AttackConfig, &Classifier, Goal)) {
    for (name, model) in networks(&Device::flex()) {
        for config in attacks() {
            for goal in GOALS {
                check(&format!("{config:?}, {goal:?}, {name}"), &config, &model, goal);
            }
        }
    }
}

#[test]
fn every_step_stays_in_the_ball_and_in_the_pixel_range() {
    let images = images(&Device::flex());
    let before = read(images.clone());
    for_all(|what, config, model, goal| {
        let mut run = start(config, &images, goal);
        while !run.is_done() {
            run.step(model);
            let now = read(run.adversarial());
            assert!(now.iter().all(|value| (0.0..=1.0).contains(value)), "{what}: out of range or NaN");
            let moved = compare(&now, &before, 0.0);
            let distance = furthest(config, &images, run.adversarial());
            assert!(distance <= config.epsilon + rounding(config), "{what}: {distance}");
            // The smallest change of an image that is at the goal already is none.
            assert!(moved.max > 0.0 || config.kind.seeks_smallest(), "{what}: nothing moved");
        }
        assert_eq!(run.steps_done(), config.steps_total(), "{what}");
    });
}

#[test]
fn with_epsilon_zero_nothing_moves() {
    let images = images(&Device::flex());
    let before = read(images.clone());
    for_all(|what, config, model, goal| {
        let config = AttackConfig { epsilon: 0.0, ..config.clone() };
        assert_eq!(read(start(&config, &images, goal).finish(model)), before, "{what}");
    });
}

#[test]
fn iterated_attacks_do_what_they_are_for() {
    let device = Device::flex();
    let images = images(&device);
    for (name, model) in networks(&device) {
        for config in [
            AttackConfig::bim(2.0 / 255.0, 5),
            AttackConfig::pgd(2.0 / 255.0, 5, 1),
            AttackConfig::mi_fgsm(2.0 / 255.0, 5),
            AttackConfig::pgd_l2(0.5, 5, 1),
        ] {
            let away = start(&config, &images, Goal::Untargeted).finish(&model);
            let towards = start(&config, &images, Goal::Targeted).finish(&model);
            for index in 0..LABELS.len() {
                let rise = losses(&model, &away, &LABELS)[index] - losses(&model, &images, &LABELS)[index];
                assert!(rise > 0.0, "{config:?}, {name}, image {index}: the loss rose by {rise}");
                let fall = losses(&model, &images, &TARGETS)[index] - losses(&model, &towards, &TARGETS)[index];
                assert!(fall > 0.0, "{config:?}, {name}, image {index}: the loss to the target fell by {fall}");
            }
        }
    }
}

#[test]
fn fgsm_is_one_step_of_bim_as_long_as_epsilon() {
    let device = Device::flex();
    let images = images(&device);
    for (name, model) in networks(&device) {
        for goal in GOALS {
            let fgsm = start(&AttackConfig::fgsm(0.03), &images, goal).finish(&model);
            let bim = AttackConfig { step_size: Some(0.03), ..AttackConfig::bim(0.03, 1) };
            assert_eq!(read(fgsm), read(start(&bim, &images, goal).finish(&model)), "{name}, {goal:?}");
        }
    }
}

#[test]
fn an_image_is_attacked_the_same_alone_and_in_a_batch() {
    let images = images(&Device::flex());
    for_all(|what, config, model, goal| {
        // What is random is drawn for the batch as a whole.
        if config.kind.is_random() {
            return;
        }
        let together = read(start(config, &images, goal).finish(model));
        let alone = images.clone().chunk(LABELS.len(), 0).into_iter().enumerate().flat_map(|(index, image)| {
            let label = label_tensor(&labels(goal)[index..=index], &image.device());
            read(AttackRun::new(config, image, label, goal).unwrap().finish(model))
        });
        // Sums in another order may flip the sign of a gradient near zero.
        let difference = compare(&alone.collect::<Vec<_>>(), &together, 1e-6);
        assert!(difference.share <= 1e-2, "{what}: {difference:?}");
    });
}

#[test]
fn the_seed_decides_where_pgd_starts() {
    let images = images(&Device::flex());
    let first = |seed| read(start(&AttackConfig::pgd(0.03, 3, seed), &images, Goal::Untargeted).adversarial());
    assert_eq!(first(1), first(1));
    let (one, other, centre) = (first(1), first(2), read(images.clone()));
    assert!(compare(&one, &other, 1e-3).share > 0.5);
    // Half of the steps out of black and white are cut off; the rest of the ball is used evenly.
    let moved = compare(&one, &centre, 0.0);
    assert!(moved.max > 0.029 && (0.009..0.013).contains(&moved.mean), "{moved:?}");
}

#[test]
fn a_smallest_change_fools_shrinks_with_more_steps_and_is_shorter_than_that_of_pgd() {
    let device = Device::flex();
    let images = images(&device);
    for (name, model) in networks(&device) {
        let answers = |images: &Tensor<4>| read(model.forward(images.clone()).argmax(1).float());
        let own: Vec<usize> = answers(&images).iter().map(|class| *class as usize).collect();
        let run = |config: &AttackConfig| {
            let labels = label_tensor(&own, &device);
            AttackRun::new(config, images.clone(), labels, Goal::Untargeted).unwrap().finish(&model)
        };
        let fooled = |attacked: &Tensor<4>| -> Vec<bool> {
            answers(attacked).iter().zip(&own).map(|(now, own)| *now as usize != *own).collect()
        };
        let lengths = |attacked: Tensor<4>| read(Ball::new(images.clone(), ThreatModel::l2(5.0)).distance(attacked));
        let deepfool = run(&AttackConfig::new(AttackKind::Deepfool, 5.0, 30));
        let [few, many] = [10, 80].map(|steps| run(&AttackConfig::new(AttackKind::Ddn, 5.0, steps)));
        // The others are black and white: much of each step is cut off there.
        let inside = 0..2;
        for found in [&deepfool, &few, &many] {
            assert!(fooled(found)[inside.clone()].iter().all(|fooled| *fooled), "{name}");
        }
        let (deepfool, few, many) = (lengths(deepfool), lengths(few), lengths(many));
        for image in inside {
            assert!(many[image] < few[image], "{name}, {image}: DDN {} in 80 steps, {} in 10", many[image], few[image]);
            assert!(
                deepfool[image] > 0.0 && deepfool[image] < 3.0 * many[image],
                "{name}, {image}: {deepfool:?} {many:?}"
            );
            // Nothing much shorter fools.
            let third = AttackConfig::pgd_l2(many[image] / 3.0, 10, 1);
            assert!(!fooled(&run(&third))[image], "{name}, {image}: a third of {} suffices", many[image]);
        }
    }
}

#[test]
fn a_change_longer_than_epsilon_does_not_count() {
    let device = Device::flex();
    let images = images(&device);
    let (_, model) = networks(&device).pop().unwrap();
    let own: Vec<usize> =
        read(model.forward(images.clone()).argmax(1).float()).iter().map(|class| *class as usize).collect();
    for kind in [AttackKind::Deepfool, AttackKind::Ddn] {
        let outcomes = |epsilon: f32| {
            let config = AttackConfig::new(kind, epsilon, 60);
            let mut attack = UntilFooled::new(&config, 1, Goal::Untargeted).unwrap();
            let entry = |(id, label): (usize, &usize)| NewImage { id, label: *label, seed: 0, targets: vec![] };
            attack.add(&own.iter().enumerate().map(entry).collect::<Vec<_>>(), images.clone()).unwrap();
            let mut outcomes = Vec::new();
            while !attack.is_empty() {
                outcomes.extend(pollster::block_on(attack.step(&model)).unwrap());
            }
            outcomes.sort_by_key(|outcome| outcome.id);
            outcomes
        };
        let all = outcomes(5.0);
        assert!(all.iter().all(|outcome| outcome.reached && outcome.l2 > 0.0), "{kind}: {:?}", all[0].l2);
        let longest = all.iter().map(|outcome| outcome.l2).fold(0.0, f32::max);
        let shortest = all.iter().map(|outcome| outcome.l2).fold(f32::INFINITY, f32::min);
        assert!(outcomes(shortest * 0.3).iter().all(|outcome| !outcome.reached && outcome.l2 <= shortest), "{kind}");
        let some = outcomes((longest + shortest) / 2.0);
        let reached = some.iter().filter(|outcome| outcome.reached).count();
        assert!((1..all.len()).contains(&reached), "{kind}: {reached} of {}", all.len());
        // The length is that of the run on the image alone.
        for outcome in &all {
            let image = images.clone().narrow(0, outcome.id, 1);
            let label = label_tensor(&own[outcome.id..=outcome.id], &device);
            let config = AttackConfig::new(kind, 5.0, 60);
            let alone = AttackRun::new(&config, image.clone(), label, Goal::Untargeted).unwrap().finish(&model);
            let alone = read(Ball::new(image, config.threat()).distance(alone))[0];
            assert!((alone / outcome.l2 - 1.0).abs() < 0.02, "{kind}: {alone} alone, {} among others", outcome.l2);
        }
    }
}

#[test]
fn few_pixels_change_and_fool_more_with_each_generation() {
    let device = Device::flex();
    let images = images(&device);
    let (_, model) = networks(&device).pop().unwrap();
    let own: Vec<usize> =
        read(model.forward(images.clone()).argmax(1).float()).iter().map(|class| *class as usize).collect();
    for pixels in [1, 5] {
        let config =
            AttackConfig { population: 20, seed: 3, ..AttackConfig::new(AttackKind::OnePixel, pixels as f32, 4) };
        let mut run = AttackRun::new(&config, images.clone(), label_tensor(&own, &device), Goal::Untargeted).unwrap();
        let mut before = losses(&model, &images, &own);
        while !run.is_done() {
            run.step(&model);
            let changed = read(Ball::new(images.clone(), config.threat()).distance(run.adversarial()));
            assert!(changed.iter().all(|count| (1.0..=pixels as f32).contains(count)), "{changed:?} of {pixels}");
            let now = losses(&model, &run.adversarial(), &own);
            assert!(now.iter().zip(&before).all(|(now, before)| *now >= before - 1e-5), "{now:?} after {before:?}");
            before = now;
        }
        let clean = losses(&model, &images, &own);
        assert!(before.iter().zip(clean).all(|(now, clean)| *now > clean), "{pixels} pixels: no loss rose");
    }
}

#[test]
fn several_starts_leave_no_image_better_off_than_the_first() {
    let device = Device::flex();
    let images = images(&device);
    let (_, model) = networks(&device).pop().unwrap();
    let mut worse = 0;
    for goal in GOALS {
        for config in
            [AttackConfig::pgd(1.0 / 255.0, 2, 1), AttackConfig::pgd_l2(0.2, 2, 1), AttackConfig::noise(0.01, 1)]
        {
            let run = start(&config, &images, goal).with_restarts(3);
            assert_eq!((run.steps_done(), run.steps_total()), (0, 3 * config.steps_total()));
            let damage = |attacked: Tensor<4>| -> Vec<(bool, f32)> {
                let classes = read(model.forward(attacked.clone()));
                let reached =
                    classes.chunks_exact(CLASSES).zip(labels(goal)).map(|(row, label)| goal.is_reached(row, label));
                let loss = losses(&model, &attacked, &labels(goal)).into_iter();
                reached.zip(loss.map(|loss| if goal == Goal::Targeted { -loss } else { loss })).collect()
            };
            let (worst, first) = (damage(run.finish(&model)), damage(start(&config, &images, goal).finish(&model)));
            assert!(worst.iter().zip(&first).all(|(worst, first)| worst >= first), "{config}: {worst:?}, {first:?}");
            worse += usize::from(worst != first);
        }
    }
    assert!(worse > 0, "no other start is worse for any image");
    let bim = start(&AttackConfig::bim(0.01, 2), &images, Goal::Untargeted).with_restarts(3);
    assert_eq!(bim.steps_total(), 2, "without a random start all are the same");
}

#[test]
fn an_attack_changes_nothing_in_the_network_and_stops_when_done() {
    let device = Device::flex();
    let images = images(&device);
    for (name, model) in networks(&device) {
        let before = read(model.forward(images.clone()));
        let mut run = start(&AttackConfig::bim(0.03, 2), &images, Goal::Untargeted);
        run.step(&model);
        run.step(&model);
        let done = read(run.adversarial());
        run.step(&model);
        assert_eq!((read(run.adversarial()), run.steps_done()), (done, 2), "{name}");
        assert_eq!(read(model.forward(images.clone())), before, "{name}");
    }
}

#[test]
fn attacks_hurt_more_than_noise_of_their_size() {
    let device = Device::flex();
    let images = images(&device);
    let epsilon = 4.0 / 255.0;
    for (name, model) in networks(&device) {
        let total = |config: AttackConfig| -> f32 {
            losses(&model, &start(&config, &images, Goal::Untargeted).finish(&model), &LABELS).iter().sum()
        };
        let noise = total(AttackConfig::noise(epsilon, 3));
        for config in [
            AttackConfig::fgsm(epsilon),
            AttackConfig::bim(epsilon, 5),
            AttackConfig::pgd(epsilon, 5, 1),
            AttackConfig::mi_fgsm(epsilon, 5),
        ] {
            let attacked = total(config.clone());
            assert!(attacked > noise, "{config}, {name}: a loss of {attacked}, and of {noise} under noise");
        }
        let l2 = AttackConfig::pgd_l2(1.0, 5, 1);
        let noisy = Ball::new(images.clone(), l2.threat()).random_corner(3);
        let (attacked, noise) = (total(l2), losses(&model, &noisy, &LABELS).iter().sum::<f32>());
        assert!(attacked > noise, "L2, {name}: a loss of {attacked}, and of {noise} under noise");
    }
}

#[test]
fn noise_uses_the_whole_radius_in_both_directions() {
    let device = Device::flex();
    let grey = Tensor::<4>::full([1, 3, 64, 64], 0.5, &device);
    let noise = AttackConfig::noise(8.0 / 255.0, 5);
    let run = AttackRun::new(&noise, grey, label_tensor(&[0], &device), Goal::Untargeted).unwrap();
    assert!(run.is_done());
    let values = read(run.adversarial());
    assert!(values.iter().all(|value| ((value - 0.5).abs() - 8.0 / 255.0).abs() < 1e-6));
    let ups = values.iter().filter(|&&value| value > 0.5).count();
    // 6,144 are expected; six standard deviations are 333.
    assert!((5_811..6_477).contains(&ups), "{ups} of 12288 tosses");
}

#[test]
fn in_normalised_space_each_channel_has_its_own_radius() {
    let device = Device::flex();
    let images = images(&device);
    let (_, model) = networks(&device).pop().unwrap();
    // FAB, DeepFool and DDN look for the nearest image, which need not be at the edge of the ball; L0 bounds no value.
    let reaching = |kind: &AttackKind| {
        kind.properties().direction != Direction::Boundary && !kind.seeks_smallest() && kind.norm() != Norm::L0
    };
    for kind in AttackKind::ALL.into_iter().filter(reaching) {
        let config = AttackConfig { channel_scale: STD, ..attack(kind, 0.2 * 255.0, 4, None) };
        if kind.norm() == Norm::L2 {
            let attacked = start(&config, &images, Goal::Untargeted).finish(&model);
            let scaled = furthest(&config, &images, attacked.clone());
            let plain = furthest(&AttackConfig { channel_scale: [1.0; 3], ..config.clone() }, &images, attacked);
            assert!((0.19..=0.2 + rounding(&config)).contains(&scaled) && plain < 0.06, "{config}: {scaled}, {plain}");
            continue;
        }
        let moved = start(&config, &images, Goal::Untargeted).finish(&model).sub(images.clone()).abs();
        for (channel, std) in STD.iter().enumerate() {
            let most = read(moved.clone().narrow(1, channel, 1)).into_iter().fold(0.0, f32::max);
            assert!((most - 0.2 * std).abs() < 1e-6, "{config}, channel {channel}: {most}");
        }
    }
}

#[test]
fn without_a_gradient_nothing_moves() {
    let device = Device::flex();
    let golden = Golden::open("wrn_10_1.weights.safetensors");
    // A head of zeros: the logits are the biases, whatever the picture.
    let file = SafeTensors::deserialize(golden.bytes()).unwrap();
    let zeros = vec![0; 64 * CLASSES * 4];
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let head = name == "backbone.fc.weight";
        let data = if head { &zeros } else { view.data() };
        (name, TensorView::new(view.dtype(), view.shape().to_vec(), data).unwrap())
    });
    let blind = golden_network(&safetensors::serialize(tensors, None).unwrap(), &device);
    let images = images(&device);
    for config in [AttackConfig::fgsm(0.1), AttackConfig::bim(0.1, 2)] {
        assert_eq!(read(start(&config, &images, Goal::Untargeted).finish(&blind)), read(images.clone()), "{config:?}");
    }
}

#[test]
fn the_input_gradient_is_the_slope_of_the_loss() {
    let device = Device::flex();
    let (_, model) = networks(&device).pop().unwrap();
    let image = images(&device).narrow(0, 0, 1);
    let label = &LABELS[..1];
    let gradient = loss_gradient(&model, image.clone(), label_tensor(label, &device));
    let norm = |tensor: &Tensor<4>| read(tensor.clone()).iter().map(|value| value * value).sum::<f32>().sqrt();
    // Soft directions: the network has kinks, and a move of thousands of pixels by very little crosses few of them.
    let wave = read(image.clone()).iter().enumerate().map(|(i, _)| (i as f32 / 500.0).sin()).collect::<Vec<_>>();
    let wave = Tensor::<4>::from_data(TensorData::new(wave, [1, 3, 64, 64]), &device);
    for (what, direction) in [("gradient", gradient.clone()), ("wave", wave), ("brightness", image.ones_like())] {
        let direction = direction.clone().div_scalar(norm(&direction));
        let slope: f32 = read(gradient.clone().mul(direction.clone())).iter().sum();
        let step = 2e-3;
        let at = |step: f32| losses(&model, &image.clone().add(direction.clone().mul_scalar(step)), label)[0];
        let measured = (at(step) - at(-step)) / (2.0 * step);
        let error = (measured - slope).abs() / norm(&gradient);
        assert!(error < 0.01, "{what}: slope {slope}, measured {measured}");
    }
}

#[test]
fn impossible_attacks_are_refused_with_the_range() {
    let images = images(&Device::flex());
    let refused = |config: AttackConfig| {
        AttackRun::new(&config, images.clone(), label_tensor(&LABELS, &images.device()), Goal::Untargeted).unwrap_err()
    };
    for epsilon in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        assert!(matches!(refused(AttackConfig::fgsm(epsilon)), AttackError::Epsilon { .. }), "{epsilon}");
    }
    assert!(matches!(refused(AttackConfig::pgd_l2(111.0, 1, 0)), AttackError::Epsilon { norm: Norm::L2, .. }));
    assert_eq!(refused(AttackConfig::bim(0.1, 0)), AttackError::Steps(0));
    let backwards = AttackConfig { step_size: Some(-1.0), ..AttackConfig::bim(0.1, 1) };
    assert_eq!(refused(backwards), AttackError::StepSize(-1.0));
    let few = label_tensor(&LABELS[..3], &images.device());
    let error = AttackRun::new(&AttackConfig::fgsm(0.1), images.clone(), few, Goal::Untargeted).unwrap_err();
    assert_eq!(error, AttackError::Labels { images: 4, labels: 3 });
}
