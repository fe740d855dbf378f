//! The program as users run it: its output on stdout and stderr, and its exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

#[path = "cli/explain.rs"]
mod explain;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use burn::prelude::*;
use serde_json::Value;
use shared::bundle::{Bundle, Class, Description, Precision, Recipe};
use shared::model::{Architecture, BuildNetwork as _, WideResNetConfig};
use tempfile::TempDir;
use trainer::data::made::{self, Made};

const MADE: Made = Made { classes: 3, train_per_class: 4, val_per_class: 2, seed: 1 };

/// Returns a command that runs `bastion` in the folder `dir`.
fn bastion(dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bastion"));
    command.current_dir(dir.path()).env_remove("BASTION_DATA").args(["--device", "cpu"]);
    command
}

fn run(dir: &TempDir, args: &[&str]) -> Output {
    bastion(dir).args(args).output().unwrap()
}

/// Runs a command that must succeed. Returns its stdout.
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

/// Runs a command that must end with `code`: stdout stays empty, and stderr gives the reason once.
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
    let architecture =
        Architecture::WideResNet(WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(10, 1) });
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

/// Creates a folder with a model in `model` and a picture `disc.png`.
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
    for word in
        ["data", "train", "evaluate", "check", "export", "classify", "attack", "bastion data import", "130 stopped"]
    {
        assert!(help.contains(word), "{word} is not in: {help}");
    }
    for command in ["data", "train", "evaluate", "check", "export", "classify", "attack"] {
        assert!(stdout(&dir, &[command, "--help"]).contains("Usage: bastion"), "{command}");
    }
    assert_fails(&dir, &["data", "import", "x", "--bogus"], 2, "--bogus");
    assert_fails(&dir, &["attack", "x.png", "--out", "y", "--epsilon", "8"], 2, "did you mean 8/255?");
    assert_eq!(run(&dir, &["export", "--samples", "0"]).status.code(), Some(2));
    assert_eq!(run(&dir, &["data"]).status.code(), Some(2));
    assert!(stdout(&dir, &["evaluate", "--help"]).contains("--device"));
    for args in [&["data", "--help"][..], &["data", "info", "--help"]] {
        assert!(!stdout(&dir, args).contains("--device"), "data sets are computed on by nothing");
    }
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
    assert_fails(
        &dir,
        &["data", "import", "set.tar.zst", "--json"],
        1,
        "1 of 6 pictures are bad: val/images/val_5.JPEG (",
    );
    assert_fails(&dir, &["data", "import", "nowhere.zip"], 1, "cannot read nowhere.zip");
    assert_eq!(fs::read_dir(dir.path().join("data")).unwrap().count(), 0);
}

