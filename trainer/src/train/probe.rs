//! The probe: PGD against held-out pictures at each validation, since a network that is trained against a single step can
//! suddenly learn to fool that step and nothing else (catastrophic overfitting, Wong et al., 2020).

use std::sync::Arc;

use burn::prelude::*;
use burn::tensor::TensorReadError;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
};
use shared::metrics::Proportion;

/// Logits `[N, classes]` of attacked pictures and their labels `[N]`; `None` for a batch that was not attacked.
pub type ProbeInput = Option<(Tensor<2>, Tensor<1, Int>)>;

/// Top-1 accuracy under the probe's PGD, in percent.
#[derive(Clone)]
pub struct ProbeMetric {
    state: NumericMetricState,
    seen: bool,
}

impl ProbeMetric {
    pub const NAME: &str = "PGD accuracy";

    pub fn new() -> Self {
        Self { state: NumericMetricState::default(), seen: false }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).unit("%").precision(2)
    }
}

impl Metric for ProbeMetric {
    type Input = ProbeInput;

    fn name(&self) -> MetricName {
        Arc::new(Self::NAME.into())
    }

    fn update(&mut self, input: &ProbeInput, _: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        let Some((logits, targets)) = input else {
            // A batch that was not attacked changes nothing.
            return Ok(self.state.compute_final(self.format()));
        };
        let [batch, _] = logits.dims();
        let right = logits.clone().argmax(1).reshape([batch]).equal(targets.clone()).int().sum();
        let right = right.try_into_scalar::<f64>()?;
        self.seen = true;
        self.state.update(100.0 * right / batch as f64, batch);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
        self.seen = false;
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: Some("%".into()), higher_is_better: true }.into()
    }
}

impl Numeric for ProbeMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.seen.then(|| self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        self.seen.then(|| self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

/// Returns whether the network has collapsed: its accuracy under PGD has fallen to half of the best so far, and further than
/// two samples of so many pictures differ by chance.
///
/// `best` and `now` are percentages, of `pictures` each.
pub fn collapsed(best: f64, now: f64, pictures: usize) -> bool {
    let of = |percent: f64| Proportion { hits: (percent / 100.0 * pictures as f64).round() as usize, of: pictures };
    now < best / 2.0 && of(now).wilson_interval()[1] < of(best).wilson_interval()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_counts_when_chance_does_not_explain_it() {
        // The log of a run that is known to have collapsed: 16.7% to 0.
        assert!(collapsed(16.7, 0.0, 250));
        assert!(!collapsed(16.7, 10.0, 250), "less than a half");
        assert!(!collapsed(2.0, 0.8, 250), "five pictures and two");
        assert!(collapsed(2.0, 0.2, 10_000));
        assert!(!collapsed(0.0, 0.0, 250));
    }

    #[test]
    fn only_attacked_batches_count() {
        let device = Device::flex();
        let logits = || Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
        let metadata =
            MetricMetadata { progress: burn::data::dataloader::Progress::new(1, 2, None), iteration: None, lr: None };
        let mut metric = ProbeMetric::new();
        metric.update(&None, &metadata).unwrap();
        assert!(metric.value().is_none());
        metric.update(&Some((logits(), Tensor::from_ints([0, 0], &device))), &metadata).unwrap();
        metric.update(&Some((logits(), Tensor::from_ints([0, 1], &device))), &metadata).unwrap();
        metric.update(&None, &metadata).unwrap();
        assert!(matches!(metric.running_value(), Some(entry) if (entry.current() - 75.0).abs() < 1e-9));
        metric.clear();
        assert!(metric.value().is_none());
    }
}
