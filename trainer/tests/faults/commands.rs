//! Names, numbers and files that the command line is given.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use super::*;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/cases/weights");

#[test]
fn a_folder_whose_name_is_no_text_is_trained_in() {
    let dir = with_data();
    let name = OsStr::from_bytes(b"run-\xff\xfe");
    let args: Vec<&OsStr> = small_run("5", &[]).into_iter().map(OsStr::new).collect();
    let args: Vec<&OsStr> = args.into_iter().map(|arg| if arg == "run" { name } else { arg }).collect();
    succeeds(&dir, &args);
    assert!(dir.path().join(name).join("final/model.json").is_file());
}

#[test]
fn every_64_bit_seed_is_taken_and_other_numbers_are_refused_in_words() {
    let dir = with_data();
    let largest = u64::MAX.to_string();
    let beyond = (i64::MAX as u64 + 1).to_string();
    succeeds(&dir, &small_run("5", &["--seed", &largest]));
    let config = fs::read_to_string(dir.path().join("run/config.toml")).unwrap();
    assert!(config.contains(&format!("seed = \"{largest}\"")), "{config}");
    // The settings are read back, and go into the card.
    succeeds(&dir, &["train", "--resume", "run"]);
    let again = ["train", "--run", "again", "--config", "run/config.toml"];
    succeeds(&dir, &again);
    let weights = |run: &str| fs::read(dir.path().join(run).join("final/model.safetensors")).unwrap();
    assert!(weights("run") == weights("again"));
    for flag in ["--steps", "--epochs", "--batch-size", "--probe"] {
        fails(&dir, &["train", "--run", "other", flag, &beyond], 2, &[flag, "no number above"]);
    }
    let craft = ["craft", "--model", "run", "--out", "set", "--attack", "pgd-2", "--seed", &largest];
    succeeds(&dir, &craft);
    succeeds(&dir, &["data", "subset", "--per-class", "2", "--out", "part", "--seed", &largest]);
}

#[test]
fn what_never_ends_and_what_never_comes_is_refused() {
    let dir = with_data();
    succeeds(&dir, &small_run("5", &[]));
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
    let began = Instant::now();
    for path in ["/dev/zero", "pipe"] {
        for args in [
            &["classify", path, "--model", "run"][..],
            &["attack", path, "--model", "run", "--out", "attacked"],
            &["data", "import", path, "--out", "other"],
            &["weights", "inspect", path],
            &["train", "--run", "other", "--config", path],
            &["train", "--run", "other", "--pretrained", path, "--arch", "resnet18"],
        ] {
            fails(&dir, args, 1, &["is a pipe or a device, and not a file"]);
        }
    }
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_file_of_weights_in_any_wrapping_is_looked_into_and_trained_from() {
    let dir = with_data();
    for name in ["attacker-model.pt", "normalize-buffers.pt", "net-acc-epoch.pth", "lightning-with-loss.ckpt"] {
        let file = format!("{CASES}/{name}");
        let output = run(&dir, &["weights", "inspect", &file]);
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && shown.contains("Fits --arch resnet18"), "{name}: {shown}");
    }
    let file = format!("{CASES}/normalize-buffers.pt");
    let args = ["train", "--run", "run", "--arch", "resnet18", "--pretrained", &file, "--steps", "1"];
    let small = ["--batch-size", "4", "--held-out", "1", "--learning-rate", "0.01"];
    let told = succeeds(&dir, &[&args[..], &small].concat());
    assert!(told.contains("Left aside, as no part of the network: state_dict.mu, state_dict.sigma"), "{told}");
}

#[test]
fn what_is_no_network_is_refused_with_the_reason() {
    let dir = TempDir::new().unwrap();
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    let names = ["features.0.weight", "evil.\u{1b}[2J\u{1b}]0;title\u{7}"];
    let file = safetensors::serialize(names.map(|name| (name, &tensor)), None).unwrap();
    fs::write(dir.path().join("other.safetensors"), file).unwrap();
    let told = fails(&dir, &["weights", "inspect", "other.safetensors"], 1, &["holds no network that is known here"]);
    assert!(told.contains(r"evil.\u{1b}[2J\u{1b}]0;title\u{7}") && !told.contains('\u{1b}'), "{told}");
    assert!(told.starts_with("error: other.safetensors holds no network"), "{told}");
}

#[test]
fn each_network_is_attacked_by_its_own_deviation_in_whatever_order() {
    let dir = with_data();
    for (name, seed) in [("a", "1"), ("b", "2")] {
        let args: Vec<&str> = small_run("5", &["--seed", seed]);
        let args: Vec<&str> = args.into_iter().map(|arg| if arg == "run" { name } else { arg }).collect();
        succeeds(&dir, &args);
    }
    // A network with other statistics, as of pretrained weights.
    let card = dir.path().join("b/final/model.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&card).unwrap()).unwrap();
    let std: Vec<f64> = json["std"].as_array().unwrap().iter().map(|std| std.as_f64().unwrap()).collect();
    json["std"] = serde_json::json!(std.iter().map(|std| std * (1.0 + 1e-4)).collect::<Vec<_>>());
    fs::write(&card, json.to_string()).unwrap();
    let scales = |models: [&str; 2]| -> Vec<(String, String)> {
        let models = ["--model", models[0], "--model", models[1]];
        let flags = ["--attack", "fgsm,pgd-2", "--epsilon-space", "normalized", "--limit", "4", "--json"];
        let output = run(&dir, &[&["evaluate"], &models[..], &flags].concat());
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let mut found: Vec<(String, String)> = vec![];
        for model in report["models"].as_array().unwrap() {
            found.push((model["name"].to_string(), model["scores"].to_string()));
        }
        found.sort();
        found
    };
    let scores = scales(["a", "b"]);
    assert_eq!(scores, scales(["b", "a"]));
    for ((_, scores), std) in scores.iter().zip([std[0], std[0] * (1.0 + 1e-4)]) {
        let scores: serde_json::Value = serde_json::from_str(scores).unwrap();
        for score in &scores.as_array().unwrap()[1..] {
            let scale = score["attack"]["channel_scale"][0].as_f64().unwrap();
            assert!((scale - std).abs() < 1e-6, "{scale} instead of {std}");
        }
    }
}

#[test]
fn saved_scores_are_told() {
    let dir = with_data();
    succeeds(&dir, &small_run("5", &[]));
    let told = succeeds(&dir, &["evaluate", "--model", "run", "--attack", "fgsm", "--save"]);
    assert!(told.contains("Saved 2 scores to run/final/model.json"), "{told}");
}

#[test]
fn a_targeted_attack_that_may_change_nothing_has_no_success() {
    let dir = with_data();
    succeeds(&dir, &small_run("5", &[]));
    let flags = ["--attack", "bim,pgd-2,fgsm", "--targeted", "--epsilon", "0", "--json"];
    let output = run(&dir, &[&["evaluate", "--model", "run"], &flags[..]].concat());
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    for score in &report["models"][0]["scores"].as_array().unwrap()[1..] {
        assert_eq!(score["success"]["hits"], 0, "{score}");
    }
}

#[test]
fn a_ctrl_c_while_crafting_is_answered_at_once() {
    let dir = with_data();
    succeeds(&dir, &small_run("5", &[]));
    let craft = ["craft", "--model", "run", "--out", "set", "--attack", "pgd-10000"];
    let mut child = bastion(dir.path(), &craft).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !dir.path().join("set.crafting/train.sums").exists() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "-INT");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Stopping after the pictures at work; once more to stop at once")));
    std::thread::sleep(Duration::from_millis(1100));
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
