//! The program as its users meet it: what it prints where, and with which exit code it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use burn::prelude::*;
use serde_json::Value;
use shared::bundle::{Bundle, Class, Description, Precision, Recipe};
use shared::model::{Architecture, WideResNetConfig};
use tempfile::TempDir;
use trainer::data::made::{self, Made};

const MADE: Made = Made { classes: 3, train_per_class: 4, val_per_class: 2, seed: 1 };

/// `bastion` in the folder `dir`.
fn bastion(dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bastion"));
    command.current_dir(dir.path()).env_remove("BASTION_DATA").args(["--device", "cpu"]);
    command
}

fn run(dir: &TempDir, args: &[&str]) -> Output {
    bastion(dir).args(args).output().unwrap()
}

/// Runs what must succeed, and returns what it prints.
#[track_caller]
fn stdout(dir: &TempDir, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json(dir: &TempDir, args: &[&str]) -> Value {
    serde_json::from_str(&stdout(dir, args)).unwrap()
}

/// Runs what must end with `code`: stdout stays empty, and stderr says why, once.
#[track_caller]
fn assert_fails(dir: &TempDir, args: &[&str], code: i32, says: &str) {
    let output = run(dir, args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert_eq!(message.matches("error:").count(), 1, "{message}");
    assert!(message.contains(says), "'{says}' is not in: {message}");
}

/// Writes a small random network of the classes of the made set.
fn write_model(dir: &Path) {
    let device = Device::flex();
    let architecture = Architecture::WideResNet(WideResNetConfig { depth: 10, width: 1, strides: [2, 2, 2] });
    let (mean, std) = ([0.5; 3], [0.25; 3]);
    let model = architecture.init_seeded(3, mean, std, 1, &device).unwrap();
    let description = Description {
        name: "random".into(),
        architecture,
        classes: (0..3).map(|i| Class { wnid: format!("n{i:08}"), name: made::class_name(i) }).collect(),
        mean,
        std,
        recipe: Recipe::default(),
        data_sha256: String::new(),
        scores: vec![],
    };
    let files = pollster::block_on(Bundle::export(&model, description, Precision::F16, &device)).unwrap();
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("model.json"), files.0).unwrap();
    fs::write(dir.join("model.safetensors"), files.1).unwrap();
}

/// A folder with a model in `model` and a picture `disc.png`.
fn with_model() -> TempDir {
    let dir = TempDir::new().unwrap();
    write_model(&dir.path().join("model"));
    fs::write(dir.path().join("disc.png"), made::png(64, 64, made::picture(0, 5)).unwrap()).unwrap();
    dir
}

#[test]
fn help_is_for_newcomers_and_mistakes_are_usage_errors() {
    let dir = TempDir::new().unwrap();
    let help = stdout(&dir, &["--help"]);
    for word in ["data", "train", "evaluate", "export", "classify", "attack", "bastion data import"] {
        assert!(help.contains(word), "{word} is not in: {help}");
    }
    for command in ["data", "train", "evaluate", "export", "classify", "attack"] {
        assert!(stdout(&dir, &[command, "--help"]).contains("Usage: bastion"), "{command}");
    }
    assert_fails(&dir, &["data", "import", "x", "--bogus"], 2, "--bogus");
    assert_fails(&dir, &["attack", "x.png", "--out", "y", "--epsilon", "8"], 2, "did you mean 8/255?");
    assert_eq!(run(&dir, &["data"]).status.code(), Some(2));
}

#[test]
fn a_data_set_is_imported_shown_and_found_again() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("set.zip"), made::zip("tiny", &MADE.files().unwrap()).unwrap()).unwrap();
    assert_fails(&dir, &["data", "info"], 1, "bastion data import PATH");

    let report = json(&dir, &["data", "import", "set.zip", "--json"]);
    assert_eq!((report["classes"].as_u64(), report["train_images"].as_u64()), (Some(3), Some(12)));
    assert_eq!((report["val_images"].as_u64(), report["whole"].as_bool()), (Some(6), Some(false)));
    assert!(report["warnings"][0].as_str().unwrap().contains("not the whole of Tiny ImageNet"));
    assert!(dir.path().join("data/tiny-imagenet-200/meta.json").is_file());

    let info = json(&dir, &["data", "info", "--verify", "--json"]);
    assert_eq!((&info["sha256"], &info["verified"]), (&report["sha256"], &Value::Bool(true)));
    assert!(stdout(&dir, &["data", "info"]).contains(report["sha256"].as_str().unwrap()));
    assert_fails(&dir, &["data", "import", "set.zip"], 1, "--force");

    let elsewhere = TempDir::new().unwrap();
    let found = bastion(&elsewhere)
        .args(["data", "info"])
        .env("BASTION_DATA", dir.path().join("data/tiny-imagenet-200"))
        .output()
        .unwrap();
    assert!(found.status.success());
}

