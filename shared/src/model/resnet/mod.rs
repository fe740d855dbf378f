//! Residual networks of torchvision: ResNet, ResNeXt and Wide ResNet, with torchvision's layer names, so that its weights load
//! unchanged.
//!
//! As in torchvision, the stride of a bottleneck is in its 3x3 convolution.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::{DType, FloatDType};

use terms::model::{BlockKind, HIDDEN, HeadKind, PLANES, ResNetConfig, Stem};

use super::mixed::{batch_norm, convolve};
use super::resize::enlarge;
use super::stages::Visit;

/// A residual network, with torchvision's layer names.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    maxpool: Option<MaxPool2d>,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
    avgpool: AdaptiveAvgPool2d,
    fc: Head,
    #[module(skip)]
    input_size: Option<usize>,
}

impl ResNet {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// A text that names the value out of range.
    pub fn new(config: &ResNetConfig, num_classes: usize, device: &Device) -> Result<Self, String> {
        config.check()?;
        let (kernel, stride) = config.stem.kernel_and_stride();
        let mut input = PLANES;
        let mut group = |index: usize| -> Vec<Block> {
            let planes = PLANES << index;
            (0..config.layers[index])
                .map(|block| {
                    let stride = if index > 0 && block == 0 { 2 } else { 1 };
                    let block = Block::new(config, input, planes, stride, device);
                    input = planes * config.block.expansion();
                    block
                })
                .collect()
        };
        let (layer1, layer2, layer3, layer4) = (group(0), group(1), group(2), group(3));
        Ok(Self {
            conv1: conv(3, PLANES, kernel, stride, 1, device),
            bn1: BatchNormConfig::new(PLANES).init(device),
            maxpool: (config.stem == Stem::Conv7)
                .then(|| MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(pad(1)).init()),
            layer1,
            layer2,
            layer3,
            layer4,
            avgpool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: Head::new(config.head, input, num_classes, device),
            input_size: config.input_size,
        })
    }

    /// Returns the logits of normalised pictures. Blocks compute in the precision of `activations`; stem and head in f32.
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
        let mut x = relu(self.bn1.forward(convolve(&self.conv1, images))).cast(activations);
        if let Some(maxpool) = &self.maxpool {
            x = maxpool.forward(x);
        }
        for (stage, group) in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().enumerate() {
            for block in group {
                x = block.forward(x);
            }
            x = visit(stage, x);
        }
        self.fc.forward(self.avgpool.forward(x.cast(DType::F32)).flatten(1, 3))
    }

    /// Returns the layer from the mean of the last maps to the logits; none for the paper's head, which has two.
    pub(super) fn head(&self) -> Option<&Linear> {
        match &self.fc {
            Head::Plain(linear) => Some(linear),
            Head::Paper(_) => None,
        }
    }

    /// Freezes all layers but the head: no gradients, and batch norm in inference mode.
    #[must_use]
    pub fn freeze_backbone(self) -> Self {
        Self {
            conv1: self.conv1.freeze(),
            bn1: self.bn1.freeze(),
            layer1: self.layer1.freeze(),
            layer2: self.layer2.freeze(),
            layer3: self.layer3.freeze(),
            layer4: self.layer4.freeze(),
            ..self
        }
    }
}

/// A residual block; a block with a third convolution is a bottleneck.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    downsample: Option<(Conv2d, BatchNorm)>,
}

impl Block {
    fn new(config: &ResNetConfig, input: usize, planes: usize, stride: usize, device: &Device) -> Self {
        let norm = |channels: usize| BatchNormConfig::new(channels).init(device);
        let output = planes * config.block.expansion();
        let downsample =
            (stride != 1 || input != output).then(|| (conv(input, output, 1, stride, 1, device), norm(output)));
        match config.block {
            BlockKind::Basic => Self {
                conv1: conv(input, planes, 3, stride, 1, device),
                bn1: norm(planes),
                conv2: conv(planes, planes, 3, 1, 1, device),
                bn2: norm(planes),
                conv3: None,
                bn3: None,
                downsample,
            },
            BlockKind::Bottleneck => {
                let width = config.width(planes);
                Self {
                    conv1: conv(input, width, 1, 1, 1, device),
                    bn1: norm(width),
                    conv2: conv(width, width, 3, stride, config.groups, device),
                    bn2: norm(width),
                    conv3: Some(conv(width, output, 1, 1, 1, device)),
                    bn3: Some(norm(output)),
                    downsample,
                }
            }
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => batch_norm(norm, convolve(conv, x.clone())),
            None => x.clone(),
        };
        let x = relu(batch_norm(&self.bn1, convolve(&self.conv1, x)));
        let mut x = batch_norm(&self.bn2, convolve(&self.conv2, x));
        if let (Some(conv3), Some(bn3)) = (&self.conv3, &self.bn3) {
            x = batch_norm(bn3, convolve(conv3, relu(x)));
        }
        relu(x.add(shortcut))
    }
}

/// Layers from features to logits. In files the paper's layers are `fc.0` and `fc.2`, as in PyTorch's `Sequential`.
#[derive(Module, Debug)]
enum Head {
    Plain(Linear),
    Paper((Linear, Relu, Linear)),
}

impl Head {
    fn new(kind: HeadKind, input: usize, num_classes: usize, device: &Device) -> Self {
        let linear = |input, output| LinearConfig::new(input, output).init(device);
        match kind {
            HeadKind::Plain => Self::Plain(linear(input, num_classes)),
            HeadKind::Paper => Self::Paper((linear(input, HIDDEN), Relu::new(), linear(HIDDEN, num_classes))),
        }
    }

    fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Plain(linear) => linear.forward(features),
            Self::Paper((hidden, relu, output)) => output.forward(relu.forward(hidden.forward(features))),
        }
    }
}

fn conv(input: usize, output: usize, kernel: usize, stride: usize, groups: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([input, output], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(pad(kernel / 2))
        .with_groups(groups)
        .with_bias(false)
        .init(device)
}

fn pad(size: usize) -> PaddingConfig2d {
    PaddingConfig2d::Explicit(size, size, size, size)
}
