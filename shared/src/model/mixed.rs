//! Mixed precision (Micikevicius et al., 2018, arXiv 1710.03740; Kalamkar et al., 2019, arXiv 1905.12322): activations in
//! bfloat16, and all weights, stem and head in f32. Bfloat16 has the range of f32, so no loss is scaled.
//!
//! The precision of a layer follows from its input activations.

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::module::{batch_norm_train, conv2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, FloatDType};

use super::Classifier;
use super::convolution::convolution;
use super::depthwise::depthwise;

impl Classifier {
    /// Returns the same weights for training in mixed precision. The device must support bfloat16, as libtorch's and CUDA's do.
    #[must_use]
    pub fn in_mixed_precision(self) -> Self {
        Self { activations: FloatDType::BF16, ..self }
    }
}

/// Applies `conv` in the precision of `x`: the weights are rounded to that precision, and their gradient goes back to f32.
pub(super) fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let dtype = x.dtype();
    let PaddingConfig2d::Explicit(top, left, bottom, right) = conv.padding else {
        unreachable!("the networks here name their padding")
    };
    let options =
        ConvOptions::new_with_padding(conv.stride, [(top, bottom), (left, right)], conv.dilation, conv.groups);
    let weight = conv.weight.val().cast(dtype);
    match &conv.bias {
        None => convolution(x, weight, options),
        Some(bias) => conv2d(x, weight, Some(bias.val().cast(dtype)), options),
    }
}

/// Applies `conv`, which has neither bias, padding of its own nor dilation, and as many groups as channels or one, in the precision of
/// `x`, `[batch, channels, height, width]`, with TensorFlow's SAME padding: `ceil(side / stride)` of each side remains, and of an odd
/// number of zeros one more comes below and on the right.
pub(super) fn convolve_same(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let [kernel_height, kernel_width] = conv.kernel_size;
    let [vertical, horizontal] = conv.stride;
    let around = |side: usize, kernel: usize, stride: usize| {
        let zeros = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
        (zeros / 2, zeros.div_ceil(2))
    };
    let padding = [around(height, kernel_height, vertical), around(width, kernel_width, horizontal)];
    let options = ConvOptions::new_with_padding(conv.stride, padding, conv.dilation, conv.groups);
    let dtype = x.dtype();
    let weight = conv.weight.val().cast(dtype);
    if conv.groups > 1 {
        return depthwise(x, weight, options);
    }
    convolution(x, weight, options)
}

/// Applies `norm` in the precision of `x`; its parameters and running statistics stay in f32.
pub(super) fn batch_norm(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    let dtype = x.dtype();
    if dtype == DType::F32 {
        return norm.forward(x);
    }
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    if x.device().is_autodiff() && norm.training.is_enabled() {
        let batch = batch_norm_train(x, gamma.cast(dtype), beta.cast(dtype), norm.epsilon);
        let moved = |running: Tensor<1>, value: Tensor<1>| {
            let value = value.cast(DType::F32).to_device(&running.device());
            running.mul_scalar(1.0 - norm.momentum).add(value.mul_scalar(norm.momentum)).detach()
        };
        norm.running_mean.update(moved(norm.running_mean.value_sync(), batch.mean));
        norm.running_var.update(moved(norm.running_var.value_sync(), batch.variance));
        return batch.output;
    }
    // Two passes over the activations instead of four.
    let device = x.device();
    let (mean, variance) = (norm.running_mean.value().to_device(&device), norm.running_var.value().to_device(&device));
    let scale = gamma.div(variance.add_scalar(norm.epsilon).sqrt());
    let shift = beta.sub(mean.mul(scale.clone()));
    let each = |values: Tensor<1>| values.cast(dtype).reshape([1, -1, 1, 1]);
    x.mul(each(scale)).add(each(shift))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::loss_gradient;
    use crate::model::{Architecture, BuildNetwork as _, EfficientNetLiteConfig, ResNetConfig, WideResNetConfig};

    /// Computes logits and input gradient of a network on two pictures, in f32 and in mixed precision.
    fn both(architecture: &Architecture) -> [[Vec<f32>; 2]; 2] {
        let device = Device::flex();
        let model = architecture.init_seeded(5, [0.5; 3], [0.25; 3], 1, &device).unwrap();
        let picture = crate::bundle::probe_image(&device);
        let images = Tensor::cat(vec![picture.clone(), picture.mul_scalar(0.5)], 0);
        let labels = Tensor::<1, Int>::from_ints([0, 3], &device);
        let read = |values| pollster::block_on(crate::device::read(values)).unwrap();
        [model.clone(), model.in_mixed_precision()].map(|model| {
            let model = model.valid();
            let logits = model.forward(images.clone());
            assert_eq!(logits.dtype(), DType::F32);
            let gradient = loss_gradient(&model, images.clone(), labels.clone());
            [read(logits.reshape([10])), read(gradient.reshape([2 * 3 * 64 * 64]))]
        })
    }

    fn norm(values: impl Iterator<Item = f32>) -> f32 {
        values.map(|value| value * value).sum::<f32>().sqrt()
    }

    #[test]
    fn logits_and_gradients_are_those_of_f32_to_the_precision_of_bfloat16() {
        let wide = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        let resnet = Architecture::ResNet(ResNetConfig::resnet18());
        let lite = Architecture::EfficientNetLite(EfficientNetLiteConfig::lite(0));
        // A bfloat16 has 8 bits of precision, and the rounding errors of ten to twenty layers, or fifty, add up.
        for (architecture, most_in_gradient) in [(wide, 0.35), (resnet, 0.35), (lite, 0.6)] {
            let [exact, mixed] = both(&architecture);
            let error = |place: usize| {
                let difference = exact[place].iter().zip(&mixed[place]).map(|(a, b)| a - b);
                norm(difference) / norm(exact[place].iter().copied())
            };
            // The gradient also loses or gains the part through each ReLU that rounding has switched.
            for (place, most) in [(0, 0.05), (1, most_in_gradient)] {
                let error = error(place);
                assert!(error > 0.0 && error < most, "{}: {place} is off by {error}", architecture.name());
            }
        }
    }

    #[test]
    fn training_moves_running_statistics_which_stay_in_f32() {
        let device = Device::flex();
        let config = WideResNetConfig::new(10, 1);
        let model = Architecture::WideResNet(config).init_seeded(5, [0.5; 3], [0.25; 3], 1, &device).unwrap();
        let weights =
            |model: &Classifier| crate::bundle::save_weights(&model.valid(), crate::bundle::Precision::F32).unwrap();
        let moved = |mixed: bool| {
            // A copy of its own: clones share their running statistics.
            let model = model.valid().train();
            let model = if mixed { model.in_mixed_precision() } else { model };
            let before = weights(&model);
            let images = crate::bundle::probe_image(&device).autodiff();
            model.forward(images);
            (before, weights(&model))
        };
        let ((before, exact), (_, mixed)) = (moved(false), moved(true));
        assert!(before != exact && before != mixed && exact != mixed);
        assert_eq!(exact.len(), mixed.len(), "a number format has changed");
    }
}
