//! Steps that several nodes share. The nodes are the CPU here, and nothing travels: `tests/remote.rs` has servers.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use burn::prelude::*;
use tempfile::TempDir;

use super::crash::caught;
use super::forecast::Traffic;
use super::live::LiveAttacks;
use super::model::TrainingModel;
use super::saving_tests::{largest, weights};
use super::session::Outcome;
use super::spread::Spread;
use super::tests::{config, network, session, train, trained};
use crate::nodes::Node;
use crate::progress::{Event, Progress, Recorder};

fn nodes(count: usize) -> Vec<Node> {
    (1..=count).map(|number| Node { name: format!("node{number}:1"), device: Device::flex() }).collect()
}

fn train_on(nodes: Vec<Node>, dir: &TempDir, more: &[&str], stop_after: Option<usize>) -> Outcome {
    let config = config(more);
    let mut session = session(dir, &config, stop_after);
    session.nodes = nodes;
    session.run(network(&config)).unwrap()
}

#[test]
fn nodes_give_the_weights_of_one_device_that_takes_each_batch_in_as_many_parts() {
    // Attacks against the network as it is, random starts, an average, a probe, a last batch of another size a node.
    let settings = ["--recipe", "adversarial-n-fgsm", "--batch-size", "15", "--steps", "6", "--rounds", "2"];
    let settings = [&settings[..], &["--ema", "0.9", "--probe", "8", "--probe-steps", "1"]].concat();
    for (count, parts) in [(2, "2"), (3, "3")] {
        let (one, several) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let alone = weights(&trained(train(&one, &config(&[&settings[..], &["--accumulate", parts]].concat()), None)));
        let together = weights(&trained(train_on(nodes(count), &several, &settings, None)));
        for (name, alone) in &alone {
            let difference = largest(alone.iter().zip(&together[name]).map(|(a, b)| a - b));
            assert!(difference < 1e-5, "{name} on {count} nodes: {difference}");
        }
        // Validated by the same weights, on the same pictures.
        let measured = |dir: &TempDir| {
            let text = fs::read_to_string(dir.path().join("run/metrics.jsonl")).unwrap();
            let row = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
            text.lines().map(row).map(|row| (row["valid_accuracy"].clone(), row["step"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(measured(&one), measured(&several));
    }
}

#[test]
fn a_run_goes_on_with_other_nodes_or_none() {
    let settings = ["--steps", "6", "--rounds", "3"];
    let undisturbed = weights(&trained(train_on(nodes(2), &TempDir::new().unwrap(), &settings, None)));
    let dir = TempDir::new().unwrap();
    assert!(matches!(train_on(nodes(2), &dir, &settings, Some(2)), Outcome::Stopped { .. }));
    let others = weights(&trained(train_on(nodes(2), &dir, &settings, None)));
    for (name, undisturbed) in &undisturbed {
        let difference = largest(undisturbed.iter().zip(&others[name]).map(|(a, b)| a - b));
        assert!(difference < 1e-5, "{name}: {difference}");
    }
    let dir = TempDir::new().unwrap();
    assert!(matches!(train_on(nodes(2), &dir, &settings, Some(2)), Outcome::Stopped { .. }));
    assert!(matches!(train_on(vec![], &dir, &settings, None), Outcome::Done(_)));
}

#[test]
fn what_nodes_are_worth_is_told_before_the_first_step_and_changes_nothing() {
    let settings = ["--steps", "2", "--rounds", "1"];
    for count in [1, 2] {
        let config = config(&settings);
        let dir = TempDir::new().unwrap();
        let recorder = Arc::new(Recorder::default());
        let mut session = session(&dir, &config, None);
        session.nodes = nodes(count);
        session.progress = Progress::silent().shown_by(recorder.clone());
        let told = weights(&trained(session.run(network(&config)).unwrap()));
        let events = recorder.events();
        let texts: Vec<_> = events.iter().filter_map(Event::text).collect();
        let place = |part: &str| texts.iter().position(|text| text.contains(part));
        assert!(place("A step moves") < place("times the speed"), "{texts:?}");
        assert!(place("times the speed").is_some(), "{texts:?}");
        let parts = count.to_string();
        let untold = weights(&trained(train(
            &TempDir::new().unwrap(),
            &super::tests::config(&[&settings[..], &["--accumulate", &parts]].concat()),
            None,
        )));
        let difference = |name: &String| largest(told[name].iter().zip(&untold[name]).map(|(a, b)| a - b));
        assert!(told.keys().all(|name| difference(name) < 1e-5), "{count} nodes");
    }
}

#[test]
fn several_nodes_get_all_weights_and_one_gets_pictures_alone() {
    let images = [10, 3, 32, 32];
    let pictures = 4 * 10 * 3 * 32 * 32 + 8 * 10;
    assert_eq!(Traffic::of(1000, 1, &images, 4), Traffic { up: pictures, down: 4 * (10 * 4 + 1) });
    assert_eq!(Traffic::of(1000, 3, &images, 4), Traffic { up: pictures + 12_000, down: 12_000 + 4 * (10 * 4 + 3) });
}

/// A device computes nothing for labels that its network has no logit for.
#[test]
fn a_node_that_fails_is_named() {
    let config = config(&[]);
    let attacks = LiveAttacks::new(&config, 10, 0);
    let model = TrainingModel::new(&config, network(&config), attacks, None, Arc::default(), 1);
    let mut batch = super::saving_tests::batch(4, &config.mix);
    batch.targets = Tensor::from_ints([0, 1, 2, 99], &Device::flex());
    let spread = Spread::new(&nodes(2));
    let text = caught(AssertUnwindSafe(|| spread.train(&model, batch).item.classification.loss.dims())).unwrap_err();
    assert!(text.starts_with("node node2:1 failed: "), "{text}");
}