#[test]
fn a_failed_import_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let mut files = MADE.files().unwrap();
    files.last_mut().unwrap().1.truncate(100);
    fs::write(dir.path().join("set.tar.zst"), made::tar_zst("", &files).unwrap()).unwrap();
    assert_fails(&dir, &["data", "import", "set.tar.zst", "--json"], 1, "val/images/val_5.JPEG (cut off)");
    assert_fails(&dir, &["data", "import", "nowhere.zip"], 1, "cannot read nowhere.zip");
    assert_eq!(fs::read_dir(dir.path().join("data")).unwrap().count(), 0);
}

#[test]
fn a_data_set_is_fetched_and_the_archive_tidied_away() {
    let dir = TempDir::new().unwrap();
    let zip = made::zip("tiny", &MADE.files().unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/set.zip", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", zip.len());
        let _ = stream.write_all(&[head.as_bytes(), &zip].concat());
    });
    let report = json(&dir, &["data", "fetch", "--url", &url, "--out", "set", "--json"]);
    assert_eq!(report["train_images"].as_u64(), Some(12));
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["set"]);
}

#[test]
fn pictures_are_classified() {
    let dir = with_model();
    let report = json(&dir, &["classify", "disc.png", "disc.png", "--model", "model", "--top", "2", "--json"]);
    assert_eq!(report["images"].as_array().unwrap().len(), 2);
    let top = report["images"][1]["models"][0]["top"].as_array().unwrap();
    assert_eq!(top.len(), 2);
    assert!(top[0]["probability"].as_f64() >= top[1]["probability"].as_f64());
    let text = stdout(&dir, &["classify", "disc.png", "--model", "model"]);
    assert!(text.contains("disc.png") && text.contains("random") && text.contains('%'), "{text}");

    fs::write(dir.path().join("notes.jpg"), "not a picture").unwrap();
    assert_fails(&dir, &["classify", "notes.jpg", "--model", "model"], 1, "cannot read notes.jpg as a picture");
    assert_fails(&dir, &["classify", "gone.jpg"], 1, "cannot read gone.jpg");
    assert_fails(&dir, &["classify", "disc.png"], 1, "--model");
    assert_fails(&dir, &["classify", "disc.png", "--model", "elsewhere"], 1, "model.json");
}

#[test]
fn pictures_are_attacked() {
    let dir = with_model();
    let report = json(&dir, &["attack", "disc.png", "--model", "model", "--out", "attacked", "--json"]);
    let model = &report["models"][0];
    assert!(model["linf"].as_f64().unwrap() <= 8.0 / 255.0 + 1e-6);
    assert_eq!(model["before"].as_array().unwrap().len(), 3);
    for file in ["attacked", "side_by_side"] {
        assert!(dir.path().join(model[file].as_str().unwrap()).is_file());
    }
    let text = stdout(&dir, &["attack", "disc.png", "--attack", "fgsm", "--model", "model", "--out", "attacked"]);
    assert!(text.contains("FGSM, epsilon 8/255 (0.0314), 1 step"), "{text}");
    assert!(text.contains("held: still") || text.contains("fooled: "), "{text}");
    let attack = ["attack", "disc.png", "--model", "model", "--out", "attacked"];
    assert_fails(&dir, &[&attack[..], &["--target", "unicorn"]].concat(), 2, "'unicorn' is not a class");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let dir = with_model();
    let mut child = bastion(&dir)
        .args(["classify", "disc.png", "--model", "model"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
