//! The gradient of a logit with respect to the pixels, and its mean over noisy copies: SmoothGrad (Smilkov et al., 2017,
//! arXiv 1706.03825).

use burn::prelude::*;
use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

use super::{ExplainError, check_classes, logits_of};
use crate::model::Classifier;
use crate::seed::{Purpose, derive};

/// The noisy copies of a picture whose gradients are averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    /// Number of copies.
    pub copies: usize,
    /// Standard deviation of the noise, pixel units; 0 for none.
    pub sigma: f32,
    /// Seed of the noise.
    pub seed: u64,
}

impl Smoothing {
    /// No noise: the plain gradient.
    pub const NONE: Self = Self { copies: 1, sigma: 0.0, seed: 0 };
}

impl Default for Smoothing {
    /// Returns 25 copies at a tenth of the range of pixels.
    fn default() -> Self {
        Self { copies: 25, sigma: 0.1, seed: 0 }
    }
}

/// Returns the gradient of one logit of each picture with respect to its pixels, averaged over noisy copies. A pixel of a copy
/// may leave `[0, 1]`, as in the paper. All pictures of a batch get the same noise, so none depends on its batch.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]` in `[0, 1]`, plain device, as `model` is
/// - `classes`: `[batch]`
/// - output: the shape of `images`
///
/// # Errors
///
/// [`ExplainError`] if there are no copies, or another number of classes than of pictures.
pub fn smooth_gradient(
    model: &Classifier,
    images: Tensor<4>,
    classes: Tensor<1, Int>,
    smoothing: &Smoothing,
) -> Result<Tensor<4>, ExplainError> {
    let [_, channels, height, width] = images.dims();
    let Smoothing { copies, sigma, seed } = *smoothing;
    let copies = (0..copies).map(|copy| {
        if sigma == 0.0 {
            return images.clone();
        }
        let mut rng = StdRng::seed_from_u64(derive(seed, copy as u64, Purpose::Explanation));
        let noise: Vec<f32> =
            (0..channels * height * width).map(|_| sigma * rng.sample::<f32, _>(StandardNormal)).collect();
        let noise = Tensor::<4>::from_data(TensorData::new(noise, [1, channels, height, width]), &images.device());
        images.clone().add(noise)
    });
    mean_gradient(model, copies, classes)
}

/// Returns the gradient of one logit of each picture with respect to its pixels, averaged over given copies of the batch, each
/// `[batch, 3, height, width]`.
///
/// # Errors
///
/// [`ExplainError`] if there are no copies, or another number of classes than of pictures.
pub fn mean_gradient(
    model: &Classifier,
    copies: impl Iterator<Item = Tensor<4>>,
    classes: Tensor<1, Int>,
) -> Result<Tensor<4>, ExplainError> {
    let model = model.for_input_gradient();
    let mut sum: Option<Tensor<4>> = None;
    let mut count = 0;
    for images in copies {
        check_classes(&images, &classes)?;
        let images = images.autodiff().require_grad();
        let logits = model.forward(images.clone());
        let gradients = logits_of(logits, classes.clone().autodiff()).sum().backward();
        let gradient = images.grad(&gradients).unwrap_or_else(|| images.inner().zeros_like());
        count += 1;
        sum = Some(match sum {
            Some(sum) => sum.add(gradient),
            None => gradient,
        });
    }
    Ok(sum.ok_or(ExplainError::NoCopies)?.div_scalar(count as f32))
}

/// Returns the saliency of a gradient (Simonyan et al., 2013, arXiv 1312.6034): the largest absolute value over the channels,
/// `[batch, channels, height, width]` to `[batch, height, width]`.
pub fn saliency(gradient: Tensor<4>) -> Tensor<3> {
    let [batch, _, height, width] = gradient.dims();
    gradient.abs().max_dim(1).reshape([batch, height, width])
}

#[cfg(test)]
mod tests {
    use super::super::test_network::{classes, distance, network, pictures, values};
    use super::*;
    use crate::attack::loss_gradient;

    #[test]
    fn without_noise_it_is_the_gradient_of_the_logit_and_not_of_the_loss() {
        let model = network(6);
        let (named, others) = (classes(&[1, 4]), classes(&[0, 2]));
        let plain = smooth_gradient(&model, pictures(), named.clone(), &Smoothing::NONE).unwrap();
        let several = Smoothing { copies: 3, ..Smoothing::NONE };
        assert!(distance(plain.clone(), smooth_gradient(&model, pictures(), named.clone(), &several).unwrap()) < 1e-6);
        // The difference of two losses is that of two logits, so their gradients differ by as much, with the sign turned.
        let other = smooth_gradient(&model, pictures(), others.clone(), &Smoothing::NONE).unwrap();
        let of_losses = loss_gradient(&model, pictures(), others).sub(loss_gradient(&model, pictures(), named.clone()));
        assert!(distance(plain.clone().sub(other), of_losses) < 1e-4);
        assert!(distance(plain.clone(), loss_gradient(&model, pictures(), named).neg()) > 1e-3);
        assert_eq!(saliency(plain.clone()).dims(), [2, 32, 32]);
        let largest = values(saliency(plain.clone()).max())[0];
        assert!(largest > 0.0 && (largest - values(plain.abs().max())[0]).abs() < 1e-9);
    }

    #[test]
    fn a_seed_names_the_noise_and_no_picture_depends_on_its_batch() {
        let model = network(6);
        let smoothed = |seed| {
            let smoothing = Smoothing { copies: 2, sigma: 0.1, seed };
            smooth_gradient(&model, pictures(), classes(&[1, 4]), &smoothing).unwrap()
        };
        assert_eq!(values(smoothed(3)), values(smoothed(3)));
        assert!(distance(smoothed(3), smoothed(4)) > 1e-4);
        let smoothing = Smoothing { copies: 2, sigma: 0.1, seed: 3 };
        let alone = smooth_gradient(&model, pictures().narrow(0, 1, 1), classes(&[4]), &smoothing).unwrap();
        assert!(distance(smoothed(3).narrow(0, 1, 1), alone) < 1e-5);
    }

    #[test]
    fn a_mean_over_no_copies_is_an_error() {
        let none = Smoothing { copies: 0, ..Smoothing::default() };
        assert!(matches!(
            smooth_gradient(&network(1), pictures(), classes(&[1, 4]), &none),
            Err(ExplainError::NoCopies)
        ));
    }
}
