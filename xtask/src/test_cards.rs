//! Model cards for tests.

use serde_json::{Value, json};

/// Returns the JSON of a card of a WRN-16-4 without classes, with its fields replaced by the fields of `edit`.
pub fn card(name: &str, edit: &Value) -> String {
    let mut card = json!({
        "format_version": 2,
        "name": name,
        "architecture": { "family": "wide-resnet", "depth": 16, "width": 4, "strides": [2, 2, 2] },
        "mean": [0.5, 0.5, 0.5],
        "std": [0.3, 0.3, 0.3],
        "data_sha256": "",
        "weights": { "file": "model.safetensors", "precision": "f16", "sha256": "", "bytes": 1_500_000 },
        "recipe": { "name": "normal", "commands": [], "config": null },
        "classes": [],
        "probe": { "logits": [], "input_gradient_sums": [] },
        "scores": [],
    });
    for (field, value) in edit.as_object().into_iter().flatten() {
        card[field] = value.clone();
    }
    card.to_string()
}
