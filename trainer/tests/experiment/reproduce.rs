//! The whole experiment on a made data set: killed at any stage it ends with the same report, and what does not belong
//! together is refused.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use trainer::data::Cache;
use trainer::data::made::Made;

use crate::{bastion, run, said, signal};

/// `bastion reproduce` in the folder `out`, on the part of the set that is used, with `flags` besides.
fn reproduce(out: &Path, flags: &[&str]) -> Vec<String> {
    let words =
        "reproduce --width 1 --batch-size 8 --image-size 32 --held-out 1 --steps 4 --rounds 4 --subset --limit 6 --out";
    let part = ["--classes", "2", "--per-class", "12", "--val-per-class", "4"];
    let part = if flags.contains(&"--classes") { &part[2..] } else { &part[..] };
    let words = words.split(' ').map(String::from).chain([out.to_str().unwrap().to_string()]);
    words.chain([part, flags].concat().into_iter().map(String::from)).collect()
}

/// Runs it to its end.
fn done(dir: &TempDir, out: &Path) {
    let output = run(dir, &reproduce(out, &[]));
    assert!(output.status.success(), "{}", said(&output));
}

fn assert_refused(dir: &TempDir, out: &Path, flags: &[&str], reason: &str) {
    let output = run(dir, &reproduce(out, flags));
    assert!(!output.status.success() && said(&output).contains(reason), "{}", said(&output));
}

/// Runs it until `sign` is there, and stops it by Ctrl-C.
fn stopped_at(dir: &TempDir, out: &Path, sign: &Path) {
    let mut child = bastion(dir, &reproduce(out, &[])).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !sign.exists() && child.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(2));
    }
    signal("-INT", &child.id().to_string());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("Stopped; "), "{}", said(&output));
}

#[test]
fn stopped_at_any_stage_it_ends_with_the_same_scores() {
    let dir = TempDir::new().unwrap();
    Made { classes: 3, train_per_class: 12, val_per_class: 4, seed: 1 }.write_folder(&dir.path().join("raw")).unwrap();
    assert!(run(&dir, &["data", "import", "raw", "--out", "data"]).status.success());
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    done(&dir, &whole);

    // While the first model trains, while pictures are crafted, while the last model trains, while models are evaluated.
    for sign in ["runs/normal/checkpoint", "sets/fgsm", "runs/hardened/checkpoint", "scores/normal.json"] {
        stopped_at(&dir, &parts, &parts.join(sign));
        assert!(!parts.join("report").exists());
        // As a kill leaves a run before its record was written.
        if !parts.join("runs/augmented").exists() {
            fs::create_dir_all(parts.join("runs/augmented/checkpoint")).unwrap();
        }
    }
    done(&dir, &parts);
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
    let run_record = fs::read_to_string(whole.join("runs/normal/run.json")).unwrap();
    assert!(run_record.contains("\"bastion reproduce --width 1 "), "{run_record}");
    for file in ["report.html", "scores.csv", "top-k-augmented.svg", "top-k-clean.svg"] {
        assert!(whole.join("report").join(file).is_file(), "{file}");
    }
    // Done: the next one only writes the report anew.
    let before = fs::metadata(whole.join("scores/bim.json")).unwrap().modified().unwrap();
    fs::remove_dir_all(whole.join("report")).unwrap();
    done(&dir, &whole);
    assert!(whole.join("report/report.md").is_file());
    assert_eq!(fs::metadata(whole.join("scores/bim.json")).unwrap().modified().unwrap(), before);

    routing_is_measured_against_the_hardened_network(&dir);
    a_folder_takes_no_other_plan(&dir, &whole);
    sets_of_another_model_are_refused(&dir, &whole);
}

