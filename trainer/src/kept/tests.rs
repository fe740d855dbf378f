use std::sync::Arc;

use burn::prelude::*;
use serde_json::Value;
use shared::attack::{AttackConfig, Loss};
use shared::bundle::Bundle;
use tempfile::TempDir;

use super::merge::gather_in;
use super::*;
use crate::check::{Subject, check, judge};
use crate::data::{Split, made};
use crate::evaluate::Evaluation;
use crate::models::tests::bundle;
use crate::nodes::Place;
use crate::progress::{Event, Recorder, Stop};

const CLASSES: usize = 5;
const IMAGES: usize = 20;
/// Images that go together here: 20 images are 4 "hundreds", the last of 2 images.
const BATCH: usize = 6;

fn split() -> Split {
    let class = |index: usize| index % CLASSES;
    Split {
        images: (0..IMAGES).flat_map(|index| made::picture(class(index), index as u64)).collect(),
        labels: (0..IMAGES).map(|index| class(index) as u16).collect(),
    }
}

/// Returns trials of each kind: as they are, random starts by the hundred, transfer, and several attacks until fooled.
fn trials() -> Vec<Trial> {
    let pgd = AttackConfig::pgd(0.5 / 255.0, 2, 9);
    let mut several = Trial::until_fooled(pgd.clone());
    if let Some(attack) = &mut several.attack {
        attack.restarts = 2;
        attack.then = [Loss::Margin, Loss::TargetedMargin].map(|loss| AttackConfig { loss, ..pgd.clone() }).to_vec();
    }
    let mut last_step = Trial::attack(pgd.clone(), None);
    if let Some(attack) = &mut last_step.attack {
        attack.normalized = true;
    }
    vec![Trial::CLEAN, Trial::AUGMENTED, last_step, Trial::attack(pgd, Some(1)), several]
}

struct Case {
    bundles: [Bundle; 2],
    split: Split,
    indices: Vec<usize>,
    device: Device,
}

impl Case {
    fn new() -> Self {
        let device = Device::flex();
        let bundles = [bundle("a", 1, &device), bundle("b", 2, &device)];
        // Out of step with the hundreds.
        Self { bundles, split: split(), indices: (0..IMAGES).rev().collect(), device }
    }

    fn plan(&self, work: Work) -> KeptPlan {
        let models = self.bundles.iter().map(|bundle| PlannedModel::new(Path::new("m"), bundle));
        KeptPlan {
            version: VERSION.into(),
            command: "bastion evaluate".into(),
            data: "d".into(),
            images: IMAGES,
            images_of_set: IMAGES,
            models: models.collect(),
            work,
        }
    }

    fn evaluation_plan(&self) -> KeptPlan {
        self.plan(Work::Evaluate { trials: trials(), crafted: vec![] })
    }

    /// Evaluates; returns the scores as JSON.
    fn evaluate(&self, kept: &Kept) -> Result<String> {
        self.evaluate_on(1, kept)
    }

    /// Evaluates on so many devices at once; returns the scores as JSON.
    fn evaluate_on(&self, devices: usize, kept: &Kept) -> Result<String> {
        let (trials, stop) = (trials(), Stop::default());
        let evaluation = Evaluation {
            bundles: &self.bundles,
            clean: &self.split,
            indices: &self.indices,
            crafted: &[],
            trials: &trials,
            stop: &stop,
        };
        let place = |_| Place { name: "node", device: &self.device, on_it: &self.bundles[..] };
        let places: Vec<Place<'_, [Bundle]>> = (0..devices).map(place).collect();
        Ok(serde_json::to_string(&evaluation.run_on(&places, kept, &Progress::silent())?)?)
    }

    fn evaluate_shard(&self, dir: &Path, shard: &str) -> Result<String> {
        let plan = self.evaluation_plan();
        self.evaluate(&Kept::open(dir, &plan, part(shard), BATCH, &Progress::silent())?)
    }

    fn whole(&self) -> String {
        self.evaluate(&Kept::nothing(IMAGES, BATCH)).unwrap()
    }
}

