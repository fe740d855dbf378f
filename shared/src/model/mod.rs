//! Classifiers: pixels in, logits out.

mod normalize;
mod wide_resnet;

use burn::prelude::*;
use burn::tensor::assert_shape;
use serde::{Deserialize, Serialize};

pub use normalize::Normalize;
pub use wide_resnet::{WideResNet, WideResNetConfig};

/// What a network is made of: enough to build it again and fill it with weights.
///
/// In JSON the `family` says which variant it is: `{"family": "wide-resnet", "depth": 10, "width": 4, ...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum Architecture {
    /// Zagoruyko's Wide ResNet, in a compact form for 64x64 pictures.
    #[serde(rename = "wide-resnet")]
    WideResNet(WideResNetConfig),
}

impl Architecture {
    /// Builds the network with random weights.
    ///
    /// `mean` and `std` are those of the training pictures, one value a channel, in `[0, 1]` pixel units.
    ///
    /// # Errors
    ///
    /// A text that names the parameter out of range.
    pub fn init(
        &self,
        num_classes: usize,
        mean: [f32; 3],
        std: [f32; 3],
        device: &Device,
    ) -> Result<Classifier, String> {
        if num_classes == 0 {
            return Err("a classifier needs at least one class".into());
        }
        let normalize = Normalize::new(mean, std, device)?;
        let backbone = match self {
            Self::WideResNet(config) => config.init(num_classes, device)?,
        };
        Ok(Classifier { normalize, backbone })
    }

    /// The usual name: `WRN-10-4` is depth 10, width 4.
    pub fn name(&self) -> String {
        match self {
            Self::WideResNet(config) => format!("WRN-{}-{}", config.depth, config.width),
        }
    }
}

/// A network with its preprocessing: `Normalize`, then the backbone.
#[derive(Module, Debug)]
pub struct Classifier {
    normalize: Normalize,
    backbone: WideResNet,
}

impl Classifier {
    /// Class scores before the softmax.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`, RGB in `[0, 1]`; 64x64 is what the shipped networks were trained for
    /// - output: `[batch, num_classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        assert_shape!(images, [_, 3, ..]);
        self.backbone.forward(self.normalize.forward(images))
    }

    /// The same weights, ready to differentiate with respect to the input: batch normalisation in inference mode, and
    /// no gradient computed for any weight.
    ///
    /// `self` is on a plain device (loaded weights, or [`Module::valid`] of a model in training).
    pub fn for_input_gradient(&self) -> Self {
        self.clone().train().freeze()
    }
}
