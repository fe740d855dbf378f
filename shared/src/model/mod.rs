//! Classifiers: pixels in, logits out.

mod normalize;
mod wide_resnet;

use std::sync::{Mutex, PoisonError};

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::assert_shape;
use serde::{Deserialize, Serialize};

pub use normalize::Normalize;
pub use wide_resnet::{WideResNet, WideResNetConfig};

/// What a network is made of: enough to build it again and fill it with weights.
///
/// In JSON the `family` says which variant it is: `{"family": "wide-resnet", "depth": 10, "width": 4, ...}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum Architecture {
    /// Zagoruyko's Wide ResNet, in a compact form for 64x64 pictures.
    #[serde(rename = "wide-resnet")]
    WideResNet(WideResNetConfig),
}

impl Architecture {
    /// Builds the network, to be filled with weights: those it has are drawn when they are first used.
    ///
    /// `mean` and `std` are those of the training pictures, one value a channel, in `[0, 1]` pixel units.
    ///
    /// # Errors
    ///
    /// A text that names the parameter out of range.
    pub fn init(
        &self,
        num_classes: usize,
        mean: [f32; 3],
        std: [f32; 3],
        device: &Device,
    ) -> Result<Classifier, String> {
        if num_classes == 0 {
            return Err("a classifier needs at least one class".into());
        }
        let normalize = Normalize::new(mean, std, device)?;
        let backbone = match self {
            Self::WideResNet(config) => config.init(num_classes, device)?,
        };
        Ok(Classifier { normalize, backbone })
    }

    /// Builds the network with random weights, the same ones for a seed on every device.
    ///
    /// # Errors
    ///
    /// As [`Self::init`].
    pub fn init_seeded(
        &self,
        num_classes: usize,
        mean: [f32; 3],
        std: [f32; 3],
        seed: u64,
        device: &Device,
    ) -> Result<Classifier, String> {
        // A backend has one generator for the whole process, and burn draws weights when they are first used: so seed
        // and draw under a lock, and on the CPU, whose numbers are the same everywhere.
        static GENERATOR: Mutex<()> = Mutex::new(());
        let cpu = Device::flex();
        let model = self.init(num_classes, mean, std, &cpu)?;
        let lock = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        cpu.seed(seed);
        model.visit(&mut Draw);
        drop(lock);
        Ok(model.to_device(device))
    }

    /// The usual name: `WRN-10-4` is depth 10, width 4.
    pub fn name(&self) -> String {
        match self {
            Self::WideResNet(config) => format!("WRN-{}-{}", config.depth, config.width),
        }
    }
}

/// Uses each parameter once.
struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }
}

/// A network with its preprocessing: `Normalize`, then the backbone.
#[derive(Module, Debug)]
pub struct Classifier {
    normalize: Normalize,
    backbone: WideResNet,
}

impl Classifier {
    /// Class scores before the softmax.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`, RGB in `[0, 1]`; 64x64 is what the shipped networks were trained for
    /// - output: `[batch, num_classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        assert_shape!(images, [_, 3, ..]);
        self.backbone.forward(self.normalize.forward(images))
    }

    /// The same weights, ready to differentiate with respect to the input: batch normalisation in inference mode, and
    /// no gradient computed for any weight.
    ///
    /// `self` is on a plain device (loaded weights, or [`Module::valid`] of a model in training).
    pub fn for_input_gradient(&self) -> Self {
        self.clone().train().freeze()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::bundle::{Precision, save_weights};

    #[test]
    fn a_seed_names_the_weights_whoever_else_draws() {
        let device = Device::flex();
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        let weights = |seed| {
            let model = architecture.init_seeded(5, [0.5; 3], [0.25; 3], seed, &device).unwrap();
            save_weights(&model, Precision::F32).unwrap()
        };
        let expected = weights(7);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!((0..5).all(|_| weights(7) == expected)));
                scope.spawn(|| assert!((0..5).all(|_| weights(8) != expected)));
            }
        });
    }
}
