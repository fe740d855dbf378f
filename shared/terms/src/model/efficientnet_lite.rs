use serde::{Deserialize, Serialize};

use super::Stage;
use super::cost::{Cost, Count};

/// Channels of the stem, the same in all variants.
pub const STEM_CHANNELS: usize = 32;

/// Channels of the last convolution, the same in all variants.
pub const HEAD_CHANNELS: usize = 1280;

/// Widths and depths of the variants Lite0 to Lite2, as factors.
const VARIANTS: [[f64; 2]; 3] = [[1.0, 1.0], [1.0, 1.1], [1.1, 1.2]];

/// A stage of Lite0: repeats, kernel, stride of the first block, expansion, output channels.
const STAGES: [[usize; 5]; 7] = [
    [1, 3, 1, 1, 16],
    [2, 3, 2, 6, 24],
    [2, 5, 2, 6, 40],
    [3, 3, 2, 6, 80],
    [3, 5, 1, 6, 112],
    [4, 5, 2, 6, 192],
    [1, 3, 1, 6, 320],
];

/// An EfficientNet-Lite (Google, 2020, tensorflow/tpu `efficientnet/lite`): EfficientNet (Tan and Le, 2019, arXiv 1905.11946)
/// without squeeze-and-excitation, with ReLU6 in place of swish, and with the same stem and head in all variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EfficientNetLiteConfig {
    /// Number of the variant, 0 to 2: Lite0, Lite1 or Lite2.
    pub variant: usize,
    /// Stride of the stem, 1 or 2: 2 as published; 1 keeps the side of small pictures.
    #[serde(default = "published", skip_serializing_if = "is_published")]
    pub stem_stride: usize,
    /// Side in pixels that pictures are enlarged to before the first layer, 64 to 1024; none leaves pictures as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_size: Option<usize>,
}

fn published() -> usize {
    2
}

fn is_published(stride: &usize) -> bool {
    *stride == published()
}

/// An inverted residual block: 1x1 to more channels, depthwise, 1x1 to the output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvertedResidual {
    /// Input channels.
    pub input: usize,
    /// Channels of the depthwise convolution; with as many as `input` there is no convolution before it.
    pub expanded: usize,
    /// Output channels.
    pub output: usize,
    /// Side of the depthwise kernel, pixels.
    pub kernel: usize,
    /// Stride of the depthwise convolution, pixels.
    pub stride: usize,
}

impl EfficientNetLiteConfig {
    /// Returns the published variant of a number: 0 is Lite0.
    pub fn lite(variant: usize) -> Self {
        Self { variant, stem_stride: published(), input_size: None }
    }

    /// Returns the name, as `efficientnet_lite0`.
    pub fn name(&self) -> String {
        format!("efficientnet_lite{}", self.variant)
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// A text that names the value out of range.
    pub fn check(&self) -> Result<(), String> {
        let Self { variant, stem_stride, input_size } = self;
        if *variant >= VARIANTS.len() {
            return Err(format!("variant {variant} of an EfficientNet-Lite must be 0, 1 or 2"));
        }
        if !(1..=2).contains(stem_stride) {
            return Err(format!("stem-stride {stem_stride} of an EfficientNet-Lite must be 1 or 2"));
        }
        match input_size {
            Some(side) if !(64..=1024).contains(side) => Err(format!("input-size {side} must be 64 to 1024")),
            _ => Ok(()),
        }
    }

    /// Returns the blocks between stem and head; none for a variant that does not exist.
    pub fn blocks(&self) -> Vec<InvertedResidual> {
        let Some(&[width, depth]) = VARIANTS.get(self.variant) else { return vec![] };
        let mut input = STEM_CHANNELS;
        let mut blocks = Vec::new();
        for (place, [repeats, kernel, stride, expansion, channels]) in STAGES.into_iter().enumerate() {
            // The first and the last stage keep their repeats.
            let repeats = match place {
                0 | 6 => repeats,
                _ => (repeats as f64 * depth).ceil() as usize,
            };
            let output = rounded(channels, width);
            for repeat in 0..repeats {
                let stride = if repeat == 0 { stride } else { 1 };
                blocks.push(InvertedResidual { input, expanded: input * expansion, output, kernel, stride });
                input = output;
            }
        }
        blocks
    }

    /// Returns the last block at each resolution but the last, and the last convolution.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let blocks = self.blocks();
        let ends = blocks.windows(2).enumerate().filter(|(_, pair)| pair[1].stride > 1);
        let stage = |(place, pair): (usize, &[InvertedResidual])| {
            let name = format!("blocks.{place}");
            Stage { name, channels: pair[0].output }
        };
        let head = Stage { name: "conv_head".into(), channels: HEAD_CHANNELS };
        ends.map(stage).chain([head]).collect()
    }

    /// Returns the cost for pictures of `side` x `side` pixels, or of the input size if there is one.
    pub(super) fn cost(&self, num_classes: usize, side: usize) -> Cost {
        let mut count = Count::new(self.input_size.unwrap_or(side));
        count.conv(3, STEM_CHANNELS, 3, self.stem_stride, 1);
        count.norm(STEM_CHANNELS);
        let mut last = STEM_CHANNELS;
        for InvertedResidual { input, expanded, output, kernel, stride } in self.blocks() {
            if expanded != input {
                count.conv(input, expanded, 1, 1, 1);
                count.norm(expanded);
            }
            count.conv(expanded, expanded, kernel, stride, expanded);
            count.norm(expanded);
            count.conv(expanded, output, 1, 1, 1);
            count.norm(output);
            last = output;
        }
        count.conv(last, HEAD_CHANNELS, 1, 1, 1);
        count.norm(HEAD_CHANNELS);
        count.linear(HEAD_CHANNELS, num_classes);
        count.cost
    }
}

/// Multiplies channels by a factor and rounds to a multiple of 8, but not down by more than a tenth.
fn rounded(channels: usize, width: f64) -> usize {
    let exact = channels as f64 * width;
    let nearest = ((exact + 4.0) / 8.0) as usize * 8;
    let nearest = nearest.max(8);
    if (nearest as f64) < 0.9 * exact { nearest + 8 } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Architecture;

    #[test]
    fn costs_are_those_of_the_package() {
        // Of `efficientnet-lite-pytorch`. Google's tables count some 5% more.
        for (variant, side, parameters, macs) in
            [(0, 224, 4_652_008, 385_187_552), (1, 240, 5_416_680, 600_185_232), (2, 260, 6_092_072, 859_736_272)]
        {
            let config = EfficientNetLiteConfig::lite(variant);
            let cost = Architecture::EfficientNetLite(config).cost(1000, side);
            assert_eq!(cost, Cost { parameters, macs }, "Lite{variant}");
        }
    }

    #[test]
    fn wrong_values_are_named() {
        let lite0 = EfficientNetLiteConfig::lite(0);
        assert_eq!((lite0.check(), lite0.blocks().len()), (Ok(()), 16));
        for (config, word) in [
            (EfficientNetLiteConfig::lite(3), "variant 3"),
            (EfficientNetLiteConfig { stem_stride: 3, ..lite0.clone() }, "stem-stride 3"),
            (EfficientNetLiteConfig { input_size: Some(32), ..lite0 }, "input-size 32"),
        ] {
            assert!(config.check().unwrap_err().contains(word));
        }
    }
}