/// Serves one of `bodies` a connection, and returns the address.
fn serve(bodies: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/set.zip", listener.local_addr().unwrap());
    thread::spawn(move || {
        for body in bodies {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

#[track_caller]
fn assert_left(dir: &TempDir, names: &[&str]) {
    let mut left: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, names);
}

#[test]
fn a_data_set_is_fetched_and_the_archive_tidied_away() {
    let dir = TempDir::new().unwrap();
    let url = serve(vec![made::zip("tiny", &MADE.files().unwrap()).unwrap()]);
    let report = json(&dir, &["data", "fetch", "--url", &url, "--out", "set/", "--json"]);
    assert_eq!(report["train_images"].as_u64(), Some(12));
    assert_left(&dir, &["set"]);
    // The error comes before a single byte is downloaded.
    assert_fails(&dir, &["data", "fetch", "--url", &url, "--out", "."], 2, "own name");
    assert_left(&dir, &["set"]);
}

#[test]
fn a_bad_archive_is_not_in_the_way_of_a_good_one() {
    let dir = TempDir::new().unwrap();
    let good = made::zip("tiny", &MADE.files().unwrap()).unwrap();
    let url = serve(vec![good[..good.len() / 2].to_vec(), good]);
    let fetch = ["data", "fetch", "--url", &url, "--out", "set"];
    assert_fails(&dir, &fetch, 1, "kept in set.zip.bad");
    assert_left(&dir, &["set.zip.bad"]);
    stdout(&dir, &fetch);
    assert_left(&dir, &["set", "set.zip.bad"]);
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
    assert_fails(&dir, &["classify", "disc.png", "--model", "elsewhere"], 1, "there is no folder elsewhere");
    assert_fails(&dir, &["export", "elsewhere", "--out", "x"], 1, "there is no folder elsewhere");
}

#[test]
fn pictures_are_attacked() {
    let dir = with_model();
    let report = json(&dir, &["attack", "disc.png", "--model", "model", "--out", "attacked", "--json"]);
    let model = &report["models"][0];
    assert!(model["linf"].as_f64().unwrap() <= 4.0 / 255.0 + 1e-6);
    assert_eq!(model["before"].as_array().unwrap().len(), 3);
    for file in ["attacked", "side_by_side"] {
        assert!(dir.path().join(model[file].as_str().unwrap()).is_file());
    }
    let text = stdout(&dir, &["attack", "disc.png", "--attack", "fgsm", "--model", "model", "--out", "attacked"]);
    assert!(text.contains("FGSM, epsilon 4/255 (0.0157), 1 step"), "{text}");
    assert!(text.contains("held: still") || text.contains("fooled: "), "{text}");
    let attack = ["attack", "disc.png", "--model", "model", "--out", "attacked"];
    assert_fails(&dir, &[&attack[..], &["--target", "unicorn"]].concat(), 2, "'unicorn' is not a class");
    assert_fails(
        &dir,
        &[&attack[..], &["--attack", "noise", "--target", "2"]].concat(),
        2,
        "noise is aimed at nothing",
    );
    assert_fails(&dir, &attack, 1, "disc-random-bim-eps4.png is there already: give --force");
    stdout(&dir, &[&attack[..], &["--force"]].concat());
}

#[test]
fn numbers_below_zero_are_called_what_they_are() {
    let dir = with_model();
    let attack = ["attack", "disc.png", "--model", "model", "--out", "attacked", "--epsilon"];
    assert_fails(&dir, &[&attack[..], &["-1"]].concat(), 2, "-1 is not from 0 to 1");
    assert_fails(&dir, &["evaluate", "--epsilon", "4/255,-8/255"], 2, "is not from 0 to 1");
    assert_fails(&dir, &["craft", "--model", "model", "--out", "x", "--epsilon", "-8/255"], 2, "is not from 0 to 1");
    assert_fails(&dir, &["evaluate", "--steps", "-1"], 2, "-1 is not in 1..=10000");
    assert_fails(&dir, &["attack", "disc.png", "--out", "attacked", "--steps", "0"], 2, "0 is not in 1..=10000");
}

#[test]
fn what_would_have_no_effect_is_a_usage_error() {
    let dir = TempDir::new().unwrap();
    for (args, says) in [
        (&["--attack", "fgsm", "--steps", "5"][..], "fgsm takes one step"),
        (
            &["--attack", "fgsm,bim", "--restarts", "2"],
            "--restarts is for pgd, pgd-l2, apgd, apgd-l2, square, square-l2, one-pixel and noise",
        ),
        (&["--source", "1"], "give --protocol transfer or both"),
        (&["--source", "1", "--protocol", "white-box"], "give --protocol transfer or both"),
        (&["--attack", "none", "--epsilon", "2/255"], "--epsilon has no effect"),
        (&["--attack", "none,bim"], "--attack none excludes"),
        (&["--attack", "pgd-50", "--steps", "5"], "names none of them, or says their steps"),
        (&["--attack", "fgsm-3"], "fgsm has no steps"),
        (&["--attack", "pgd-0"], "0 is no number of steps"),
        (&["--attack", "fgsm,bim", "--last-step"], "--last-step is for white-box pgd"),
        (&["--attack", "pgd", "--protocol", "transfer", "--last-step"], "--last-step is for white-box pgd"),
        (&["--attack", "none", "--limit", "4", "--save"], "--save with --limit keeps scores of attacks"),
    ] {
        assert_fails(&dir, &[&["evaluate"], args].concat(), 2, says);
    }
    let dir = with_model();
    let craft = ["craft", "--model", "model", "--out", "x", "--steps", "5"];
    assert_fails(&dir, &craft, 2, "fgsm takes one step");
}

#[test]
fn what_is_no_imported_data_set_is_told_what_to_do() {
    let dir = with_model();
    fs::write(dir.path().join("set.zip"), made::zip("tiny", &MADE.files().unwrap()).unwrap()).unwrap();
    MADE.write_folder(&dir.path().join("raw/tiny")).unwrap();
    for (data, says) in [
        ("set.zip", "set.zip is a file"),
        ("raw", "run `bastion data import raw` first"),
        ("raw/tiny", "raw/tiny is the raw data set"),
        ("nowhere", "there is no imported data set in nowhere"),
    ] {
        assert_fails(&dir, &["evaluate", "--model", "model", "--data", data], 1, says);
        assert_fails(&dir, &["data", "info", "--data", data], 1, says);
    }
}

#[test]
fn a_part_of_a_data_set_is_one() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    let subset = ["data", "subset", "--data", "data", "--out", "part", "--classes", "3", "--per-class", "6"];
    let report = json(&dir, &[&subset[..], &["--val-per-class", "2", "--seed", "1", "--json"]].concat());
    assert_eq!((report["train_images"].as_u64(), report["val_images"].as_u64()), (Some(18), Some(6)));
    let whole = json(&dir, &["data", "info", "--data", "data", "--json"]);
    assert_eq!(report["subset"]["data_sha256"], whole["sha256"]);
    let text = stdout(&dir, &["data", "info", "--data", "part", "--verify"]);
    assert!(text.contains("3 of 4 classes, 6 training and 2 validation pictures of each, seed 1"), "{text}");

    assert_fails(&dir, &subset, 1, "--force");
    assert_fails(&dir, &["data", "subset", "--data", "data", "--out", "x"], 2, "--per-class");
    let many = ["data", "subset", "--data", "data", "--out", "x", "--classes", "5"];
    assert_fails(&dir, &many, 2, "--classes 5: the data set has 4 classes");
    assert!(!dir.path().join("x").exists());

    let mut train = small_run("run", "2", &[]);
    train[4] = "part";
    stdout(&dir, &train);
    assert_eq!(card(&dir, "run/final")["data_sha256"], report["sha256"]);
}

#[test]
fn pictures_crafted_once_are_shown_to_every_network() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    import(&dir, "other", 2);
    stdout(&dir, &small_run("first", "2", &[]));
    stdout(&dir, &small_run("second", "2", &["--seed", "1"]));
    for (attack, out) in [("fgsm", "fgsm"), ("bim", "bim")] {
        let craft = ["craft", "--model", "first", "--data", "data", "--attack", attack, "--out", out];
        stdout(&dir, &[&craft[..], &["--epsilon-space", "normalized"]].concat());
    }
    let text = stdout(&dir, &["data", "info", "--data", "fgsm"]);
    assert!(text.contains("FGSM at 0.2 std on first") && text.contains("crafted on"), "{text}");

    let evaluate = ["evaluate", "--model", "first", "--model", "second", "--attack", "none"];
    let shown = [&evaluate[..], &["--data", "data", "--crafted", "fgsm,bim"]].concat();
    let report = json(&dir, &[&shown[..], &["--json"]].concat());
    for model in report["models"].as_array().unwrap() {
        let scores = model["scores"].as_array().unwrap();
        assert_eq!(scores.len(), 3);
        for (score, kind) in scores[1..].iter().zip(["fgsm", "bim"]) {
            assert_eq!((&score["attack"]["kind"], &score["crafted_on"]), (&kind.into(), &"first".into()));
            assert!(score["median_linf"].as_f64().unwrap() > 0.01 && score["success"].is_object(), "{score}");
            assert_eq!(score["crafted_sha256"].as_str().unwrap().len(), 64);
        }
    }
    assert_eq!(report["crafted"][1]["dir"], "bim");
    let table = stdout(&dir, &[&shown[..], &["--save"]].concat());
    // One of the two networks is the source of the set, so its row has the mark.
    assert_eq!(table.matches("BIM-5 at 0.2 std from first, saved *").count(), 1, "{table}");
    assert_eq!(card(&dir, "second/final")["scores"].as_array().unwrap().len(), 3);

    let with = |args: &[&'static str]| [&evaluate[..], args].concat();
    assert_fails(&dir, &with(&["--data", "fgsm"]), 1, "is no clean data set but a crafted one");
    assert_fails(&dir, &with(&["--data", "data", "--crafted", "data"]), 1, "nobody attacked");
    assert_fails(&dir, &with(&["--data", "data", "--crafted", "bim,bim"]), 2, "their scores would have one name");
    let subset = ["data", "subset", "--data", "bim", "--out", "part", "--per-class", "2"];
    assert_fails(&dir, &subset, 1, "is no clean data set");
    let mut other = small_run("third", "2", &[]);
    other[4] = "other";
    stdout(&dir, &other);
    let other = ["evaluate", "--model", "third", "--data", "other", "--crafted", "bim"];
    assert_fails(&dir, &other, 1, "was crafted from another data set");
}

#[test]
fn an_evaluation_is_checked_with_or_without_a_data_set() {
    let dir = with_model();
    fs::write(dir.path().join("set.zip"), made::zip("tiny", &MADE.files().unwrap()).unwrap()).unwrap();
    assert_fails(&dir, &["check", "--model", "model"], 1, "bastion data import PATH");
    assert_fails(&dir, &["check", "--model", "model", "--made", "--epsilon", "0"], 2, "no attack");
    assert_fails(&dir, &["check", "--made", "--full"], 2, "--full");

    let made = ["check", "--model", "model", "--made", "--limit", "6", "--epsilon", "8/255"];
    let report = json(&dir, &[&made[..], &["--report", "out/checks", "--json"]].concat());
    let checks = report["models"][0]["checks"].as_array().unwrap();
    let skipped = checks.iter().filter(|check| check["verdict"] == "skipped").count();
    assert!(report["failed"] == 0 && report["skipped"] == skipped && skipped > 0, "{report}");
    assert_eq!(report["passed"], checks.len() - skipped, "{report}");
    let of_6 = checks.iter().filter(|check| check["figure"].as_str().unwrap().ends_with("of 6 images right")).count();
    assert_eq!(of_6, skipped, "{report}");
    let written: Value = serde_json::from_slice(&fs::read(dir.path().join("out/checks/checks.json")).unwrap()).unwrap();
    assert_eq!(written, report);

    stdout(&dir, &["data", "import", "set.zip"]);
    assert_fails(&dir, &["check", "--model", "model"], 1, "other classes than the data set");
    take_classes_of_the_data(&dir);
    let text = stdout(&dir, &["check", "--model", "model", "--epsilon", "8/255"]);
    assert!(text.contains("random (model)") && text.contains("  pass     attacks keep to the ball"), "{text}");
    assert!(text.contains("epsilon 8/255, 6 images: ") && text.contains(" 0 failed, "), "{text}");
}

/// Names the classes of the model in `model` as the imported data set does.
fn take_classes_of_the_data(dir: &TempDir) {
    let meta: Value =
        serde_json::from_slice(&fs::read(dir.path().join("data/tiny-imagenet-200/meta.json")).unwrap()).unwrap();
    let mut card = card(dir, "model");
    card["classes"] = meta["classes"].clone();
    fs::write(dir.path().join("model/model.json"), card.to_string()).unwrap();
}

#[test]
fn a_failed_check_is_named_and_is_a_failure() {
    let dir = with_model();
    // An epsilon so small that the loss does not rise.
    let output = run(&dir, &["check", "--model", "model", "--made", "--limit", "3", "--epsilon", "0.00001"]);
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(said.contains("  FAIL     the loss climbs to a plateau"), "{said}");
    assert!(error.contains("1 of 17 checks failed: random: the loss climbs to a plateau"), "{error}");
}

/// Imports a made set of 4 classes, with 40 training pictures when 2 of each class are held out, to the folder `name`.
fn import(dir: &TempDir, name: &str, seed: u64) {
    let made = Made { classes: 4, train_per_class: 12, val_per_class: 4, seed };
    made.write_folder(&dir.path().join("files")).unwrap();
    stdout(dir, &["data", "import", "files", "--out", name]);
    fs::remove_dir_all(dir.path().join("files")).unwrap();
}

/// Returns the arguments of a small run on the data set `data`: rounds of 5 steps, unless `more` has another batch size.
fn small_run<'a>(run: &'a str, steps: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["train", "--run", run, "--data", "data", "--steps", steps, "--rounds", "1"];
    args.extend(["--width", "1", "--image-size", "32", "--held-out", "2"]);
    if !more.contains(&"--batch-size") {
        args.extend(["--batch-size", "8"]);
    }
    args.extend(more);
    args
}

fn card(dir: &TempDir, model: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.path().join(model).join("model.json")).unwrap()).unwrap()
}

