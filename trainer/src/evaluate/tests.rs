use std::sync::Arc;

use shared::attack::{AttackKind, AttackRun};
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::{median, rank, top_k};
use shared::seed::{Purpose, derive};

use super::*;
use crate::data::{Crafted, made};
use crate::models::read;
use crate::models::tests::{bundle, masked};
use crate::progress::{Event, Recorder};

const CLASSES: usize = 5;

fn split() -> Split {
    let places: Vec<(usize, usize)> = (0..6).flat_map(|k| (0..CLASSES).map(move |class| (class, k))).collect();
    Split {
        images: places.iter().flat_map(|&(class, k)| made::picture(class, k as u64)).collect(),
        labels: places.iter().map(|&(class, _)| class as u16).collect(),
    }
}

fn run(trials: &[Trial]) -> Vec<Vec<Score>> {
    let device = Device::flex();
    let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
    let indices: Vec<usize> = (0..30).collect();
    let evaluation = Evaluation {
        bundles: &bundles,
        clean: &split(),
        indices: &indices,
        crafted: &[],
        trials,
        stop: &Stop::default(),
    };
    evaluation.run(&device, &Progress::silent()).unwrap()
}

#[test]
fn a_limit_takes_images_of_all_classes() {
    let alternating = [0, 1, 2, 0, 1, 2, 0, 1, 2];
    assert_eq!(spread(&alternating, Some(3)), [0, 1, 2]);
    let in_blocks = [0, 0, 0, 1, 1, 1, 2, 2, 2];
    assert_eq!(spread(&in_blocks, Some(6)), [0, 1, 3, 4, 6, 7]);
    assert_eq!(spread(&in_blocks, None), (0..9).collect::<Vec<_>>());
    assert_eq!(spread(&in_blocks, Some(99)).len(), 9);
}

/// Counts the rows of `logits` in which the label comes first.
fn first_in(logits: &[f32], labels: &[usize]) -> usize {
    logits.chunks_exact(CLASSES).zip(labels).filter(|&(row, &label)| rank(row, label) == 0).count()
}

#[test]
fn a_smallest_change_is_measured_in_the_batch_as_alone_and_epsilon_only_cuts_it_off() {
    let ddn = |epsilon| Trial::until_fooled(AttackConfig::new(AttackKind::Ddn, epsilon, 60));
    let deepfool = Trial::until_fooled(AttackConfig::new(AttackKind::Deepfool, 5.0, 15));
    for scores in run(&[Trial::CLEAN, ddn(5.0), deepfool, ddn(1e-4)]) {
        let right = scores[0].top1.hits;
        let [found, boundary, none] = [1, 2, 3].map(|trial: usize| scores[trial].smallest.clone());
        if right == 0 {
            assert_eq!((found, none), (None, None));
            continue;
        }
        let (found, boundary, none) = (found.unwrap(), boundary.unwrap(), none.unwrap());
        let (ddn, deepfool) = (found.median.unwrap(), boundary.median.unwrap());
        assert!(ddn > 0.01 && ddn < 3.0 * deepfool && deepfool < 3.0 * ddn, "{ddn}, {deepfool}");
        assert_eq!(found.right_within.last().map(|right| right.hits), Some(scores[1].top1.hits));
        assert!(found.right_within[0].hits <= right && found.right_within[0].radius < found.right_within[1].radius);
        assert_eq!((none.median, none.right_within.last().map(|within| within.hits)), (None, Some(right)));
    }
}

#[test]
fn scores_are_those_of_the_attack_run_by_hand() {
    let device = Device::flex();
    let (config, split) = (AttackConfig::bim(8.0 / 255.0, 3), split());
    let scores = run(&[Trial::CLEAN, Trial::attack(config.clone(), None), Trial::attack(config.clone(), Some(0))]);
    let pictures: Vec<_> = (0..30).map(|i| Picture::from_rgb8(split.image(i).to_vec()).unwrap()).collect();
    let labels: Vec<usize> = (0..30).map(|i| split.label(i)).collect();
    let images = pictures_to_tensor(&pictures, &device);
    let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
    let right = |bundle: &Bundle, images: Tensor<4>| first_in(&read(bundle.model.forward(images)).unwrap(), &labels);
    let attacked = |source: &Bundle| {
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let labels = Tensor::from_data(TensorData::new(labels, [30]), &device);
        AttackRun::new(&config, images.clone(), labels, Goal::Untargeted).unwrap().finish(&source.model)
    };
    for (bundle, scores) in bundles.iter().zip(&scores) {
        let hits: Vec<usize> = scores.iter().map(|score| score.top1.hits).collect();
        let white_box = right(bundle, attacked(bundle));
        let transfer = right(bundle, attacked(&bundles[0]));
        assert_eq!(hits, [right(bundle, images.clone()), white_box, transfer], "{}", bundle.card.name);
        // Three steps of a quarter of the radius.
        assert!((scores[1].median_linf.unwrap() - 6.0 / 255.0).abs() < 1e-6);
    }
    // For the first network, which the images are crafted on, both protocols are one.
    assert_eq!(scores[0][1].top1, scores[0][2].top1);
    assert_eq!(scores[1][2].to_string(), "BIM-3 at 8/255 from a");
}

