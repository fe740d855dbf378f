//! Explanations of a network's answers: where in a picture the evidence for a class is, what an attack changes in the maps of
//! each stage, and checks that such maps depend on the network.
//!
//! An explanation is about one class of each picture, and about its logit: no loss is involved. Guided backpropagation is not
//! offered, since its maps stay the same while the weights of a network are replaced by random ones (Adebayo et al., 2018,
//! arXiv 1810.03292).

mod attribution;
mod cam;
mod curves;
mod grad_cam;
mod gradient;
mod maps;
mod method;
mod randomise;
mod sanity;

use burn::prelude::*;

pub use attribution::Attribution;
pub use cam::{Evidence, evidence, evidence_against};
pub use curves::{PATCH, area, blurred, centred_gaussian, curve, deletion_and_insertion, flat, order_by, random_order};
pub use grad_cam::{StageGradient, grad_cam, stage_gradient};
pub use gradient::{Smoothing, mean_gradient, saliency, smooth_gradient};
pub use maps::{StageChange, compare_maps, energy};
pub use method::Method;
pub use randomise::{layers_from_the_head, randomised};
pub use sanity::{Level, SIMILAR, STILL_THE_SAME, Sanity, Similarity, cascade, similarity};

use crate::device::DeviceError;

/// A map that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Another number of classes than of pictures.
    #[error("there are {images} pictures and {classes} classes to explain: name one class for each picture")]
    Classes {
        /// Number of pictures.
        images: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A stage that the network lacks.
    #[error("the network has {stages} stages, numbered from 0: there is no stage {stage}")]
    NoStage {
        /// Number of the stage that was asked for.
        stage: usize,
        /// Stages of the network.
        stages: usize,
    },
    /// A mean over no gradients.
    #[error("a mean of gradients needs one copy of the pictures at least")]
    NoCopies,
    /// A device that failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Checks that there is one class for each picture.
fn check_classes(images: &Tensor<4>, classes: &Tensor<1, Int>) -> Result<(), ExplainError> {
    let ([images, ..], [classes]) = (images.dims(), classes.dims());
    if images == classes { Ok(()) } else { Err(ExplainError::Classes { images, classes }) }
}

/// Returns the logit of one class of each picture: `[batch, num_classes]` and `[batch]` to `[batch]`.
fn logits_of(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let [batch] = classes.dims();
    logits.gather(1, classes.reshape([batch, 1])).reshape([batch])
}

#[cfg(test)]
pub(crate) mod test_network {
    use super::*;
    use crate::model::{Architecture, BuildNetwork as _, Classifier, WideResNetConfig};

    /// Returns a small random network of five classes, on a plain device.
    pub fn network(seed: u64) -> Classifier {
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        architecture.init_seeded(5, [0.5; 3], [0.25; 3], seed, &Device::flex()).unwrap().valid()
    }

    /// Returns two pictures, `[2, 3, 32, 32]`, of waves and of their negative.
    pub fn pictures() -> Tensor<4> {
        let image = crate::bundle::probe_image(&Device::flex()).slice([0..1, 0..3, 0..32, 0..32]);
        Tensor::cat(vec![image.clone(), image.neg().add_scalar(1.0)], 0)
    }

    /// Returns a tensor of classes.
    pub fn classes(classes: &[i32]) -> Tensor<1, Int> {
        Tensor::from_ints(classes, &Device::flex())
    }

    /// Reads a tensor.
    pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        pollster::block_on(crate::device::read(tensor)).unwrap()
    }

    /// Returns the largest absolute difference of two tensors.
    pub fn distance<const D: usize>(one: Tensor<D>, other: Tensor<D>) -> f32 {
        values(one.sub(other).abs().max())[0]
    }

    #[test]
    fn a_class_is_named_for_each_picture() {
        let error = grad_cam(&network(1), pictures(), classes(&[1]), 0).unwrap_err();
        assert!(error.to_string().contains("2 pictures and 1 classes"), "{error}");
    }
}
