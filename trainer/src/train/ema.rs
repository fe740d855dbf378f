//! A moving average of the weights, which is often better than any of them (Polyak and Juditsky, 1992).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use shared::model::Classifier;

/// The average of a network's weights over its training, shared by the steps that update it and the checkpoints that save it.
#[derive(Clone, Debug)]
pub struct Ema {
    decay: f64,
    average: Arc<Mutex<Classifier>>,
}

impl Ema {
    /// Starts at the weights of `classifier`, which is on a device without autodiff.
    pub fn new(decay: f64, classifier: Classifier) -> Self {
        Self { decay, average: Arc::new(Mutex::new(classifier)) }
    }

    /// Updates the average by the weights of `current`, on a device without autodiff, after `steps` steps. Running means and
    /// variances of batch norm are averaged like weights.
    ///
    /// The decay grows from 0.1 to its value over the first steps, so that the random start is soon forgotten.
    pub fn update(&self, current: &Classifier, steps: usize) {
        let decay = self.decay.min((1.0 + steps as f64) / (10.0 + steps as f64));
        let mut values = Values::default();
        current.visit(&mut values);
        let mut average = self.average.lock().unwrap_or_else(PoisonError::into_inner);
        *average = average.clone().map(&mut Averaging { values: values.0, decay });
    }

    /// Returns a copy of the average on another device, which later updates leave as it is.
    pub fn on(&self, device: &Device) -> Self {
        // Clones would share their running statistics, and move them along.
        Self::new(self.decay, self.average().valid().to_device(device))
    }

    /// Returns the current average, on the device without autodiff.
    pub fn average(&self) -> Classifier {
        self.average.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The values of a module's parameters, in the module's order.
#[derive(Default)]
struct Values(VecDeque<Tensor<1>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let count = value.shape().num_elements();
        self.0.push_back(value.reshape([count]));
    }
}

/// A mapper that averages parameters with values in the same order.
struct Averaging {
    values: VecDeque<Tensor<1>>,
    decay: f64,
}

impl ModuleMapper for Averaging {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Two networks of one architecture are visited in the same order.
        let Some(value) = self.values.pop_front() else { return param };
        let decay = self.decay;
        param.map(|average| {
            let value = value.reshape(average.shape());
            average.mul_scalar(decay).add(value.mul_scalar(1.0 - decay))
        })
    }
}

#[cfg(test)]
mod tests {
    use shared::bundle::{Precision, save_weights};
    use shared::model::{Architecture, BuildNetwork as _, WideResNetConfig};

    use super::*;

    fn network(seed: u64) -> Classifier {
        let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
        architecture.init_seeded(3, [0.5; 3], [0.25; 3], seed, &Device::flex()).unwrap()
    }

    fn values(model: &Classifier) -> Vec<f32> {
        let mut values = Values::default();
        model.visit(&mut values);
        values.0.into_iter().flat_map(|value| crate::models::read(value).unwrap()).collect()
    }

    #[test]
    fn it_is_the_average_that_the_formula_says() {
        let (start, other) = (network(1), network(2));
        let ema = Ema::new(0.75, start.clone());
        // Far from the first steps, so that the decay has its full value.
        ema.update(&other, 1000);
        ema.update(&other, 1001);
        let (start, other, average) = (values(&start), values(&other), values(&ema.average()));
        assert!(start.iter().zip(&other).any(|(a, b)| (a - b).abs() > 0.01));
        for ((start, other), average) in start.iter().zip(&other).zip(average) {
            let expected = 0.75 * 0.75 * start + (1.0 - 0.75 * 0.75) * other;
            assert!((average - expected).abs() < 1e-5, "{average} instead of {expected}");
        }
    }

    #[test]
    fn the_first_steps_forget_the_start() {
        let (start, other) = (network(1), network(2));
        let ema = Ema::new(0.9999, start);
        (0..100).for_each(|step| ema.update(&other, step));
        let far = values(&ema.average()).iter().zip(values(&other)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-3, "{far}");
    }

    #[test]
    fn it_averages_all_that_is_saved() {
        let other = network(2);
        let ema = Ema::new(0.0, network(1));
        ema.update(&other, 0);
        let bytes = |model: &Classifier| save_weights(model, Precision::F32).unwrap();
        assert!(bytes(&ema.average()) == bytes(&other));
    }
}
