//! Architectures: what networks are made of, what they are called, and what they cost.

mod cost;
mod resnet;
mod wide_resnet;

use serde::{Deserialize, Serialize};

pub use cost::Cost;
pub use resnet::{BlockKind, HIDDEN, HeadKind, PLANES, ResNetConfig, Stem};
pub use wide_resnet::{BASE_CHANNELS, WideResNetConfig};

/// What a network is made of: enough to build it again and fill it with weights.
///
/// In JSON the `family` says which variant it is: `{"family": "wide-resnet", "depth": 10, "width": 4, ...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum Architecture {
    /// Zagoruyko's Wide ResNet, in a compact form for 64x64 pictures.
    #[serde(rename = "wide-resnet")]
    WideResNet(WideResNetConfig),
    /// torchvision's residual networks.
    #[serde(rename = "resnet")]
    ResNet(ResNetConfig),
}

impl Architecture {
    /// The usual name: `WRN-10-4` is depth 10, width 4; `wide_resnet50_2` is torchvision's.
    pub fn name(&self) -> String {
        match self {
            Self::WideResNet(config) => format!("WRN-{}-{}", config.depth, config.width),
            Self::ResNet(config) => config.name(),
        }
    }
}