/// A change of a plan.
type Change<'a> = &'a dyn Fn(&mut KeptPlan);

fn part(text: &str) -> Shard {
    text.parse::<ShardChoice>().unwrap().resolve(|_| None).unwrap()
}

/// Returns the scores of folders as JSON.
fn merged(dirs: &[&Path]) -> Result<String> {
    let dirs: Vec<PathBuf> = dirs.iter().map(|dir| dir.to_path_buf()).collect();
    let (plan, kept) = gather_in(&dirs, BATCH)?;
    let report = kept.report(&plan, &trials(), &[])?;
    Ok(serde_json::to_string(&report.models.iter().map(|model| &model.scores).collect::<Vec<_>>())?)
}

/// Returns the error of a merge.
#[track_caller]
fn refused(dirs: &[&Path], says: &[&str]) {
    let error = merged(dirs).unwrap_err().to_string();
    for part in says {
        assert!(error.contains(part), "'{part}' is not in: {error}");
    }
}

#[test]
fn an_evaluation_that_was_cut_off_anywhere_goes_on_to_the_same_scores() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let whole = case.whole();
    assert_eq!(case.evaluate_shard(dir.path(), "1/1").unwrap(), whole);
    let file = dir.path().join("results.jsonl");
    let content = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = content.split_inclusive('\n').collect();
    // Four trials in one piece and one of three attacks, two networks, four hundreds.
    assert_eq!(lines.len(), (4 + 3) * 2 * 4);
    for kept in [0, 1, 9, 34, 47, lines.len() - 1] {
        // Killed in the middle of a line.
        fs::write(&file, lines[..kept].concat() + &lines[kept][..lines[kept].len() / 2]).unwrap();
        assert_eq!(case.evaluate_shard(dir.path(), "1/1").unwrap(), whole, "{kept} lines");
        let again = fs::read_to_string(&file).unwrap();
        assert!(again.starts_with(&lines[..kept].concat()), "what was finished is kept");
        assert_eq!(again.lines().count(), lines.len(), "each hundred is measured once");
    }
    // Nothing is left to be done, and the report is that of the run.
    let done = fs::read_to_string(&file).unwrap();
    assert_eq!(case.evaluate_shard(dir.path(), "1/1").unwrap(), whole);
    assert_eq!(fs::read_to_string(&file).unwrap(), done);
    assert_eq!(merged(&[dir.path()]).unwrap(), whole);
}

#[test]
fn an_evaluation_goes_on_with_any_number_of_devices_to_the_same_scores() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let whole = case.whole();
    let on = |devices: usize| {
        let kept = Kept::open(dir.path(), &case.evaluation_plan(), Shard::WHOLE, BATCH, &Progress::silent()).unwrap();
        assert_eq!(case.evaluate_on(devices, &kept).unwrap(), whole, "{devices} devices");
    };
    let file = dir.path().join("results.jsonl");
    let lines = || fs::read_to_string(&file).unwrap().lines().map(String::from).collect::<Vec<_>>();
    on(3);
    let first = lines();
    assert_eq!(first.len(), (4 + 3) * 2 * 4, "each hundred is measured once");
    assert_eq!(merged(&[dir.path()]).unwrap(), whole);
    for (devices, left) in [(2, 20), (1, 45), (6, 37)] {
        // In the order of the file: the threads have ended their hundreds in any.
        fs::write(&file, first[..left].join("\n") + "\n").unwrap();
        on(devices);
        let again = lines();
        assert_eq!((&again[..left], again.len()), (&first[..left], first.len()));
        assert_eq!(merged(&[dir.path()]).unwrap(), whole);
    }
    // A shard on two devices.
    let shards = dir.path().join("shards");
    for shard in ["1/2", "2/2"] {
        let kept = Kept::open(&shards, &case.evaluation_plan(), part(shard), BATCH, &Progress::silent()).unwrap();
        case.evaluate_on(2, &kept).unwrap();
    }
    assert_eq!(merged(&[&shards]).unwrap(), whole);
}

