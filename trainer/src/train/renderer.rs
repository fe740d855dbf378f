//! Progress of a run without a dashboard, counted in pictures. Measurements are events of each checkpoint.

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};

use crate::progress::{Progress, Task, Unit};

/// A renderer that starts a task for each training and each validation.
pub struct TaskRenderer {
    progress: Progress,
    task: Option<Task>,
}

impl TaskRenderer {
    pub fn new(progress: Progress) -> Self {
        Self { progress, task: None }
    }
}

impl MetricsRendererTraining for TaskRenderer {
    fn update_train(&mut self, _state: MetricState) {}

    fn update_valid(&mut self, _state: MetricState) {}
}

impl TrainingProgressLogger for TaskRenderer {
    fn start(&mut self, _epochs: usize, _starting_epoch: usize, _items: Option<usize>, _label: Option<&str>) {}

    fn update_epoch(&mut self, _round: usize) {
        self.task = None;
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        let title = if split.eq_ignore_ascii_case("train") { "Training" } else { "Validating" };
        // Ends the task before, before the next one starts.
        self.task = None;
        self.task = Some(self.progress.start(title, Some(total_items as u64), Unit::Pictures));
    }

    fn update_split(&mut self, items_processed: usize) {
        if let Some(task) = &self.task {
            task.set(items_processed as u64);
        }
    }

    fn end_split(&mut self) {
        self.task = None;
    }

    fn end(&mut self) {
        self.task = None;
    }

    fn log_event_training(&mut self, _event: String) {}
}

// A training run evaluates nothing through burn-train: `bastion evaluate` does.
impl EvaluationProgressLogger for TaskRenderer {
    fn start_global_progress(&mut self, _total_tests: usize) {}
    fn start_test(&mut self, _name: &str, _total_items: usize) {}
    fn update_test_progress(&mut self, _items_processed: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRendererEvaluation for TaskRenderer {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl MetricsRenderer for TaskRenderer {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, _definition: MetricDefinition) {}
}
