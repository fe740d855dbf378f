//! `bastion compare` as its users meet it: killed and gone on with.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use trainer::data::made::Made;

use crate::{bastion, run, said, signal};

/// A folder with an imported set of 4 classes in `data`, with 40 training pictures when 2 of each class are held out.
fn with_data() -> TempDir {
    let dir = TempDir::new().unwrap();
    let made = Made { classes: 4, train_per_class: 12, val_per_class: 4, seed: 1 };
    made.write_folder(&dir.path().join("files")).unwrap();
    assert!(run(&dir, &["data", "import", "files", "--out", "data"]).status.success());
    dir
}

const COMPARE: &[&str] = &[
    "compare",
    "--out",
    "out",
    "--arch",
    "wide-resnet,resnet18",
    "--width",
    "1",
    "--image-size",
    "32",
    "--batch-size",
    "8",
    "--steps",
    "10",
    "--rounds",
    "1",
    "--held-out",
    "2",
    "--limit",
    "8",
];

/// The process that `parent` has started.
fn child_of(parent: u32) -> String {
    fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap().trim().into()
}

/// Runs a comparison, does `act` after the first round of each stage, and waits until it and its children are gone.
fn disturbed(dir: &TempDir, mut act: impl FnMut(&str, &Child)) -> (Option<i32>, String) {
    let mut child = bastion(dir, COMPARE).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut said, mut stage) = (String::new(), None);
    // Open as long as one of them lives.
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("Stage ") {
            stage = Some(line.clone());
        }
        if line.starts_with("Epoch ")
            && let Some(stage) = stage.take()
        {
            act(&stage, &child);
        }
        said += &(line + "\n");
    }
    (child.wait().unwrap().code(), said)
}

#[test]
fn a_comparison_survives_its_children_and_goes_on_after_any_end() {
    let dir = with_data();
    // The system kills a training, and then the user stops the next one.
    let (code, text) = disturbed(&dir, |stage, child| {
        if stage.contains("wide-resnet") {
            signal("-KILL", &child_of(child.id()));
        } else {
            signal("-INT", &child.id().to_string());
        }
    });
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("wide-resnet is left out: its training was killed by signal 9"), "{text}");
    assert!(text.contains("of 10 steps are saved") && text.contains("Say the same again to go on"), "{text}");
    assert!(!dir.path().join("out/report.md").exists());

    // The comparison itself is killed, and nothing of it stays behind.
    let (code, text) = disturbed(&dir, |stage, child| {
        if stage.contains("resnet18") {
            signal("-KILL", &child.id().to_string());
        }
    });
    assert_eq!(code, None, "{text}");
    // The stop may have come a step or two after the round of five.
    assert!(text.contains("Going on after step "), "{text}");

    let output = run(&dir, COMPARE);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("training wide-resnet"), "it was done: {text}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("resnet18") && table.contains("images/s, training"), "{table}");
    let json: Value = serde_json::from_slice(&fs::read(dir.path().join("out/compare.json")).unwrap()).unwrap();
    for network in json["networks"].as_array().unwrap() {
        let done = &network["done"];
        assert_eq!((done["steps"].as_u64(), done["top1"]["of"].as_u64()), (Some(10), Some(8)), "{network}");
        for value in ["training_images_per_second", "inference_images_per_second"] {
            assert!(done[value].as_f64().unwrap() > 0.0, "{network}");
        }
        assert!(done["peak"]["process"].as_u64().unwrap() > 10 << 20, "{network}");
    }
    let report = fs::read_to_string(dir.path().join("out/report.md")).unwrap();
    assert!(
        report.contains("| wide-resnet |") && report.contains("10 steps of 8 pictures a step at 32x32"),
        "{report}"
    );
    assert!(!report.contains(dir.path().to_str().unwrap()), "it names a place of this machine: {report}");

    // Done, and changed.
    let again = said(&run(&dir, COMPARE));
    assert!(!again.contains("Stage "), "{again}");
    let output = run(&dir, &[COMPARE, &["--learning-rate", "0.05"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("learning-rate was 0.1, and now is 0.05"), "{}", said(&output));
    let output = run(&dir, &["compare", "--out", "x", "--arch", "resnet18", "--width", "2"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("width does not apply to --arch resnet18") && !dir.path().join("x").exists());

    // Measuring fails, and the other network is reported nevertheless.
    fs::write(dir.path().join("out/resnet18/final/model.safetensors"), "").unwrap();
    fs::remove_file(dir.path().join("out/scores/resnet18.json")).unwrap();
    let output = run(&dir, COMPARE);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("1 of 2 networks are missing (resnet18)"), "{}", said(&output));
    let report = fs::read_to_string(dir.path().join("out/report.md")).unwrap();
    assert!(
        report.contains("resnet18 is missing: its measuring failed: ") && report.contains("safetensors"),
        "{report}"
    );
    assert!(!report.contains(dir.path().to_str().unwrap()) && !report.contains("exit code"), "{report}");
}

#[test]
fn what_is_no_file_of_weights_is_found_before_anything_is_trained() {
    let dir = with_data();
    fs::create_dir(dir.path().join("weights")).unwrap();
    fs::write(dir.path().join("weights/resnet18.pth"), "weights").unwrap();
    let output = run(&dir, &["compare", "--out", "x", "--arch", "resnet18", "--pretrained-dir", "weights"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("resnet18.pth is text") && !dir.path().join("x").exists(), "{}", said(&output));
}
