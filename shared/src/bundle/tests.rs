use crate::model::BuildNetwork as _;
use burn::prelude::*;
use pollster::block_on;

use super::*;
use crate::model::WideResNetConfig;

fn made() -> (Vec<u8>, Vec<u8>) {
    let device = Device::flex();
    let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
    let (mean, std) = ([0.48, 0.45, 0.4], [0.28, 0.27, 0.28]);
    let model = architecture.init_seeded(5, mean, std, 3, &device).unwrap();
    let description = Description {
        name: "made".into(),
        architecture,
        classes: (0..5).map(|i| Class { wnid: format!("n{i}"), name: format!("class {i}, also {i}") }).collect(),
        mean,
        std,
        recipe: Recipe::default(),
        data_sha256: String::new(),
        scores: vec![],
    };
    block_on(Bundle::export(&model, description, Precision::F16, &device)).unwrap()
}

fn load(card: &[u8], weights: &[u8]) -> Result<Bundle, BundleError> {
    block_on(Bundle::load(card, weights, &Device::flex()))
}

fn edited(card: &[u8], edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(card).unwrap();
    edit(&mut value);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn what_is_exported_loads_and_has_the_classes() {
    let (card, weights) = made();
    let bundle = load(&card, &weights).unwrap();
    assert_eq!(bundle.card.classes[3].short_name(), "class 3");
    assert_eq!(bundle.card.weights.bytes, weights.len() as u64);
}

#[test]
fn a_flipped_byte_is_a_wrong_hash() {
    let (card, mut weights) = made();
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    assert!(matches!(load(&card, &weights), Err(BundleError::Card(CardError::WrongHash { .. }))));
}

#[test]
fn a_truncated_file_is_a_wrong_size() {
    let (card, weights) = made();
    assert!(matches!(load(&card, &weights[..100]), Err(BundleError::Card(CardError::WrongSize { found: 100, .. }))));
}

#[test]
fn weights_in_parts_are_the_same_weights() {
    let (card, weights) = made();
    let mut parsed = Card::from_json(&card).unwrap();
    assert_eq!(parsed.weights.files().len(), 1);
    parsed.weights.cut(&weights, weights.len());
    assert!(parsed.weights.parts.is_empty(), "small enough as they are");
    parsed.weights.cut(&weights, weights.len() / 3);
    let parts = parsed.weights.files();
    assert_eq!(parts.len(), if weights.len().is_multiple_of(3) { 3 } else { 4 });
    assert_eq!(parts[1].file, "model.safetensors.1");
    let mut rest = weights.as_slice();
    for part in &parts {
        let (content, after) = rest.split_at(part.bytes as usize);
        part.check(content).unwrap();
        assert!(part.check(&content[1..]).is_err());
        rest = after;
    }
    assert!(rest.is_empty());
    load(&parsed.to_json(), &weights).unwrap();
}

#[test]
fn files_elsewhere_and_parts_that_do_not_add_up_are_refused() {
    let (card, weights) = made();
    for name in ["../model.safetensors", "/etc/hosts", "a/b", "..", ""] {
        let elsewhere = edited(&card, |v| v["weights"]["file"] = name.into());
        assert!(load(&elsewhere, &weights).unwrap_err().to_string().contains("is not a file name"), "{name}");
    }
    let part = serde_json::json!([{ "file": "a", "sha256": "", "bytes": 3 }]);
    let short = edited(&card, |v| v["weights"]["parts"] = part);
    assert!(load(&short, &weights).unwrap_err().to_string().contains("3 bytes"));
}

#[test]
fn a_newer_format_is_told_even_if_the_rest_is_unknown() {
    let error = load(br#"{"format_version": 9, "surprise": true}"#, &[]).unwrap_err();
    assert_eq!(error, CardError::NewerFormat { found: 9, known: FORMAT_VERSION }.into());
}

#[test]
fn text_is_no_card() {
    assert!(matches!(load(b"<html>not found</html>", &[]), Err(BundleError::Card(CardError::BadJson(_)))));
}

#[test]
fn tensors_of_another_network_do_not_fit() {
    let (card, weights) = made();
    let wider = edited(&card, |v| v["architecture"]["width"] = 2.into());
    let error = load(&wider, &weights).unwrap_err();
    assert!(matches!(error, BundleError::Tensors(_)), "{error}");
    let deeper = edited(&card, |v| v["architecture"]["depth"] = 16.into());
    let error = load(&deeper, &weights).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn an_impossible_network_is_named() {
    let (card, weights) = made();
    let odd = edited(&card, |v| v["architecture"]["depth"] = 11.into());
    let error = load(&odd, &weights).unwrap_err();
    assert!(error.to_string().contains("depth 11"), "{error}");
}

#[test]
fn a_device_that_computes_something_else_is_found_out() {
    let (card, weights) = made();
    for field in ["logits", "input_gradient_sums"] {
        let wrong = edited(&card, |v| {
            let value = v["probe"][field][1].as_f64().unwrap();
            let scale =
                v["probe"][field].as_array().unwrap().iter().map(|x| x.as_f64().unwrap().abs()).fold(0.0, f64::max);
            v["probe"][field][1] = (value + 0.1 * scale).into();
        });
        let error = load(&wrong, &weights).unwrap_err();
        assert!(matches!(error, BundleError::ProbeDiffers { .. }), "{error}");
    }
}

#[test]
fn a_probe_that_was_cut_or_is_empty_is_no_difference_of_0() {
    let (card, weights) = made();
    for field in ["logits", "input_gradient_sums"] {
        let short = edited(&card, |v| {
            v["probe"][field].as_array_mut().unwrap().pop();
        });
        let empty = edited(&card, |v| v["probe"][field] = Vec::<f32>::new().into());
        for wrong in [short, empty] {
            let error = load(&wrong, &weights).unwrap_err();
            assert!(matches!(error, BundleError::ProbeLength { .. }), "{error}");
        }
    }
}
