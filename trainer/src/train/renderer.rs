//! What a run shows where there is no dashboard: a bar on a terminal, and a line after each round everywhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};
use indicatif::ProgressBar;

use super::position::Position;
use super::probe::ProbeMetric;
use crate::output;
use crate::progress;

/// A mean over pictures.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

/// Bars and lines on stderr.
pub struct LineRenderer {
    names: HashMap<MetricId, String>,
    position: Arc<Position>,
    steps_per_epoch: usize,
    steps_total: usize,
    means: BTreeMap<(String, String), Mean>,
    bar: ProgressBar,
}

impl LineRenderer {
    pub fn new(position: Arc<Position>, steps_per_epoch: usize, steps_total: usize) -> Self {
        let (names, means, bar) = (HashMap::new(), BTreeMap::new(), ProgressBar::hidden());
        Self { names, position, steps_per_epoch, steps_total, means, bar }
    }

    fn add(&mut self, split: &str, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else { return };
        let Some(name) = self.names.get(&entry.metric_id) else { return };
        let mean = self.means.entry((split.into(), name.clone())).or_default();
        match value {
            NumericEntry::Aggregated { aggregated_value, count } => {
                mean.sum += aggregated_value * count as f64;
                mean.count += count;
            }
            // The learning rate, say: the last value stands for the round.
            NumericEntry::Value(value) | NumericEntry::Final(value) => *mean = Mean { sum: value, count: 1 },
        }
    }

    fn summary(&self) -> String {
        let text = |((split, name), mean): (&(String, String), &Mean)| {
            let value = mean.sum / mean.count.max(1) as f64;
            match name.as_str() {
                "Accuracy" => format!("{split} accuracy {value:.2}%"),
                ProbeMetric::NAME => format!("under PGD {value:.2}%"),
                "Learning Rate" => format!("learning rate {value:.4}"),
                name => format!("{split} {} {value:.4}", name.to_lowercase()),
            }
        };
        // A round that was stopped has validated nothing.
        let known = self.means.iter().filter(|(_, mean)| mean.sum.is_finite());
        known.map(text).collect::<Vec<_>>().join(", ")
    }
}

impl MetricsRendererTraining for LineRenderer {
    fn update_train(&mut self, state: MetricState) {
        self.add("training", state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.add("validation", state);
    }
}

impl TrainingProgressLogger for LineRenderer {
    fn start(&mut self, _epochs: usize, _starting_epoch: usize, _items: Option<usize>, _label: Option<&str>) {}

    fn update_epoch(&mut self, _round: usize) {
        self.bar.finish_and_clear();
        let (steps, per_epoch) = (self.position.steps_done(), self.steps_per_epoch as f64);
        let (epochs, epochs_total) = (steps as f64 / per_epoch, self.steps_total as f64 / per_epoch);
        let of = self.steps_total;
        output::note(&format!("Epoch {epochs:.2} of {epochs_total:.2} (step {steps} of {of}): {}", self.summary()));
        self.means.clear();
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        self.bar.finish_and_clear();
        let title = if split.eq_ignore_ascii_case("train") { "Training" } else { "Validating" };
        self.bar = progress::count(total_items as u64, title);
    }

    fn update_split(&mut self, items_processed: usize) {
        self.bar.set_position(items_processed as u64);
    }

    fn end_split(&mut self) {
        self.bar.finish_and_clear();
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }

    fn log_event_training(&mut self, event: String) {
        self.bar.println(event);
    }
}

// A training run evaluates nothing through burn-train: `bastion evaluate` does.
impl EvaluationProgressLogger for LineRenderer {
    fn start_global_progress(&mut self, _total_tests: usize) {}
    fn start_test(&mut self, _name: &str, _total_items: usize) {}
    fn update_test_progress(&mut self, _items_processed: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRendererEvaluation for LineRenderer {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl MetricsRenderer for LineRenderer {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id.clone(), definition.name.to_string());
    }
}
