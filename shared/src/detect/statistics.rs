use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;

/// Numbers that each channel gives: mean, standard deviation and maximum over its places.
const PER_CHANNEL: usize = 3;

/// Channel statistics of all stages and one linear layer, a logistic regression: the simplest detector that must be beaten.
#[derive(Module, Debug)]
pub struct Statistics {
    fc: Linear,
}

impl Statistics {
    /// Builds the detector for stages of so many channels.
    pub fn new(channels: &[usize], device: &Device) -> Self {
        let features = PER_CHANNEL * channels.iter().sum::<usize>();
        Self { fc: LinearConfig::new(features, 1).init(device) }
    }

    /// Returns the same features under another logistic regression.
    #[must_use]
    pub fn with_regression(self, fc: Linear) -> Self {
        Self { fc }
    }

    /// Returns the statistics: `[batch, 3 x channels of all stages]`.
    pub fn features(maps: &[Tensor<4>]) -> Tensor<2> {
        let of_stage = |maps: &Tensor<4>| {
            let [batch, channels, ..] = maps.dims();
            let places: Tensor<3> = maps.clone().flatten(2, 3);
            let mean = places.clone().mean_dim(2);
            // The small number keeps the gradient of the root finite where all places are equal.
            let variance = places.clone().sub(mean.clone()).powi_scalar(2).mean_dim(2);
            let deviation = variance.add_scalar(1e-8).sqrt();
            Tensor::cat(vec![mean, deviation, places.max_dim(2)], 1).reshape([batch, PER_CHANNEL * channels])
        };
        Tensor::cat(maps.iter().map(of_stage).collect(), 1)
    }

    /// Returns the score: the log odds of the logistic regression, `[batch]`.
    pub fn score(&self, maps: &[Tensor<4>]) -> Tensor<1> {
        let [batch, ..] = maps[0].dims();
        self.fc.forward(Self::features(maps)).reshape([batch])
    }
}
