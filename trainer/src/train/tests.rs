//! Training on a synthetic data set: networks learn, and a run that was stopped ends where an undisturbed one does.

use shared::model::BuildNetwork as _;
use std::fs;
use std::sync::Arc;

use burn::prelude::*;
use clap::Parser;
use shared::attack::AttackKind;
use shared::bundle::{Precision, save_weights};
use shared::model::Classifier;
use tempfile::TempDir;

use super::checkpoint::find_checkpoint;
use super::checkpoint_files::{Checkpoint, Part};
use super::run_dir::{RUN_FORMAT, RunDir, RunRecord};
use super::session::Session;
use super::*;
use crate::data::{Class, Dataset, PixelStats, Split, made};
use crate::progress::{Collapse, Event, Progress, Recorder};

pub(super) const CLASSES: usize = 4;
pub(super) const PIXELS: PixelStats = PixelStats { mean: [0.5; 3], std: [0.25; 3] };

/// Returns a data set whose pictures differ within a class, so that memorising them does not help.
pub(super) fn dataset() -> Dataset {
    let split = |count: usize, seed: u64| {
        let places: Vec<(usize, usize)> = (0..CLASSES).flat_map(|class| (0..count).map(move |k| (class, k))).collect();
        Split {
            images: places.iter().flat_map(|&(class, k)| made::picture(class, seed + k as u64)).collect(),
            labels: places.iter().map(|&(class, _)| class as u16).collect(),
        }
    };
    let class = |class: usize| Class { wnid: format!("n{class:08}"), name: made::class_name(class) };
    Dataset {
        classes: (0..CLASSES).map(class).collect(),
        train: split(40, 0),
        val: split(25, 1_000_000),
        pixels: PIXELS,
        sha256: "made".into(),
    }
}

#[derive(Parser)]
#[command(args_override_self = true)]
struct Flags {
    #[command(flatten)]
    config: ConfigFlags,
}

pub(super) fn config(more: &[&str]) -> TrainConfig {
    try_config(more).unwrap()
}

fn try_config(more: &[&str]) -> anyhow::Result<TrainConfig> {
    let small = ["test", "--width", "1", "--batch-size", "16", "--image-size", "32", "--held-out", "2"];
    resolve(None, &Flags::parse_from(small.iter().chain(more)).config)
}

/// Returns a network before its first step, the same at every call.
pub(super) fn network(config: &TrainConfig) -> Classifier {
    config.architecture().unwrap().init_seeded(CLASSES, PIXELS.mean, PIXELS.std, 1, &Device::flex()).unwrap()
}

/// Returns the checkpoint that a run would go on from.
pub(super) fn find(run: &RunDir, config: &TrainConfig) -> anyhow::Result<Option<Checkpoint>> {
    let steps_total = Session::steps_total(config, &dataset().train).unwrap();
    find_checkpoint(run, config, steps_total, network(config), &Progress::silent())
}

/// Trains in `dir`, or resumes the run there, until the end or until `stop_after` steps.
pub(super) fn train(dir: &TempDir, config: &TrainConfig, stop_after: Option<usize>) -> Outcome {
    session(dir, config, stop_after).run(network(config)).unwrap()
}

pub(super) fn session(dir: &TempDir, config: &TrainConfig, stop_after: Option<usize>) -> Session {
    let path = dir.path().join("run");
    let run = if path.exists() {
        RunDir::open(&path).unwrap().0
    } else {
        let record = RunRecord {
            format: RUN_FORMAT,
            command: String::new(),
            history: vec![],
            init: None,
            pretrained: None,
            data: path.clone(),
            data_sha256: String::new(),
            crafted: vec![],
            teacher_sha256: None,
            pixels: PIXELS,
        };
        RunDir::create(&path, &record, config).unwrap().0
    };
    let checkpoint = find(&run, config).unwrap();
    let position = Position::that_stops(checkpoint.map_or(0, |checkpoint| checkpoint.steps_done), stop_after);
    Session {
        config: config.clone(),
        run,
        dataset: dataset(),
        // The clean pictures in place of attacked ones.
        crafted: [AttackKind::Fgsm, AttackKind::Bim].map(|kind| (kind, Arc::new(dataset().train))).into(),
        teacher: None,
        devices: vec![Device::flex()],
        nodes: vec![],
        own: Device::flex(),
        position: Arc::new(position),
        checkpoint,
        dashboard: None,
        progress: Progress::silent(),
    }
}

pub(super) fn trained(outcome: Outcome) -> Classifier {
    match outcome {
        Outcome::Done(model) => *model,
        Outcome::Stopped { steps_done, .. } => panic!("stopped after {steps_done} steps"),
    }
}

