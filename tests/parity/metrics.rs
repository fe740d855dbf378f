//! Accuracy@k and softmax against torch, Wilson intervals against scipy.

use shared::metrics::{Proportion, rank, softmax, top_k};
use tests::{Golden, compare, golden_bytes};

#[test]
fn accuracy_at_k_is_that_of_torch() {
    let golden = Golden::open("metrics.safetensors");
    let (logits, shape) = golden.values("logits");
    let labels = golden.labels("labels");
    let tables: serde_json::Value = serde_json::from_slice(&golden_bytes("metrics.json")).unwrap();
    for row in tables["accuracy_at_k"].as_array().unwrap() {
        let k = row["k"].as_u64().unwrap() as usize;
        let hits = row["hits"].as_u64().unwrap() as usize;
        let ranked = logits.chunks_exact(shape[1]).zip(&labels).filter(|&(row, &label)| rank(row, label) < k);
        assert_eq!(ranked.count(), hits, "k = {k}");
        let listed = logits.chunks_exact(shape[1]).zip(&labels).filter(|(row, label)| top_k(row, k).contains(label));
        assert_eq!(listed.count(), hits, "the first {k}");
    }
}

#[test]
fn softmax_is_that_of_torch() {
    let golden = Golden::open("metrics.safetensors");
    let (logits, shape) = golden.values("logits");
    let found: Vec<f32> = logits.chunks_exact(shape[1]).flat_map(softmax).collect();
    let difference = compare(&found, &golden.values("softmax").0, 1e-6);
    assert!(difference.max <= 1e-6, "{difference:?}");
}

#[test]
fn wilson_intervals_are_those_of_scipy() {
    let tables: serde_json::Value = serde_json::from_slice(&golden_bytes("metrics.json")).unwrap();
    for row in tables["wilson"].as_array().unwrap() {
        let field = |name: &str| row[name].as_f64().unwrap();
        let proportion = Proportion { hits: field("hits") as usize, of: field("of") as usize };
        let [low, high] = proportion.wilson_interval();
        assert!((low - field("low")).abs() < 1e-9 && (high - field("high")).abs() < 1e-9, "{proportion}: {row}");
    }
}
