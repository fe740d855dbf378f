//! Training: a second process, kills, disks, and damage to its folder.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::*;

const RESUME: [&str; 3] = ["train", "--resume", "run"];

fn newest_position(dir: &TempDir) -> Option<std::path::PathBuf> {
    let files = fs::read_dir(dir.path().join("run/checkpoint")).ok()?.map(|entry| entry.unwrap().path());
    let number = |path: &Path| path.file_stem()?.to_str()?.strip_prefix("position-")?.parse::<usize>().ok();
    files.filter(|path| number(path).is_some()).max_by_key(|path| number(path))
}

#[test]
fn a_second_training_in_one_folder_ends_at_once_and_names_the_first() {
    let dir = with_data();
    let mut child = start_until_a_round(&dir, &small_run("100000", &[]));
    let named = format!("another process (PID {}, since ", child.id());
    fails(&dir, &RESUME, 1, &[&named, "trains in run: wait until it has ended, or stop it"]);
    fails(&dir, &small_run("5", &[]), 1, &["run is not empty"]);
    // A killed process leaves its lock, which is taken over.
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert!(dir.path().join("run/lock").exists());
    let mut child = start_until_a_round(&dir, &RESUME);
    fails(&dir, &RESUME, 1, &[&format!("another process (PID {}, since ", child.id())]);
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!dir.path().join("run/lock").exists());
}

#[test]
fn a_run_that_was_killed_at_any_moment_goes_on() {
    let dir = with_data();
    for pause_ms in [0, 30, 70, 110, 150] {
        let args = if dir.path().join("run/run.json").exists() { RESUME.to_vec() } else { small_run("100000", &[]) };
        let mut child = start_until_a_round(&dir, &args);
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        signal(&child, "-KILL");
        child.wait().unwrap();
    }
    stop_after_a_round(&dir, &RESUME);
}

/// A shell limits the size of files, as a full disk does.
#[test]
fn a_full_disk_ends_training_in_words_and_it_goes_on_when_there_is_room() {
    let dir = with_data();
    for (blocks, resumed) in [(0, false), (1, false), (64, false), (1, true), (64, true)] {
        let args = if resumed { RESUME.to_vec() } else { small_run("10", &[]) };
        if resumed && newest_position(&dir).is_none() {
            // A run with a checkpoint, to fill the disk under.
            let _ = fs::remove_dir_all(dir.path().join("run"));
            stop_after_a_round(&dir, &small_run("100000", &[]));
        } else if !resumed {
            let _ = fs::remove_dir_all(dir.path().join("run"));
        }
        let before = newest_position(&dir);
        let mut shell = Command::new("sh");
        // Without the signal, a file that grows too large is an error of the disk.
        shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""));
        shell.arg(env!("CARGO_BIN_EXE_bastion")).args(["--device", "cpu", "--progress", "lines"]).args(&args);
        let output = shell.current_dir(dir.path()).env("BASTION_DATA", "data").output().unwrap();
        let is_run = dir.path().join("run/run.json").exists();
        let then = if is_run { "--resume run goes on" } else { "say the same again" };
        let told = has_failed(&output, 1, &["no room", then]);
        assert!(!told.contains("memory") && !told.contains("smaller batch"), "{told}");
        assert_eq!(newest_position(&dir), before, "{blocks} blocks");
    }
    stop_after_a_round(&dir, &RESUME);
}

#[test]
fn a_folder_that_may_not_be_written_is_told_so_and_not_that_memory_is_short() {
    let dir = with_data();
    stop_after_a_round(&dir, &small_run("100000", &[]));
    let folders = ["", "run", "run/checkpoint", "data"].map(|name| dir.path().join(name));
    let set = |mode| folders.iter().for_each(|dir| fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap());
    set(0o555);
    let mut resume = bastion(dir.path(), &RESUME);
    if fs::write(dir.path().join("probe"), "").is_ok() {
        // Root may write anywhere; nobody may not.
        resume.uid(65534).gid(65534);
    }
    let output = resume.output().unwrap();
    set(0o755);
    let told = has_failed(&output, 1, &["cannot write", "run/lock", "may not do that", "--resume run goes on"]);
    assert!(!told.contains("memory") && !told.contains("smaller batch"), "{told}");
    stop_after_a_round(&dir, &RESUME);
}

#[test]
fn a_flipped_byte_in_a_checkpoint_costs_one_round_and_a_word() {
    let dir = with_data();
    for part in ["model", "optim", "scheduler", "position"] {
        let _ = fs::remove_dir_all(dir.path().join("run"));
        let mut child = start_until_a_round(&dir, &small_run("100000", &[]));
        while fs::read_dir(dir.path().join("run/checkpoint")).unwrap().count() < 8 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        signal(&child, "-INT");
        child.wait().unwrap();
        let newest = newest_position(&dir).unwrap();
        let round = newest.file_stem().unwrap().to_str().unwrap().split_once('-').unwrap().1.to_string();
        let extension = if part == "position" { "json" } else { "bpk" };
        let file = newest.with_file_name(format!("{part}-{round}.{extension}"));
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        let output = stop_after_a_round(&dir, &RESUME);
        assert!(output.contains(&format!("{part}-{round}.{extension} is damaged")), "{output}");
        assert!(output.contains("is taken") && output.contains("Going on after step"), "{output}");
    }
}
