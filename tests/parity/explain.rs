//! Maps of what speaks for a class are those of the Python packages `grad-cam` and `captum`.

use burn::prelude::*;
use shared::explain::{Smoothing, evidence, grad_cam, mean_gradient, smooth_gradient};
use tests::{Golden, compare, label_tensor, read};

use crate::network::classifier;

/// Fails where values differ from expected ones by more than 1e-4 of the largest.
#[track_caller]
fn assert_close(name: &str, values: &[f32], golden: &Golden) {
    let (expected, _) = golden.values(name);
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let difference = compare(values, &expected, 1e-4 * largest);
    assert!(largest > 0.0 && difference.max <= 1e-4 * largest, "{name}: largest {largest}: {difference:?}");
}

#[test]
fn grad_cam_at_each_stage_is_that_of_the_package_and_the_evidence_is_what_it_has_before_its_relu() {
    let (device, golden) = (Device::flex(), Golden::open("explain.safetensors"));
    let model = classifier("wrn_10_1.weights.safetensors", [1, 2, 2], &device);
    let (images, labels) = (golden.images("images", &device), label_tensor(&golden.labels("labels"), &device));
    for stage in 0..3 {
        let map = grad_cam(&model, images.clone(), labels.clone(), stage).unwrap();
        assert_close(&format!("grad_cam_{stage}"), &read(map), &golden);
    }
    let maps = model.stages(images).maps;
    let exact = evidence(&model, maps[2].clone(), labels).unwrap().unwrap();
    assert_close("evidence", &read(exact.cells), &golden);
}

#[test]
fn gradients_of_a_logit_are_those_of_captum_plain_and_averaged_over_its_noise() {
    let (device, golden) = (Device::flex(), Golden::open("explain.safetensors"));
    let model = classifier("wrn_10_1.weights.safetensors", [1, 2, 2], &device);
    let image = golden.images("images", &device).narrow(0, 0, 1);
    let label = label_tensor(&golden.labels("labels")[..1], &device);
    let plain = smooth_gradient(&model, image, label.clone(), &Smoothing::NONE).unwrap();
    assert_close("gradient", &read(plain), &golden);
    let noisy = golden.images("noisy", &device);
    let copies = (0..noisy.dims()[0]).map(|copy| noisy.clone().narrow(0, copy, 1));
    assert_close("smooth_gradient", &read(mean_gradient(&model, copies, label).unwrap()), &golden);
}
