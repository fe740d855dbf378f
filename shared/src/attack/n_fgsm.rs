use burn::prelude::*;

use super::{AttackError, Ball, ThreatModel, loss_gradient};
use crate::model::Classifier;

/// Radius of N-FGSM's noise, as a multiple of epsilon (section 4 of the paper).
const NOISE: f32 = 2.0;

/// N-FGSM (de Jorge et al., 2022, arXiv 2202.01181): the images a single-step adversarial training trains on.
///
/// Noise drawn uniformly from `[-2 epsilon, 2 epsilon]`, then one step of epsilon along the sign of the gradient taken
/// there. There is no projection: images may be up to 3 epsilon away, which keeps training from collapsing, so this is for
/// training, and its success as an attack means nothing.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]` in `[0, 1]`, `labels`: `[batch]`, both on a plain device, as `model` is
/// - output: the same shape and device as `images`
///
/// # Errors
///
/// [`AttackError`] if `epsilon` is not from 0 to 1 or there is not one label an image.
pub fn n_fgsm(
    epsilon: f32,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
    model: &Classifier,
    seed: u64,
) -> Result<Tensor<4>, AttackError> {
    ThreatModel::linf(epsilon).validate()?;
    let ([images_len, ..], [labels_len]) = (images.dims(), labels.dims());
    if images_len != labels_len {
        return Err(AttackError::Labels { images: images_len, labels: labels_len });
    }
    let noisy = Ball::new(images, ThreatModel::linf(NOISE * epsilon)).random_start(seed);
    let gradient = loss_gradient(model, noisy.clone(), labels);
    Ok(noisy.add(gradient.sign().mul_scalar(epsilon)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;
    use crate::model::{Architecture, BuildNetwork as _, WideResNetConfig};

    #[test]
    fn each_value_moves_by_epsilon_from_where_the_noise_has_put_it() {
        let device = Device::flex();
        let model = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        let model = model.init_seeded(5, [0.5; 3], [0.25; 3], 1, &device).unwrap();
        let images = Tensor::<4>::full([2, 3, 64, 64], 0.5, &device);
        let labels = || Tensor::<1, Int>::from_ints([1, 4], &device);
        let epsilon = 8.0 / 255.0;
        let crafted = |seed| n_fgsm(epsilon, images.clone(), labels(), &model, seed).unwrap();
        let values = |tensor: Tensor<4>| pollster::block_on(read(tensor)).unwrap();
        let noisy = values(Ball::new(images.clone(), ThreatModel::linf(2.0 * epsilon)).random_start(7));
        let moved = values(crafted(7));
        let mut still = 0;
        for (before, after) in noisy.iter().zip(&moved) {
            let step = (after - before).abs();
            assert!(step < 1e-6 || (step - epsilon).abs() < 1e-6, "{step}");
            still += usize::from(step < 1e-6);
        }
        assert!(still < noisy.len() / 100, "{still} values have no gradient");
        // Some values are further than epsilon from the image, which a projection would not allow.
        assert!(moved.iter().any(|value| (value - 0.5).abs() > 2.0 * epsilon));
        assert!(values(crafted(7)) == moved && values(crafted(8)) != moved);
        assert!(n_fgsm(2.0, images.clone(), labels(), &model, 0).is_err());
        assert!(n_fgsm(0.1, images, Tensor::from_ints([1], &device), &model, 0).is_err());
    }
}
