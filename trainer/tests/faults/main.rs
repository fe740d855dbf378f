//! `bastion` where disks, processes, files and settings fail: it goes on, or says what is wrong and what to do.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod commands;
mod data;
mod kept;
mod training;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use trainer::data::made::Made;

/// Returns a command that runs `bastion` in the folder `dir`.
fn bastion(dir: &Path, args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bastion"));
    command.current_dir(dir).env("BASTION_DATA", "data").args(["--device", "cpu", "--progress", "lines"]).args(args);
    command
}

fn run(dir: &TempDir, args: &[impl AsRef<OsStr>]) -> Output {
    bastion(dir.path(), args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command that must succeed. Returns its stderr.
#[track_caller]
fn succeeds(dir: &TempDir, args: &[impl AsRef<OsStr>]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// Runs a command that must end with `code` and all of `says`, and without a panic. Returns its stderr.
#[track_caller]
fn fails(dir: &TempDir, args: &[impl AsRef<OsStr>], code: i32, says: &[&str]) -> String {
    has_failed(&run(dir, args), code, says)
}

#[track_caller]
fn has_failed(output: &Output, code: i32, says: &[&str]) -> String {
    let told = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(!told.contains("panicked") && !told.contains("RUST_BACKTRACE"), "{told}");
    for part in says {
        assert!(told.contains(part), "'{part}' is not in: {told}");
    }
    told
}

/// Imports a made set of 4 classes, with 40 training pictures when 2 of each class are held out, to the folder `data`.
fn with_data() -> TempDir {
    let dir = TempDir::new().unwrap();
    let made = Made { classes: 4, train_per_class: 12, val_per_class: 4, seed: 1 };
    made.write_folder(&dir.path().join("files")).unwrap();
    succeeds(&dir, &["data", "import", "files"]);
    fs::remove_dir_all(dir.path().join("files")).unwrap();
    dir
}

/// Returns the arguments of a small run in the folder `run`, with a round each 5 steps.
fn small_run<'a>(steps: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let small = ["train", "--run", "run", "--steps", steps, "--rounds", "1", "--batch-size", "8"];
    [&small[..], &["--width", "1", "--image-size", "32", "--held-out", "2"], more].concat()
}

/// Starts a training, and waits until it has finished a round.
fn start_until_a_round(dir: &TempDir, args: &[&str]) -> Child {
    let mut child = bastion(dir.path(), args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut told = String::new();
    while !told.contains("Epoch ") {
        let Some(line) = lines.next() else { panic!("no round: {told}") };
        told += &(line.unwrap() + "\n");
    }
    // Read on, so that the child does not end at a closed pipe.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

/// Starts a training, stops it with Ctrl-C after its first round, and returns its stderr.
fn stop_after_a_round(dir: &TempDir, args: &[&str]) -> String {
    let mut child = bastion(dir.path(), args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("Epoch ") && !told.contains("Epoch ") {
            signal(&child, "-INT");
        }
        told += &(line + "\n");
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    told
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}
