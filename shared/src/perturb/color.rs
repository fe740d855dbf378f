//! Changes of colour, pixel by pixel, with a separate strength for each picture.

use burn::prelude::*;
use burn::tensor::TensorData;

/// Luma weights of ITU-R BT.601, as torchvision rounds them.
const LUMA: [f32; 3] = [0.2989, 0.587, 0.114];

/// Changes of a picture's colours, applied in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorChange {
    /// Whether each channel is replaced by the luma.
    pub grayscale: bool,
    /// Factor of the brightness; 0 gives black, 1 changes nothing.
    pub brightness: f32,
    /// Factor of the contrast; 0 gives the mean luma everywhere, 1 changes nothing.
    pub contrast: f32,
    /// Factor of the saturation; 0 gives the luma, 1 changes nothing.
    pub saturation: f32,
    /// Turn of the hue, as a part of the full circle: -0.5 to 0.5.
    pub hue: f32,
}

impl Default for ColorChange {
    fn default() -> Self {
        Self { grayscale: false, brightness: 1.0, contrast: 1.0, saturation: 1.0, hue: 0.0 }
    }
}

/// Changes the colours of `images` `[batch, 3, height, width]`, with one change for each image.
pub(super) fn recolor(images: Tensor<4>, changes: &[ColorChange]) -> Tensor<4> {
    let device = images.device();
    // Strengths of one kind of change, `[batch, 1, 1, 1]`; `None` if no picture is changed.
    let strengths = |of: fn(&ColorChange) -> f32, neutral: f32| {
        let values: Vec<f32> = changes.iter().map(of).collect();
        let any = values.iter().any(|&value| value != neutral);
        any.then(|| Tensor::<4>::from_data(TensorData::new(values, [changes.len(), 1, 1, 1]), &device))
    };
    // Without `..`, so that a change that is never applied fails to compile.
    let ColorChange { grayscale: _, brightness, contrast, saturation, hue } = ColorChange::default();
    let mut images = images;
    // Factor of the colour: 0 for grayscale.
    if let Some(factor) = strengths(|change| if change.grayscale { 0.0 } else { 1.0 }, 1.0) {
        let gray = luma(&images);
        images = blend(images, gray, factor);
    }
    if let Some(factor) = strengths(|change| change.brightness, brightness) {
        images = images.mul(factor).clamp(0.0, 1.0);
    }
    if let Some(factor) = strengths(|change| change.contrast, contrast) {
        let mean = luma(&images).mean_dim(2).mean_dim(3);
        images = blend(images, mean, factor);
    }
    if let Some(factor) = strengths(|change| change.saturation, saturation) {
        let gray = luma(&images);
        images = blend(images, gray, factor);
    }
    if let Some(turn) = strengths(|change| change.hue, hue) {
        // The way to HSV and back is not exact, so pictures without a turn are left out and keep their bits.
        let keeps = turn.clone().equal_elem(0.0).expand(images.dims());
        images = turn_hue(images.clone(), turn).mask_where(keeps, images);
    }
    images
}

/// Returns the luma, `[batch, 1, height, width]`.
fn luma(images: &Tensor<4>) -> Tensor<4> {
    let weights = Tensor::<1>::from_floats(LUMA, &images.device()).reshape([1, 3, 1, 1]);
    images.clone().mul(weights).sum_dim(1)
}

/// Blends `factor` of `images` with the rest of `other`; a factor above 1 moves away from `other`.
fn blend(images: Tensor<4>, other: Tensor<4>, factor: Tensor<4>) -> Tensor<4> {
    let rest = factor.clone().neg().add_scalar(1.0);
    images.mul(factor).add(other.mul(rest)).clamp(0.0, 1.0)
}

/// Turns the hue of each pixel, by way of hue, saturation and value.
fn turn_hue(images: Tensor<4>, turn: Tensor<4>) -> Tensor<4> {
    let value = images.clone().max_dim(1);
    let range = value.clone().sub(images.clone().min_dim(1));
    let (r, g, b) = (images.clone().narrow(1, 0, 1), images.clone().narrow(1, 1, 1), images.narrow(1, 2, 1));
    // Grey has no hue, so any divisor is right.
    let divisor = range.clone().mask_fill(range.clone().equal_elem(0.0), 1.0);
    let sector =
        |first: Tensor<4>, second: Tensor<4>, offset: f32| first.sub(second).div(divisor.clone()).add_scalar(offset);
    let (is_red, is_green) = (r.clone().equal(value.clone()), g.clone().equal(value.clone()));
    let hue = sector(r.clone(), g.clone(), 4.0)
        .mask_where(is_green, sector(b.clone(), r, 2.0))
        .mask_where(is_red, sector(g, b, 0.0));
    // Hue in sixths of the circle, from 0 to below 6.
    let hue = modulo(hue.add(turn.mul_scalar(6.0)).add_scalar(12.0), 6.0);
    // Each channel falls off around its own hue: red at 0, green at 2, blue at 4 (Smith 1978, in one formula).
    let channel = |offset: f32| {
        let k = modulo(hue.clone().add_scalar(offset), 6.0);
        let share = k.clone().min_pair(k.neg().add_scalar(4.0)).clamp(0.0, 1.0);
        value.clone().sub(range.clone().mul(share))
    };
    Tensor::cat(vec![channel(5.0), channel(3.0), channel(1.0)], 1)
}

/// Returns the remainder of values that are not negative.
fn modulo(values: Tensor<4>, by: f32) -> Tensor<4> {
    let whole = values.clone().div_scalar(by).floor();
    values.sub(whole.mul_scalar(by))
}
