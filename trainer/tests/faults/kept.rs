//! Evaluations and checks that are stopped, killed, or shared by several processes.

use std::time::Duration;

use super::*;

/// Imports a made set with 250 validation pictures, which are three hundreds, and trains a small network on it.
fn with_hundreds() -> TempDir {
    let dir = TempDir::new().unwrap();
    let made = Made { classes: 5, train_per_class: 8, val_per_class: 50, seed: 1 };
    made.write_folder(&dir.path().join("files")).unwrap();
    succeeds(&dir, &["data", "import", "files"]);
    fs::remove_dir_all(dir.path().join("files")).unwrap();
    succeeds(&dir, &small_run("5", &[]));
    dir
}

/// The arguments of an evaluation on three hundreds, with a random start by the hundred and one by the image.
fn evaluation<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let evaluate = ["evaluate", "--model", "run", "--attack", "noise,pgd-5", "--epsilon", "1/255"];
    [&evaluate[..], more].concat()
}

/// Starts an evaluation, and waits until it has finished `lines` parts in the file of its results.
fn start_until(dir: &TempDir, args: &[&str], lines: usize) -> Child {
    let file = dir.path().join("kept/results.jsonl");
    let mut child = bastion(dir.path(), args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while fs::read_to_string(&file).unwrap_or_default().lines().count() < lines {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

/// Returns what a report says of the images, file by file: all bytes but those of the seconds.
fn report(dir: &TempDir, name: &str) -> Vec<String> {
    let read = |file: &str| fs::read_to_string(dir.path().join(name).join(file)).unwrap();
    let mut scores: serde_json::Value = serde_json::from_str(&read("scores.json")).unwrap();
    for model in scores["models"].as_array_mut().unwrap() {
        let seconds = model.as_object_mut().unwrap().remove("seconds").unwrap();
        let of_pgd = seconds[2].as_array().unwrap();
        assert!(of_pgd.len() == 3 && of_pgd.iter().all(|seconds| seconds.as_f64().unwrap() >= 0.0), "{seconds}");
    }
    vec![scores.to_string(), read("scores.csv"), read("scores.md"), read("top-k-clean.svg")]
}

#[test]
fn an_evaluation_that_was_killed_and_stopped_goes_on_to_the_report_of_one_run() {
    let dir = with_hundreds();
    succeeds(&dir, &evaluation(&["--report", "whole"]));
    let whole = report(&dir, "whole");
    let args = evaluation(&["--out", "kept"]);

    let mut child = start_until(&dir, &args, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let file = dir.path().join("kept/results.jsonl");
    let killed = fs::read_to_string(&file).unwrap();

    let child = start_until(&dir, &args, killed.lines().count() + 2);
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let told = has_failed(&output, 130, &["Going on with what is finished in kept/results.jsonl"]);
    assert!(told.contains("Stopping; what is finished is kept; once more to stop at once"), "{told}");
    assert!(
        told.contains("Stopped; what is finished is kept in kept/results.jsonl. Give the same command again"),
        "{told}"
    );
    assert!(!dir.path().join("kept/scores.json").exists());
    fails(&dir, &["merge", "kept"], 1, &["shard 1/1 (kept/results.jsonl) is not finished: images "]);

    // A power cut in the middle of a line.
    let stopped = fs::read_to_string(&file).unwrap();
    assert!(stopped.lines().count() > killed.lines().count());
    fs::write(&file, stopped.clone() + "{\"of\":{\"netw").unwrap();
    fails(&dir, &["merge", "kept"], 1, &["kept/results.jsonl ends in the middle of a line"]);
    succeeds(&dir, &args);
    assert!(fs::read_to_string(&file).unwrap().starts_with(&stopped), "what was finished is not measured again");
    assert_eq!(report(&dir, "kept"), whole);

    // The folder takes nothing else.
    let other = ["evaluate", "--model", "run", "--attack", "fgsm", "--out", "kept"];
    let says = ["kept belongs to another measurement (bastion evaluate --attack noise,pgd-5 --epsilon 1/255)"];
    let told = fails(&dir, &other, 1, &says);
    assert!(told.contains("what is measured was clean; noise at 1/255") && told.contains("another folder"), "{told}");
    assert_eq!(report(&dir, "kept"), whole);
}

#[test]
fn shards_of_an_array_are_merged_into_the_report_of_one_run() {
    let dir = with_hundreds();
    succeeds(&dir, &evaluation(&["--report", "whole"]));
    let auto = evaluation(&["--out", "kept", "--shard", "auto"]);
    fails(&dir, &auto, 2, &["--shard auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set"]);
    fails(&dir, &evaluation(&["--shard", "1/2"]), 2, &["--out <DIR>"]);
    fails(&dir, &evaluation(&["--out", "kept", "--shard", "1/3", "--save"]), 2, &["give --save to bastion merge"]);
    let task = |id: &str| {
        let mut command = bastion(dir.path(), &auto);
        let array = [("MIN", "4"), ("COUNT", "3"), ("STEP", "2"), ("ID", id)];
        command.envs(array.map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // Side by side in one folder, as a cluster starts them.
    let mut children = vec![task("4"), task("8")];
    for child in children.drain(..) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let done = printed.contains("Shard 1/3 is done (100 of 250 images)")
            || printed.contains("Shard 3/3 is done (50 of 250 images)");
        assert!(done && printed.contains("When all shards are: bastion merge kept"), "{printed}");
    }
    fails(&dir, &["merge", "kept"], 1, &["shard 2/3 is missing: it has images 101 to 200"]);
    assert!(task("6").wait_with_output().unwrap().status.success());
    succeeds(&dir, &["merge", "kept", "--report", "merged"]);
    assert_eq!(report(&dir, "merged"), report(&dir, "whole"));
    let merged = run(&dir, &["merge", "kept", "--save"]);
    assert!(merged.status.success(), "{}", stderr(&merged));
    assert!(stderr(&merged).contains("Saved 3 scores to run/final/model.json"), "{}", stderr(&merged));
    // The card is another file by now, and the weights are the same.
    succeeds(&dir, &evaluation(&["--out", "kept", "--shard", "2/3"]));
}
