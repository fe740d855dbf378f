use serde::{Deserialize, Serialize};

use super::Stage;
use super::cost::{Cost, Count};

/// Channels of the stem, and of each group at width 1.
pub const BASE_CHANNELS: [usize; 4] = [16, 16, 32, 64];

/// A Wide ResNet, WRN-`depth`-`width`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideResNetConfig {
    /// Number of layers, 10 to 100: `6n + 4` for `n` blocks in each group.
    pub depth: usize,
    /// Factor of the groups' 16, 32 and 64 channels, 1 to 32.
    pub width: usize,
    /// Stride of the first block of each group, 1 or 2.
    #[serde(default = "paper_strides")]
    pub strides: [usize; 3],
    /// Stride of the stem, 1 or 2; 1 keeps the side of the pictures, at four times the cost.
    #[serde(default = "two", skip_serializing_if = "is_two")]
    pub stem_stride: usize,
    /// Function between the layers.
    #[serde(default, skip_serializing_if = "Activation::is_relu")]
    pub activation: Activation,
}

/// A function that a network applies to each value between its layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x / (1 + exp(-x))`: smooth, which gives attacks in training better gradients (Xie et al., 2020, arXiv 2006.14536).
    Silu,
}

impl Activation {
    fn is_relu(&self) -> bool {
        *self == Self::Relu
    }
}

fn two() -> usize {
    2
}

fn is_two(stride: &usize) -> bool {
    *stride == 2
}

fn paper_strides() -> [usize; 3] {
    [1, 2, 2]
}

impl WideResNetConfig {
    /// Returns a network with the paper's strides, `[1, 2, 2]`, behind a stem of stride 2, with ReLU.
    pub fn new(depth: usize, width: usize) -> Self {
        Self { depth, width, strides: paper_strides(), stem_stride: 2, activation: Activation::Relu }
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A text that names the value out of range: a depth other than `6n + 4`, a width or a stride.
    pub fn check(&self) -> Result<(), String> {
        let Self { depth, width, strides, stem_stride, .. } = *self;
        if depth < 10 || !(depth - 4).is_multiple_of(6) || depth > 100 {
            return Err(format!("depth {depth} of a Wide ResNet must be 6n + 4: 10, 16, 22, 28, ... up to 100"));
        }
        if !(1..=32).contains(&width) {
            return Err(format!("width {width} of a Wide ResNet must be 1 to 32"));
        }
        if !(1..=2).contains(&stem_stride) {
            return Err(format!("stem-stride {stem_stride} of a Wide ResNet must be 1 or 2"));
        }
        if strides.iter().any(|s| !(1..=2).contains(s)) {
            return Err(format!("strides {strides:?} of a Wide ResNet must be 1 or 2"));
        }
        Ok(())
    }

    /// Returns the three groups; the last one's maps are those behind the last normalisation and activation.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let stage = |group: usize| Stage { name: format!("layer{group}"), channels: BASE_CHANNELS[group] * self.width };
        (1..=3).map(stage).collect()
    }

    /// Returns the cost for pictures of `side` x `side` pixels.
    pub(super) fn cost(&self, num_classes: usize, side: usize) -> Cost {
        let mut count = Count::new(side);
        let base = BASE_CHANNELS;
        count.conv(3, base[0], 3, self.stem_stride, 1);
        let mut input = base[0];
        for (group, stride) in self.strides.into_iter().enumerate() {
            let output = base[group + 1] * self.width;
            for block in 0..(self.depth - 4) / 6 {
                let stride = if block == 0 { stride } else { 1 };
                if input != output || stride != 1 {
                    count.shortcut(|count| count.conv(input, output, 1, stride, 1));
                }
                count.norm(input);
                count.conv(input, output, 3, stride, 1);
                count.norm(output);
                count.conv(output, output, 3, 1, 1);
                input = output;
            }
        }
        count.norm(input);
        count.linear(input, num_classes);
        count.cost
    }
}
