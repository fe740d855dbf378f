use serde::{Deserialize, Serialize};

/// Channels after the stem, and planes of the first group; each further one has twice as many.
pub const PLANES: usize = 64;

/// Width of the paper's hidden layer.
pub const HIDDEN: usize = 512;

/// The block that the network repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3, 1x1, with four times the channels at its ends.
    Bottleneck,
}

impl BlockKind {
    /// Channels that a block of `planes` gives, as a multiple of them.
    pub fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// What stands before the first block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// torchvision's: 7x7 with stride 2, then max pooling with stride 2. The blocks begin at a quarter of the side.
    #[default]
    Conv7,
    /// 3x3 with stride 2, no pooling: they begin at half of it.
    Conv3Stride2,
    /// 3x3 with stride 1, no pooling: they begin at the whole.
    Conv3,
}

impl Stem {
    /// Kernel size and stride of its convolution.
    pub fn kernel_and_stride(self) -> (usize, usize) {
        match self {
            Self::Conv7 => (7, 2),
            Self::Conv3Stride2 => (3, 2),
            Self::Conv3 => (3, 1),
        }
    }
}

/// What makes logits of the pooled features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// torchvision's: one linear layer.
    #[default]
    Plain,
    /// The paper's: a linear layer of 512, ReLU, a linear layer.
    Paper,
}

/// A residual network of torchvision's kind (He et al., 2015, arXiv 1512.03385; Xie et al., 2016, 1611.05431; Zagoruyko and
/// Komodakis, 2016, 1605.07146).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResNetConfig {
    pub block: BlockKind,
    /// Blocks in each of the four groups.
    pub layers: [usize; 4],
    /// Groups of the 3x3 convolutions: 1, or 32 in ResNeXt.
    pub groups: usize,
    /// Channels of a group, in the first layer, where the whole has 64 planes: 64, or 4 in ResNeXt, or 128 in Wide ResNet-50-2.
    pub width_per_group: usize,
    #[serde(default)]
    pub stem: Stem,
    #[serde(default)]
    pub head: HeadKind,
    /// Side that pictures are enlarged to before the first layer; none takes them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_size: Option<usize>,
}

impl ResNetConfig {
    const fn of(block: BlockKind, layers: [usize; 4], groups: usize, width_per_group: usize) -> Self {
        let (stem, head) = (Stem::Conv7, HeadKind::Plain);
        Self { block, layers, groups, width_per_group, stem, head, input_size: None }
    }

    /// torchvision's `resnet18`.
    pub const fn resnet18() -> Self {
        Self::of(BlockKind::Basic, [2, 2, 2, 2], 1, 64)
    }

    /// torchvision's `resnet50`.
    pub const fn resnet50() -> Self {
        Self::of(BlockKind::Bottleneck, [3, 4, 6, 3], 1, 64)
    }

    /// torchvision's `resnext50_32x4d`.
    pub const fn resnext50_32x4d() -> Self {
        Self::of(BlockKind::Bottleneck, [3, 4, 6, 3], 32, 4)
    }

    /// torchvision's `wide_resnet50_2`.
    pub const fn wide_resnet50_2() -> Self {
        Self::of(BlockKind::Bottleneck, [3, 4, 6, 3], 1, 128)
    }

    /// torchvision's name if it has one for these blocks, else what they are.
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

    /// Channels of a bottleneck's 3x3 convolution.
    pub fn width(&self, planes: usize) -> usize {
        planes * self.width_per_group / PLANES * self.groups
    }

    /// # Errors
    ///
    /// Names the value out of range.
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
