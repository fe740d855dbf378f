use indicatif::ProgressBar;
use shared::attack::AttackRun;
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::{correct_at_k, median};

use super::*;
use crate::data::{Crafted, made};
use crate::models::read;
use crate::models::tests::bundle;

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
    evaluation.run(&device, &ProgressBar::hidden()).unwrap()
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

#[test]
fn scores_are_those_of_the_attack_run_by_hand() {
    let device = Device::flex();
    let (config, split) = (AttackConfig::bim(8.0 / 255.0, 3), split());
    let scores = run(&[Trial::CLEAN, Trial::attack(config.clone(), None), Trial::attack(config.clone(), Some(0))]);
    let pictures: Vec<_> = (0..30).map(|i| Picture::from_rgb8(split.image(i).to_vec()).unwrap()).collect();
    let labels: Vec<usize> = (0..30).map(|i| split.label(i)).collect();
    let images = pictures_to_tensor(&pictures, &device);
    let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
    let right = |bundle: &Bundle, images: Tensor<4>| {
        correct_at_k(&read(bundle.model.forward(images)).unwrap(), CLASSES, &labels, 1)
    };
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
    // Crafted on the first network: for it both protocols are one.
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

/// A set that moves the first value of every image by its number, crafted on a network that is not evaluated.
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
    // Not the first ones, and out of step with the batches.
    let indices: Vec<usize> = (3..30).collect();
    let evaluation = Evaluation {
        bundles: &bundles,
        clean: &clean,
        indices: &indices,
        crafted: &crafted,
        trials: &trials,
        stop: &Stop::default(),
    };
    let scores = evaluation.run(&device, &ProgressBar::hidden()).unwrap();
    let names: Vec<String> = scores[0].iter().map(ToString::to_string).collect();
    assert_eq!(names, ["clean", "BIM-5 at 51/255 from elsewhere, saved", "augmented", "noise at 51/255, saved"]);

    let pictures = indices.iter().map(|&index| Picture::from_rgb8(crafted[1].val.image(index).to_vec()).unwrap());
    let images = pictures_to_tensor(&pictures.collect::<Vec<_>>(), &device);
    let labels: Vec<usize> = indices.iter().map(|&index| clean.label(index)).collect();
    let moved: Vec<f32> = indices.iter().map(|&index| index as f32 / 255.0).collect();
    for (bundle, scores) in bundles.iter().zip(&scores) {
        let logits = read(bundle.model.forward(images.clone())).unwrap();
        assert_eq!(scores[1].top1.hits, correct_at_k(&logits, CLASSES, &labels, 1));
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
    let error = evaluation.run(&device, &ProgressBar::hidden()).unwrap_err().to_string();
    assert!(error.contains("set has other labels"), "{error}");
}
