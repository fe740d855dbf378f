use indicatif::ProgressBar;
use shared::attack::AttackRun;
use shared::metrics::correct_at_k;

use super::*;
use crate::data::made;
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
    evaluate(&bundles, &split(), &indices, trials, &device, &ProgressBar::hidden()).unwrap()
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