fn routing_is_measured_against_the_hardened_network(dir: &TempDir) {
    let route = ["detector", "route", "whole", "--adaptive", "8", "--steps", "2", "--epsilon", "8/255", "--json"];
    let output = run(dir, &route);
    assert!(!output.status.success() && said(&output).contains("--recipe paper"), "{}", said(&output));
    let recipe = "detectors = ['network']\nepochs = 1\nbatch-size = 8\n";
    fs::write(dir.path().join("router.toml"), recipe).unwrap();
    let train = "detector train --model whole/runs/normal --data whole/data --recipe router.toml \
        --crafted whole/sets/fgsm,whole/sets/bim";
    let output = run(dir, &train.split_whitespace().collect::<Vec<_>>());
    assert!(output.status.success(), "{}", said(&output));
    let output = run(dir, &[&route[..], &["--report", "routing"]].concat());
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let right = |row: usize, set: usize| report["answers"][row][1][set]["hits"].as_u64().unwrap();
    // All 8 validation pictures are routed, on each of the four sets.
    for set in 0..4 {
        let routed: u64 = report["routes"][set].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(routed, 8);
        assert_eq!(report["answers"][4][1][set]["of"], 8);
    }
    // The oracle takes the normal network for the first two sets, then that of the attack.
    let oracle = [right(0, 0), right(0, 1), right(1, 2), right(2, 3)];
    assert_eq!([0, 1, 2, 3].map(|set| right(5, set)), oracle);
    let attacked = &report["attacked"][0];
    let left = |side: &str| attacked[side]["hits"].as_u64().unwrap();
    // All 8 are attacked, so none can withstand that was wrong before.
    assert!(
        attacked["routed"]["of"] == 8 && left("hardened") <= right(3, 0) && left("routed") <= right(4, 0),
        "{attacked}"
    );
    assert_eq!(report["checks"].as_array().unwrap().len(), 4);
    let failed = report["checks"].as_array().unwrap().iter().any(|check| check["passed"] == false);
    assert_eq!(output.status.code(), Some(i32::from(failed)), "{}", said(&output));
    let text = fs::read_to_string(dir.path().join("routing/report.md")).unwrap();
    assert!(text.contains("routed by an oracle") && text.contains("Verdict"), "{text}");
    assert!(dir.path().join("routing/routing.json").is_file());
}

fn a_folder_takes_no_other_plan(dir: &TempDir, out: &Path) {
    assert_refused(dir, &dir.path().join("data"), &[], "is not empty");
    // A mistake that is found early leaves no plan behind.
    let fresh = dir.path().join("fresh");
    assert_refused(dir, &fresh, &["--classes", "30"], "--classes 30");
    assert!(!fresh.join("plan.json").exists());
    assert_refused(dir, out, &["--epochs", "3"], "belongs to another reproduction");
}

fn sets_of_another_model_are_refused(dir: &TempDir, out: &Path) {
    let meta = out.join("sets/fgsm/meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    let weights =
        |model: &str| trainer::models::card(&out.join("runs").join(model).join("final")).unwrap().weights.sha256;
    let model = weights("normal");
    assert!(text.contains(&model));
    fs::write(&meta, text.replace(&model, &"0".repeat(64))).unwrap();
    assert_refused(dir, out, &[], "crafted from another network");
    // Crafted anew from another one: what was trained on the old set is named.
    fs::write(&meta, &text).unwrap();
    let sha256 = Cache::open(&out.join("sets/fgsm")).unwrap().into_meta().sha256;
    let record = out.join("runs/fgsm/run.json");
    let recorded = fs::read_to_string(&record).unwrap();
    fs::write(&record, recorded.replace(&sha256, &"1".repeat(64))).unwrap();
    assert_refused(dir, out, &[], "was trained on another set");
    fs::write(&record, &recorded).unwrap();
    // Scores of a network that is no longer there are measured again.
    let scores = out.join("scores/bim.json");
    let bim = weights("bim");
    fs::write(&scores, fs::read_to_string(&scores).unwrap().replace(&bim, &"2".repeat(64))).unwrap();
    done(dir, out);
    assert!(fs::read_to_string(&scores).unwrap().contains(&bim));
}