#[test]
fn restarts_and_augmentation_are_named_and_repeatable() {
    let mut pgd = Trial::attack(AttackConfig::pgd(8.0 / 255.0, 2, 9), None);
    let mut worst_of_4 = pgd.clone();
    worst_of_4.attack.as_mut().unwrap().restarts = 4;
    pgd.set = ImageSet::Augmented;
    let trials = [Trial::CLEAN, Trial::AUGMENTED, pgd, worst_of_4];
    let scores = run(&trials);
    assert_eq!(scores, run(&trials));
    // Measured from the augmented images, not from the clean ones.
    assert!(scores[0][2].median_linf.unwrap() <= 8.0 / 255.0 + 1e-6, "{:?}", scores[0][2].median_linf);
    let names: Vec<String> = scores[0].iter().map(ToString::to_string).collect();
    assert_eq!(names, ["clean", "augmented", "augmented, PGD-2 at 8/255", "PGD-2 at 8/255, 4 restarts"]);
}

#[test]
fn more_restarts_never_help_the_network() {
    let with = |restarts: usize| {
        let mut trial = Trial::attack(AttackConfig::pgd(2.0 / 255.0, 1, 9), None);
        trial.attack.as_mut().unwrap().restarts = restarts;
        run(&[Trial::CLEAN, trial]).iter().map(|scores| scores[1].top1.hits).collect::<Vec<_>>()
    };
    let (one, five) = (with(1), with(5));
    assert!(one.iter().zip(&five).all(|(one, five)| five <= one), "{one:?} {five:?}");
}

#[test]
fn images_without_a_gradient_are_counted_where_an_attack_needs_one() {
    let device = Device::flex();
    let (masked, indices) = (masked(1, &device), (0..30).collect::<Vec<_>>());
    let batch = EvaluationBatch::new(&split(), &indices, 0, CLASSES, &device).unwrap();
    // The network is right about all images.
    let labels = logits(&masked, batch.images).unwrap().iter().map(|row| top_k(row, 1)[0] as u16).collect();
    let clean = Split { labels, ..split() };
    let bim = AttackConfig::bim(4.0 / 255.0, 3);
    let attacks = [bim.clone(), AttackConfig::new(AttackKind::Noise, 4.0 / 255.0, 1)];
    let mut trials = vec![Trial::CLEAN];
    trials.extend(
        attacks.iter().flat_map(|attack| [Trial::attack(attack.clone(), None), Trial::until_fooled(attack.clone())]),
    );
    // Square needs none, so it says something of the network.
    let mut two = Trial::until_fooled(bim);
    two.attack.as_mut().unwrap().then = vec![AttackConfig::new(AttackKind::Square, 4.0 / 255.0, 2)];
    trials.push(two);
    let count = |bundle: Bundle| {
        let (bundles, stop) = ([bundle], Stop::default());
        let evaluation = Evaluation {
            bundles: &bundles,
            clean: &clean,
            indices: &indices,
            crafted: &[],
            trials: &trials,
            stop: &stop,
        };
        let scores = evaluation.run(&device, &Progress::silent()).unwrap();
        scores[0].iter().map(|score| (score.no_gradient, score.top1.hits)).collect::<Vec<_>>()
    };
    let found = count(masked);
    assert_eq!(found[..3], [(0, 30), (30, 30), (30, 30)]);
    assert!(found[3..5].iter().all(|(without, _)| *without == 0), "{found:?}");
    assert!(found[5].0 == 0 && found[5].1 > 0, "{found:?}");
    let others = count(bundle("a", 1, &device));
    assert!(others.iter().all(|(without, _)| *without == 0), "{others:?}");
}

/// Returns PGD from so many starts, until an image is fooled.
fn pgd_until_fooled(epsilon_255: f32, restarts: usize) -> Trial {
    let mut trial = Trial::attack(AttackConfig::pgd(epsilon_255 / 255.0, 4, 9), None);
    if let Some(attack) = &mut trial.attack {
        (attack.restarts, attack.until_fooled) = (restarts, true);
    }
    trial
}