#[test]
fn work_that_was_done_before_counts_as_done() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let total = trials().iter().map(|trial| trial.work(2)).sum::<u64>() * IMAGES as u64;
    // Returns the work that is done before, after the evaluation has ended.
    let before = || {
        let (plan, recorder) = (case.evaluation_plan(), Arc::new(Recorder::default()));
        let progress = Progress::silent().shown_by(recorder.clone());
        let kept = Kept::open(dir.path(), &plan, Shard::WHOLE, BATCH, &progress).unwrap();
        let (trials, stop) = (trials(), Stop::default());
        let evaluation = Evaluation {
            bundles: &case.bundles,
            clean: &case.split,
            indices: &case.indices,
            crafted: &[],
            trials: &trials,
            stop: &stop,
        };
        let before = evaluation.done(&trials, &[0, 1], &kept).unwrap();
        evaluation.run_kept(&kept, &case.device, &progress).unwrap();
        let done = recorder.events().into_iter().rev().find_map(|event| match event {
            Event::Finished { done, .. } => Some(done),
            _ => None,
        });
        assert_eq!(done, Some(total));
        before
    };
    assert_eq!(before(), 0);
    assert_eq!(before(), total);
    // Half of the parts are lost, among them attacks of which the first is done on a hundred.
    let file = dir.path().join("results.jsonl");
    let content = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = content.split_inclusive('\n').collect();
    fs::write(&file, lines[..37].concat()).unwrap();
    let part = before();
    assert!(0 < part && part < total, "{part} of {total}");
}

#[test]
fn shards_merged_from_any_folders_are_one_run_byte_for_byte() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let whole = case.whole();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    case.evaluate_shard(&one, "3/3").unwrap();
    refused(&[&one], &["shard 1/3 is missing: it has images 1 to 6", "shard 2/3 is missing: it has images 7 to 12"]);
    case.evaluate_shard(&one, "1/3").unwrap();
    case.evaluate_shard(&two, "2/3").unwrap();
    assert_eq!(merged(&[&two, &one]).unwrap(), whole);
    refused(&[&one], &["shard 2/3 is missing: it has images 7 to 12"]);
    // More shards than hundreds: some have nothing to do.
    let many = dir.path().join("many");
    for shard in 1..=7 {
        case.evaluate_shard(&many, &format!("{shard}/7")).unwrap();
    }
    assert_eq!(merged(&[&many]).unwrap(), whole);
    // Other cuts that fit together are one run too.
    let halves = dir.path().join("halves");
    for shard in ["1/2", "3/4", "4/4"] {
        case.evaluate_shard(&halves, shard).unwrap();
    }
    assert_eq!(merged(&[&halves]).unwrap(), whole);
    refused(
        &[&halves, &two],
        &["images 7 to 12 are in both", "results-1-of-2.jsonl and ", "results-2-of-3.jsonl: leave one"],
    );
}

