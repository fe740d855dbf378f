use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::log_odds;

/// Channels between the layers.
const WIDTH: usize = 32;
/// Number of classes that are no attack: untouched, and harmlessly changed.
pub const HARMLESS: usize = 2;
/// Number of classes: the harmless ones, FGSM, and iterative attacks.
pub const CLASSES: usize = 4;

/// A small network on the maps of one stage, which tells four kinds of pictures apart: untouched, harmlessly changed (noise, the
/// perturbations), attacked in one step (FGSM), and attacked in several (BIM, PGD).
///
/// Metzen et al., 2017, arXiv 1702.04267: a detector subnetwork on inner maps.
#[derive(Module, Debug)]
pub struct MapHead {
    bn: BatchNorm,
    conv1: Conv2d,
    conv2: Conv2d,
    fc: Linear,
}

impl MapHead {
    /// Builds the head for maps of so many channels.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            bn: BatchNormConfig::new(channels).init(device),
            conv1: Conv2dConfig::new([channels, WIDTH], [1, 1]).init(device),
            conv2: Conv2dConfig::new([WIDTH, WIDTH], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            fc: LinearConfig::new(2 * WIDTH, CLASSES).init(device),
        }
    }

    /// Returns the logits of the four classes.
    ///
    /// # Shapes
    ///
    /// - `maps`: `[batch, channels, height, width]`
    /// - output: `[batch, 4]`
    pub fn forward(&self, maps: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = maps.dims();
        let x = relu(self.conv1.forward(self.bn.forward(maps)));
        let x: Tensor<3> = relu(self.conv2.forward(x)).flatten(2, 3); // [B, 32, places]
        let mean = x.clone().mean_dim(2).reshape([batch, WIDTH]);
        let largest = x.max_dim(2).reshape([batch, WIDTH]);
        self.fc.forward(Tensor::cat(vec![mean, largest], 1))
    }

    /// Returns the score: the log odds of the two attacked classes against the two others, `[batch]`.
    pub fn score(&self, maps: Tensor<4>) -> Tensor<1> {
        log_odds(self.forward(maps), 0..HARMLESS)
    }
}