#[test]
fn what_is_left_of_an_attack_until_fooled_has_held_at_every_step() {
    let (device, split) = (Device::flex(), split());
    // The labels are the first network's predictions, so that all its images can be fooled.
    let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
    let indices: Vec<usize> = (0..30).collect();
    let batch = EvaluationBatch::new(&split, &indices, 0, CLASSES, &device).unwrap();
    let rows = logits(&bundles[0], batch.images).unwrap();
    let labels = rows.iter().map(|row| top_k(row, 1)[0] as u16).collect();
    let split = Split { labels, ..split };
    let strengths = [0.05, 0.1, 0.2, 0.4, 4.0];
    let mut trials = vec![Trial::CLEAN];
    trials.extend(strengths.iter().flat_map(|&epsilon| [pgd_until_fooled(epsilon, 1), pgd_until_fooled(epsilon, 3)]));
    let evaluate = |batch_size: usize| {
        let recorder = Arc::new(Recorder::default());
        let evaluation = Evaluation {
            bundles: &bundles,
            clean: &split,
            indices: &indices,
            crafted: &[],
            trials: &trials,
            stop: &Stop::default(),
        };
        let scores = evaluation.run_in(batch_size, &device, &Progress::silent().shown_by(recorder.clone())).unwrap();
        let events = recorder.events();
        let (Event::Started { total, .. }, Event::Finished { done, .. }) = (&events[0], &events[events.len() - 1])
        else {
            panic!("{events:?}");
        };
        assert_eq!(Some(*done), *total, "what leaves early is done too");
        scores
    };
    let scores = evaluate(7);
    assert_eq!(scores, evaluate(100), "the batch does not matter");
    let first = &scores[0];
    assert_eq!(first[0].top1.hits, 30);
    for (pair, epsilon) in first[1..].chunks(2).zip(strengths) {
        // By hand: each image alone, with all of its steps, one start after the other.
        let mut held = [30, 30];
        for (index, label) in split.labels.iter().enumerate() {
            let config = AttackConfig::pgd(epsilon / 255.0, 4, 0);
            let image = EvaluationBatch::new(&split, &[index], 0, CLASSES, &device).unwrap().images;
            let fooled_from = |restart: usize| {
                let seed = derive(9, index as u64, Purpose::ImageStart);
                let seed = if restart == 0 { seed } else { derive(seed, restart as u64, Purpose::Restart) };
                let label_tensor = Tensor::from_ints([i64::from(*label)], &device);
                let config = AttackConfig { seed, ..config.clone() };
                let mut run = AttackRun::new(&config, image.clone(), label_tensor, Goal::Untargeted).unwrap();
                let mut fooled = false;
                while !fooled {
                    let logits = logits(&bundles[0], run.adversarial()).unwrap();
                    fooled = Goal::Untargeted.is_reached(&logits[0], usize::from(*label));
                    if run.is_done() {
                        break;
                    }
                    run.step(&bundles[0].model);
                }
                fooled
            };
            let fooled: Vec<bool> = (0..3).map(fooled_from).collect();
            held[0] -= usize::from(fooled[0]);
            held[1] -= usize::from(fooled.contains(&true));
        }
        assert_eq!([pair[0].top1.hits, pair[1].top1.hits], held, "{epsilon}");
        for score in pair {
            assert_eq!((score.until_fooled, score.success.unwrap().hits), (true, 30 - score.top1.hits));
            assert!(score.median_linf.unwrap() <= epsilon / 255.0 + 1e-6);
        }
    }
    let hits: Vec<usize> = first.iter().map(|score| score.top1.hits).collect();
    assert!(hits.iter().any(|&hits| 0 < hits && hits < 30), "some must hold and some not: {hits:?}");
    // The second network is wrong on most images: only those that are right are attacked.
    assert!(scores[1].iter().all(|score| score.top1.hits <= scores[1][0].top1.hits));
}

#[test]
fn an_attack_until_fooled_is_never_weaker_than_its_last_step() {
    // Without a random start, so that both take the same steps.
    let last_step = Trial::attack(AttackConfig::bim(1.0 / 255.0, 5), None);
    let mut any_step = last_step.clone();
    any_step.attack.as_mut().unwrap().until_fooled = true;
    for scores in run(&[Trial::CLEAN, last_step, any_step]) {
        assert!(scores[2].top1.hits <= scores[1].top1.hits, "{scores:?}");
        assert_eq!((scores[1].until_fooled, scores[2].until_fooled), (false, true));
        assert!(scores[1].measures_the_same(&scores[2]) && scores[1].to_string() == scores[2].to_string());
    }
}

