//! `bastion detector` as its users meet it, on a made data set: detectors are trained into a model's folder, measured and saved.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use trainer::data::made::Made;

use crate::{run, said};

const MADE: Made = Made { classes: 3, train_per_class: 16, val_per_class: 4, seed: 1 };
/// All detectors, with as little work as they take.
const RECIPE: &str = "detectors = ['network', 'maps', 'mahalanobis', 'statistics', 'predictive-entropy', 'energy']\n\
    epsilons = ['8/255']\nharmless = true\npasses = 2\nepochs = 2\nbatch-size = 8\n\
    attacks = [{ kind = 'fgsm' }, { kind = 'bim', steps = 2 }]\n";

#[track_caller]
fn succeeds(dir: &TempDir, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn fails(dir: &TempDir, args: &[&str], code: i32, says: &str) {
    let output = run(dir, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    assert!(said(&output).contains(says), "'{says}' is not in: {}", said(&output));
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn detectors_are_trained_measured_and_saved() {
    let dir = TempDir::new().unwrap();
    MADE.write_folder(&dir.path().join("raw")).unwrap();
    succeeds(&dir, &["data", "import", "raw", "--out", "data"]);
    let small = [
        "train",
        "--run",
        "run",
        "--width",
        "1",
        "--depth",
        "10",
        "--steps",
        "6",
        "--rounds",
        "1",
        "--batch-size",
        "8",
    ];
    succeeds(&dir, &[&small[..], &["--held-out", "2", "--dropout", "0.1"]].concat());
    fs::write(dir.path().join("all.toml"), RECIPE).unwrap();
    let train = ["detector", "train", "--model", "run", "--recipe", "all.toml"];

    fails(&dir, &["detector", "train", "--model", "run", "--recipe", "uusal"], 2, "usual, dropout, paper or");
    fails(&dir, &["detector", "evaluate", "--model", "run"], 1, "bastion detector train --model run");
    fails(&dir, &train, 2, "--crafted");
    for attack in ["fgsm", "bim"] {
        succeeds(&dir, &["craft", "--model", "run", "--attack", attack, "--epsilon", "8/255", "--out", attack]);
    }
    fails(&dir, &["detector", "train", "--model", "run", "--crafted", "fgsm,bim"], 2, "the recipe usual does not make");
    succeeds(&dir, &[&train[..], &["--crafted", "bim,fgsm"]].concat());
    let card = read(&dir.path().join("run/final/model.json"));
    let kinds: Vec<&str> =
        card["detectors"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["network", "maps", "mahalanobis", "statistics", "predictive-entropy", "energy"]);
    // 8 held-out pictures of each class, half of its 16.
    assert_eq!(card["detectors"][1]["calibration"]["images"], 24);
    assert_eq!(card["detectors"][2]["trained_attacks"], serde_json::json!(["fgsm"]));
    assert!(card["detectors"][4]["tails"]["high"].is_number() && card["detectors"][1]["tails"].is_null());
    // A network with detectors is a network as before.
    succeeds(&dir, &["evaluate", "--model", "run", "--attack", "none"]);

    let some = ["detector", "evaluate", "--model", "run", "--limit", "6", "--detector"];
    fails(&dir, &[&some[..], &["map"]].concat(), 2, "there is no detector 'map': take network, maps");
    fails(&dir, &[&some[..], &["maps", "--steps", "3"]].concat(), 2, "--adaptive");
    let photos = dir.path().join("photos/n90000001");
    fs::create_dir_all(&photos).unwrap();
    fs::copy(dir.path().join("raw/val/images/val_1.JPEG"), photos.join("one.jpg")).unwrap();
    let whole = [
        "maps,network",
        "--photos",
        "photos",
        "--adaptive",
        "4",
        "--steps",
        "4",
        "--epsilon",
        "8/255",
        "--rate",
        "0.5",
        "--save",
        "--report",
        "report",
        "--json",
    ];
    let output = run(&dir, &[&some[..], &whole].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let checks: Vec<&Value> = report["networks"][0]["detectors"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|detector| detector[1]["checks"].as_array().unwrap())
        .collect();
    assert!(checks.len() >= 8, "{checks:?}");
    // The exit code tells whether a check failed.
    let failed = checks.iter().any(|check| check["passed"] == false);
    assert_eq!(output.status.code(), Some(i32::from(failed)), "{}", said(&output));
    let card = read(&dir.path().join("run/final/model.json"));
    let maps = &card["detectors"][1]["figures"];
    assert_eq!(maps["images"], 6);
    let in_card = maps["sets"].as_array().unwrap();
    assert!(
        in_card.iter().any(|set| set["set"] == "pgd-50 at 8/255") && in_card.iter().all(|set| set["set"] != "fog 3")
    );
    let found = report["networks"][0]["detectors"].as_array().unwrap().iter().find(|found| found[0] == "maps").unwrap();
    let sets = found[1]["sets"].as_array().unwrap();
    let named = |name: &str| sets.iter().find(|set| set["set"] == name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(named("fgsm at 8/255")["seen"], true);
    assert_eq!(named("pgd-50 at 8/255")["seen"], false);
    assert_eq!(named("fog 3")["attacked"], false);
    assert_eq!(named("untouched")["alarms"][0]["of"], 6);
    assert!(named("photographs")["alarms"][0]["of"] == 1 && named("photographs")["attacked"] == false);
    assert_eq!(maps["confusion"]["counts"][0].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), 6);
    assert!(card["detectors"][2]["figures"].is_null(), "only those that were asked for are measured");
    let text = fs::read_to_string(dir.path().join("report/report.md")).unwrap();
    assert!(text.contains("Attacks on network and detector together at 8/255") && text.contains("reached 33%"));
    assert!(dir.path().join("report/detectors.json").is_file());

    // A file that was changed is refused by name, and training again makes it anew.
    let weights = dir.path().join("run/final/detector-maps.safetensors");
    fs::write(&weights, b"changed").unwrap();
    fails(&dir, &[&some[..], &["maps"]].concat(), 1, "cannot load the detector maps");
}
