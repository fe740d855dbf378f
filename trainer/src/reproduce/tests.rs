//! The whole experiment on a made data set: killed at any stage it ends with the same report, and what does not belong
//! together is refused.

use std::fs;
use std::path::{Path, PathBuf};

use shared::device::{Backend, Engine};
use tempfile::TempDir;

use super::*;
use crate::data::{Cache, ImportOptions, import, made::Made};
use crate::error::Stopped;
use crate::progress::{Progress, Stop};

fn engine() -> Engine {
    pollster::block_on(shared::device::open(Backend::Flex)).unwrap()
}

/// A made data set, imported.
fn data(dir: &TempDir) -> PathBuf {
    let (raw, data) = (dir.path().join("raw"), dir.path().join("data"));
    Made { classes: 3, train_per_class: 12, val_per_class: 4, seed: 1 }.write_folder(&raw).unwrap();
    import(&raw, &data, ImportOptions::default(), &Progress::silent(), &Stop::default()).unwrap();
    data
}

fn plan(data: &Path) -> Plan {
    let mut settings = toml::Table::new();
    for (key, value) in
        [("width", 1), ("batch-size", 8), ("image-size", 32), ("held-out", 1), ("steps", 4), ("rounds", 4)]
    {
        settings.insert(key.into(), value.into());
    }
    Plan {
        command: "bastion reproduce".into(),
        data_sha256: Cache::open(data).unwrap().into_meta().sha256,
        subset: Some(Subset { classes: 2, per_class: 12, val_per_class: 4 }),
        settings,
        limit: Some(6),
    }
}

fn run(data: &Path, out: &Path, interruption: &Interruption) -> anyhow::Result<()> {
    reproduce(&plan(data), data, out, &out.join("report"), &engine(), &Progress::silent(), interruption)
}

#[test]
fn stopped_at_any_stage_it_ends_with_the_same_scores() {
    let dir = TempDir::new().unwrap();
    let data = data(&dir);
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    run(&data, &whole, &Interruption::default()).unwrap();

    // While the first model trains, while pictures are crafted, while the last model trains, while models are evaluated.
    for sign in ["runs/normal/checkpoint", "sets/fgsm", "runs/hardened/checkpoint", "scores/normal.json"] {
        let sign = parts.join(sign);
        let error = run(&data, &parts, &Interruption::when(move || sign.exists())).unwrap_err();
        assert!(error.is::<Stopped>(), "{error:#}");
        assert!(!parts.join("report").exists());
        // As a kill leaves a run before its record was written.
        if !parts.join("runs/augmented").exists() {
            fs::create_dir_all(parts.join("runs/augmented/checkpoint")).unwrap();
        }
    }
    run(&data, &parts, &Interruption::default()).unwrap();
    let scores = |out: &Path| fs::read_to_string(out.join("report/scores.json")).unwrap();
    assert_eq!(scores(&whole), scores(&parts));

    let report = fs::read_to_string(whole.join("report/report.md")).unwrap();
    for words in [
        "48.91%",
        "white-box PGD-20",
        "Is the union of all four the best",
        "width = 1",
        "on 2 classes (chance is 50.0%)",
    ] {
        assert!(report.contains(words), "{words} is not in {report}");
    }
    assert!(!report.contains(dir.path().to_str().unwrap()), "the report names a place of this machine");
    for file in ["report.html", "scores.csv", "top-k-augmented.svg", "top-k-clean.png"] {
        assert!(whole.join("report").join(file).is_file(), "{file}");
    }
    // Done: the next one only writes the report anew.
    let before = fs::metadata(whole.join("scores/bim.json")).unwrap().modified().unwrap();
    fs::remove_dir_all(whole.join("report")).unwrap();
    run(&data, &whole, &Interruption::default()).unwrap();
    assert!(whole.join("report/report.md").is_file());
    assert_eq!(fs::metadata(whole.join("scores/bim.json")).unwrap().modified().unwrap(), before);

    a_folder_takes_no_other_plan(&data, &whole);
    sets_of_another_model_are_refused(&data, &whole);
}

fn a_folder_takes_no_other_plan(data: &Path, out: &Path) {
    let error = run(data, data, &Interruption::default()).unwrap_err();
    assert!(format!("{error:#}").contains("is not empty"), "{error:#}");
    // A mistake that is found early leaves no plan behind.
    let fresh = out.with_file_name("fresh");
    let mut wrong = plan(data);
    wrong.subset = Some(Subset { classes: 30, per_class: 1, val_per_class: 1 });
    let error =
        reproduce(&wrong, data, &fresh, &fresh, &engine(), &Progress::silent(), &Interruption::default()).unwrap_err();
    assert!(format!("{error:#}").contains("--classes 30") && !fresh.join("plan.json").exists(), "{error:#}");
    let mut other = plan(data);
    other.settings.insert("epochs".into(), 3.into());
    let error =
        reproduce(&other, data, out, &out.join("report"), &engine(), &Progress::silent(), &Interruption::default())
            .unwrap_err();
    assert!(format!("{error:#}").contains("belongs to another reproduction"), "{error:#}");
}

fn sets_of_another_model_are_refused(data: &Path, out: &Path) {
    let meta = out.join("sets/fgsm/meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    let model = crate::models::card(&out.join("runs/normal/final")).unwrap().weights.sha256;
    assert!(text.contains(&model));
    fs::write(&meta, text.replace(&model, &"0".repeat(64))).unwrap();
    let error = run(data, out, &Interruption::default()).unwrap_err();
    assert!(format!("{error:#}").contains("crafted from another network"), "{error:#}");
    // Crafted anew from another one: what was trained on the old set is named.
    fs::write(&meta, &text).unwrap();
    let sha256 = Cache::open(&out.join("sets/fgsm")).unwrap().into_meta().sha256;
    fs::write(&meta, text.replace(&sha256, &"1".repeat(64))).unwrap();
    let error = run(data, out, &Interruption::default()).unwrap_err();
    assert!(format!("{error:#}").contains("was trained on another set"), "{error:#}");
    fs::write(&meta, &text).unwrap();
    // Scores of a network that is no longer there are measured again.
    let scores = out.join("scores/bim.json");
    let weights = crate::models::card(&out.join("runs/bim/final")).unwrap().weights.sha256;
    fs::write(&scores, fs::read_to_string(&scores).unwrap().replace(&weights, &"2".repeat(64))).unwrap();
    run(data, out, &Interruption::default()).unwrap();
    assert!(fs::read_to_string(&scores).unwrap().contains(&weights));
}