#[test]
fn a_network_goes_the_whole_way_from_data_to_an_attack() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    import(&dir, "other", 2);

    let stopped =
        stop_after_a_round(&dir, &small_run("run", "100", &["--recipe", "hardened-live", "--bim-steps", "1"]));
    assert!(stopped.contains("of 100 steps are saved. Go on with: bastion train --resume run"), "{stopped}");
    assert!(!stopped.contains("error"), "{stopped}");
    assert_fails(&dir, &["export", "run", "--out", "early"], 1, "finish its training");

    let resume = ["train", "--resume", "run"];
    assert_fails(&dir, &[&resume[..], &["--data", "other"]].concat(), 1, "is not the data set");
    fs::rename(dir.path().join("data"), dir.path().join("moved")).unwrap();
    assert_fails(&dir, &resume, 1, "say with --data where it is");
    stdout(&dir, &[&resume[..], &["--data", "moved"]].concat());
    stdout(&dir, &resume);

    let meta: Value = serde_json::from_slice(&fs::read(dir.path().join("moved/meta.json")).unwrap()).unwrap();
    let trained = card(&dir, "run/final");
    assert_eq!((&trained["mean"], &trained["std"]), (&meta["train_pixels"]["mean"], &meta["train_pixels"]["std"]));
    assert_eq!(trained["data_sha256"], meta["sha256"]);

    let evaluate = ["evaluate", "--model", "run", "--data", "moved", "--attack", "fgsm", "--epsilon", "4/255"];
    let report = json(&dir, &[&evaluate[..], &["--limit", "4", "--json"]].concat());
    assert_eq!(report["models"].as_array().unwrap().len(), 1);
    assert_eq!(card(&dir, "run/final")["scores"].as_array().unwrap().len(), 0, "only --save changes a card");
    stdout(&dir, &[&evaluate[..], &["--save"]].concat());
    let scores = card(&dir, "run/final")["scores"].clone();
    assert!(scores.as_array().unwrap().len() >= 2, "{scores}");

    // Rounded weights are not the weights that were scored, so the scores are dropped.
    stdout(&dir, &["export", "run", "--out", "models/small"]);
    let exported = card(&dir, "models/small");
    assert_eq!((&exported["name"], &exported["scores"]), (&"small".into(), &Value::Array(vec![])));
    stdout(&dir, &["export", "run", "--out", "models/full", "--precision", "f32"]);
    assert_eq!(card(&dir, "models/full")["scores"], scores);

    fs::write(dir.path().join("disc.png"), made::png(64, 64, made::picture(0, 5)).unwrap()).unwrap();
    let report = json(&dir, &["classify", "disc.png", "--model", "models/small", "--json"]);
    assert_eq!(report["images"][0]["models"][0]["top"].as_array().unwrap().len(), 4);
    let attack = ["attack", "disc.png", "--model", "models/small", "--out", "attacked", "--json"];
    assert!(json(&dir, &attack)["models"][0]["linf"].as_f64().unwrap() <= 4.0 / 255.0 + 1e-6);

    // Scores on fewer images stand beside those on all, and only scores of attacks are saved.
    let of_model = ["--model", "models/full", "--data", "moved", "--limit", "4", "--save"];
    stdout(&dir, &[&["evaluate", "--attack", "fgsm,pgd-3", "--restarts", "2"], &of_model[..]].concat());
    let with_fewer = card(&dir, "models/full");
    let fewer = &with_fewer["scores"].as_array().unwrap()[scores.as_array().unwrap().len()..];
    let kinds: Vec<_> = fewer.iter().map(|score| score["attack"]["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.as_slice(), &fewer[1]["until_fooled"]), (&["fgsm", "pgd"][..], &Value::Bool(true)));
    assert!(with_fewer["cost"]["macs"].as_u64().unwrap() > 0, "{with_fewer}");
    // The results are noted in the card, passed or failed.
    run(&dir, &[&["check"], &of_model[..]].concat());
    let checked = card(&dir, "models/full");
    assert_eq!((checked["checks"]["items"].as_array().unwrap().len(), &checked["checks"]["images"]), (17, &4.into()));
    assert_eq!(checked["scores"], with_fewer["scores"]);
}

#[test]
fn a_network_is_trained_further_as_it_was_trained_and_without_its_parent_once_it_has_begun() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    stdout(&dir, &small_run("first", "5", &[]));
    let stopped = stop_after_a_round(&dir, &small_run("second", "200", &["--init", "first/final", "--seed", "3"]));
    assert!(stopped.contains("steps are saved"), "{stopped}");
    fs::rename(dir.path().join("first"), dir.path().join("elsewhere")).unwrap();
    let resumed = stop_after_a_round(&dir, &["train", "--resume", "second"]);
    assert!(resumed.contains("Going on after step"), "{resumed}");
    // Before the first checkpoint, the initial weights are in the parent's folder alone.
    fs::remove_dir_all(dir.path().join("second/checkpoint")).unwrap();
    assert_fails(&dir, &["train", "--resume", "second"], 1, "first/final");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_work() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("file"), "kept").unwrap();
    for command in ["evaluate", "check"] {
        for flag in ["--report", "--out"] {
            // Neither data nor networks are looked for before.
            assert_fails(&dir, &[command, flag, "file"], 2, "file is a file, and a folder is asked for");
        }
    }
    assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "kept");
}

