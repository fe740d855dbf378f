//! Training with less memory.

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::GradientCheckpointingStrategy::Balanced;
use burn::tensor::kind::Autodiff;

use super::Classifier;

impl Classifier {
    /// The same weights, for training with gradient checkpointing (Chen et al., 2016, arXiv 1604.06174): what is cheap to
    /// compute, activations and sums, is computed again on the way back and not kept. Images have to come from
    /// [`checkpointed`].
    ///
    /// `self` is in training, with autodiff.
    #[must_use]
    pub fn with_gradient_checkpointing(self) -> Self {
        let normalize = self.normalize.with_gradient_checkpointing();
        Self { normalize, ..self }.map(&mut Checkpointed)
    }
}

/// A tensor with autodiff as a network with gradient checkpointing takes it.
pub fn checkpointed<const D: usize, K: Autodiff>(tensor: Tensor<D, K>) -> Tensor<D, K> {
    tensor.with_gradient_checkpointing_strategy(Balanced)
}

struct Checkpointed;

impl ModuleMapper for Checkpointed {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_trained = param.is_require_grad();
        // The mapped tensor has lost what says whether it is trained.
        param.map(|tensor| checkpointed(tensor).set_require_grad(is_trained))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::ModuleVisitor;

    use super::*;
    use crate::model::{Architecture, BuildNetwork as _, WideResNetConfig};

    /// How many parameters there are, and how many of them are checkpointed.
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
