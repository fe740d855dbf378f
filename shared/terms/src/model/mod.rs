//! Architectures of networks: layers, names and costs.

mod cost;
mod efficientnet_lite;
mod resnet;
mod wide_resnet;

use serde::{Deserialize, Serialize};

pub use cost::Cost;
pub use efficientnet_lite::{EfficientNetLiteConfig, HEAD_CHANNELS, InvertedResidual, STEM_CHANNELS};
pub use resnet::{BlockKind, HIDDEN, HeadKind, PLANES, ResNetConfig, Stem};
pub use wide_resnet::{Activation, BASE_CHANNELS, WideResNetConfig};

/// Architecture of a network: enough to build the network and to fill it with weights.
///
/// In JSON the variant is the `family`: `{"family": "wide-resnet", "depth": 10, "width": 4, ...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum Architecture {
    /// Zagoruyko's Wide ResNet, in a compact form for 64x64 pictures.
    #[serde(rename = "wide-resnet")]
    WideResNet(WideResNetConfig),
    /// torchvision's residual networks.
    #[serde(rename = "resnet")]
    ResNet(ResNetConfig),
    /// EfficientNet-Lite: small networks with published weights of ImageNet.
    #[serde(rename = "efficientnet-lite")]
    EfficientNetLite(EfficientNetLiteConfig),
}

/// A stage of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Name of the layers, or of the last of them: `layer2`.
    pub name: String,
    /// Channels of the stage's maps.
    pub channels: usize,
}

impl Architecture {
    /// Returns the usual name: `WRN-10-4` for depth 10 and width 4; torchvision's, as `wide_resnet50_2`.
    pub fn name(&self) -> String {
        match self {
            Self::WideResNet(config) => format!("WRN-{}-{}", config.depth, config.width),
            Self::ResNet(config) => config.name(),
            Self::EfficientNetLite(config) => config.name(),
        }
    }

    /// Returns the stages, in order: what the network computes at one resolution, whose last maps can be looked at. The last stage's maps
    /// are those that the head averages.
    pub fn stages(&self) -> Vec<Stage> {
        match self {
            Self::WideResNet(config) => config.stages(),
            Self::ResNet(config) => config.stages(),
            Self::EfficientNetLite(config) => config.stages(),
        }
    }

    /// Returns the cost for pictures of `side` x `side` pixels.
    pub fn cost(&self, num_classes: usize, side: usize) -> Cost {
        match self {
            Self::WideResNet(config) => config.cost(num_classes, side),
            Self::ResNet(config) => config.cost(num_classes, side),
            Self::EfficientNetLite(config) => config.cost(num_classes, side),
        }
    }
}