/// Weights of a network with 20 classes, as `torch.save` writes them.
const PRETRAINED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/wrn_10_1.pth");

#[test]
fn a_file_of_weights_is_looked_into() {
    let dir = TempDir::new().unwrap();
    let inspect = |more: &[&str]| stdout(&dir, &[&["weights", "inspect", PRETRAINED], more].concat());
    let shown = inspect(&[]);
    for words in ["layer3.0.conv2.weight", "[64, 64, 3, 3]  f32   147.5 kB", "46 tensors", "No network that is known"] {
        assert!(shown.contains(words), "{words} is not in: {shown}");
    }
    let fitting = ["--arch", "wide-resnet", "--width", "1", "--strides", "1,2,2", "--classes", "4"];
    let shown = inspect(&fitting);
    assert!(shown.contains("37 as they are") && shown.contains("[20] instead of [4]"), "{shown}");
    assert!(shown.trim_end().ends_with("takes it") && shown.contains("--strides 1,2,2 --pretrained"), "{shown}");
    let shown = inspect(&["--arch", "resnet18"]);
    assert!(shown.contains(": [16, 3, 3, 3] in the file, [64, 3, 7, 7] in the network"), "{shown}");
    assert!(shown.contains("would not take it\nNo network that is known"), "{shown}");

    let report: Value = serde_json::from_str(&inspect(&[&fitting[..], &["--json"]].concat())).unwrap();
    assert_eq!((&report["taken"], report["tensors"].as_array().unwrap().len()), (&Value::Bool(true), 46));
    assert_eq!(report["plan"]["head"]["from"], "drawn");
    assert_fails(&dir, &["weights", "inspect", "no.pth"], 1, "no.pth");
    assert_fails(&dir, &["weights", "inspect", PRETRAINED, "--arch", "resnet18", "--width", "2"], 2, "width");
    assert_fails(&dir, &["weights", "inspect", PRETRAINED, "--stem", "conv3"], 2, "--arch");
}

