//! Freezing, accumulation of gradients and gradient checkpointing.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::prelude::*;
use burn::train::TrainStep;
use shared::bundle::{Precision, save_weights};
use shared::model::Classifier;
use tempfile::TempDir;

use super::config::TrainConfig;
use super::live::LiveAttacks;
use super::loader::Batch;
use super::mix::Share;
use super::model::TrainingModel;
use super::session::Outcome;
use super::tests::{CLASSES, config, network, train, trained};

pub(super) fn weights(model: &Classifier) -> BTreeMap<String, Vec<f32>> {
    let file = save_weights(model, Precision::F32).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let values = |data: &[u8]| data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    file.tensors().into_iter().map(|(name, view)| (name, values(view.data()))).collect()
}

fn is_head(name: &str) -> bool {
    name.starts_with("backbone.fc.")
}

pub(super) fn largest(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

pub(super) fn batch(rows: usize, mix: &[Share]) -> Batch {
    let device = Device::flex();
    let pixels = (0..rows * 3 * 32 * 32).map(|i| (i * 7919 % 255) as f32 / 255.0).collect::<Vec<_>>();
    let targets: Vec<i32> = (0..rows).map(|row| (row % CLASSES) as i32).collect();
    Batch {
        images: Tensor::from_data(TensorData::new(pixels, [rows, 3, 32, 32]), &device),
        targets: Tensor::from_ints(targets.as_slice(), &device),
        portions: super::mix::portions(mix, rows, 0..rows),
        first_row: 0,
        part: 1.0,
        step: 0,
        probed: false,
    }
}

/// Returns loss and gradient of the head's weights at the first step of a run.
fn first_step(config: &TrainConfig, rows: usize) -> (f32, Vec<f32>) {
    let attacks = LiveAttacks::new(config, 10, 0);
    let model = TrainingModel::new(config, network(config), attacks, None, Arc::default(), 1);
    let output = TrainStep::step(&model, batch(rows, &config.mix));
    let moved = TrainStep::optimize(
        model,
        &mut super::optim::optimizer(config).unwrap(),
        super::optim::scheduler(config, 10).unwrap().step(),
        output.grads,
    );
    let loss = crate::models::read(output.item.classification.loss.inner()).unwrap()[0];
    let [logits, _] = output.item.classification.output.dims();
    assert_eq!(logits, rows, "the metrics see the whole batch");
    (loss, weights(&moved.classifier.valid())["backbone.fc.weight"].clone())
}

#[test]
fn parts_of_a_batch_move_the_weights_as_the_whole_does() {
    // With a frozen backbone, since batch norm in training normalises each part by itself.
    let with = |more: &[&str]| config(&[&["--freeze", "backbone", "--mix", "normal,bim"], more].concat());
    let (loss, whole) = first_step(&with(&[]), 10);
    for parts in ["2", "3", "5"] {
        let (loss_of_parts, parts) = first_step(&with(&["--accumulate", parts]), 10);
        assert!((loss_of_parts - loss).abs() < 1e-3 * loss, "{loss_of_parts} instead of {loss}");
        // The sign of a gradient near zero may depend on the order of a sum.
        let difference = largest(whole.iter().zip(&parts).map(|(a, b)| a - b));
        assert!(difference < 0.02 * largest(whole.iter().copied()), "{difference}");
    }
    let clean = |parts| first_step(&config(&["--freeze", "backbone", "--accumulate", parts]), 10).1;
    let difference = largest(clean("1").iter().zip(clean("4")).map(|(a, b)| a - b));
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn parts_hold_every_row_once() {
    let mix = [Share::Normal, Share::Fgsm, Share::Bim];
    for (rows, count) in [(10, 3), (10, 1), (3, 5), (9, 2)] {
        let whole = batch(rows, &mix);
        let labels = |batch: &Batch| batch.targets.clone().try_into_vec_as::<i32>().unwrap();
        let expected = labels(&whole);
        let portions = whole.portions.clone();
        let parts = whole.parts(count);
        assert_eq!(parts.len(), count.min(rows));
        assert_eq!(parts.iter().flat_map(labels).collect::<Vec<_>>(), expected);
        assert!((parts.iter().map(|part| part.part).sum::<f64>() - 1.0).abs() < 1e-12);
        let share_of = |row: usize| portions.iter().find(|portion| portion.rows.contains(&row)).unwrap().share;
        for part in &parts {
            for portion in &part.portions {
                assert!(portion.rows.clone().all(|row| share_of(part.first_row + row) == portion.share));
            }
            let rows: usize = part.portions.iter().map(|portion| portion.rows.len()).sum();
            assert_eq!(rows, labels(part).len());
        }
    }
}

#[test]
fn a_frozen_backbone_stays_as_it_is_for_as_long_as_was_asked() {
    let moved = |freeze: &str, epochs: &str| {
        let config = config(&["--freeze", freeze, "--epochs", epochs]);
        let (before, after) = (weights(&network(&config)), trained(train(&TempDir::new().unwrap(), &config, None)));
        let after = weights(&after);
        let changed = |name: &&String| before[*name] != after[*name];
        before.keys().filter(changed).cloned().collect::<Vec<_>>()
    };
    for (freeze, epochs) in [("backbone", "1"), ("backbone", "2")] {
        let moved = moved(freeze, epochs);
        assert_eq!(moved, ["backbone.fc.bias", "backbone.fc.weight"], "--freeze {freeze}");
    }
    for (freeze, epochs) in [("none", "1"), ("1", "2")] {
        let moved = moved(freeze, epochs);
        for name in ["backbone.conv1.weight", "backbone.layer3.0.bn2.running_var", "backbone.fc.weight"] {
            assert!(moved.iter().any(|moved| moved == name), "--freeze {freeze}: {name} has not moved");
        }
    }
}

#[test]
fn the_backbone_learns_at_its_own_rate() {
    let after_one_step = |more: &[&str]| {
        let one = ["--steps", "1", "--learning-rate", "0.01", "--warm-up", "0"];
        let config = config(&[&one[..], more].concat());
        let before = weights(&network(&config));
        let after = weights(&trained(train(&TempDir::new().unwrap(), &config, None)));
        let difference = |(name, before): (String, Vec<f32>)| {
            let moved = before.iter().zip(&after[&name]).map(|(a, b)| b - a).collect::<Vec<_>>();
            (name, moved)
        };
        before.into_iter().map(difference).collect::<BTreeMap<_, _>>()
    };
    let (same, slower) = (after_one_step(&[]), after_one_step(&["--backbone-learning-rate", "0.001"]));
    for (name, same) in same.iter().filter(|(name, _)| !name.contains("running")) {
        let expected = if is_head(name) { 1.0 } else { 0.1 };
        let difference = largest(same.iter().zip(&slower[name]).map(|(same, slower)| slower - expected * same));
        assert!(difference <= 1e-3 * largest(same.iter().copied()) + 1e-7, "{name}: {difference}");
    }
}

#[test]
fn gradient_checkpointing_computes_the_same_after_a_stop_too() {
    let run = |more: &[&str], stop_after: Option<usize>| {
        let settings = ["--mix", "normal,fgsm", "--steps", "4", "--probe", "4", "--ema", "0.9"];
        let config = config(&[&settings[..], more].concat());
        let dir = TempDir::new().unwrap();
        if stop_after.is_some() {
            assert!(matches!(train(&dir, &config, stop_after), Outcome::Stopped { .. }));
        }
        weights(&trained(train(&dir, &config, None)))
    };
    let plain = run(&[], None);
    for stop_after in [None, Some(1)] {
        let again = run(&["--gradient-checkpointing"], stop_after);
        for (name, plain) in &plain {
            let difference = largest(plain.iter().zip(&again[name]).map(|(a, b)| a - b));
            assert!(difference <= 1e-5 * largest(plain.iter().copied()), "{name}: {difference}");
        }
    }
}