fn accuracy(model: &Classifier, split: &Split) -> f64 {
    let images: Vec<_> =
        (0..split.len()).map(|i| shared::image::Picture::from_rgb8(split.image(i).to_vec()).unwrap()).collect();
    // Pictures are halved, as in training.
    let images = shared::image::pictures_to_tensor(&images, &Device::flex());
    let halves = images.reshape([split.len(), 3, 32, 2, 32, 2]).mean_dim(5).mean_dim(3);
    let halves = halves.reshape([split.len(), 3, 32, 32]);
    let logits = crate::models::read(model.forward(halves)).unwrap();
    let labels: Vec<usize> = (0..split.len()).map(|i| split.label(i)).collect();
    let rows = logits.chunks_exact(CLASSES).zip(&labels);
    rows.filter(|&(row, &label)| shared::metrics::rank(row, label) == 0).count() as f64 / labels.len() as f64
}

#[test]
fn recipes_learn_what_they_have_not_seen() {
    for recipe in recipe::RECIPES.iter().map(|recipe| recipe.name) {
        let steps = ["--bim-steps", "1", "--pgd-steps", "1", "--probe", "0"];
        let config = config(&[&["--recipe", recipe, "--epochs", "8", "--epsilon", "2/255"], &steps[..]].concat());
        let dir = TempDir::new().unwrap();
        let val = dataset().val;
        let before = accuracy(&network(&config), &val);
        let after = accuracy(&trained(train(&dir, &config, None)), &val);
        // Chance is 0.25; 100 pictures put its 99.9% bound at 0.39.
        assert!(after > 0.6 && after > before, "{recipe}: {before} before, {after} after");
    }
}

#[test]
fn a_stopped_run_ends_with_the_weights_of_an_undisturbed_one() {
    let config = config(&[
        "--recipe",
        "hardened-live",
        "--ema",
        "0.9",
        "--dropout",
        "0.1",
        "--probe",
        "8",
        "--probe-steps",
        "1",
        "--steps",
        "9",
        "--rounds",
        "3",
        "--bim-steps",
        "1",
    ]);
    let undisturbed = TempDir::new().unwrap();
    let expected = save_weights(&trained(train(&undisturbed, &config, None)), Precision::F32).unwrap();

    let dir = TempDir::new().unwrap();
    // In the middle of a round: a round is 3 steps here.
    let Outcome::Stopped { steps_done, steps_total } = train(&dir, &config, Some(4)) else {
        panic!("the run was not stopped")
    };
    assert!((4..9).contains(&steps_done) && steps_total == 9, "{steps_done} of {steps_total}");
    let resumed = save_weights(&trained(train(&dir, &config, None)), Precision::F32).unwrap();
    assert!(resumed == expected, "the resumed run ended with other weights");
}

/// On a full disk, a checkpoint may lack its position, and is then incomplete.
#[test]
fn a_checkpoint_that_cannot_be_noted_is_an_error() {
    let config = config(&["--steps", "4", "--rounds", "3"]);
    let dir = TempDir::new().unwrap();
    let session = session(&dir, &config, None);
    fs::create_dir_all(session.run.checkpoint_file(Part::Position, 1).join("in the way")).unwrap();
    let error = session.run(network(&config)).map(|_| ()).unwrap_err();
    assert!(format!("{error:#}").contains("position-1.json"), "{error:#}");
}

#[test]
fn a_batch_larger_than_the_training_set_is_refused_beforehand() {
    let train = dataset().train;
    assert!(Session::check(&config(&[]), &train).is_ok());
    let error = Session::check(&config(&["--batch-size", "153"]), &train).unwrap_err().to_string();
    assert!(error.contains("153") && error.contains("152 training pictures"), "{error}");
}

