use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use shared::metrics::Proportion;
use shared::model::Stem;
use tempfile::TempDir;

use super::*;
use crate::error::Stopped;
use crate::experiment::children::outcome;
use crate::experiment::plan::differences;
use crate::train::{ConfigFlags, resolve};

const BOTH: [ArchName; 2] = [ArchName::WideResnet, ArchName::Resnet18];

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: ConfigFlags,
}

fn asked(words: &[&str], archs: &[ArchName]) -> Result<ComparisonPlan> {
    let flags = Flags::parse_from([&["test"], words].concat()).config;
    Ok(ComparisonPlan {
        command: "bastion compare".into(),
        data_sha256: "made".into(),
        settings: common_settings(None, &flags, archs)?,
        pretrained: None,
        weights_sha256: BTreeMap::new(),
        crafted: vec![],
    })
}

fn plan(words: &[&str]) -> ComparisonPlan {
    asked(words, &BOTH).unwrap()
}

#[test]
fn each_takes_the_settings_that_are_its_own() {
    let words = ["--depth", "16", "--stem", "conv3", "--input-size", "128", "--epochs", "3"];
    let plan = plan(&words);
    let [wide, resnet] = BOTH.map(|arch| plan.config(arch).unwrap());
    assert_eq!((wide.arch, wide.depth, wide.input_size, wide.epochs), (BOTH[0], 16, None, 3));
    assert_eq!((resnet.arch, resnet.stem, resnet.input_size, resnet.epochs), (BOTH[1], Stem::Conv3, Some(128), 3));
    // As if it had been typed for it alone.
    let typed = Flags::parse_from(["test", "--depth", "16", "--stem", "conv3", "--epochs", "3"]).config;
    assert_eq!(wide, resolve(None, &typed).unwrap());

    let error = asked(&["--depth", "16"], &BOTH[1..]).unwrap_err();
    assert!(
        error.is::<UsageError>() && error.to_string().contains("depth does not apply to --arch resnet18"),
        "{error}"
    );
    assert!(asked(&["--epochs", "0"], &BOTH).unwrap_err().is::<UsageError>());
}

#[test]
fn a_folder_takes_one_plan_and_names_what_differs() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let open = |words: &[&str]| ComparisonPlan { command: "bastion compare again".into(), ..plan(words) }.open(&out);
    let begun = open(&["--epochs", "3", "--batch-size", "16"]).unwrap();
    begun.claim(&out).unwrap();

    let again = open(&["--batch-size", "16", "--epochs", "3"]).unwrap();
    assert_eq!(again, begun);
    assert_eq!(again.config(BOTH[1]).unwrap().batch_size, 16);
    let error = open(&["--epochs", "5", "--batch", "16"]).unwrap_err().to_string();
    assert!(error.contains("epochs was 3, and now is 5") && !error.contains("batch-size was"), "{error}");
    let error = open(&["--epochs", "3", "--input-size", "128"]).unwrap_err().to_string();
    assert!(error.contains("batch-size was 16, and now is 128"), "{error}");
    assert!(error.contains("input-size was not set, and now is 128"), "{error}");
    let moved = ComparisonPlan { pretrained: Some("weights".into()), ..begun.clone() };
    let error = moved.open(&out).unwrap_err().to_string();
    assert!(error.contains("pretrained-dir was none, and now is weights"), "{error}");

    // Weights are known by what is in them, those of networks that come later too.
    let weights = |of: &[(&str, &str)]| {
        let weights_sha256 = of.iter().map(|&(arch, sha256)| (arch.into(), sha256.into())).collect();
        ComparisonPlan { weights_sha256, ..begun.clone() }.open(&out)
    };
    weights(&[("resnet18", "12ab")]).unwrap().claim(&out).unwrap();
    assert_eq!(weights(&[("resnet50", "34cd")]).unwrap().weights_sha256.len(), 2);
    let error = weights(&[("resnet18", "56ef")]).unwrap_err().to_string();
    assert!(error.contains("weights for resnet18 (SHA-256) was 12ab, and now is 56ef"), "{error}");

    fs::remove_file(out.join("plan.json")).unwrap();
    fs::write(out.join("notes.txt"), "").unwrap();
    assert!(open(&[]).unwrap_err().to_string().contains("is not empty (there is notes.txt)"));
}