#[test]
fn shards_that_are_half_written_or_damaged_are_refused_by_name() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    for shard in ["1/2", "2/2"] {
        case.evaluate_shard(dir.path(), shard).unwrap();
    }
    let file = dir.path().join("results-2-of-2.jsonl");
    let content = fs::read_to_string(&file).unwrap();
    let name = "results-2-of-2.jsonl";
    fs::write(&file, &content[..content.len() - 3]).unwrap();
    refused(&[dir.path()], &[name, "ends in the middle of a line", "give the command of shard 2/2 again"]);
    let lines: Vec<&str> = content.split_inclusive('\n').collect();
    fs::write(&file, lines[..lines.len() - 1].concat()).unwrap();
    refused(&[dir.path()], &["shard 2/2 (", name, "is not finished: images ", " are missing; give its command again"]);
    fs::write(&file, content.replacen("{\"plan\"", "{plan", 5)).unwrap();
    refused(&[dir.path()], &["line 1 of ", name, "is damaged"]);
    // The shard itself goes on behind the damage, and says so.
    let recorder = Arc::new(Recorder::default());
    let progress = Progress::silent().shown_by(recorder.clone());
    fs::write(&file, lines[0].to_owned() + "\0\0\0\n" + &lines[1..].concat()).unwrap();
    case.evaluate(&Kept::open(dir.path(), &case.evaluation_plan(), part("2/2"), BATCH, &progress).unwrap()).unwrap();
    let told: Vec<String> = recorder.events().iter().filter_map(Event::text).collect();
    assert!(told[0].contains("line 2 of ") && told[0].contains("measured again"), "{told:?}");
    // The lines behind the damage are still as they were.
    assert_eq!(fs::read_to_string(&file).unwrap(), content);
    assert_eq!(merged(&[dir.path()]).unwrap(), case.whole());
    // Changed lines that are still JSON.
    for (from, to) in [("\"rank\":", "\"rank\":1"), ("\"loss\":", "\"lost\":"), ("},{", "},null,{")] {
        let changed = content.replacen(from, to, 1);
        assert_ne!(changed, content);
        fs::write(&file, changed).unwrap();
        refused(&[dir.path()], &["line ", name, "is damaged"]);
        case.evaluate_shard(dir.path(), "2/2").unwrap();
        assert_eq!(merged(&[dir.path()]).unwrap(), case.whole(), "{from}");
    }
    // The same line twice says nothing new.
    fs::write(&file, content.clone() + lines[0]).unwrap();
    assert_eq!(merged(&[dir.path()]).unwrap(), case.whole());
}

#[test]
fn a_part_of_another_measurement_in_the_same_folder_is_refused_by_name() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    case.evaluate_shard(&ours, "1/2").unwrap();
    let mut plan = case.evaluation_plan();
    plan.models[0].weights_sha256 = "of another network".into();
    case.evaluate(&Kept::open(&theirs, &plan, part("2/2"), BATCH, &Progress::silent()).unwrap()).unwrap();
    fs::copy(theirs.join("results-2-of-2.jsonl"), ours.join("results-2-of-2.jsonl")).unwrap();
    refused(&[&ours], &["results-2-of-2.jsonl", "of another measurement"]);
    let error = format!("{:#}", case.evaluate_shard(&ours, "2/2").unwrap_err());
    assert!(error.contains("results-2-of-2.jsonl") && error.contains("of another measurement"), "{error}");
}

#[test]
fn what_is_of_another_plan_is_refused_by_name() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    case.evaluate_shard(&ours, "1/2").unwrap();
    let open = |plan: &KeptPlan, dir: &Path| Kept::open(dir, plan, part("2/2"), BATCH, &Progress::silent());
    let changed = |change: &dyn Fn(&mut KeptPlan)| {
        let mut plan = case.evaluation_plan();
        change(&mut plan);
        plan
    };
    let weights = |plan: &mut KeptPlan| plan.models[1].weights_sha256 = "0123456789abcdef".into();
    let other_attack = |plan: &mut KeptPlan| {
        plan.work = Work::Evaluate { trials: vec![Trial::CLEAN], crafted: vec![] };
    };
    let other_seed = |plan: &mut KeptPlan| {
        let Work::Evaluate { trials, .. } = &mut plan.work else { panic!() };
        trials[2].attack.as_mut().unwrap().config.seed = 3;
    };
    let cases: [(Change<'_>, &str); 7] = [
        (&|plan| plan.data = "e".into(), "the data set was d, and now is e"),
        (&|plan| plan.images = 10, "the number of images was 20, and now is 10"),
        (&weights, "b (weights 0123456789ab)"),
        (&|plan| plan.models.reverse(), "the list of networks was a (weights "),
        (&other_attack, "what is measured was clean; augmented; PGD-2"),
        (&other_seed, "the settings of an attack"),
        (&|plan| plan.work = Work::Check { epsilon: 0.1, commonest: 4 }, "and now is bastion check at "),
    ];
    for (change, says) in cases {
        let plan = changed(change);
        // In the folder itself, with what to do.
        let error = open(&plan, &ours).err().unwrap().to_string();
        assert!(error.contains(says) && error.contains("name another folder with --out"), "{error}");
        // And in another folder, at the merge.
        let _ = fs::remove_dir_all(&theirs);
        drop(open(&plan, &theirs).unwrap());
        refused(&[&ours, &theirs], &["theirs holds no part of what ", says]);
    }
    let _ = fs::remove_dir_all(&theirs);
    drop(open(&changed(&|plan| plan.version = "0.0.1".into()), &theirs).unwrap());
    refused(&[&ours, &theirs], &["theirs was measured by version 0.0.1 of Bastion, and this is "]);
    let error = open(&case.evaluation_plan(), &theirs).err().unwrap().to_string();
    assert!(error.contains("the version of Bastion was 0.0.1"), "{error}");
    // Where models and crafted sets lie does not matter.
    drop(open(&changed(&|plan| plan.models[0].dir = "elsewhere".into()), &ours).unwrap());
    refused(&[dir.path()], &["holds no results to merge"]);
    refused(&[&dir.path().join("nothing")], &["there is no folder ", "nothing"]);
    let error = open(&case.evaluation_plan(), dir.path()).err().unwrap().to_string();
    assert!(error.contains("is not empty (there is ours)") || error.contains("(there is theirs)"), "{error}");
}