#[test]
fn settings_out_of_range_are_named() {
    for (flags, name) in [
        (["--epochs", "0"], "epochs"),
        (["--learning-rate", "3"], "learning-rate"),
        (["--image-size", "48"], "image-size"),
        (["--label-smoothing", "1"], "label-smoothing"),
        (["--dropout", "0.9"], "dropout"),
    ] {
        let error = try_config(&flags).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

/// Uses burn-train's strategy for several devices, with the CPU twice.
#[test]
fn two_devices_take_the_steps_of_one() {
    let config = config(&["--epochs", "4", "--rounds", "1"]);
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let val = dataset().val;
    let alone = accuracy(&trained(train(&one, &config, None)), &val);
    let mut session = session(&two, &config, None);
    session.devices.push(Device::flex());
    let run = session.run.clone();
    let together = accuracy(&trained(session.run(network(&config)).unwrap()), &val);
    // Batch norm normalises halves of the batches, so the weights differ, but the accuracies are alike.
    assert!(alone > 0.5 && together > 0.5, "{alone} on one device, {together} on two");
    let steps = |run: &RunDir| run.checkpoints().unwrap()[0].steps_done;
    assert_eq!(steps(&run), steps(&RunDir::open(&one.path().join("run")).unwrap().0));
}

/// Returns a run that was stopped in its second round and rolled back as if that round had collapsed.
fn collapsed(recipe: &str) -> (TempDir, TrainConfig, anyhow::Result<Session>) {
    let config = config(&["--recipe", recipe, "--steps", "6", "--rounds", "3", "--probe", "8", "--probe-steps", "1"]);
    let dir = TempDir::new().unwrap();
    assert!(matches!(train(&dir, &config, Some(4)), Outcome::Stopped { .. }));
    let mut session = session(&dir, &config, None);
    let collapse = Collapse { round: 2, best_probe_accuracy: 0.5, probe_accuracy: 0.0 };
    let recorder = Arc::new(Recorder::default());
    session.progress = Progress::silent().shown_by(recorder.clone());
    let rolled_back = session.roll_back(&collapse, 6, network(&config));
    let told = recorder.events().iter().filter_map(Event::text).any(|text| text.contains("back to step 3"));
    assert_eq!(told, rolled_back.is_ok());
    (dir, config, rolled_back.map(|()| session))
}

#[test]
fn after_a_collapse_a_run_goes_on_from_before_with_a_stronger_attack() {
    for recipe in ["adversarial-n-fgsm", "adversarial-fgsm-rs", "hardened-live"] {
        let (_dir, config, session) = collapsed(recipe);
        let session = session.unwrap();
        assert_eq!(session.checkpoint.map(|kept| (kept.steps_done, kept.collapses)), Some((3, 1)), "{recipe}");
        let recovered = save_weights(&trained(session.run(network(&config)).unwrap()), Precision::F32).unwrap();
        let undisturbed = TempDir::new().unwrap();
        let other = save_weights(&trained(train(&undisturbed, &config, None)), Precision::F32).unwrap();
        assert!(recovered != other, "{recipe} goes on as if nothing had been");
    }
}

#[test]
fn where_no_attack_takes_one_step_a_collapse_is_the_end() {
    let (_dir, _, session) = collapsed("adversarial-pgd");
    let error = format!("{:#}", session.map(|_| ()).unwrap_err());
    assert!(error.contains("several steps already") && error.contains("of step 3"), "{error}");
}

#[test]
fn a_collapse_is_found_and_not_for_ever() {
    // No network withstands such a radius, so none gets back to the 100% that are noted below.
    let attack = ["--recipe", "adversarial-n-fgsm", "--epsilon", "0.5", "--probe", "40", "--probe-steps", "2"];
    let config = config(&[&attack[..], &["--steps", "6", "--rounds", "3", "--held-out", "10"]].concat());
    let dir = TempDir::new().unwrap();
    let session = session(&dir, &config, None);
    let run = session.run.clone();
    let line = r#"{"round":0,"step":0,"epoch":0.0,"learning_rate":null,"train_loss":null,"train_accuracy":null,"valid_loss":null,"valid_accuracy":null,"probe_accuracy":1.0,"seconds":0.0}"#;
    fs::write(run.path().join("metrics.jsonl"), format!("{line}\n")).unwrap();
    let error = session.run(network(&config)).map(|_| ()).unwrap_err();
    assert!(format!("{error:#}").contains("no checkpoint from before"), "{error:#}");

    let other = TempDir::new().unwrap();
    let stopped = train(&other, &config, Some(2));
    assert!(matches!(stopped, Outcome::Stopped { .. }));
    let run = RunDir::open(&other.path().join("run")).unwrap().0;
    let line = line.replace("\"round\":0,\"step\":0", "\"round\":1,\"step\":1");
    fs::write(run.path().join("metrics.jsonl"), format!("{line}\n")).unwrap();
    let error = self::session(&other, &config, None).run(network(&config)).map(|_| ()).unwrap_err();
    // After three returns the run fails, and keeps the checkpoint before the collapse.
    assert!(format!("{error:#}").contains("the 4th time"), "{error:#}");
    let events = fs::read_to_string(run.path().join("events.jsonl")).unwrap();
    assert_eq!(events.lines().count(), 3, "{events}");
    let kept = run.checkpoints().unwrap();
    assert_eq!(kept.first().map(|kept| kept.collapses), Some(3), "{kept:?}");
}