#[test]
fn nothing_differs_from_itself() {
    let plan = plan(&[]);
    assert_eq!(differences(&plan.settings, &plan.settings), [""; 0]);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<ComparisonPlan>(&json).unwrap(), plan);
}

#[test]
fn a_plan_of_when_batch_sizes_were_fitted_is_read_or_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let asked = plan(&["--batch-size", "16"]);
    let write = |batch_size: serde_json::Value, found: Option<usize>| {
        let mut json = serde_json::to_value(&asked).unwrap();
        json["settings"]["batch-size"] = batch_size;
        json["batch_size"] = found.into();
        json["fitting"] = serde_json::json!({ "resnet18": found });
        fs::write(dir.path().join("plan.json"), json.to_string()).unwrap();
    };
    write(16.into(), None);
    assert_eq!(asked.clone().open(dir.path()).unwrap(), asked);
    write("auto".into(), Some(16));
    let error = asked.clone().open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("batch-size was \"auto\", and now is 16"), "{error}");
}

#[test]
fn pretrained_weights_are_found_by_name() {
    let dir = TempDir::new().unwrap();
    let mut plan = ComparisonPlan { pretrained: Some(dir.path().into()), ..plan(&[]) };
    let error = plan.weights(ArchName::Resnet18).unwrap_err();
    assert!(
        error.is::<UsageError>() && error.to_string().contains("neither resnet18.pth nor resnet18.safe"),
        "{error}"
    );
    for name in ["resnet18.safetensors", "resnet18.pth"] {
        fs::write(dir.path().join(name), "").unwrap();
        assert_eq!(plan.weights(ArchName::Resnet18).unwrap(), Some(dir.path().join(name)));
    }
    plan.hash_weights(&BOTH[1..]).unwrap();
    assert!(plan.weights_sha256["resnet18"].starts_with("e3b0c442"), "of nothing");
    let error = plan.check_weights(BOTH[1]).unwrap_err().to_string();
    assert!(error.contains("resnet18.pth is empty"), "{error}");
}

#[test]
fn speed_is_that_of_all_rounds() {
    let dir = TempDir::new().unwrap();
    let of = |text: &str| {
        fs::write(dir.path().join("metrics.jsonl"), text).unwrap();
        training_time(dir.path())
    };
    let round = |step: usize| format!("{{\"round\": 1, \"step\": {step}, \"seconds\": 2.5, \"train_loss\": null}}\n");
    assert_eq!(of(&(round(5) + &round(8))).unwrap(), (8, 5.0));
    assert!(of("").is_err());
}

#[cfg(unix)]
#[test]
fn a_death_says_what_it_was() {
    use std::os::unix::process::ExitStatusExt;

    let ended = |raw, told| outcome("resnet18", "training", std::process::ExitStatus::from_raw(raw), told);
    let said = |raw, told| ended(raw, told).unwrap().unwrap();
    assert_eq!(ended(0, None).unwrap(), None);
    assert_eq!(said(9, None), "its training was killed by signal 9, most likely for want of memory");
    assert_eq!(said(1 << 8, None), "its training ended with exit code 1");
    assert_eq!(said(1 << 8, Some("error: the disk\n  is full.")), "its training failed: the disk is full");
    assert!(ended(2, None).unwrap_err().is::<Stopped>());
    let error = ended(2 << 8, Some("error: depth 12")).unwrap_err();
    assert_eq!(error.downcast_ref::<UsageError>().unwrap().0, "the settings do not suit resnet18: depth 12");
}

