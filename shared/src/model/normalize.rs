use burn::prelude::*;

use super::checkpointing::checkpointed;

/// Normalisation, `(x - mean) / std` for each channel: the first layer of a classifier, and no part of the data pipeline.
///
/// So attacks work in pixel space, and epsilon means the same for every network.
#[derive(Module, Debug)]
pub struct Normalize {
    mean: Tensor<4>,
    std: Tensor<4>,
}

impl Normalize {
    /// Makes the layer; `mean` and `std` are RGB in `[0, 1]` pixel units.
    ///
    /// # Errors
    ///
    /// If a value is not finite or a standard deviation is not positive.
    pub fn new(mean: [f32; 3], std: [f32; 3], device: &Device) -> Result<Self, String> {
        if mean.iter().any(|m| !m.is_finite()) || std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err(format!("mean {mean:?} and std {std:?} must be finite, and std above zero"));
        }
        let channels = |values: [f32; 3]| Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1]);
        Ok(Self { mean: channels(mean), std: channels(std) })
    }

    pub(super) fn with_gradient_checkpointing(self) -> Self {
        Self { mean: checkpointed(self.mean), std: checkpointed(self.std) }
    }

    /// Normalises pictures, `[batch, 3, height, width]` in `[0, 1]`; the shape stays.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        images.sub(self.mean.clone()).div(self.std.clone())
    }
}
