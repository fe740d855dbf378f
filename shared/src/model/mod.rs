//! Classifiers: pixels in, logits out.

mod checkpointing;
mod convolution;
mod depthwise;
mod efficientnet_lite;
mod initial;
mod mixed;
mod normalize;
mod resize;
mod resnet;
mod stages;
mod state;
mod wide_resnet;

use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::FloatDType;

pub use checkpointing::checkpointed;
pub use convolution::convolution;
pub use efficientnet_lite::EfficientNetLite;
pub use normalize::Normalize;
pub use resnet::ResNet;
pub use stages::{Stages, Visit};
pub use terms::model::{
    Activation, Architecture, BlockKind, Cost, EfficientNetLiteConfig, HeadKind, ResNetConfig, Stage, Stem,
    WideResNetConfig,
};
pub use wide_resnet::WideResNet;

/// Builds the network that an [`Architecture`] describes.
pub trait BuildNetwork {
    /// Builds the network, to be filled with weights: weights without values are drawn when they are first used.
    ///
    /// `mean` and `std` are those of the training pictures, RGB in `[0, 1]` pixel units.
    ///
    /// # Errors
    ///
    /// A text that names the parameter out of range.
    fn init(&self, num_classes: usize, mean: [f32; 3], std: [f32; 3], device: &Device) -> Result<Classifier, String>;

    /// Builds the network with random weights, the same ones for a seed on every device.
    ///
    /// # Errors
    ///
    /// The errors of [`BuildNetwork::init`].
    fn init_seeded(
        &self,
        num_classes: usize,
        mean: [f32; 3],
        std: [f32; 3],
        seed: u64,
        device: &Device,
    ) -> Result<Classifier, String>;
}

impl BuildNetwork for Architecture {
    fn init(&self, num_classes: usize, mean: [f32; 3], std: [f32; 3], device: &Device) -> Result<Classifier, String> {
        if num_classes == 0 {
            return Err("a classifier needs at least one class".into());
        }
        let normalize = Normalize::new(mean, std, device)?;
        let backbone = match self {
            Self::WideResNet(config) => Backbone::WideResNet(WideResNet::new(config, num_classes, device)?),
            Self::ResNet(config) => Backbone::ResNet(ResNet::new(config, num_classes, device)?),
            Self::EfficientNetLite(config) => {
                Backbone::EfficientNetLite(EfficientNetLite::new(config, num_classes, device)?)
            }
        };
        Ok(Classifier { normalize, backbone, activations: FloatDType::F32 })
    }

    fn init_seeded(
        &self,
        num_classes: usize,
        mean: [f32; 3],
        std: [f32; 3],
        seed: u64,
        device: &Device,
    ) -> Result<Classifier, String> {
        Ok(self.init(num_classes, mean, std, device)?.init_missing(seed))
    }
}

/// A network without its preprocessing: from normalised pictures to logits.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few networks, and a box would be a layer without a name")]
pub enum Backbone {
    /// Wide ResNet for 64x64 pictures.
    WideResNet(WideResNet),
    /// Residual network of torchvision.
    ResNet(ResNet),
    /// EfficientNet-Lite.
    EfficientNetLite(EfficientNetLite),
}

impl Backbone {
    fn forward(&self, images: Tensor<4>, activations: FloatDType, visit: &mut Visit<'_>) -> Tensor<2> {
        match self {
            Self::WideResNet(network) => network.forward(images, activations, visit),
            Self::ResNet(network) => network.forward(images, activations, visit),
            Self::EfficientNetLite(network) => network.forward(images, activations, visit),
        }
    }

    /// Returns the linear layer from the mean of the last stage's maps to the logits; none where more layers than one lie between.
    fn linear_head(&self) -> Option<&Linear> {
        match self {
            Self::WideResNet(network) => Some(network.head()),
            Self::ResNet(network) => network.head(),
            Self::EfficientNetLite(network) => Some(network.head()),
        }
    }
}