/// Returns a set that moves the first value of every image by its number, crafted on a network that is not evaluated.
fn saved(clean: &Split, kind: AttackKind) -> CraftedVal {
    let mut images = clean.images.clone();
    for (number, image) in images.chunks_exact_mut(crate::data::IMAGE_BYTES).enumerate() {
        image[0] = if image[0] < 128 { image[0] + number as u8 } else { image[0] - number as u8 };
    }
    let made = Crafted {
        source: "elsewhere".into(),
        weights_sha256: "w".into(),
        data_sha256: "d".into(),
        attack: AttackConfig::new(kind, 0.2, 5),
    };
    let val = Split { images, labels: clean.labels.clone() };
    CraftedVal { dir: "set".into(), made, sha256: "s".into(), val }
}

#[test]
fn saved_images_are_shown_as_they_are_to_every_network() {
    let (device, clean) = (Device::flex(), split());
    let crafted = [saved(&clean, AttackKind::Noise), saved(&clean, AttackKind::Bim)];
    let trials = [Trial::CLEAN, Trial::saved(1, &crafted[1]), Trial::AUGMENTED, Trial::saved(0, &crafted[0])];
    let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
    // Indices that do not start at 0 and are out of step with the batches.
    let indices: Vec<usize> = (3..30).collect();
    let evaluation = Evaluation {
        bundles: &bundles,
        clean: &clean,
        indices: &indices,
        crafted: &crafted,
        trials: &trials,
        stop: &Stop::default(),
    };
    let scores = evaluation.run(&device, &Progress::silent()).unwrap();
    let names: Vec<String> = scores[0].iter().map(ToString::to_string).collect();
    assert_eq!(names, ["clean", "BIM-5 at 51/255 from elsewhere, saved", "augmented", "noise at 51/255, saved"]);

    let pictures = indices.iter().map(|&index| Picture::from_rgb8(crafted[1].val.image(index).to_vec()).unwrap());
    let images = pictures_to_tensor(&pictures.collect::<Vec<_>>(), &device);
    let labels: Vec<usize> = indices.iter().map(|&index| clean.label(index)).collect();
    let moved: Vec<f32> = indices.iter().map(|&index| index as f32 / 255.0).collect();
    for (bundle, scores) in bundles.iter().zip(&scores) {
        let logits = read(bundle.model.forward(images.clone())).unwrap();
        assert_eq!(scores[1].top1.hits, first_in(&logits, &labels));
        for distance in [scores[1].median_linf, scores[1].median_l2, scores[3].median_linf] {
            assert!((distance.unwrap() - median(&moved).unwrap()).abs() < 1e-6, "{distance:?}");
        }
        assert_eq!(scores[1].success.unwrap().of, scores[0].top1.hits);
        assert_eq!((scores[1].crafted_sha256.as_deref(), scores[3].crafted_on.as_deref()), (Some("s"), None));
        assert_eq!((scores[2].median_linf, scores[2].success), (None, None));
    }

    let mut other = saved(&clean, AttackKind::Bim);
    other.val.labels.reverse();
    let evaluation = Evaluation { crafted: &[other], ..evaluation };
    let error = evaluation.run(&device, &Progress::silent()).unwrap_err().to_string();
    assert!(error.contains("set has other labels"), "{error}");
}

#[test]
fn two_devices_give_the_results_of_one() {
    let device = Device::flex();
    let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
    let others = [bundle("a", 1, &device), bundle("b", 2, &device)];
    let attack = AttackConfig::pgd(0.02, 2, 7);
    let trials = [
        Trial::CLEAN,
        Trial::AUGMENTED,
        Trial::attack(attack.clone(), None),
        Trial::attack(attack.clone(), Some(1)),
        Trial::until_fooled(attack),
    ];
    let (clean, stop, indices) = (split(), Stop::default(), (0..30).collect::<Vec<_>>());
    let evaluation =
        Evaluation { bundles: &bundles, clean: &clean, indices: &indices, crafted: &[], trials: &trials, stop: &stop };
    let scores = |networks: &[&[Bundle; 2]]| {
        let places: Vec<Place<'_, [Bundle]>> =
            networks.iter().map(|networks| Place { name: "node", device: &device, on_it: &networks[..] }).collect();
        // Batches of 7 of the 30 images: the devices have different numbers of them, and the last is short.
        evaluation.run_on(&places, &Kept::nothing(indices.len(), 7), &Progress::silent()).unwrap()
    };
    assert_eq!(scores(&[&bundles]), scores(&[&bundles, &others]));
    // More devices than batches: some have nothing to do.
    assert_eq!(scores(&[&bundles]), scores(&[&bundles; 6]));
    assert!(!stop.requested());
}
