//! A teacher: a trained network whose answers are part of what another one learns (Hinton et al., 2015, arXiv 1503.02531). The
//! temperature softens the teacher's answers alone, as label smoothing does, and not those of the network that learns.

use anyhow::{Context, Result};
use burn::prelude::*;
use burn::tensor::activation::{log_softmax, softmax};
use shared::bundle::{Bundle, Class};
use shared::model::Classifier;

use super::config::TrainConfig;
use crate::models;

/// A trained network and the weight of its answers.
#[derive(Clone, Debug)]
pub struct Teacher {
    classifier: Classifier,
    /// The classifier's device, without autodiff.
    device: Device,
    /// Part of the teacher's answers in the targets, in `[0, 1]`.
    weight: f64,
    /// Divisor of the teacher's logits: above 1, the answers are softer.
    temperature: f64,
}

impl Teacher {
    /// Loads the teacher of `config`, if the settings name one, and returns it with the SHA-256 of its weights.
    ///
    /// # Errors
    /// When the model cannot be loaded, or its classes are not `classes`.
    pub fn load(config: &TrainConfig, classes: &[Class], device: &Device) -> Result<Option<(Self, String)>> {
        let Some(path) = &config.teacher else { return Ok(None) };
        let load = || {
            let dir = models::dir_of(path)?;
            let bundle = models::load(&dir, device)?;
            models::check_classes(&dir, &bundle.card, classes)?;
            Ok::<_, anyhow::Error>(bundle)
        };
        let Bundle { card, model } = load().context("the teacher cannot be used")?;
        let teacher = Self {
            classifier: model,
            device: device.clone(),
            weight: config.teacher_weight,
            temperature: config.teacher_temperature,
        };
        Ok(Some((teacher, card.weights.sha256)))
    }

    /// Returns the teacher's probabilities for images without autodiff, on their device.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, size, size]` in `[0, 1]`
    /// - output: `[batch, classes]`
    pub fn probabilities(&self, images: &Tensor<4>) -> Tensor<2> {
        // Devices that share a batch have one teacher.
        let logits = self.classifier.forward(images.clone().to_device(&self.device));
        softmax(logits.div_scalar(self.temperature), 1).to_device(&images.device())
    }

    /// Returns the loss against labels, blended with the cross entropy to the teacher's probabilities.
    ///
    /// # Shapes
    /// - `loss`: `[1]`, the mean cross entropy to the labels
    /// - `logits`, `probabilities`: `[batch, classes]`
    /// - output: `[1]`
    pub fn blend(&self, loss: Tensor<1>, logits: Tensor<2>, probabilities: Tensor<2>) -> Tensor<1> {
        let distance = log_softmax(logits, 1).mul(probabilities).sum_dim(1).mean().neg();
        loss.mul_scalar(1.0 - self.weight).add(distance.mul_scalar(self.weight))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::tests::{config, dataset, network};
    use super::*;
    use crate::models::tests::exported;

    fn teacher(weight: f64, temperature: f64) -> Teacher {
        Teacher { classifier: network(&config(&[])), device: Device::flex(), weight, temperature }
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        models::read(tensor).unwrap()
    }

    #[test]
    fn probabilities_are_those_of_the_softened_logits() {
        let images = shared::bundle::probe_image(&Device::flex());
        let logits = values(teacher(0.5, 2.0).classifier.forward(images.clone()));
        let exps: Vec<f32> = logits.iter().map(|logit| (logit / 2.0).exp()).collect();
        let sum: f32 = exps.iter().sum();
        for (found, exp) in values(teacher(0.5, 2.0).probabilities(&images)).iter().zip(exps) {
            assert!((found - exp / sum).abs() < 1e-6);
        }
    }

    #[test]
    fn the_loss_is_between_that_of_the_labels_and_that_of_the_teacher() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_floats([[1.0, 2.0, 0.0, -1.0]], &device);
        let probabilities = Tensor::<2>::from_floats([[0.1, 0.2, 0.3, 0.4]], &device);
        let loss = |weight: f64| {
            let blended = teacher(weight, 1.0).blend(Tensor::ones([1], &device), logits.clone(), probabilities.clone());
            values(blended)[0]
        };
        // Negative sum of p log softmax(z): log(e + e^2 + 1 + 1/e) = 2.4402, less 0.1 + 0.4 - 0.4.
        assert!((loss(1.0) - (2.440_19 - 0.1)).abs() < 1e-4, "{}", loss(1.0));
        assert_eq!(loss(0.0), 1.0);
        assert!((loss(0.25) - (0.75 + 0.25 * loss(1.0))).abs() < 1e-6);
    }

    #[test]
    fn a_teacher_that_cannot_be_used_is_refused_with_the_reason() {
        let dir = TempDir::new().unwrap();
        let load = |path: &str| {
            let config = config(&["--teacher", path]);
            format!("{:#}", Teacher::load(&config, &dataset().classes, &Device::flex()).unwrap_err())
        };
        assert!(load("nowhere").contains("the teacher cannot be used: there is no folder nowhere"));
        let model = dir.path().join("model");
        let (json, weights) = exported("small", 3, &Device::flex());
        models::write(&model, &json, &weights, None).unwrap();
        let error = load(model.to_str().unwrap());
        assert!(error.contains("other classes than the data set"), "{error}");
    }
}