#[test]
fn pretrained_weights_are_what_a_run_starts_from() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    let weights = dir.path().join("weights.pth");
    fs::copy(PRETRAINED, &weights).unwrap();
    let args = |run| small_run(run, "200", &["--strides", "1,2,2", "--pretrained", "weights.pth"]);
    let stopped = stop_after_a_round(&dir, &args("run"));
    assert!(stopped.contains("Loaded 37 tensors from") && stopped.contains("The head is drawn"), "{stopped}");
    let record: Value = serde_json::from_slice(&fs::read(dir.path().join("run/run.json")).unwrap()).unwrap();
    assert_eq!(record["pixels"]["mean"][0].as_f64().unwrap() as f32, 0.485);
    assert_eq!(record["pretrained"]["sha256"].as_str().unwrap().len(), 64);
    assert!(Path::new(record["pretrained"]["file"].as_str().unwrap()).is_absolute());

    // A checkpoint holds all weights; before there is one, the file must be there, and the same.
    fs::rename(&weights, dir.path().join("elsewhere.pth")).unwrap();
    let resume = ["train", "--resume", "run"];
    assert!(stop_after_a_round(&dir, &resume).contains("Going on after step"));
    fs::remove_dir_all(dir.path().join("run/checkpoint")).unwrap();
    assert_fails(&dir, &resume, 1, "put that file back");
    fs::write(&weights, "others").unwrap();
    assert_fails(&dir, &resume, 1, "is not the file that the run was started from");
    fs::rename(dir.path().join("elsewhere.pth"), &weights).unwrap();
    assert!(stop_after_a_round(&dir, &resume).contains("Loaded 37 tensors from"));

    fs::write(&weights, "not weights").unwrap();
    assert_fails(&dir, &args("other"), 1, "weights.pth is text");
    assert_fails(
        &dir,
        &small_run("other", "5", &["--pretrained", PRETRAINED]),
        1,
        "does not fit WRN-10-1: 1 tensor is missing",
    );
    assert!(!dir.path().join("other").exists());
    assert_fails(
        &dir,
        &small_run("other", "5", &["--pretrained", PRETRAINED, "--init", "run"]),
        2,
        "cannot be used with",
    );
    assert_fails(&dir, &[&resume[..], &["--pretrained", PRETRAINED]].concat(), 2, "cannot be used with");
}

