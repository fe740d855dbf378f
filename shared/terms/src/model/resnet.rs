use serde::{Deserialize, Serialize};

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

    /// Returns torchvision's `resnet18`.
    pub const fn resnet18() -> Self {
        Self::of(BlockKind::Basic, [2, 2, 2, 2], 1, 64)
    }

    /// Returns torchvision's `resnet50`.
    pub const fn resnet50() -> Self {
        Self::of(BlockKind::Bottleneck, [3, 4, 6, 3], 1, 64)
    }

    /// Returns torchvision's `resnext50_32x4d`.
    pub const fn resnext50_32x4d() -> Self {
        Self::of(BlockKind::Bottleneck, [3, 4, 6, 3], 32, 4)
    }

    /// Returns torchvision's `wide_resnet50_2`.
    pub const fn wide_resnet50_2() -> Self {
        Self::of(BlockKind::Bottleneck, [3, 4, 6, 3], 1, 128)
    }

    /// Returns torchvision's name for these blocks, or else a description of the blocks.
    pub fn name(&self) -> String {
        let known = [
            ("resnet18", Self::resnet18()),
            ("resnet50", Self::resnet50()),
            ("resnext50_32x4d", Self::resnext50_32x4d()),
            ("wide_resnet50_2", Self::wide_resnet50_2()),
        ];
        let blocks = |config: &Self| (config.block, config.layers, config.groups, config.width_per_group);
        match known.iter().find(|(_, config)| blocks(config) == blocks(self)) {
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
}
