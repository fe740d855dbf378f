//! The metrics of each batch: in memory for the round under way, and as a file a round and metric in the run folder.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};

/// A log whose files may fail to be written: burn-train's own ends the process on a full disk, and the measurements of rounds
/// are in `metrics.jsonl`.
pub struct MetricLog {
    dir: PathBuf,
    names: HashMap<MetricId, Arc<String>>,
    round: usize,
    /// The lines of the round, by metric and split.
    lines: HashMap<(String, Split), Vec<String>>,
}

impl MetricLog {
    /// Creates a log of the run in the folder `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), names: HashMap::new(), round: 0, lines: HashMap::new() }
    }

    fn write(&self, name: &str, split: &Split, lines: &[String]) -> std::io::Result<()> {
        let dir = self.dir.join(split.to_string()).join(format!("epoch-{}", self.round));
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(format!("{}.log", name.replace(' ', "_"))), lines.join("\n") + "\n")
    }
}

impl MetricLogger for MetricLog {
    fn log(&mut self, update: MetricsUpdate, round: usize, split: &Split) {
        if round != self.round {
            self.lines.clear();
            self.round = round;
        }
        let numeric = update.entries_numeric.into_iter().map(|numeric| numeric.entry);
        for entry in
            update.entries.into_iter().chain(numeric).filter(|entry| !entry.serialized_entry.is_not_available())
        {
            let Some(name) = self.names.get(&entry.metric_id) else { continue };
            self.lines.entry((name.to_string(), split.clone())).or_default().push(entry.serialized_entry.serialized);
        }
    }

    fn read_numeric(&mut self, name: &str, round: usize, split: &Split) -> Result<Vec<NumericEntry>, String> {
        let lines = self.lines.get(&(name.to_string(), split.clone())).filter(|_| round == self.round);
        Ok(lines.into_iter().flatten().filter_map(|line| NumericEntry::deserialize(line).ok()).collect())
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name);
    }

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {
        for ((name, split), lines) in &self.lines {
            // On a full disk a log is missing, and training goes on.
            let _ = self.write(name, split, lines);
        }
    }
}
