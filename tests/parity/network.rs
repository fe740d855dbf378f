//! The Wide ResNet with PyTorch's weights: logits, input gradient and names in files are the same.

use burn::prelude::*;
use shared::attack::loss_gradient;
use shared::bundle::{Precision, load_weights, save_weights};
use shared::model::{Activation, Architecture, BuildNetwork as _, Classifier, WideResNetConfig};
use tests::{Golden, compare, label_tensor, read, shapes};

/// Mean and standard deviation, as in `tests/reference/network.py`.
const MEAN: [f32; 3] = [0.480, 0.448, 0.398];
const STD: [f32; 3] = [0.277, 0.269, 0.282];
const CLASSES: usize = 20;

/// Loads the network of the golden files, ready to classify.
pub fn classifier(weights: &'static str, strides: [usize; 3], device: &Device) -> Classifier {
    with_weights(weights, WideResNetConfig { strides, ..WideResNetConfig::new(10, 1) }, device)
}

fn with_weights(weights: &'static str, config: WideResNetConfig, device: &Device) -> Classifier {
    let mut model = Architecture::WideResNet(config).init(CLASSES, MEAN, STD, device).unwrap();
    load_weights(&mut model, Golden::open(weights).bytes()).unwrap();
    model.valid()
}

#[test]
fn logits_are_those_of_pytorch() {
    let device = Device::flex();
    for (name, values, strides) in [
        ("wrn_10_1.weights.safetensors", "wrn_10_1.values.safetensors", [1, 2, 2]),
        ("wrn_10_1_strides_222.weights.safetensors", "wrn_10_1_strides_222.values.safetensors", [2, 2, 2]),
    ] {
        let golden = Golden::open(values);
        let logits = classifier(name, strides, &device).forward(golden.images("images", &device));
        assert_eq!(logits.dims(), [4, CLASSES]);
        let difference = compare(&read(logits), &golden.values("logits").0, 1e-4);
        assert!(difference.max <= 1e-4, "{name}: {difference:?}");
    }
}

#[test]
fn the_input_gradient_is_that_of_pytorch() {
    let device = Device::flex();
    gradient_is_that_of(
        &classifier("wrn_10_1.weights.safetensors", [1, 2, 2], &device),
        "wrn_10_1.values.safetensors",
        &device,
    );
}

#[test]
fn silu_behind_a_stem_of_stride_1_is_that_of_pytorch() {
    let device = Device::flex();
    let config = WideResNetConfig { stem_stride: 1, activation: Activation::Silu, ..WideResNetConfig::new(10, 1) };
    let model = with_weights("wrn_10_1.weights.safetensors", config, &device);
    let golden = Golden::open("wrn_10_1_silu.values.safetensors");
    let difference = compare(&read(model.forward(golden.images("images", &device))), &golden.values("logits").0, 1e-4);
    assert!(difference.max <= 1e-4, "{difference:?}");
    gradient_is_that_of(&model, "wrn_10_1_silu.values.safetensors", &device);
}

fn gradient_is_that_of(model: &Classifier, values: &'static str, device: &Device) {
    let golden = Golden::open(values);
    let labels = label_tensor(&golden.labels("labels"), device);
    let gradient = read(loss_gradient(model, golden.images("images", device), labels));
    let (expected, _) = golden.values("input_gradient");
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let difference = compare(&gradient, &expected, 1e-4 * largest);
    assert!(difference.max <= 1e-4 * largest, "largest gradient {largest}: {difference:?}");
}

#[test]
fn saved_weights_have_the_names_and_shapes_of_a_state_dict() {
    let device = Device::flex();
    let golden = Golden::open("wrn_10_1.weights.safetensors");
    let model = classifier("wrn_10_1.weights.safetensors", [1, 2, 2], &device);
    let saved = save_weights(&model, Precision::F32).unwrap();
    assert_eq!(shapes(&saved), golden.shapes());
}
