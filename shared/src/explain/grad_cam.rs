//! Grad-CAM (Selvaraju et al., 2017, arXiv 1610.02391).

use burn::prelude::*;
use burn::tensor::DType;

use super::{ExplainError, check_classes, logits_of};
use crate::model::Classifier;

/// The maps of a stage, and the gradient of a logit with respect to them: both `[batch, channels, height, width]`.
#[derive(Clone, Debug)]
pub struct StageGradient {
    /// Maps.
    pub maps: Tensor<4>,
    /// Gradient of the logit of each picture's class.
    pub gradient: Tensor<4>,
}

/// Computes the maps of a stage, and the gradient of one logit of each picture with respect to them.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]` in `[0, 1]`, plain device, as `model` is
/// - `classes`: `[batch]`
/// - `stage`: number of the stage, from 0
///
/// # Errors
///
/// [`ExplainError`] if the network has no such stage, or there is another number of classes than of pictures.
pub fn stage_gradient(
    model: &Classifier,
    images: Tensor<4>,
    classes: Tensor<1, Int>,
    stage: usize,
) -> Result<StageGradient, ExplainError> {
    check_classes(&images, &classes)?;
    let (mut kept, mut stages) = (None, 0);
    let logits = model.for_input_gradient().forward_by_stages(images.autodiff(), &mut |number, maps| {
        stages = number + 1;
        if number != stage {
            return maps;
        }
        // A leaf of its own, so that nothing is differentiated below the stage.
        let maps = maps.inner().autodiff().require_grad();
        kept = Some(maps.clone());
        maps
    });
    let maps = kept.ok_or(ExplainError::NoStage { stage, stages })?;
    let gradients = logits_of(logits, classes.autodiff()).sum().backward();
    // A logit that does not depend on the maps has no gradient.
    let gradient = maps.grad(&gradients).unwrap_or_else(|| maps.clone().inner().zeros_like());
    Ok(StageGradient { maps: maps.inner(), gradient })
}

/// Returns the Grad-CAM of one class of each picture at a stage: `ReLU(sum_k a_k A_k)`, where `a_k` is the mean over all places of
/// the gradient of the logit with respect to the map `A_k`. The grid is that of the stage's maps.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]` in `[0, 1]`, plain device, as `model` is
/// - `classes`: `[batch]`
/// - output: `[batch, height, width]` of the stage, from 0
///
/// # Errors
///
/// As [`stage_gradient`].
pub fn grad_cam(
    model: &Classifier,
    images: Tensor<4>,
    classes: Tensor<1, Int>,
    stage: usize,
) -> Result<Tensor<3>, ExplainError> {
    let StageGradient { maps, gradient } = stage_gradient(model, images, classes, stage)?;
    let [batch, channels, height, width] = maps.dims();
    let weights = gradient.cast(DType::F32).flatten::<3>(2, 3).mean_dim(2).reshape([batch, channels, 1, 1]);
    Ok(maps.cast(DType::F32).mul(weights).sum_dim(1).reshape([batch, height, width]).clamp_min(0.0))
}

#[cfg(test)]
mod tests {
    use super::super::test_network::{classes, distance, network, pictures, values};
    use super::*;

    #[test]
    fn the_gradient_at_a_stage_is_the_change_of_the_logit() {
        let model = network(7);
        for stage in 0..3 {
            let found = stage_gradient(&model, pictures(), classes(&[1, 3]), stage).unwrap();
            // A step along the gradient raises the logit by the step's length times its slope.
            let step = found.gradient.clone().mul_scalar(1e-2);
            let logit = |added: Option<Tensor<4>>| {
                let logits = model.forward_by_stages(pictures(), &mut |number, maps| match &added {
                    Some(added) if number == stage => maps.add(added.clone()),
                    _ => maps,
                });
                values(logits_of(logits, classes(&[1, 3])))
            };
            let (before, after) = (logit(None), logit(Some(step.clone())));
            let expected = values(step.mul(found.gradient).flatten::<2>(1, 3).sum_dim(1));
            for ((before, after), expected) in before.iter().zip(&after).zip(&expected) {
                let risen = after - before;
                assert!(*expected > 0.0 && (risen - expected).abs() < 0.2 * expected, "{stage}: {risen} {expected}");
            }
        }
    }

    #[test]
    fn no_picture_depends_on_its_batch_and_no_value_is_negative() {
        let model = network(2);
        for stage in 0..3 {
            let both = grad_cam(&model, pictures(), classes(&[0, 4]), stage).unwrap();
            let second = grad_cam(&model, pictures().narrow(0, 1, 1), classes(&[4]), stage).unwrap();
            assert!(distance(both.clone().narrow(0, 1, 1), second) < 1e-5);
            assert!(values(both.clone().min())[0] >= 0.0 && values(both.max())[0] > 0.0, "{stage}");
        }
    }

    #[test]
    fn a_stage_that_is_not_there_is_named() {
        let error = grad_cam(&network(2), pictures(), classes(&[0, 4]), 3).unwrap_err().to_string();
        assert!(error.contains("3 stages") && error.contains("no stage 3"), "{error}");
    }
}
