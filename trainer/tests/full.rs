//! The paper's network in full, with weights as torchvision saves them. `cargo xtask test --full` makes the files; a program of
//! its own, so that its peak of memory is that of loading.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use burn::prelude::*;
use safetensors::SafeTensors;
use shared::model::{Architecture, HeadKind, ResNetConfig};
use trainer::pretrained::{self, Head, IMAGENET};

/// Largest ratio of peak memory to the size of the file. The memory of the program itself counts as well.
const PEAK: f64 = 1.3;

/// The largest difference of a logit, as a part of the largest one.
const TOLERANCE: f32 = 1e-4;

#[test]
#[ignore = "needs the files that cargo xtask test --full makes"]
fn the_paper_s_network_is_loaded_and_computes_what_torchvision_does() {
    let folder = PathBuf::from(std::env::var_os("BASTION_FULL").expect("cargo xtask test --full sets it"));
    let weights = folder.join("wide_resnet50_2.pth");
    let bytes = fs::metadata(&weights).unwrap().len();
    let device = Device::flex();
    let load = |head, classes| {
        let architecture = Architecture::ResNet(ResNetConfig { head, ..ResNetConfig::wide_resnet50_2() });
        let started = Instant::now();
        let loaded = pretrained::load(&weights, &architecture, classes, &IMAGENET, 0, &device).unwrap();
        println!("loaded with {} classes in {:.2} s: {:?}", classes, started.elapsed().as_secs_f64(), loaded.1.head);
        loaded
    };

    // With the paper's head, which is drawn, as for training.
    let before = peak();
    let (model, plan) = load(HeadKind::Paper, 200);
    assert!(matches!(plan.head, Head::Drawn { .. }), "{:?}", plan.head);
    if let (Some(before), Some(after)) = (before, peak()) {
        let ratio = after as f64 / bytes as f64;
        println!("peak of memory: {ratio:.3} of the file's {bytes} bytes, {before} bytes of it before loading");
        assert!(ratio <= PEAK, "loading takes {ratio:.3} times the memory of the file");
    }
    drop(model);

    let (model, plan) = load(HeadKind::Plain, 1000);
    assert_eq!(plan.head, Head::File);
    let values = fs::read(folder.join("values.safetensors")).unwrap();
    let values = SafeTensors::deserialize(&values).unwrap();
    let read = |name: &str| {
        let view = values.tensor(name).unwrap();
        let numbers: Vec<f32> = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        (numbers, view.shape().to_vec())
    };
    let (images, shape) = read("images");
    let started = Instant::now();
    let logits = model.forward(Tensor::<4>::from_data(TensorData::new(images, shape), &device));
    let logits = trainer::models::read(logits).unwrap();
    let (expected, _) = read("logits");
    let largest = expected.iter().fold(0.0f32, |largest, logit| largest.max(logit.abs()));
    assert_eq!(logits.len(), expected.len());
    let off = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("logits in {:.2} s: {:.1e} of the largest off", started.elapsed().as_secs_f64(), off / largest);
    assert!(off <= TOLERANCE * largest, "{off} off, where the largest logit is {largest}");
}

/// Returns the peak of this program's memory in bytes. Linux only.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().trim_end_matches(" kB").parse::<u64>().ok()?)
}