/// A network with its preprocessing: `Normalize`, then the backbone.
#[derive(Module, Debug)]
pub struct Classifier {
    normalize: Normalize,
    /// Network without its preprocessing, whose weights have torchvision's names; saving and loading must skip the names of
    /// enum variants.
    pub backbone: Backbone,
    #[module(skip)]
    activations: FloatDType,
}

impl Classifier {
    /// Returns the logits of pictures.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`, RGB in `[0, 1]`; the shipped networks were trained for 64x64
    /// - output: `[batch, num_classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_by_stages(images, &mut |_, maps| maps)
    }

    /// Draws the weights that have no values since [`BuildNetwork::init`], because nothing was loaded into them. The values are
    /// those of [`BuildNetwork::init_seeded`].
    #[must_use]
    pub fn init_missing(self, seed: u64) -> Self {
        self.map(&mut initial::Initial::new(seed))
    }

    /// Returns the same weights, ready to differentiate with respect to the input: batch normalisation in inference mode, and
    /// no gradient computed for any weight.
    ///
    /// `self` is on a plain device (loaded weights, or [`Module::valid`] of a model in training).
    #[must_use]
    pub fn for_input_gradient(&self) -> Self {
        self.clone().train().freeze()
    }

    /// Freezes all layers but the head: no gradients, and batch norm in inference mode.
    #[must_use]
    pub fn freeze_backbone(self) -> Self {
        let backbone = match self.backbone {
            Backbone::WideResNet(network) => Backbone::WideResNet(network.freeze_backbone()),
            Backbone::ResNet(network) => Backbone::ResNet(network.freeze_backbone()),
            Backbone::EfficientNetLite(network) => Backbone::EfficientNetLite(network.freeze_backbone()),
        };
        Self { backbone, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Precision, save_weights};

    fn network(seed: u64) -> Classifier {
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        architecture.init_seeded(5, [0.5; 3], [0.25; 3], seed, &Device::flex()).unwrap()
    }

    #[test]
    fn a_seed_names_the_weights() {
        let weights = |seed| save_weights(&network(seed), Precision::F32).unwrap();
        assert!(weights(7) == weights(7) && weights(7) != weights(8));
    }

    #[test]
    fn a_signal_keeps_its_size_through_a_network_that_was_just_made() {
        let images = crate::bundle::probe_image(&Device::flex());
        let logits = pollster::block_on(crate::device::read(network(3).valid().forward(images))).unwrap();
        let size = (logits.iter().map(|logit| logit * logit).sum::<f32>() / 5.0).sqrt();
        assert!((0.02..5.0).contains(&size), "{logits:?}");
    }

    #[test]
    fn the_parameters_are_those_of_the_network_that_is_built() {
        let small = ResNetConfig { layers: [1, 2, 1, 1], width_per_group: 8, groups: 4, ..ResNetConfig::resnet50() };
        let paper = ResNetConfig { head: HeadKind::Paper, stem: Stem::Conv3, ..small };
        let basic = ResNetConfig { layers: [1, 1, 2, 1], ..ResNetConfig::resnet18() };
        let wide = WideResNetConfig { strides: [1, 2, 1], ..WideResNetConfig::new(16, 2) };
        let networks = [small, paper, basic].map(Architecture::ResNet);
        let lite = EfficientNetLiteConfig::lite(1);
        let others = [Architecture::WideResNet(wide), Architecture::EfficientNetLite(lite)];
        for architecture in networks.into_iter().chain(others) {
            let model = architecture.init(7, [0.5; 3], [0.25; 3], &Device::flex()).unwrap();
            let trained = model.backbone.state_shapes().into_iter().filter(|(name, _)| !name.contains("running"));
            let parameters: usize = trained.map(|(_, shape)| shape.iter().product::<usize>()).sum();
            assert_eq!(architecture.cost(7, 64).parameters, parameters as u64, "{}", architecture.name());
        }
    }
}
