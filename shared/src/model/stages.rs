//! What a network computes on its way: the maps of its stages.

use burn::prelude::*;
use burn::tensor::assert_shape;

use super::Classifier;

/// Takes the number of a stage, from 0 on, and its maps, `[batch, channels, height, width]`; what it returns goes on to the next layer.
pub type Visit<'a> = dyn FnMut(usize, Tensor<4>) -> Tensor<4> + 'a;

/// What a network computes of pictures.
#[derive(Clone, Debug)]
pub struct Stages {
    /// Maps of each stage, `[batch, channels, height, width]`, in the order of `Architecture::stages`.
    pub maps: Vec<Tensor<4>>,
    /// `[batch, num_classes]`.
    pub logits: Tensor<2>,
}

impl Classifier {
    /// Returns the logits of pictures, as [`Classifier::forward`], and shows the maps of each stage to `visit`, which may change them.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`, RGB in `[0, 1]`
    /// - output: `[batch, num_classes]`
    pub fn forward_by_stages(&self, images: Tensor<4>, visit: &mut Visit<'_>) -> Tensor<2> {
        assert_shape!(images, [_, 3, ..]);
        self.backbone.forward(self.normalize.forward(images), self.activations, visit)
    }

    /// Returns the maps of all stages and the logits of pictures, `[batch, 3, height, width]` in `[0, 1]`.
    pub fn stages(&self, images: Tensor<4>) -> Stages {
        let mut maps = Vec::new();
        let logits = self.forward_by_stages(images, &mut |_, map| {
            maps.push(map.clone());
            map
        });
        Stages { maps, logits }
    }

    /// Returns weights, `[channels, num_classes]`, and bias, `[num_classes]`, of the layer from the mean of the last stage's maps to
    /// the logits. Returns none for a network with more layers than one there (the paper's head).
    pub fn head_weights(&self) -> Option<(Tensor<2>, Tensor<1>)> {
        let head = self.backbone.linear_head()?;
        Some((head.weight.val(), head.bias.as_ref()?.val()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::model::{
        Architecture, BuildNetwork as _, EfficientNetLiteConfig, HeadKind, ResNetConfig, WideResNetConfig,
    };

    #[test]
    fn stages_are_those_that_the_architecture_names_and_the_last_one_adds_up_to_the_logits() {
        let device = Device::flex();
        let small = ResNetConfig { layers: [1, 1, 1, 2], head: HeadKind::Plain, ..ResNetConfig::resnet18() };
        for architecture in [
            Architecture::WideResNet(WideResNetConfig::new(10, 1)),
            Architecture::ResNet(small),
            Architecture::EfficientNetLite(EfficientNetLiteConfig::lite(0)),
        ] {
            let model = architecture.init_seeded(5, [0.5; 3], [0.25; 3], 1, &device).unwrap().valid();
            let images = crate::bundle::probe_image(&device);
            let Stages { maps, logits } = model.stages(images.clone());
            let channels: Vec<usize> = maps.iter().map(|maps| maps.dims()[1]).collect();
            let named: Vec<usize> = architecture.stages().iter().map(|stage| stage.channels).collect();
            assert_eq!(channels, named, "{}", architecture.name());
            let (weights, bias) = model.head_weights().unwrap();
            let last = crate::detect::pooled(maps[maps.len() - 1].clone());
            let again = last.matmul(weights).add(bias.unsqueeze());
            let [logits, again] = [logits, again].map(|logits| pollster::block_on(read(logits)).unwrap());
            assert!(logits.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-4), "{logits:?} {again:?}");
            // What a visit returns goes on.
            let none = model.forward_by_stages(images, &mut |_, maps| maps.zeros_like());
            let bias = pollster::block_on(read(model.head_weights().unwrap().1)).unwrap();
            let none = pollster::block_on(read(none)).unwrap();
            assert!(none.iter().zip(&bias).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
