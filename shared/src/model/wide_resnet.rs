//! Wide ResNet (Zagoruyko and Komodakis, 2016, arXiv 1605.07146), compact, for 64x64 pictures.
//!
//! Pre-activation basic blocks in three groups of `16k`, `32k` and `64k` channels, behind a stem of stride 2 or 1. With strides
//! `[1, 2, 2]` the groups work at 32x32, 16x16 and 8x8, as the paper's network for CIFAR behind a stem that halves the side;
//! with `[2, 2, 2]` the groups work at 16x16, 8x8 and 4x4, which allows twice the width at the same cost.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::{relu, silu};
use burn::tensor::{DType, FloatDType};
use terms::model::{Activation, BASE_CHANNELS, WideResNetConfig};

use super::mixed::{batch_norm, convolve};
use super::stages::Visit;

/// A Wide ResNet, with the layer names of torchvision's ResNets.
#[derive(Module, Debug)]
pub struct WideResNet {
    conv1: Conv2d,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    bn1: BatchNorm,
    avgpool: AdaptiveAvgPool2d,
    fc: Linear,
    #[module(skip)]
    activation: Activation,
}

impl WideResNet {
    /// Builds the network with Kaiming-normal convolutions.
    ///
    /// # Errors
    ///
    /// If depth is not `6n + 4`, or width or a stride is out of range.
    pub fn new(config: &WideResNetConfig, num_classes: usize, device: &Device) -> Result<Self, String> {
        config.check()?;
        let WideResNetConfig { depth, width, strides, stem_stride, activation } = *config;
        let blocks = (depth - 4) / 6;
        let group = |index: usize| {
            let input = match index {
                0 => BASE_CHANNELS[0],
                _ => BASE_CHANNELS[index] * width,
            };
            let output = BASE_CHANNELS[index + 1] * width;
            (0..blocks)
                .map(|block| match block {
                    0 => Block::new(input, output, strides[index], device),
                    _ => Block::new(output, output, 1, device),
                })
                .collect()
        };
        let channels = BASE_CHANNELS[3] * width;
        Ok(Self {
            conv1: conv(3, BASE_CHANNELS[0], 3, stem_stride, device),
            layer1: group(0),
            layer2: group(1),
            layer3: group(2),
            bn1: BatchNormConfig::new(channels).init(device),
            avgpool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: LinearConfig::new(channels, num_classes).init(device),
            activation,
        })
    }

    /// Returns the logits of normalised pictures. Blocks compute in the precision of `activations`; stem and head in f32.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`, normalised
    /// - output: logits `[batch, num_classes]`
    pub fn forward(&self, images: Tensor<4>, activations: FloatDType, visit: &mut Visit<'_>) -> Tensor<2> {
        let mut x = convolve(&self.conv1, images).cast(activations); // [B, 16, H/2, W/2], or [B, 16, H, W]
        for (stage, group) in [&self.layer1, &self.layer2, &self.layer3].into_iter().enumerate() {
            for block in group {
                x = block.forward(x, self.activation);
            }
            if stage < 2 {
                x = visit(stage, x);
            }
        }
        let x = visit(2, activate(self.bn1.forward(x.cast(DType::F32)), self.activation)); // [B, 64k, h, w]
        let x = self.avgpool.forward(x).flatten(1, 3); // [B, 64k]
        self.fc.forward(x)
    }

    /// Returns the layer from the mean of the last maps to the logits.
    pub(super) fn head(&self) -> &Linear {
        &self.fc
    }

    /// Freezes all layers but the head: no gradients, and batch norm in inference mode.
    #[must_use]
    pub fn freeze_backbone(self) -> Self {
        Self {
            conv1: self.conv1.freeze(),
            layer1: self.layer1.freeze(),
            layer2: self.layer2.freeze(),
            layer3: self.layer3.freeze(),
            bn1: self.bn1.freeze(),
            ..self
        }
    }
}

fn activate(x: Tensor<4>, activation: Activation) -> Tensor<4> {
    match activation {
        Activation::Relu => relu(x),
        Activation::Silu => silu(x),
    }
}

/// A pre-activation basic block: twice batch norm, activation and 3x3 convolution, beside a shortcut.
#[derive(Module, Debug)]
struct Block {
    bn1: BatchNorm,
    conv1: Conv2d,
    bn2: BatchNorm,
    conv2: Conv2d,
    downsample: Option<Conv2d>,
}

impl Block {
    fn new(input: usize, output: usize, stride: usize, device: &Device) -> Self {
        let changes_shape = input != output || stride != 1;
        Self {
            bn1: BatchNormConfig::new(input).init(device),
            conv1: conv(input, output, 3, stride, device),
            bn2: BatchNormConfig::new(output).init(device),
            conv2: conv(output, output, 3, 1, device),
            downsample: changes_shape.then(|| conv(input, output, 1, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let activated = activate(batch_norm(&self.bn1, x.clone()), activation);
        // The projection takes the activated input (as in Zagoruyko's code), the identity the input itself.
        let shortcut = match &self.downsample {
            Some(project) => convolve(project, activated.clone()),
            None => x,
        };
        let x = convolve(&self.conv1, activated);
        let x = convolve(&self.conv2, activate(batch_norm(&self.bn2, x), activation));
        x.add(shortcut)
    }
}

fn conv(input: usize, output: usize, kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new([input, output], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(false)
        .with_initializer(Initializer::KaimingNormal { gain: std::f64::consts::SQRT_2, fan_out_only: true })
        .init(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_decide_the_size_of_the_last_map_but_not_of_the_logits() {
        let device = Device::flex();
        for (strides, stem_stride) in [([1, 2, 2], 2), ([2, 2, 2], 2), ([2, 2, 2], 1)] {
            let config = WideResNetConfig { strides, stem_stride, ..WideResNetConfig::new(10, 1) };
            let net = WideResNet::new(&config, 7, &device).unwrap();
            let logits = net.forward(Tensor::zeros([2, 3, 64, 64], &device), FloatDType::F32, &mut |_, maps| maps);
            assert_eq!(logits.dims(), [2, 7]);
        }
    }

    #[test]
    fn depth_says_how_many_blocks() {
        let net = WideResNet::new(&WideResNetConfig::new(22, 1), 5, &Device::flex()).unwrap();
        assert_eq!((net.layer1.len(), net.layer2.len(), net.layer3.len()), (3, 3, 3));
    }

    #[test]
    fn parameters_of_wrn_16_4_are_those_of_the_paper() {
        // 2,748,890 for CIFAR-10 in the reference implementation: the stem's stride changes no shape. burn counts the
        // running mean and variance of each normalised channel as well.
        let normalised = 16 + 3 * 64 + 64 + 3 * 128 + 128 + 3 * 256 + 256;
        let net = WideResNet::new(&WideResNetConfig::new(16, 4), 10, &Device::flex()).unwrap();
        assert_eq!(net.num_params(), 2_748_890 + 2 * normalised);
    }

    #[test]
    fn wrong_sizes_are_named() {
        let device = Device::flex();
        for (config, word) in [
            (WideResNetConfig::new(12, 1), "depth 12"),
            (WideResNetConfig::new(10, 0), "width 0"),
            (WideResNetConfig { strides: [1, 3, 2], ..WideResNetConfig::new(10, 1) }, "strides [1, 3, 2]"),
            (WideResNetConfig { stem_stride: 0, ..WideResNetConfig::new(10, 1) }, "stem-stride 0"),
        ] {
            let error = WideResNet::new(&config, 2, &device).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
