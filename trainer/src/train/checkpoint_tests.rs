//! Checkpoints that are damaged, in every part and every way: the one before is taken, and nothing is lost.

use std::fs;
use std::sync::Arc;

use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use burn::store::burn_pack::{Reader, Tensor as PackTensor, Writer};
use shared::bundle::{Precision, save_weights};
use shared::model::BuildNetwork as _;
use tempfile::TempDir;

use super::checkpoint::find_checkpoint;
use super::checkpoint_files::{Checkpoint, Part};
use super::run_dir::RunDir;
use super::session::{Outcome, Session};
use super::tests::{CLASSES, PIXELS, config, dataset, find, network, session, train, trained};
use super::{TrainConfig, model::TrainingModel};
use crate::progress::{Event, Progress, Recorder};

/// Returns a run that was stopped in its second round, with a checkpoint of each round.
fn stopped() -> (TempDir, TrainConfig, RunDir) {
    let config = config(&["--steps", "9", "--rounds", "3"]);
    let dir = TempDir::new().unwrap();
    assert!(matches!(train(&dir, &config, Some(4)), Outcome::Stopped { .. }));
    let run = RunDir::open(&dir.path().join("run")).unwrap().0;
    (dir, config, run)
}

/// Returns the rounds of the two checkpoints, newest first.
fn rounds(run: &RunDir) -> [usize; 2] {
    let found: Vec<_> = run.checkpoints().unwrap().iter().map(|checkpoint| checkpoint.round).collect();
    found.try_into().unwrap()
}