#[test]
fn a_mistaken_setting_leaves_no_run_in_the_way_of_the_right_one() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    for (setting, says) in [
        (["--depth", "12"], "depth 12"),
        (["--learning-rate", "-1"], "learning-rate must be above 0"),
        (["--freeze", "-1"], "a number of epochs"),
        (["--freeze", "backbone"], "give --pretrained or --init"),
        (["--batch-size", "500"], "40 training pictures"),
    ] {
        assert_fails(&dir, &small_run("run", "5", &setting), 2, says);
        assert!(!dir.path().join("run").exists(), "{setting:?}");
    }
    stdout(&dir, &small_run("run", "5", &[]));
    assert_fails(&dir, &small_run("run", "5", &[]), 1, "not empty");
}

#[test]
fn progress_as_json_is_an_object_a_line() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    let events = |args: &[&str], code: i32| -> Vec<(String, Value)> {
        let output = run(&dir, args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        let event = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            (event["event"].as_str().unwrap().into(), event)
        };
        text.lines().map(event).collect()
    };
    let train = small_run("run", "10", &["--progress", "json"]);
    let told = events(&train, 0);
    let count = |name: &str| told.iter().filter(|(event, _)| event == name).count();
    // Two rounds, each of a training and a validation.
    assert_eq!(["started", "finished", "round", "checkpoint"].map(count), [4, 4, 2, 2], "{told:?}");
    let (_, last) = told.iter().rfind(|(event, _)| event == "round").unwrap();
    assert_eq!((&last["step"], &last["steps_total"], &last["epochs_total"]), (&10.into(), &10.into(), &2.0.into()));

    assert!(dir.path().join("run/memory.json").is_file());

    let told = events(&train, 1);
    let [.., (event, failure)] = &told[..] else { panic!("nothing was told") };
    assert_eq!((event.as_str(), &failure["exit_code"]), ("failed", &1.into()));
    assert!(failure["text"].as_str().unwrap().contains("not empty"), "{failure}");
}

