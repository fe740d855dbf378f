//! Networks of which some layers are as if they were never trained.

use burn::module::{ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

use crate::model::Classifier;
use crate::seed::{Purpose, derive};

/// Returns the names of a network's layers from the head to the first: `fc`, `bn1`, `layer3`, `layer2`, and so on. A group of
/// blocks is one of them.
pub fn layers_from_the_head(model: &Classifier) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (path, _) in model.backbone.state_shapes() {
        let name = path.split('.').next().unwrap_or_default();
        if names.last().is_none_or(|last| last != name) {
            names.push(name.into());
        }
    }
    names.reverse();
    names
}

/// Returns a copy of a network, on a plain device, in which the layers named are as if they had just been made: convolutions
/// and linear layers drawn as by [`crate::model::BuildNetwork::init_seeded`], batch norm without effect. What a layer draws does
/// not depend on which others are drawn.
#[must_use]
pub fn randomised(model: &Classifier, layers: &[String], seed: u64) -> Classifier {
    // Clones share the statistics of batch norm, which `map` changes in place; these two do not.
    let mut model = model.clone().train().valid();
    let mut redraw = Redraw { layers, seed, around: vec![], parameter: 0 };
    model.backbone = model.backbone.map(&mut redraw);
    model
}

/// Replaces the parameters of some layers.
struct Redraw<'a> {
    layers: &'a [String],
    seed: u64,
    /// Names of fields and types of the modules around a parameter, outermost first.
    around: Vec<(String, String)>,
    /// Number of the next parameter, from 0.
    parameter: u64,
}

impl Redraw<'_> {
    /// Returns new values for the parameter at hand; none for one that stays.
    fn values(&self, dims: &[usize]) -> Option<Vec<f32>> {
        let mut fields = self.around.iter().filter(|(_, of)| !of.starts_with("Enum:"));
        let (layer, _) = fields.next()?;
        if !self.layers.contains(layer) {
            return None;
        }
        let count = dims.iter().product();
        let mut rng = StdRng::seed_from_u64(derive(self.seed, self.parameter, Purpose::Explanation));
        let (name, of) = self.around.last()?;
        match (of.as_str(), name.as_str(), dims) {
            ("Struct:Conv2d", "weight", &[output, input, height, width]) => {
                // He et al. (2015) with the fan-out, of a depthwise convolution that of a channel.
                let outputs = if input == 1 { 1 } else { output };
                let std = (2.0 / (outputs * height * width) as f32).sqrt();
                Some((0..count).map(|_| std * rng.sample::<f32, _>(StandardNormal)).collect())
            }
            ("Struct:Linear", "weight", &[input, _]) => {
                let bound = 1.0 / (input as f32).sqrt();
                Some((0..count).map(|_| rng.random_range(-bound..=bound)).collect())
            }
            (_, "gamma" | "running_var", _) => Some(vec![1.0; count]),
            (_, "beta" | "running_mean" | "bias", _) => Some(vec![0.0; count]),
            _ => None,
        }
    }
}

impl ModuleMapper for Redraw<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.around.push((name.into(), container_type.into()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.around.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.values(param.lazy_shape().as_slice());
        self.parameter += 1;
        match values {
            Some(values) => param.map(|old| Tensor::from_data(TensorData::new(values, old.dims()), &old.device())),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::test_network::network;
    use super::*;
    use crate::bundle::{Precision, save_weights};
    use crate::model::{Architecture, BuildNetwork as _, EfficientNetLiteConfig, ResNetConfig};

    fn values(model: &Classifier) -> BTreeMap<String, Vec<u8>> {
        let file = save_weights(model, Precision::F32).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        tensors.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
    }

    /// Returns a network whose batch norm is not as it was made.
    fn trained() -> Classifier {
        struct Add;
        impl ModuleMapper for Add {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|old| old.add_scalar(0.25))
            }
        }
        network(1).map(&mut Add)
    }

    #[test]
    fn layers_are_named_from_the_head() {
        assert_eq!(layers_from_the_head(&network(1)), ["fc", "bn1", "layer3", "layer2", "layer1", "conv1"]);
        let device = Device::flex();
        let resnet = Architecture::ResNet(ResNetConfig { layers: [1; 4], ..ResNetConfig::resnet18() });
        let lite = Architecture::EfficientNetLite(EfficientNetLiteConfig::lite(0));
        for (architecture, first, last) in [(resnet, "fc", "conv1"), (lite, "fc", "conv_stem")] {
            let names = layers_from_the_head(&architecture.init(5, [0.5; 3], [0.25; 3], &device).unwrap());
            assert_eq!((names[0].as_str(), names[names.len() - 1].as_str()), (first, last), "{names:?}");
        }
    }

    #[test]
    fn only_the_layers_named_are_new_and_the_original_stays() {
        let model = trained();
        let before = values(&model);
        let layers: Vec<String> = ["fc", "bn1", "layer3"].map(String::from).to_vec();
        let after = values(&randomised(&model, &layers, 4));
        assert_eq!(values(&model), before, "clones share the statistics of batch norm");
        for (name, value) in &before {
            let named = layers.iter().any(|layer| name.contains(layer.as_str()));
            // The network's own norm is `bn1`; so are norms within blocks.
            let named = named && !name.contains("layer1") && !name.contains("layer2");
            assert_eq!(*value != after[name], named, "{name}");
        }
    }

    #[test]
    fn what_a_layer_draws_depends_on_the_seed_alone() {
        let model = trained();
        let all = layers_from_the_head(&model);
        let head = |layers: &[String], seed| {
            let values = values(&randomised(&model, layers, seed));
            values.into_iter().filter(|(name, _)| name.contains("fc")).collect::<Vec<_>>()
        };
        assert_eq!(head(&all[..1], 4), head(&all, 4));
        assert_ne!(head(&all, 4), head(&all, 5));
    }
}
