use serde::{Deserialize, Serialize};

use super::Stage;
use super::cost::{Cost, Count};

/// Channels after the stem, and planes of the first group; each further group has twice as many.
pub const PLANES: usize = 64;

/// Width of the paper's hidden layer.
pub const HIDDEN: usize = 512;

/// Kind of residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// Two 3x3 convolutions.
    Basic,
    /// Three convolutions, 1x1, 3x3 and 1x1, with four times the channels at both ends.
    Bottleneck,
}

impl BlockKind {
    /// Returns the output channels of a block as a multiple of its planes.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// Layers before the first block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// torchvision's stem: 7x7 with stride 2, then max pooling with stride 2. The blocks begin at a quarter of the side.
    #[default]
    Conv7,
    /// 3x3 with stride 2, no pooling. The blocks begin at half of the side.
    Conv3Stride2,
    /// 3x3 with stride 1, no pooling. The blocks begin at the whole side.
    Conv3,
}

impl Stem {
    /// Returns kernel size and stride of the convolution, in pixels.
    pub fn kernel_and_stride(self) -> (usize, usize) {
        match self {
            Self::Conv7 => (7, 2),
            Self::Conv3Stride2 => (3, 2),
            Self::Conv3 => (3, 1),
        }
    }
}

/// Layers from the pooled features to the logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// torchvision's head: one linear layer.
    #[default]
    Plain,
    /// The paper's head: a linear layer with 512 outputs, ReLU, a linear layer.
    Paper,
}

/// A residual network of torchvision's kind (He et al., 2015, arXiv 1512.03385; Xie et al., 2016, 1611.05431; Zagoruyko and
/// Komodakis, 2016, 1605.07146).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResNetConfig {
    /// Kind of the residual blocks.
    pub block: BlockKind,
    /// Blocks in each of the four groups, 1 to 64.
    pub layers: [usize; 4],
    /// Groups of the 3x3 convolutions, 1 to 64: 1, or 32 in ResNeXt.
    pub groups: usize,
    /// Channels of a convolution's group in the first of the four groups of blocks, which has 64 planes, 1 to 256: 64, or 4 in
    /// ResNeXt, or 128 in Wide ResNet-50-2.
    pub width_per_group: usize,
    /// Layers before the first block.
    #[serde(default)]
    pub stem: Stem,
    /// Layers from the pooled features to the logits.
    #[serde(default)]
    pub head: HeadKind,
    /// Side in pixels that pictures are enlarged to before the first layer, 64 to 1024; none leaves pictures as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_size: Option<usize>,
}

impl ResNetConfig {
    const fn of(block: BlockKind, layers: [usize; 4], groups: usize, width_per_group: usize) -> Self {
        let (stem, head) = (Stem::Conv7, HeadKind::Plain);
        Self { block, layers, groups, width_per_group, stem, head, input_size: None }
    }
}

/// Defines torchvision's networks and the list of them from one row each.
macro_rules! torchvision {
    ($($name:ident: $block:ident, $layers:expr, $groups:expr, $width_per_group:expr;)*) => {
        impl ResNetConfig {
            $(
                #[doc = concat!("Returns torchvision's `", stringify!($name), "`.")]
                pub const fn $name() -> Self {
                    Self::of(BlockKind::$block, $layers, $groups, $width_per_group)
                }
            )*

            /// torchvision's networks, by name.
            pub const TORCHVISION: [(&str, Self); [$(stringify!($name)),*].len()] =
                [$((stringify!($name), Self::$name())),*];
        }
    };
}

torchvision! {
    resnet18: Basic, [2, 2, 2, 2], 1, 64;
    resnet50: Bottleneck, [3, 4, 6, 3], 1, 64;
    resnext50_32x4d: Bottleneck, [3, 4, 6, 3], 32, 4;
    wide_resnet50_2: Bottleneck, [3, 4, 6, 3], 1, 128;
}

impl ResNetConfig {
    /// Returns torchvision's name for these blocks, or else a description of the blocks.
    pub fn name(&self) -> String {
        let blocks = |config: &Self| (config.block, config.layers, config.groups, config.width_per_group);
        match Self::TORCHVISION.iter().find(|(_, config)| blocks(config) == blocks(self)) {
            Some((name, _)) => (*name).into(),
            None => {
                let [a, b, c, d] = self.layers;
                format!("resnet {a}-{b}-{c}-{d} ({}x{})", self.groups, self.width_per_group)
            }
        }
    }

    /// Returns the channels of the 3x3 convolution of a bottleneck with `planes` planes.
    pub fn width(&self, planes: usize) -> usize {
        planes * self.width_per_group / PLANES * self.groups
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A text that names the value out of range.
    pub fn check(&self) -> Result<(), String> {
        let Self { block, layers, groups, width_per_group, input_size, .. } = self;
        if !layers.iter().all(|blocks| (1..=64).contains(blocks)) {
            return Err(format!("layers {layers:?} of a ResNet must be 1 to 64 blocks each"));
        }
        if !(1..=64).contains(groups) || !(1..=256).contains(width_per_group) {
            return Err(format!(
                "groups {groups} and width-per-group {width_per_group} of a ResNet must be 1 to 64 and 1 to 256"
            ));
        }
        if *block == BlockKind::Basic && (*groups, *width_per_group) != (1, 64) {
            return Err(
                "basic blocks of a ResNet take groups 1 and width-per-group 64 only, as torchvision's do".into()
            );
        }
        if let Some(side) = input_size
            && !(64..=1024).contains(side)
        {
            return Err(format!("input-size {side} must be 64 to 1024"));
        }
        Ok(())
    }

    /// Returns the four groups.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let channels = |group: usize| (PLANES << (group - 1)) * self.block.expansion();
        (1..=4).map(|group| Stage { name: format!("layer{group}"), channels: channels(group) }).collect()
    }

    /// Returns the cost for pictures of `side` x `side` pixels, or of the input size if there is one.
    pub(super) fn cost(&self, num_classes: usize, side: usize) -> Cost {
        let mut count = Count::new(self.input_size.unwrap_or(side));
        let (kernel, stride) = self.stem.kernel_and_stride();
        count.conv(3, PLANES, kernel, stride, 1);
        count.norm(PLANES);
        if self.stem == Stem::Conv7 {
            count.side = count.side.div_ceil(2);
        }
        let mut input = PLANES;
        for (group, &blocks) in self.layers.iter().enumerate() {
            let planes = PLANES << group;
            let output = planes * self.block.expansion();
            for block in 0..blocks {
                let stride = if group > 0 && block == 0 { 2 } else { 1 };
                if input != output || stride != 1 {
                    count.shortcut(|count| count.conv(input, output, 1, stride, 1));
                    count.norm(output);
                }
                match self.block {
                    BlockKind::Basic => {
                        count.conv(input, planes, 3, stride, 1);
                        count.norm(planes);
                        count.conv(planes, planes, 3, 1, 1);
                    }
                    BlockKind::Bottleneck => {
                        let width = self.width(planes);
                        count.conv(input, width, 1, 1, 1);
                        count.norm(width);
                        count.conv(width, width, 3, stride, self.groups);
                        count.norm(width);
                        count.conv(width, output, 1, 1, 1);
                    }
                }
                count.norm(output);
                input = output;
            }
        }
        match self.head {
            HeadKind::Plain => count.linear(input, num_classes),
            HeadKind::Paper => {
                count.linear(input, HIDDEN);
                count.linear(HIDDEN, num_classes);
            }
        }
        count.cost
    }
}