fn change(run: &RunDir, part: Part, round: usize, change: impl Fn(&mut Vec<u8>)) {
    let file = run.checkpoint_file(part, round);
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn cut(run: &RunDir, part: Part, round: usize) {
    // Less than a half, since the second half of a scheduler's file is padding.
    change(run, part, round, |bytes| bytes.truncate(bytes.len() / 10));
}

/// Makes the position one of earlier versions, which had no hashes.
fn without_sums(run: &RunDir, round: usize, steps_done: usize) {
    let text = format!(r#"{{"round":{round},"steps_done":{steps_done},"collapses":0}}"#);
    fs::write(run.checkpoint_file(Part::Position, round), text).unwrap();
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let place = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[place..place + to.len()].copy_from_slice(to);
}

#[test]
fn a_damaged_checkpoint_is_replaced_by_the_one_before_it() {
    let (dir, config, run) = stopped();
    let [newest, before] = rounds(&run);
    cut(&run, Part::Model, newest);
    let found = find(&run, &config).unwrap().unwrap();
    assert_eq!((found.round, found.steps_done), (before, 3 * before));
    let aside = run.checkpoint_dir().join(format!("set-aside-{newest}"));
    assert_eq!(fs::read_dir(aside).unwrap().count(), 4, "nothing is deleted");

    let undisturbed = TempDir::new().unwrap();
    let expected = save_weights(&trained(train(&undisturbed, &config, None)), Precision::F32).unwrap();
    let resumed = save_weights(&trained(train(&dir, &config, None)), Precision::F32).unwrap();
    assert!(resumed == expected, "the resumed run ended with other weights");
}

#[test]
fn any_damage_means_the_checkpoint_before_and_a_word_about_it() {
    let middle = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    type Damage<'a> = &'a dyn Fn(&RunDir, usize);
    let damages: [(&str, Damage<'_>); 9] = [
        ("a flipped weight", &|run, round| change(run, Part::Model, round, middle)),
        ("a flipped momentum", &|run, round| change(run, Part::Optimizer, round, middle)),
        ("a flipped byte of padding", &|run, round| {
            change(run, Part::Scheduler, round, |bytes| *bytes.last_mut().unwrap() ^= 1);
        }),
        ("a renamed tensor", &|run, round| {
            change(run, Part::Model, round, |bytes| replace(bytes, b"layer1", b"layer9"));
        }),
        ("a renamed tensor, without sums", &|run, round| {
            change(run, Part::Model, round, |bytes| replace(bytes, b"layer1", b"layer9"));
            without_sums(run, round, 4);
        }),
        ("a renamed id, without sums", &|run, round| {
            change(run, Part::Optimizer, round, |bytes| replace(bytes, b"param_id", b"qaram_id"));
            without_sums(run, round, 4);
        }),
        ("steps that the run does not have, without sums", &|run, round| without_sums(run, round, 1_000_000_000)),
        ("a number that is no number, without sums", &|run, round| {
            spoil(run, round);
            without_sums(run, round, 4);
        }),
        ("rubbish for a position", &|run, round| change(run, Part::Position, round, |bytes| bytes.fill(b'x'))),
    ];
    let (_dir, config, run) = stopped();
    let [newest, before] = rounds(&run);
    for (name, damage) in damages {
        let kept = copy(&run, newest);
        damage(&run, newest);
        let recorder = Arc::new(Recorder::default());
        let progress = Progress::silent().shown_by(recorder.clone());
        let found = find_checkpoint(&run, &config, 9, network(&config), &progress).unwrap().unwrap();
        assert_eq!(found.round, before, "{name}");
        let told: Vec<_> = recorder.events().iter().filter_map(Event::text).collect();
        let told = told.join("\n");
        assert!(told.contains(&format!("-{newest}.")) && told.contains("is taken"), "{name}: {told}");
        kept.into_iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
        fs::remove_dir_all(run.checkpoint_dir().join(format!("set-aside-{newest}"))).unwrap();
        assert_eq!(find(&run, &config).unwrap().unwrap().round, newest, "{name}");
    }
}

fn copy(run: &RunDir, round: usize) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = fs::read_dir(run.checkpoint_dir()).unwrap().map(|entry| entry.unwrap().path());
    let of_round = |path: &std::path::PathBuf| path.to_string_lossy().contains(&format!("-{round}."));
    files.filter(of_round).map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Makes the first number of the weights of a checkpoint infinite.
fn spoil(run: &RunDir, round: usize) {
    let file = run.checkpoint_file(Part::Model, round);
    let mut tensors = Reader::from_file(&file).unwrap().into_tensors().unwrap();
    let (name, dtype, shape, id, bytes) = tensors.remove(0).into_parts().unwrap();
    let mut values: Vec<f32> = TensorData::from_bytes(bytes, shape.clone(), dtype).iter().collect();
    values[0] = f32::INFINITY;
    let (bytes, ..) = TensorData::new(values, shape.clone()).into_parts();
    tensors.insert(0, PackTensor::new(name, dtype, shape, id, bytes));
    Writer::new(tensors).write_to_file(file).unwrap();
}

#[test]
fn a_checkpoint_without_sums_is_gone_on_from() {
    let (_dir, config, run) = stopped();
    let [newest, _] = rounds(&run);
    without_sums(&run, newest, 5);
    assert_eq!(find(&run, &config).unwrap(), Some(Checkpoint { round: newest, steps_done: 5, collapses: 0 }));
}

#[test]
fn without_a_whole_checkpoint_the_damaged_file_is_named_and_nothing_is_changed() {
    let (_dir, config, run) = stopped();
    let [newest, before] = rounds(&run);
    cut(&run, Part::Optimizer, newest);
    cut(&run, Part::Scheduler, before);
    let files = || fs::read_dir(run.checkpoint_dir()).unwrap().count();
    let error = format!("{:#}", find(&run, &config).unwrap_err());
    assert!(error.contains(&format!("optim-{newest}.bpk is damaged")) && error.contains("move"), "{error}");
    assert_eq!(files(), 8);

    for round in [newest, before] {
        fs::write(run.checkpoint_file(Part::Position, round), "{").unwrap();
    }
    let error = format!("{:#}", find(&run, &config).unwrap_err());
    assert!(error.contains(&format!("position-{newest}.json is damaged")), "{error}");
    assert_eq!(files(), 8);

    for round in [newest, before] {
        fs::remove_file(run.checkpoint_file(Part::Position, round)).unwrap();
    }
    let error = format!("{:#}", find(&run, &config).unwrap_err());
    assert!(error.contains("no position-K.json"), "{error}");
    assert_eq!(files(), 6);
}

#[test]
fn half_of_a_first_checkpoint_is_no_checkpoint_and_is_kept() {
    let (_dir, config, run) = stopped();
    let [newest, before] = rounds(&run);
    assert_eq!(before, 1);
    run.forget(newest).unwrap();
    fs::remove_file(run.checkpoint_file(Part::Position, 1)).unwrap();
    assert_eq!(find(&run, &config).unwrap(), None);
    assert_eq!(fs::read_dir(run.checkpoint_dir().join("set-aside-1")).unwrap().count(), 3);
}

#[test]
fn a_checkpoint_of_another_network_is_not_loaded() {
    let (_dir, config, run) = stopped();
    let wider = TrainConfig { width: 2, ..config.clone() }.architecture().unwrap();
    let wider = wider.init(CLASSES, PIXELS.mean, PIXELS.std, &Device::flex()).unwrap();
    let error = format!("{:#}", find_checkpoint(&run, &config, 9, wider, &Progress::silent()).unwrap_err());
    assert!(error.contains("model-"), "{error}");
}

struct Broken;

impl ModuleMapper for Broken {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value * f32::NAN)
    }
}

/// A stop saves, but nothing that no run could go on from.
#[test]
fn a_loss_that_is_no_number_ends_the_run_and_is_not_saved_by_a_stop_either() {
    for stop_after in [None, Some(1)] {
        let (config, dir) = (config(&["--epochs", "1", "--held-out", "1"]), TempDir::new().unwrap());
        let session = session(&dir, &config, stop_after);
        let run = session.run.clone();
        let outcome = session.run(network(&config).map(&mut Broken));
        let error = format!("{:#}", outcome.map(|_| ()).unwrap_err());
        assert!(error.contains("not a number any more at step") && error.contains("--learning-rate"), "{error}");
        assert!(error.contains("nothing was saved before"), "{error}");
        assert_eq!(run.rounds_with_files().unwrap().len(), 0);
    }
}

/// The last step of a round may give weights that no loss has been made of.
#[test]
fn weights_that_are_no_numbers_are_found_in_their_file() {
    let (dir, config) = (TempDir::new().unwrap(), config(&[]));
    let file = dir.path().join("model.bpk");
    let save = |classifier| TrainingModel::blank(classifier).into_record().save(&file).unwrap();
    save(network(&config));
    super::checkpoint::check_finite(&file).unwrap();
    save(network(&config).map(&mut Broken));
    let error = super::checkpoint::check_finite(&file).unwrap_err().to_string();
    assert!(error.contains("model.bpk holds numbers that are not finite, in "), "{error}");
}

#[test]
fn the_steps_of_a_run_are_those_of_its_plan() {
    let steps = |more: &[&str]| Session::steps_total(&config(more), &dataset().train).unwrap();
    assert_eq!((steps(&["--steps", "9"]), steps(&["--epochs", "2"])), (9, 18));
}
