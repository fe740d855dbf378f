//! torchvision's residual networks: names and shapes, logits, input gradients and running statistics are the same.

use std::collections::BTreeMap;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use shared::attack::loss_gradient;
use shared::bundle::{Precision, load_weights, save_weights};
use shared::model::{Architecture, BuildNetwork as _, Classifier, HeadKind, ResNetConfig, Stem};
use tests::{Golden, compare, golden_bytes, label_tensor, made_state, read, values};

/// Mean and standard deviation, as in `tests/reference/network.py`.
const MEAN: [f32; 3] = [0.480, 0.448, 0.398];
const STD: [f32; 3] = [0.277, 0.269, 0.282];
const CLASSES: usize = 10;

/// Returns the networks of `tests/reference/resnet.py`.
fn networks() -> Vec<(&'static str, ResNetConfig)> {
    let layers = [1; 4];
    let basic = ResNetConfig { layers, ..ResNetConfig::resnet18() };
    let bottleneck = ResNetConfig { layers, width_per_group: 4, ..ResNetConfig::resnet50() };
    vec![
        ("basic", basic),
        ("grouped", ResNetConfig { groups: 4, width_per_group: 2, ..bottleneck.clone() }),
        ("paper_head", ResNetConfig { head: HeadKind::Paper, ..bottleneck.clone() }),
        ("conv3", ResNetConfig { stem: Stem::Conv3, ..bottleneck.clone() }),
        ("conv3_stride2", ResNetConfig { stem: Stem::Conv3Stride2, ..bottleneck.clone() }),
        ("enlarged", ResNetConfig { input_size: Some(96), ..bottleneck.clone() }),
        ("bottleneck", bottleneck),
    ]
}

fn classifier(config: ResNetConfig, device: &Device) -> Classifier {
    let mut model = Architecture::ResNet(config).init(CLASSES, MEAN, STD, device).unwrap();
    let state = made_state(&save_weights(&model, Precision::F32).unwrap(), "backbone.");
    load_weights(&mut model, &state).unwrap();
    model
}

#[test]
fn logits_are_those_of_torchvision() {
    let device = Device::flex();
    let golden = Golden::open("resnet.safetensors");
    for (name, config) in networks() {
        let logits = classifier(config, &device).valid().forward(golden.images("images", &device));
        let (expected, shape) = golden.values(&format!("{name}.logits"));
        assert_eq!(logits.dims().to_vec(), shape);
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let difference = compare(&read(logits), &expected, 1e-4 * largest);
        assert!(difference.max <= 1e-4 * largest, "{name}: largest logit {largest}: {difference:?}");
    }
}

#[test]
fn input_gradients_are_those_of_torchvision() {
    let device = Device::flex();
    let golden = Golden::open("resnet.safetensors");
    let labels = golden.labels("labels");
    for (name, config) in networks() {
        let image = golden.images("images", &device).narrow(0, 0, 1);
        let model = classifier(config, &device).valid();
        let gradient = read(loss_gradient(&model, image, label_tensor(&labels[..1], &device)));
        let (expected, _) = golden.values(&format!("{name}.input_gradient"));
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let difference = compare(&gradient, &expected, 1e-4 * largest);
        assert!(difference.max <= 1e-4 * largest, "{name}: largest gradient {largest}: {difference:?}");
    }
}

#[test]
fn names_and_shapes_are_those_of_torchvision() {
    type Shapes = BTreeMap<String, BTreeMap<String, Vec<usize>>>;
    let golden: Shapes = serde_json::from_slice(&golden_bytes("torchvision_shapes.json")).unwrap();
    for config in [
        ResNetConfig::resnet18(),
        ResNetConfig::resnet50(),
        ResNetConfig::resnext50_32x4d(),
        ResNetConfig::wide_resnet50_2(),
    ] {
        let name = config.name();
        let model = Architecture::ResNet(config).init(1000, MEAN, STD, &Device::flex()).unwrap();
        let ours: BTreeMap<String, Vec<usize>> = model.backbone.state_shapes().into_iter().collect();
        let mut expected = golden[&name].clone();
        // A count of batches, which is unused while momentum is a number.
        expected.retain(|name, _| !name.ends_with("num_batches_tracked"));
        assert_eq!(ours, expected, "{name}");
    }
}

/// Takes three steps of SGD, as the trainer does. Running means and variances are torchvision's with one difference: burn
/// averages the variance of a batch, and PyTorch `n / (n - 1)` times that variance, for `n` values a channel.
#[test]
fn training_moves_running_statistics_as_in_torchvision() {
    let device = Device::flex();
    let (golden, trained) = (Golden::open("resnet.safetensors"), Golden::open("resnet_trained.safetensors"));
    let (_, config) = networks().pop().unwrap();
    let statistics = |model: &Classifier| values(&save_weights(model, Precision::F32).unwrap());
    let before = statistics(&classifier(config.clone(), &device));
    let mut model = classifier(config, &device).train();
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0).with_nesterov(true);
    let decay = WeightDecayConfig::new(5e-4);
    let mut sgd = SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(Some(decay)).init();
    let images = golden.images("images", &device).autodiff();
    let labels = label_tensor(&golden.labels("labels"), &device).autodiff();
    let (losses, _) = trained.values("losses");
    for expected in &losses {
        let logits = model.forward(images.clone());
        let loss = CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, labels.clone());
        let value = read(loss.clone().inner())[0];
        assert!((value - expected).abs() <= 1e-4 * losses[0], "loss {value} instead of {expected}");
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = sgd.step(0.001, model, gradients);
    }
    let after = statistics(&model.valid());
    let batch = images.dims()[0];
    let mut compared = 0;
    for (path, after) in &after {
        let name = path.trim_start_matches("backbone.");
        if !name.contains("running") {
            continue;
        }
        let (mut expected, _) = trained.values(name);
        if name.ends_with("running_var") {
            let side = side_of(name);
            let count = (batch * side * side) as f32;
            let kept = 0.9f32.powi(3);
            for (expected, before) in expected.iter_mut().zip(&before[path]) {
                *expected = kept * before + (*expected - kept * before) * (count - 1.0) / count;
            }
        }
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let difference = compare(after, &expected, 1e-4 * largest);
        assert!(difference.max <= 1e-4 * largest, "{name}: {difference:?}");
        compared += 1;
    }
    assert_eq!(compared, 2 * (1 + 4 * 4));
}

/// Returns the side of the input of a batch norm of the bottleneck network, for pictures of 64x64: a bottleneck halves the side
/// between its first and its second batch norm.
fn side_of(name: &str) -> usize {
    let last = |group: usize| 16 >> (group - 1);
    match name.strip_prefix("layer").and_then(|rest| rest[..1].parse::<usize>().ok()) {
        None => 32,
        Some(group) if group > 1 && name.contains(".bn1.") => last(group - 1),
        Some(group) => last(group),
    }
}
