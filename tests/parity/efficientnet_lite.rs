//! EfficientNet-Lite has the names, shapes, logits and input gradients of the PyPI package `efficientnet-lite-pytorch`.

use std::collections::BTreeMap;

use burn::prelude::*;
use burn::tensor::Distribution;
use shared::attack::loss_gradient;
use shared::bundle::{Precision, load_weights, save_weights};
use shared::model::{Architecture, BuildNetwork as _, Classifier, EfficientNetLiteConfig};
use tests::{Golden, compare, golden_bytes, label_tensor, made_state, read};

/// Mean and standard deviation, as in `tests/reference/network.py`.
const MEAN: [f32; 3] = [0.480, 0.448, 0.398];
const STD: [f32; 3] = [0.277, 0.269, 0.282];
const CLASSES: usize = 10;
/// An even and an odd side: SAME pads them differently.
const SIDES: [usize; 2] = [64, 45];

fn lite0(device: &Device) -> Classifier {
    let config = EfficientNetLiteConfig::lite(0);
    let mut model = Architecture::EfficientNetLite(config).init(CLASSES, MEAN, STD, device).unwrap();
    let state = made_state(&save_weights(&model, Precision::F32).unwrap(), "backbone.");
    load_weights(&mut model, &state).unwrap();
    model.valid()
}

/// Fails where values differ from expected ones by more than 1e-4 of the largest.
fn assert_close(name: &str, values: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let difference = compare(values, expected, 1e-4 * largest);
    assert!(difference.max <= 1e-4 * largest, "{name}: largest {largest}: {difference:?}");
}

#[test]
fn logits_and_input_gradients_are_those_of_the_package() {
    let device = Device::flex();
    let golden = Golden::open("efficientnet_lite.safetensors");
    let (model, labels) = (lite0(&device), golden.labels("labels"));
    for side in SIDES {
        let images = golden.images("images", &device).slice([0..4, 0..3, 0..side, 0..side]);
        let (expected, _) = golden.values(&format!("logits_{side}"));
        assert_close(&format!("logits at {side}"), &read(model.forward(images.clone())), &expected);
        let (expected, _) = golden.values(&format!("input_gradient_{side}"));
        // A unit whose input is 0 but for rounding may be on or off, which shows in the whole gradient: under noise of the size of
        // rounding, most such pictures have it as it is in the reference.
        device.seed(1);
        let near = [0.0, 1e-7, 1e-7, 1e-7, 1e-7].map(|most| {
            let noise = Tensor::random([1, 3, side, side], Distribution::Uniform(-1.0, 1.0), &device);
            let image = images.clone().narrow(0, 0, 1).add(noise.mul_scalar(most));
            read(loss_gradient(&model, image, label_tensor(&labels[..1], &device)))
        });
        let mut errors = near.map(|gradient| compare(&gradient, &expected, 0.0).max);
        errors.sort_by(f32::total_cmp);
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        assert!(errors[2] <= 1e-4 * largest, "input gradient at {side}: largest {largest}, errors {errors:?}");
    }
}

#[test]
fn names_and_shapes_are_those_of_the_package() {
    type Shapes = BTreeMap<String, BTreeMap<String, Vec<usize>>>;
    let golden: Shapes = serde_json::from_slice(&golden_bytes("efficientnet_lite_shapes.json")).unwrap();
    for config in (0..3).map(EfficientNetLiteConfig::lite) {
        let name = config.name();
        let model = Architecture::EfficientNetLite(config).init(1000, MEAN, STD, &Device::flex()).unwrap();
        let ours: BTreeMap<String, Vec<usize>> = model.backbone.state_shapes().into_iter().collect();
        let mut expected = golden[&name].clone();
        // A count of batches, which is unused while momentum is a number.
        expected.retain(|name, _| !name.ends_with("num_batches_tracked"));
        assert_eq!(ours, expected, "{name}");
    }
}
