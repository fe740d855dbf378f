//! Perturbations with fixed strengths against torchvision's (`tests/reference/perturbations.py`).

use burn::prelude::*;
use shared::perturb::{ColorChange, Drawn, Projective, perturb};
use tests::{Golden, compare, read};

/// A thousandth of a level: torchvision computes its grid in f32, and the golden values are rounded to 1/65535.
const TOLERANCE: f32 = 1e-3 / 255.0 + 1e-5;

/// Asserts that `drawn` turns the golden image into the golden tensor `name`, up to a `share` of the values.
#[track_caller]
fn assert_matches(name: &str, drawn: Drawn, share: f32) {
    let golden = Golden::open("perturbations.safetensors");
    let (values, shape) = golden.values("image");
    let image = Tensor::<3>::from_data(TensorData::new(values, shape), &Device::flex()).unsqueeze::<4>();
    let difference = compare(&read(perturb(image, &[drawn])), &golden.values(name).0, TOLERANCE);
    assert!(difference.share <= share, "{name}: {difference:?}");
}

#[test]
fn geometry_is_that_of_torchvision() {
    let flip_then_affine = Projective::horizontal_flip().then(Projective::affine(0.0, [3.0, -5.0], 0.9, [12.0, 0.0]));
    for (name, geometry, share) in [
        // Coordinates differ by rounding, some 1e-6 of the side, which shows only where neighbours differ most.
        ("affine", Projective::affine(20.0, [6.0, -4.0], 1.2, [10.0, -7.0]), 0.02),
        ("rotation", Projective::rotation(17.0), 0.02),
        ("perspective", Projective::perspective([[5.0, 9.0], [60.0, 2.0], [50.0, 61.0], [11.0, 48.0]]), 0.02),
        ("horizontal_flip", Projective::horizontal_flip(), 0.0),
        ("vertical_flip", Projective::vertical_flip(), 0.0),
    ] {
        assert_matches(name, Drawn { geometry, ..Drawn::default() }, share);
    }
    // torchvision resamples after the flip, which is exact, so one resampling gives the same.
    assert_matches("flip_then_affine", Drawn { geometry: flip_then_affine, ..Drawn::default() }, 0.02);
}

#[test]
fn colors_are_those_of_torchvision() {
    let plain = ColorChange::default();
    for (name, color) in [
        ("grayscale", ColorChange { grayscale: true, ..plain }),
        ("brightness", ColorChange { brightness: 1.3, ..plain }),
        ("contrast", ColorChange { contrast: 0.6, ..plain }),
        ("saturation", ColorChange { saturation: 1.7, ..plain }),
        ("hue", ColorChange { hue: 0.15, ..plain }),
        ("hue_negative", ColorChange { hue: -0.4, ..plain }),
        ("jitter", ColorChange { grayscale: false, brightness: 0.8, contrast: 1.2, saturation: 0.7, hue: 0.05 }),
    ] {
        assert_matches(name, Drawn { color, ..Drawn::default() }, 0.0);
    }
}
