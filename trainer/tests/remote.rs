//! Nodes: `bastion serve` as processes on this machine, and `bastion train`, `evaluate` and `craft` that compute on them. To be
//! built with the feature `remote`, as `cargo xtask test --full` does.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use trainer::data::made::Made;

const TOKEN: &str = "a token for tests";

fn bastion(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bastion"));
    command.current_dir(dir).env("BASTION_DATA", "data").env("BASTION_TOKEN", TOKEN);
    command.args(["--device", "cpu", "--progress", "lines"]).args(args);
    command
}

#[track_caller]
fn succeeds(dir: &TempDir, args: &[&str]) -> String {
    let output = bastion(dir.path(), args).output().unwrap();
    let told = stderr(&output);
    assert!(output.status.success(), "{told}");
    told + &String::from_utf8_lossy(&output.stdout)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn has_failed(output: &Output, code: i32, says: &[&str]) {
    let told = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    for part in says {
        assert!(told.contains(part), "'{part}' is not in: {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

/// A server, which ends with the value.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut command = bastion(Path::new("."), &["serve", "--listen", "127.0.0.1:0"]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = lines.find_map(|line| line.unwrap().strip_prefix("Serving on ").map(String::from)).unwrap();
        // Read on, so that the server does not end at a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address: line.split(',').next().unwrap().into() }
    }

    fn kill(mut self) -> String {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.address.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Imports a made set of 4 classes to the folder `data`.
fn with_data() -> TempDir {
    let dir = TempDir::new().unwrap();
    let made = Made { classes: 4, train_per_class: 30, val_per_class: 30, seed: 1 };
    made.write_folder(&dir.path().join("files")).unwrap();
    succeeds(&dir, &["data", "import", "files"]);
    dir
}

/// Returns the arguments of a run of the compact network's kind, as small as it gets, in the folder `run`.
fn small<'a>(run: &'a str, steps: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let small = ["train", "--run", run, "--steps", steps, "--batch-size", "8", "--rounds", "1"];
    [&small[..], &["--width", "1", "--image-size", "32", "--held-out", "2"], more].concat()
}

fn weights(dir: &TempDir, run: &str) -> BTreeMap<String, Vec<f32>> {
    let file = fs::read(dir.path().join(run).join("final/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let values = |data: &[u8]| data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    file.tensors().into_iter().map(|(name, view)| (name, values(view.data()))).collect()
}

#[track_caller]
fn are_alike(one: &BTreeMap<String, Vec<f32>>, other: &BTreeMap<String, Vec<f32>>) {
    assert_eq!(one.len(), other.len());
    for (name, one) in one {
        let largest = one.iter().zip(&other[name]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-5, "{name}: {largest}");
    }
}

#[test]
fn two_servers_give_the_weights_of_one_device_and_so_does_one() {
    let dir = with_data();
    let servers = [Server::start(), Server::start()];
    let both = format!("{},{}", servers[0].address, servers[1].address);
    succeeds(&dir, &small("alone", "100", &["--accumulate", "2"]));
    let told = succeeds(&dir, &small("two", "100", &["--nodes", &both]));
    for part in [&format!("Node {}: answers in", servers[1].address), "A step moves", "times the speed"] {
        assert!(told.contains(part), "{told}");
    }
    are_alike(&weights(&dir, "alone"), &weights(&dir, "two"));
    let card = fs::read_to_string(dir.path().join("two/final/model.json")).unwrap();
    assert!(!card.contains(&servers[0].address) && !card.contains(TOKEN), "{card}");

    succeeds(&dir, &small("here", "20", &["--recipe", "adversarial-n-fgsm"]));
    succeeds(&dir, &small("there", "20", &["--recipe", "adversarial-n-fgsm", "--nodes", &servers[0].address]));
    are_alike(&weights(&dir, "here"), &weights(&dir, "there"));
}

#[test]
fn a_server_that_is_killed_is_named_and_the_run_goes_on_with_others() {
    let dir = with_data();
    let undisturbed = small("undisturbed", "40", &["--accumulate", "2"]);
    succeeds(&dir, &undisturbed);
    let (first, second) = (Server::start(), Server::start());
    let both = format!("{},{}", first.address, second.address);
    let mut command = bastion(dir.path(), &small("run", "40", &["--nodes", &both]));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut told = String::new();
    while !told.contains("Epoch ") {
        told += &(lines.next().expect("no round").unwrap() + "\n");
    }
    let killed = second.kill();
    lines.for_each(|line| told += &(line.unwrap() + "\n"));
    assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
    assert!(told.contains(&format!("node {killed} went away")) && told.contains("--resume run goes on"), "{told}");
    assert!(!told.contains("panicked") && !told.contains("memory"), "{told}");

    let third = Server::start();
    let others = format!("{},{}", first.address, third.address);
    let told = succeeds(&dir, &["train", "--resume", "run", "--nodes", &others]);
    assert!(told.contains("Going on after step"), "{told}");
    are_alike(&weights(&dir, "undisturbed"), &weights(&dir, "run"));
}

#[test]
fn the_only_server_that_is_killed_is_named_too() {
    let dir = with_data();
    let server = Server::start();
    let mut command = bastion(dir.path(), &small("run", "100", &["--nodes", &server.address]));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut told = String::new();
    while !told.contains("Epoch ") {
        told += &(lines.next().expect("no round").unwrap() + "\n");
    }
    let killed = server.kill();
    lines.for_each(|line| told += &(line.unwrap() + "\n"));
    assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
    assert!(told.contains(&format!("node {killed} went away")) && told.contains("--resume run goes on"), "{told}");
    succeeds(&dir, &["train", "--resume", "run"]);
}

#[test]
fn a_wrong_token_no_server_and_another_server_are_told_before_anything_is_written() {
    let dir = with_data();
    let server = Server::start();
    let arguments = small("run", "4", &["--nodes", &server.address]);
    let wrong = bastion(dir.path(), &arguments).env("BASTION_TOKEN", "another token").output().unwrap();
    has_failed(&wrong, 1, &[&format!("node {} refuses the token", server.address), "BASTION_TOKEN"]);
    let none = bastion(dir.path(), &arguments).env_remove("BASTION_TOKEN").output().unwrap();
    has_failed(&none, 2, &["set BASTION_TOKEN"]);
    let twice = format!("{0},{0}", server.address);
    has_failed(&bastion(dir.path(), &small("run", "4", &["--nodes", &twice])).output().unwrap(), 2, &["given once"]);

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = bastion(dir.path(), &small("run", "4", &["--nodes", &nobody])).output().unwrap();
    has_failed(&output, 1, &[&format!("node {nobody} refuses the connection"), "`bastion serve`"]);
    let output = bastion(dir.path(), &small("run", "4", &["--nodes", "ws://gpu"])).output().unwrap();
    has_failed(&output, 2, &["--nodes", "host:port"]);
    assert!(!dir.path().join("run").exists());
}

#[test]
fn two_servers_craft_and_evaluate_as_one_device_does() {
    let dir = with_data();
    succeeds(&dir, &small("run", "20", &[]));
    let servers = [Server::start(), Server::start()];
    let both = format!("{},{}", servers[0].address, servers[1].address);
    let craft = |out: &str, more: &[&str]| {
        let arguments = ["craft", "--model", "run", "--attack", "pgd-2", "--out", out];
        succeeds(&dir, &[&arguments[..], more].concat());
        fs::read(dir.path().join(out).join("train.rgb8")).unwrap_or_else(|_| {
            let names: Vec<_> =
                fs::read_dir(dir.path().join(out)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            panic!("{names:?}")
        })
    };
    let (here, there) = (craft("here", &[]), craft("there", &["--nodes", &both]));
    let other = here.iter().zip(&there).filter(|(a, b)| a != b).count();
    assert!(other * 1000 < here.len(), "{other} of {} bytes differ", here.len());
    let evaluate = |more: &[&str]| {
        let arguments = ["evaluate", "--model", "run", "--attack", "bim", "--augmented", "--json"];
        let output = bastion(dir.path(), &[&arguments[..], more].concat()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let there = evaluate(&["--nodes", &both, "--out", "kept"]);
    assert_eq!(evaluate(&[])["models"][0]["scores"][0], there["models"][0]["scores"][0]);
    // What the nodes have finished is kept, and is not measured again here.
    assert_eq!(evaluate(&["--out", "kept"]), there);
}
