//! `bastion reproduce`, `compare` and `detector` as their users meet them: stopped, killed and gone on with.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod compare;
mod detectors;
mod reproduce;

use std::ffi::OsStr;
use std::process::{Command, Output};

use tempfile::TempDir;

/// `bastion` in the folder `dir`.
fn bastion(dir: &TempDir, args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bastion"));
    command.current_dir(dir.path()).env("BASTION_DATA", "data").args(["--device", "cpu"]).args(args);
    command
}

fn run(dir: &TempDir, args: &[impl AsRef<OsStr>]) -> Output {
    bastion(dir, args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(name: &str, id: &str) {
    assert!(Command::new("kill").args([name, id]).status().unwrap().success());
}
