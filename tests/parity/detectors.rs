//! Detectors give what scipy and PyTorch give: distances, measures of dropout, the head's logits, areas under the curve.

use burn::prelude::*;
use shared::detect::dropout::Answers;
use shared::detect::{Auc, Detector, DetectorKind, DetectorOf, Mahalanobis};
use shared::model::{Architecture, BuildNetwork as _, Stages, WideResNetConfig};
use tests::{Golden, compare, golden_bytes, read};

fn golden() -> Golden {
    Golden::open("detectors.safetensors")
}

/// Returns a matrix of the golden file.
fn table(name: &str, device: &Device) -> Tensor<2> {
    let (values, shape) = golden().values(name);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn assert_close<const D: usize>(name: &str, values: Tensor<D>, tolerance: f32) {
    let difference = compare(&read(values), &golden().values(name).0, tolerance);
    assert!(difference.max <= tolerance, "{name}: {difference:?}");
}

#[test]
fn distances_are_those_of_scipy() {
    let device = Device::flex();
    let (features, shape) = golden().values("features");
    let mut detector = Mahalanobis::new(&[shape[1]], 4, &device);
    detector.fit_stage(0, &features, &golden().labels("labels")).unwrap();
    let queries: Tensor<4> = table("queries", &device).unsqueeze_dims(&[2, 3]);
    assert_close("log_distances", detector.log_distances(&[queries]), 2e-4);
}

#[test]
fn measures_of_dropout_are_those_of_scipy() {
    let device = Device::flex();
    let (values, shape) = golden().values("dropout_logits");
    let logits = Tensor::<3>::from_data(TensorData::new(values, shape.clone()), &device);
    let pass = |pass: usize| logits.clone().narrow(0, pass, 1).reshape([shape[1], shape[2]]);
    let answers = Answers::new((0..shape[0]).map(pass).collect());
    assert_close("predictive_entropy", answers.predictive_entropy(), 1e-5);
    assert_close("mutual_information", answers.mutual_information(), 1e-5);
    assert_close("variation_ratio", answers.variation_ratio(), 1e-6);
}

#[test]
fn scores_of_logits_are_those_of_pytorch() {
    let device = Device::flex();
    let (values, shape) = golden().values("dropout_logits");
    let logits = Tensor::<3>::from_data(TensorData::new(values, shape.clone()), &device);
    let logits: Tensor<2> = logits.narrow(0, 0, 1).reshape([shape[1], shape[2]]);
    let images = Tensor::zeros([shape[1], 3, 64, 64], &device);
    let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
    let model = architecture.init_seeded(shape[2], [0.5; 3], [0.25; 3], 1, &device).unwrap().valid();
    for (kind, name) in [(DetectorKind::Energy, "energy"), (DetectorKind::MaxSoftmax, "max_softmax")] {
        let of = DetectorOf {
            architecture: &architecture,
            classes: shape[2],
            mean: [0.5; 3],
            std: [0.25; 3],
            device: &device,
        };
        let detector = Detector::new(kind, &of, 0.0, 1).unwrap();
        let stages = Stages { maps: vec![], logits: logits.clone() };
        assert_close(name, detector.score(&model, images.clone(), &stages), 1e-5);
    }
}

#[test]
fn the_head_on_maps_reads_weights_of_pytorch_and_gives_its_logits() {
    let device = Device::flex();
    let maps = golden().images("maps", &device);
    let channels = maps.dims()[1];
    let head = shared::detect::MapHead::new(channels, &device);
    let loaded = Detector::Maps(Box::new(head)).load(&golden_bytes("detector_head.weights.safetensors")).unwrap();
    let Detector::Maps(head) = loaded else { panic!("another detector") };
    assert_close("head_logits", head.forward(maps), 1e-4);
}

#[test]
fn areas_and_their_variance_are_those_of_delong() {
    let values = |name: &str| golden().values(name).0;
    let auc = Auc::new(&values("attacked"), &values("others")).unwrap();
    let [area, variance] = values("area")[..] else { panic!("two numbers") };
    assert!((auc.value - f64::from(area)).abs() < 1e-6);
    let half = 1.959_964 * f64::from(variance).sqrt();
    assert!((auc.interval[0] - (auc.value - half)).abs() < 1e-6, "{auc:?}, half {half}");
}
