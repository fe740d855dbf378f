use shared::attack::AttackConfig;
use shared::metrics::top_k;

use super::*;
use crate::data::made;
use crate::evaluate::{BATCH, Evaluation, EvaluationBatch, Trial, logits};
use crate::models::tests::{bundle, masked};
use crate::progress::Task;

const CLASSES: usize = 5;
const IMAGES: usize = 20;
const EPSILON: f32 = 8.0 / 255.0;

fn made_split() -> Split {
    let class = |index: usize| index % CLASSES;
    Split {
        images: (0..IMAGES).flat_map(|index| made::picture(class(index), index as u64)).collect(),
        labels: (0..IMAGES).map(|index| class(index) as u16).collect(),
    }
}

/// Returns made pictures with the predictions of `bundle` for labels, so that a random network is always right.
fn labelled_by(bundle: &Bundle) -> Split {
    let split = made_split();
    let indices: Vec<usize> = (0..IMAGES).collect();
    let batch = EvaluationBatch::new(&split, &indices, 0, CLASSES, &Device::flex()).unwrap();
    let rows = logits(bundle, batch.images).unwrap();
    let labels = rows.iter().map(|row| top_k(row, 1)[0] as u16).collect();
    Split { labels, ..split }
}

/// Checks the first network; the others are there for transfer.
fn check_first(bundles: &[Bundle], split: &Split, task: &Task) -> Checked {
    let (indices, device): (Vec<usize>, _) = ((0..split.len()).collect(), Device::flex());
    let stop = Stop::default();
    let evaluation = Evaluation { bundles, clean: split, indices: &indices, crafted: &[], trials: &[], stop: &stop };
    let (subject, kept) = (Subject::new(bundles, split, &indices), Kept::nothing(indices.len(), BATCH));
    let live = Live { evaluation: &evaluation, device: &device, task };
    check_one(&CheckedModel::new(&subject, plan(bundles), &kept, Some(live))).unwrap()
}

fn plan(bundles: &[Bundle]) -> CheckPlan {
    CheckPlan { networks: bundles.len(), index: 0, epsilon: EPSILON }
}

fn task() -> Task {
    Progress::silent().start("Checking", None, Unit::Passes)
}

fn names(checked: &Checked, verdict: Verdict) -> Vec<&'static str> {
    checked.checks.iter().filter(|check| check.verdict == verdict).map(|check| check.name).collect()
}

#[test]
fn a_sound_evaluation_passes_all_that_can_be_measured() {
    let device = Device::flex();
    let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
    let task = task();
    let checked = check_first(&bundles, &labelled_by(&bundles[0]), &task);
    assert_eq!(task.done(), IMAGES as u64 * plan(&bundles).passes());
    assert_eq!(checked.clean, Proportion { hits: IMAGES, of: IMAGES });
    assert_eq!(names(&checked, Verdict::Pass).len(), CHECKS, "{:#?}", checked.checks);
}

#[test]
fn masked_gradients_are_found() {
    let device = Device::flex();
    let masked = masked(1, &device);
    let split = labelled_by(&masked);
    // The score alone makes the network look robust.
    let indices: Vec<usize> = (0..IMAGES).collect();
    let trials = [Trial::CLEAN, Trial::attack(AttackConfig::bim(EPSILON, 5), None)];
    let bundles = [masked, bundle("b", 1, &device)];
    let evaluation = Evaluation {
        bundles: &bundles,
        clean: &split,
        indices: &indices,
        crafted: &[],
        trials: &trials,
        stop: &Stop::default(),
    };
    let scores = evaluation.run(&device, &Progress::silent()).unwrap();
    assert_eq!(scores[0][1].top1.hits, IMAGES);

    let checked = check_first(&bundles, &split, &task());
    let failed = names(&checked, Verdict::Fail);
    for name in [
        "epsilon 0.5 leaves chance",
        "noise is weaker than white-box",
        "transfer is weaker than white-box",
        "gradients are not zero",
        "margin losses find little more",
        "the loss climbs to a plateau",
    ] {
        assert!(failed.contains(&name), "{name}: {:#?}", checked.checks);
    }
}

#[test]
fn what_needs_accuracy_is_skipped_where_there_is_none() {
    let device = Device::flex();
    let bundles = [bundle("a", 1, &device)];
    let split = made_split();
    // Fewer images than have to be right.
    let kept = Kept::nothing(4, BATCH);
    let checked =
        check(&bundles, &split, &[0, 1, 2, 3], EPSILON, &kept, &device, &Progress::silent(), &Stop::default()).unwrap();
    assert_eq!(checked.len(), 1);
    let of_accuracy: Vec<_> = ITEMS.iter().filter(|item| item.of_accuracy).map(|item| item.name).collect();
    assert_eq!(names(&checked[0], Verdict::Skipped), of_accuracy, "{:#?}", checked[0].checks);
    assert_eq!(names(&checked[0], Verdict::Fail), [""; 0], "{:#?}", checked[0].checks);
    let reason = &checked[0].checks.iter().find(|check| check.verdict == Verdict::Skipped).unwrap().figure;
    assert!(reason.starts_with("not measurable: ") && reason.ends_with("of 4 images right"), "{reason}");
}
