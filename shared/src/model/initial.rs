//! The weights of a network before training.

use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

/// Draws every weight of a module from one seed: convolutions as He et al. (2015) with the fan-out (of a depthwise one that of a
/// channel), linear layers as
/// PyTorch does, their biases zero. Batch norm keeps burn's initial values.
///
/// A weight that has a value already keeps it; the draws of the other weights do not depend on that.
///
/// Not with burn's initializers: they draw from one generator for the whole process, at the first use of a weight, and
/// other numbers on every backend. These draws depend on the seed and the order of the layers alone.
pub(super) struct Initial {
    rng: StdRng,
    /// Types of the modules around a parameter, outermost first.
    around: Vec<String>,
    /// Field names from the outermost module to a parameter.
    path: Vec<String>,
}

impl Initial {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), around: vec![], path: vec![] }
    }

    fn values(&mut self, dims: &[usize]) -> Option<Vec<f32>> {
        let count = dims.iter().product();
        let (layer, name) = (self.around.last()?, self.path.last()?);
        match (layer.as_str(), name.as_str(), dims) {
            ("Struct:Conv2d", "weight", &[output, input, height, width]) => {
                let outputs = if input == 1 { 1 } else { output };
                let std = (2.0 / (outputs * height * width) as f32).sqrt();
                Some((0..count).map(|_| std * self.rng.sample::<f32, _>(StandardNormal)).collect())
            }
            ("Struct:Linear", "weight", &[input, _]) => {
                let bound = 1.0 / (input as f32).sqrt();
                Some((0..count).map(|_| self.rng.random_range(-bound..=bound)).collect())
            }
            ("Struct:Linear" | "Struct:Conv2d", "bias", _) => Some(vec![0.0; count]),
            _ => None,
        }
    }
}

impl ModuleMapper for Initial {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.into());
        self.around.push(container_type.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.around.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.values(param.lazy_shape().as_slice()) {
            // `map` keeps whether the parameter is trained.
            Some(values) if !param.is_initialized() => {
                param.map(|old| Tensor::from_data(TensorData::new(values, old.dims()), &old.device()))
            }
            _ => param,
        }
    }
}