#[test]
fn two_processes_do_not_measure_one_shard() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let open = |shard| Kept::open(dir.path(), &case.evaluation_plan(), part(shard), BATCH, &Progress::silent());
    let _first = open("1/2").unwrap();
    let error = open("1/2").err().unwrap().to_string();
    assert!(error.contains("measures shard 1/2 in "), "{error}");
    drop(open("2/2").unwrap());
}

#[test]
fn checks_go_on_and_shards_of_checks_are_judged_as_one_run() {
    let (case, dir) = (Case::new(), TempDir::new().unwrap());
    let bundles = &case.bundles[..1];
    // The labels are what the network sees, so that it is right.
    let batch = crate::evaluate::EvaluationBatch::new(&case.split, &case.indices, 0, CLASSES, &case.device).unwrap();
    let rows = crate::evaluate::logits(&bundles[0], batch.images).unwrap();
    let mut split = split();
    for (row, &index) in rows.iter().zip(&case.indices) {
        split.labels[index] = shared::metrics::top_k(row, 1)[0] as u16;
    }
    let subject = Subject::new(bundles, &split, &case.indices);
    let epsilon = 8.0 / 255.0;
    let plan = case.plan(Work::Check { epsilon, commonest: subject.commonest });
    let run = |kept: &Kept| {
        let (device, silent, stop) = (&case.device, Progress::silent(), Stop::default());
        let checked = check(bundles, &split, &case.indices, epsilon, kept, device, &silent, &stop).unwrap();
        checked.iter().map(|checked| serde_json::to_value(&checked.checks).unwrap()).collect::<Vec<Value>>()
    };
    let whole = run(&Kept::nothing(IMAGES, BATCH));
    for shard in ["2/2", "1/2"] {
        run(&Kept::open(dir.path(), &plan, part(shard), BATCH, &Progress::silent()).unwrap());
    }
    let judged = || -> Result<Vec<Value>> {
        let (_, kept) = gather_in(&[dir.path().to_path_buf()], BATCH)?;
        Ok(judge(&subject, epsilon, &kept)?.iter().map(|c| serde_json::to_value(&c.checks).unwrap()).collect())
    };
    assert_eq!(judged().unwrap(), whole);
    // A shard that lost its last lines is named, and goes on to the same.
    let file = dir.path().join("results-1-of-2.jsonl");
    let content = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = content.split_inclusive('\n').collect();
    fs::write(&file, lines[..lines.len() - 5].concat()).unwrap();
    let error = format!("{:#}", judged().unwrap_err());
    assert!(error.contains("shard 1/2 (") && error.contains("is not finished"), "{error}");
    run(&Kept::open(dir.path(), &plan, part("1/2"), BATCH, &Progress::silent()).unwrap());
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), lines.len());
    assert_eq!(judged().unwrap(), whole);
}
