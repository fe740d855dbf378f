//! DeepFool and DDN find what Foolbox finds, by the same steps; the one-pixel attack does as much as torchattacks' differential evolution
//! with the same number of questions.

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackKind, AttackRun, Goal};
use shared::model::Classifier;
use tests::{Golden, compare, label_tensor, read};

use crate::network::classifier;

/// The golden images are rounded to multiples of 1/65535.
const ROUNDING: f32 = 1e-5;
/// Steps of DDN in the golden files.
const DDN_STEPS: usize = 40;
/// Length beyond all that is found here.
const LIMIT: f32 = 20.0;

struct Setup {
    device: Device,
    model: Classifier,
    images: Tensor<4>,
    /// The network's own answers.
    labels: Vec<usize>,
    golden: Golden,
}

impl Setup {
    /// Returns the first `count` golden images.
    fn new(count: usize) -> Self {
        let device = Device::flex();
        let images = Golden::open("wrn_10_1.values.safetensors").images("images", &device).narrow(0, 0, count);
        let model = classifier("wrn_10_1.weights.safetensors", [1, 2, 2], &device);
        let answers = read(model.forward(images.clone()).argmax(1).float());
        let labels = answers.into_iter().map(|class| class as usize).collect();
        Self { device, model, images, labels, golden: Golden::open("smallest.safetensors") }
    }

    fn start(&self, config: &AttackConfig, labels: &[usize], goal: Goal) -> AttackRun {
        AttackRun::new(config, self.images.clone(), label_tensor(labels, &self.device), goal).unwrap()
    }

    /// Asserts that changes are as long as the golden ones, but for a share.
    fn assert_as_long(&self, attacked: Tensor<4>, golden: &str, share: f32) {
        let found = read(attacked.sub(self.images.clone()).square().sum_dim(3).sum_dim(2).sum_dim(1)).into_iter();
        for (found, expected) in found.map(f32::sqrt).zip(self.golden.values(golden).0) {
            assert!((found / expected - 1.0).abs() <= share, "{golden}: {found}, not {expected}");
        }
    }
}

#[test]
fn deepfool_goes_foolbox_s_way() {
    let setup = Setup::new(2);
    let config = AttackConfig::new(AttackKind::Deepfool, LIMIT, 50);
    let mut run = setup.start(&config, &setup.labels, Goal::Untargeted);
    run.step(&setup.model);
    let difference = compare(&read(run.adversarial()), &setup.golden.values("deepfool_1").0, ROUNDING);
    assert!(difference.max <= 2.0 * ROUNDING, "{difference:?}");
    let found = run.finish(&setup.model);
    let difference = compare(&read(found.clone()), &setup.golden.values("deepfool_50").0, ROUNDING);
    assert!(difference.max <= 1e-3, "{difference:?}");
    setup.assert_as_long(found, "deepfool_distance", 2e-3);
}

#[test]
fn ddn_goes_foolbox_s_way_and_finds_changes_as_small() {
    let setup = Setup::new(2);
    let config = AttackConfig::new(AttackKind::Ddn, LIMIT, DDN_STEPS);
    let mut run = setup.start(&config, &setup.labels, Goal::Untargeted);
    // Both images are fooled from the first step on, each nearer than the one before: what counts is the image before the last step.
    for step in 1..=DDN_STEPS {
        run.step(&setup.model);
        if let Some((_, golden, tolerance)) =
            [(2, "ddn_1", 2.0 * ROUNDING), (11, "ddn_10", 1e-3)].iter().find(|it| it.0 == step)
        {
            let difference = compare(&read(run.adversarial()), &setup.golden.values(golden).0, ROUNDING);
            assert!(difference.max <= *tolerance, "{golden}: {difference:?}");
        }
    }
    setup.assert_as_long(run.adversarial(), "ddn_distance", 0.01);
    let targeted = setup.start(&config, &[12, 5], Goal::Targeted).finish(&setup.model);
    setup.assert_as_long(targeted, "ddn_targeted_distance", 0.01);
}

#[test]
fn few_pixels_do_as_much_as_in_torchattacks() {
    const POPULATION: usize = 50;
    const GENERATIONS: usize = 6;
    const SEEDS: usize = 2;
    let setup = Setup::new(4);
    for pixels in [1, 5] {
        let (theirs, shape) = setup.golden.values(&format!("one_pixel_{pixels}"));
        let mut means = vec![0.0; shape[1]];
        for seed in 0..SEEDS as u64 {
            let config = AttackConfig {
                population: POPULATION,
                seed,
                ..AttackConfig::new(AttackKind::OnePixel, pixels as f32, GENERATIONS)
            };
            let attacked = setup.start(&config, &setup.labels, Goal::Untargeted).finish(&setup.model);
            let logits = read(setup.model.forward(attacked));
            for ((mean, row), label) in means.iter_mut().zip(logits.chunks_exact(20)).zip(&setup.labels) {
                *mean += shared::metrics::softmax(row)[*label] / SEEDS as f32;
            }
        }
        let clean = read(setup.model.forward(setup.images.clone()));
        for (image, mean) in means.into_iter().enumerate() {
            let clean = shared::metrics::softmax(&clean[image * 20..][..20])[setup.labels[image]];
            let theirs: Vec<f32> = theirs.iter().skip(image).step_by(shape[1]).copied().collect();
            let average = theirs.iter().sum::<f32>() / theirs.len() as f32;
            // How much of the label's probability is gone, of what was gone there.
            let share = (clean - mean) / (clean - average);
            assert!((0.6..2.0).contains(&share), "{pixels} pixels, image {image}: {share} of {clean} - {average}");
        }
    }
}