fn report() -> ComparisonReport {
    let done = |hits, speed| NetworkResult {
        top1: Proportion { hits, of: 200 },
        top1_interval: Proportion { hits, of: 200 }.wilson_interval(),
        top5: Proportion { hits: 180, of: 200 },
        training_images_per_second: speed,
        inference_images_per_second: 4.0 * speed,
        peak: Memory { process: Some(3 << 29), device: None },
        steps: 100,
        seconds: 90.0,
        device: "CPU (flex)".into(),
    };
    let plan = plan(&["--epochs", "3", "--width", "2", "--stem", "conv3"]);
    let entry = |arch: ArchName, macs, done: Option<NetworkResult>| ComparedNetwork {
        arch: arch.typed(),
        weights_sha256: (arch == ArchName::Resnet50).then(|| "0123abcd".into()),
        settings: plan.settings(arch).unwrap(),
        parameters: 23_500_000,
        macs,
        failure: done.is_none().then(|| "its training was killed by signal 9".into()),
        done,
    };
    ComparisonReport {
        command: "bastion compare --epochs 3".into(),
        data_sha256: "made".into(),
        classes: 10,
        train_images: 1000,
        images: 200,
        pretrained: false,
        side: 64,
        networks: vec![
            entry(ArchName::Resnet50, 334_000_000, Some(done(100, 20.0))),
            entry(ArchName::WideResnet, 350_000_000, Some(done(120, 10.0))),
            entry(ArchName::WideResnet50, 930_000_000, None),
        ],
    }
}

fn written(report: &ComparisonReport) -> (TempDir, impl Fn(&str) -> String + use<>) {
    let dir = TempDir::new().unwrap();
    report.write(dir.path(), &plan(&["--epochs", "3"]).config(BOTH[1]).unwrap()).unwrap();
    let path: PathBuf = dir.path().into();
    (dir, move |name: &str| fs::read_to_string(path.join(name)).unwrap())
}

#[test]
fn the_report_has_all_that_was_measured_and_says_what_is_missing() {
    let (dir, read) = written(&report());
    let text = read("report.md");
    for words in [
        "| resnet50 | 23.50 M | 0.334 G | 50.00% [43.14, 56.86] | 90.00% | 20.0 (1.00) | 80.0 (1.00) | 1.50 GiB | 1 min |",
        "| 60.00% [",
        "| 10.0 (0.50) | 40.0 (0.50) |",
        "| wide_resnet50_2 | 23.50 M | 0.930 G | not done |",
        "wide_resnet50_2 is missing: its training was killed by signal 9.",
        "from scratch, 3 epochs of 128 pictures a step at 64x64; 10 classes (chance is 10.0%)",
        "only the ratios, in brackets, mean something",
        "](accuracy-macs.svg)",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    // Each network with what applies to it, and what all have in common once.
    let (_, settings) = text.split_once("## Settings").unwrap();
    let (common, own) = settings.split_once("Of resnet50 besides, from weights of SHA-256 0123abcd:").unwrap();
    assert!(common.contains("epochs = 3\n") && !common.contains("arch = ") && !common.contains("depth"), "{common}");
    // Both families have such a stem.
    assert!(common.contains("stem = \"conv3\""), "{common}");
    let (resnet, own) = own.split_once("Of wide-resnet besides:").unwrap();
    let (wide, _) = own.split_once("Of wide_resnet50_2 besides:").unwrap();
    assert!(resnet.contains("arch = \"resnet50\"") && resnet.contains("head = \"paper\""), "{resnet}");
    assert!(!resnet.contains("width") && !resnet.contains("epochs"), "{resnet}");
    assert!(wide.contains("arch = \"wide-resnet\"") && wide.contains("width = 2") && !wide.contains("head"), "{wide}");
    let csv = read("compare.csv");
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [17; 4], "{csv}");
    assert!(csv.contains(",0123abcd,\"\"\n"), "{csv}");
    assert!(csv.contains("resnet50,23500000,334000000,200,0.500000,0.431"), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&read("compare.json")).unwrap();
    assert_eq!(json["networks"][1]["done"]["top1"]["hits"], 120);
    assert_eq!(json["networks"][2]["done"], serde_json::Value::Null);
    for file in ["accuracy-macs.svg", "accuracy-speed.svg", "report.html"] {
        assert!(dir.path().join(file).is_file(), "{file}");
    }
    assert!(read("accuracy-macs.svg").contains("wide-resnet"));
    let lines = report().summary().lines().count();
    assert_eq!(lines, 4);
}

#[test]
fn a_report_of_nothing_has_no_figures() {
    let mut report = report();
    report.networks.drain(..2);
    let (dir, read) = written(&report);
    assert!(!read("report.md").contains(".svg") && !dir.path().join("accuracy-macs.svg").exists());
}