#[cfg(unix)]
fn interrupt(pid: u32) {
    assert!(Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap().success());
}

/// Starts a training, presses Ctrl-C after its first round, and returns its stderr.
#[cfg(unix)]
fn stop_after_a_round(dir: &TempDir, args: &[&str]) -> String {
    let mut child = bastion(dir).args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("Epoch ") && !said.contains("Epoch ") {
            interrupt(child.id());
        }
        said += &(line + "\n");
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    said
}

/// In raw mode Ctrl-C is an ordinary key, unless the terminal is set to send a signal for it. `script` makes the terminal.
#[cfg(target_os = "linux")]
#[test]
fn one_ctrl_c_saves_in_the_dashboard_too() {
    let dir = TempDir::new().unwrap();
    import(&dir, "data", 1);
    let bastion =
        format!("'{}' --device cpu {}", env!("CARGO_BIN_EXE_bastion"), small_run("run", "20000", &[]).join(" "));
    let script = Command::new("script")
        .args(["-qec", &format!("stty rows 40 cols 100; {bastion}"), "/dev/null"])
        .current_dir(dir.path())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut script) = script else {
        eprintln!("skipped: there is no `script` (util-linux) to make a terminal with");
        return;
    };
    let mut stdout = script.stdout.take().unwrap();
    let screen = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let started = Instant::now();
    let mut wait_for = |what: &str, done: &mut dyn FnMut(&mut Child) -> bool| {
        while !done(&mut script) {
            if started.elapsed() > Duration::from_secs(120) {
                script.kill().unwrap();
                panic!("waited too long for {what}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    };
    let checkpoint = dir.path().join("run/checkpoint/position-1.json");
    wait_for("the first checkpoint", &mut |_| checkpoint.exists());
    wait_for("the key", &mut |script| script.stdin.as_mut().unwrap().write_all(b"\x03").is_ok());
    wait_for("the end", &mut |script| script.try_wait().unwrap().is_some());
    let (code, screen) = (script.wait().unwrap().code(), screen.join().unwrap());
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.contains("\x1b[?1049h") && screen.contains("Saving and stopping"), "{screen}");
    let after = screen.rsplit("\x1b[?1049l").next().unwrap();
    assert!(after.contains("steps are saved"), "{after}");
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
