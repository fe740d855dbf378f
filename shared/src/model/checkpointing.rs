//! Gradient checkpointing: training with less memory.

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::GradientCheckpointingStrategy::Balanced;
use burn::tensor::kind::Autodiff;

use super::Classifier;

impl Classifier {
    /// Returns the same weights for training with gradient checkpointing (Chen et al., 2016, arXiv 1604.06174): activations
    /// and sums, which are cheap, are computed again in the backward pass and not kept. Images must come from
    /// [`checkpointed`].
    ///
    /// `self` is in training, with autodiff.
    #[must_use]
    pub fn with_gradient_checkpointing(self) -> Self {
        let normalize = self.normalize.with_gradient_checkpointing();
        Self { normalize, ..self }.map(&mut Checkpointed)
    }
}

/// Prepares a tensor with autodiff for a network with gradient checkpointing.
pub fn checkpointed<const D: usize, K: Autodiff>(tensor: Tensor<D, K>) -> Tensor<D, K> {
    tensor.with_gradient_checkpointing_strategy(Balanced)
}

struct Checkpointed;

impl ModuleMapper for Checkpointed {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_trained = param.is_require_grad();
        // Mapping resets whether the tensor is trained.
        param.map(|tensor| checkpointed(tensor).set_require_grad(is_trained))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::ModuleVisitor;

    use super::*;
    use crate::model::{Architecture, BuildNetwork as _, WideResNetConfig};

    /// Numbers of all parameters and of checkpointed parameters.
    #[derive(Default)]
    struct Count(usize, usize);

    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += 1;
            self.1 += usize::from(param.val().device().gradient_checkpointing_strategy() == Some(Balanced));
        }
    }

    #[test]
    fn it_reaches_every_parameter_and_leaves_what_is_trained() {
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        let model = architecture.init_seeded(3, [0.5; 3], [0.25; 3], 1, &Device::flex()).unwrap().train();
        let trained = |model: &Classifier| model.backbone.state_shapes().len();
        let before = trained(&model);
        let model = model.with_gradient_checkpointing();
        let mut count = Count::default();
        model.visit(&mut count);
        assert_eq!((count.0, count.1), (before, before));
    }
}
