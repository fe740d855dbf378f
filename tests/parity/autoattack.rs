//! APGD, FAB and the bumps of Square are those of AutoAttack's authors, from the same start: losses and images after a step.

use burn::prelude::*;
use shared::attack::{AttackConfig, AttackKind, AttackRun, Goal, Loss, Norm};
use shared::metrics::{l2_distance, linf_distance};
use shared::model::Classifier;
use tests::{Golden, compare, label_tensor, read};

use crate::network::classifier;

const STEPS: usize = 20;
/// The golden images are rounded to multiples of 1/65535.
const ROUNDING: f32 = 1e-5;
/// Share of the values that may have gone the other way in L-infinity, where rounding decides the sign of a gradient of nearly
/// zero, and a pixel that went the other way also moves the gradients of others.
const MAX_SHARE: f32 = 2e-2;

struct Setup {
    device: Device,
    model: Classifier,
    image: Tensor<4>,
    golden: Golden,
}

impl Setup {
    fn new() -> Self {
        let device = Device::flex();
        let image = Golden::open("wrn_10_1.values.safetensors").images("images", &device).narrow(0, 0, 1);
        let model = classifier("wrn_10_1.weights.safetensors", [1, 2, 2], &device);
        Self { model, image, golden: Golden::open("autoattack.safetensors"), device }
    }

    fn config(norm: Norm, loss: Loss) -> AttackConfig {
        let (kind, epsilon) = match norm {
            Norm::Linf => (AttackKind::Apgd, 8.0 / 255.0),
            _ => (AttackKind::ApgdL2, 0.5),
        };
        AttackConfig { loss, ..AttackConfig::new(kind, epsilon, STEPS) }
    }

    fn apgd(&self, norm: Norm, loss: Loss) -> AttackRun {
        let (config, image) = (Self::config(norm, loss), self.image.clone());
        let [label, target] = [[3], [12]].map(|class| label_tensor(&class, &self.device));
        let run = match loss.is_targeted() {
            true => AttackRun::leading_to(&config, image, label, target),
            false => AttackRun::new(&config, image, label, Goal::Untargeted),
        };
        run.unwrap().beginning_at(self.golden.images(&format!("{}_start", name(norm)), &self.device))
    }

    fn logits(&self, image: Tensor<4>) -> Vec<f32> {
        read(self.model.forward(image))
    }
}

fn name(norm: Norm) -> &'static str {
    if norm == Norm::Linf { "Linf" } else { "L2" }
}

/// The loss of logits as the paper defines it, by sorting.
fn loss_of(loss: Loss, logits: &[f32]) -> f32 {
    const LABEL: usize = 3;
    const TARGET: usize = 12;
    let mut sorted = logits.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let margin = |class: usize| logits[class] - logits[LABEL];
    match loss {
        Loss::CrossEntropy => logits.iter().map(|z| (z - logits[LABEL]).exp()).sum::<f32>().ln(),
        Loss::TargetedDlr => margin(TARGET) / (sorted[0] - (sorted[2] + sorted[3]) / 2.0),
        _ => {
            let other = if sorted[0] == logits[LABEL] { sorted[1] } else { sorted[0] };
            (other - logits[LABEL]) / (sorted[0] - sorted[2])
        }
    }
}

#[test]
fn losses_and_images_of_apgd_are_the_authors() {
    let setup = Setup::new();
    for norm in [Norm::L2, Norm::Linf] {
        for (loss, golden_name) in [(Loss::CrossEntropy, "ce"), (Loss::Dlr, "dlr"), (Loss::TargetedDlr, "dlr-targeted")]
        {
            let mut run = setup.apgd(norm, loss);
            let (losses, _) = setup.golden.values(&format!("{}_{golden_name}_losses", name(norm)));
            for (step, expected) in (1..=STEPS).zip(losses) {
                run.step(&setup.model);
                let found = loss_of(loss, &setup.logits(run.adversarial()));
                // Signs make L-infinity chaotic: a step is compared while few of them have turned.
                let (steps, tolerance) = if norm == Norm::L2 { (STEPS, 2e-3) } else { (9, 5e-2) };
                let apart = (found - expected).abs() / expected.abs().max(1.0);
                assert!(step > steps || apart < tolerance, "{norm:?} {loss} {step}: {found}, not {expected}");
                let golden = format!("{}_{golden_name}_{step}", name(norm));
                if setup.golden.shapes().iter().any(|(name, _)| *name == golden) {
                    let difference = compare(&read(run.adversarial()), &setup.golden.values(&golden).0, ROUNDING);
                    match norm {
                        Norm::Linf => assert!(difference.share <= MAX_SHARE, "{golden}: {difference:?}"),
                        _ => assert!(difference.max <= 5.0 * ROUNDING, "{golden}: {difference:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn fab_goes_the_authors_way_and_finds_an_image_as_near() {
    let setup = Setup::new();
    let logits = setup.logits(setup.image.clone());
    let order = shared::metrics::top_k(&logits, 2);
    for (norm, kind, epsilon) in [(Norm::Linf, AttackKind::Fab, 8.0 / 255.0), (Norm::L2, AttackKind::FabL2, 0.5)] {
        let config = AttackConfig { loss: Loss::TargetedMargin, ..AttackConfig::new(kind, epsilon, STEPS) };
        let [label, target] = [0, 1].map(|place| label_tensor(&[order[place]], &setup.device));
        let mut run = AttackRun::leading_to(&config, setup.image.clone(), label, target).unwrap();
        let original = read(setup.image.clone());
        let mut nearest = f32::INFINITY;
        for step in 1..=STEPS {
            run.step(&setup.model);
            let found = read(run.adversarial());
            let golden = format!("fab_{}_{step}", name(norm));
            if setup.golden.shapes().iter().any(|(name, _)| *name == golden) {
                let difference = compare(&found, &setup.golden.values(&golden).0, ROUNDING);
                assert!(difference.mean <= 5e-5 && difference.share <= 0.05, "{golden}: {difference:?}");
            }
            let distance =
                if norm == Norm::Linf { linf_distance(&original, &found) } else { l2_distance(&original, &found) };
            if shared::metrics::top_k(&setup.logits(run.adversarial()), 1) != order[..1] {
                nearest = nearest.min(distance);
            }
        }
        let expected = setup.golden.values(&format!("fab_{}_distance", name(norm))).0[0];
        assert!((nearest / expected - 1.0).abs() < 0.02, "{norm:?}: {nearest}, not {expected}");
    }
}
