//! Class activation maps (Zhou et al., 2016, arXiv 1512.04150), which are exact where the logits are a linear function of the
//! mean of the last stage's maps.

use burn::prelude::*;
use burn::tensor::DType;

use super::{ExplainError, check_classes};
use crate::model::Classifier;

/// A logit, or a difference of two, as a sum over the cells of the last stage's maps.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Part of the logit that each cell adds, `[batch, height, width]`: positive and negative.
    pub cells: Tensor<3>,
    /// Part that the bias adds, the same for every picture, `[batch]`.
    pub bias: Tensor<1>,
}

impl Evidence {
    /// Returns the logit, or the difference of two: the sum over all cells and the bias, `[batch]`.
    pub fn total(&self) -> Tensor<1> {
        let [batch, ..] = self.cells.dims();
        self.cells.clone().flatten::<2>(1, 2).sum_dim(1).reshape([batch]).add(self.bias.clone())
    }
}

/// Returns the evidence for one class of each picture, `E_c(i, j) = sum_k w_ck A_k(i, j) / HW`: its sum over all cells, and the
/// bias, is the logit. Returns none for a network whose head has more than one layer: there, no such sum exists.
///
/// # Shapes
///
/// - `maps`: `[batch, channels, height, width]`, those of the last stage of [`crate::model::Stages`]
/// - `classes`: `[batch]`
///
/// # Errors
///
/// [`ExplainError::Classes`] if there is another number of classes than of pictures.
pub fn evidence(
    model: &Classifier,
    maps: Tensor<4>,
    classes: Tensor<1, Int>,
) -> Result<Option<Evidence>, ExplainError> {
    check_classes(&maps, &classes)?;
    let Some((weights, bias)) = model.head_weights() else { return Ok(None) };
    let [batch, channels, height, width] = maps.dims();
    let weights = weights.select(1, classes.clone()).swap_dims(0, 1).reshape([batch, channels, 1, 1]);
    let cells = maps.cast(DType::F32).mul(weights).sum_dim(1).div_scalar((height * width) as f32);
    Ok(Some(Evidence { cells: cells.reshape([batch, height, width]), bias: bias.select(0, classes) }))
}

/// Returns the evidence for one class of each picture against another, `E_c - E_r`: it adds up to the difference of their logits.
///
/// # Shapes
///
/// As of [`evidence`]; `others`: `[batch]`
///
/// # Errors
///
/// [`ExplainError::Classes`] if there is another number of classes than of pictures.
pub fn evidence_against(
    model: &Classifier,
    maps: Tensor<4>,
    classes: Tensor<1, Int>,
    others: Tensor<1, Int>,
) -> Result<Option<Evidence>, ExplainError> {
    let one = evidence(model, maps.clone(), classes)?;
    let other = evidence(model, maps, others)?;
    Ok(one
        .zip(other)
        .map(|(one, other)| Evidence { cells: one.cells.sub(other.cells), bias: one.bias.sub(other.bias) }))
}

#[cfg(test)]
mod tests {
    use super::super::test_network::{classes, distance, network, pictures, values};
    use super::super::{grad_cam, logits_of};
    use super::*;
    use crate::model::{Architecture, BuildNetwork as _, HeadKind, ResNetConfig, Stages};

    #[test]
    fn evidence_adds_up_to_the_logit_and_to_the_difference_of_two() {
        let model = network(3);
        let Stages { maps, logits } = model.stages(pictures());
        let last = maps[maps.len() - 1].clone();
        let (named, others) = (classes(&[4, 1]), classes(&[0, 2]));
        let one = evidence(&model, last.clone(), named.clone()).unwrap().unwrap();
        let logit = logits_of(logits.clone(), named.clone());
        assert!(distance(one.total(), logit.clone()) < 1e-4);
        // Without the bias it is another number, so the bias counts.
        assert!(distance(one.total().sub(one.bias.clone()), logit.clone().sub(one.bias)) < 1e-4);
        let between = evidence_against(&model, last, named, others.clone()).unwrap().unwrap();
        let expected = logit.sub(logits_of(logits, others));
        assert!(distance(between.total(), expected.clone()) < 1e-4);
        assert!(values(expected.abs()).iter().all(|difference| *difference > 1e-3));
    }

    #[test]
    fn it_is_grad_cam_at_the_last_stage_before_its_relu_but_for_a_factor() {
        let model = network(4);
        let maps = model.stages(pictures()).maps;
        let last = maps.len() - 1;
        let cells = evidence(&model, maps[last].clone(), classes(&[2, 2])).unwrap().unwrap().cells;
        let [_, height, width] = cells.dims();
        // The gradient of a mean over HW places is w / HW, and its mean over places too, so no factor is left but 1.
        let same = grad_cam(&model, pictures(), classes(&[2, 2]), last).unwrap();
        assert_eq!(same.dims(), [2, height, width]);
        assert!(distance(same, cells.clone().clamp_min(0.0)) < 1e-5);
        assert!(values(cells.clone().min())[0] < 0.0 && values(cells.max())[0] > 0.0, "both signs are tried");
    }

    #[test]
    fn a_head_of_two_layers_has_no_exact_map() {
        let paper = ResNetConfig { layers: [1, 1, 1, 1], head: HeadKind::Paper, ..ResNetConfig::resnet18() };
        let device = Device::flex();
        let model = Architecture::ResNet(paper).init_seeded(5, [0.5; 3], [0.25; 3], 1, &device).unwrap().valid();
        let maps = model.stages(pictures()).maps;
        assert!(evidence(&model, maps[3].clone(), classes(&[0, 1])).unwrap().is_none());
    }
}
