//! The measurements of a run by round: `metrics.jsonl`, `metrics.csv` and the plots of a run folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};

use super::probe::ProbeMetric;
use crate::figures::{Estimate, LineChart, LineSeries};
use crate::files::write_atomically;
use crate::progress::Round;

/// Returns the measurements of burn-train in `round`.
pub fn measured(round: usize, step: usize, epoch: f64, seconds: f64, store: &EventStoreClient) -> Round {
    let find = |name: &str, split: &Split| {
        store.find_metric(name, round, Aggregate::Mean, split).filter(|value| value.is_finite())
    };
    let share = |name: &str, split: &Split| find(name, split).map(|percent| percent / 100.0);
    Round {
        round,
        step,
        epoch,
        learning_rate: find("Learning Rate", &Split::Train),
        train_loss: find("Loss", &Split::Train),
        train_accuracy: share("Accuracy", &Split::Train),
        valid_loss: find("Loss", &Split::Valid),
        valid_accuracy: share("Accuracy", &Split::Valid),
        probe_accuracy: share(ProbeMetric::NAME, &Split::Valid),
        seconds,
    }
}

fn cells(row: &Round) -> [Option<f64>; 10] {
    [
        Some(row.round as f64),
        Some(row.step as f64),
        Some(row.epoch),
        row.learning_rate,
        row.train_loss,
        row.train_accuracy,
        row.valid_loss,
        row.valid_accuracy,
        row.probe_accuracy,
        Some(row.seconds),
    ]
}

const COLUMNS: &str =
    "round,step,epoch,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy,probe_accuracy,seconds";

/// All rounds of a run so far.
#[derive(Clone, Debug)]
pub struct History {
    dir: PathBuf,
    rows: Vec<Round>,
}

impl History {
    /// Reads the history of the run in `dir`, empty for a new one. Lines that cannot be read are left out, since training can
    /// go on without them.
    pub fn open(dir: &Path) -> Self {
        let text = fs::read_to_string(dir.join("metrics.jsonl")).unwrap_or_default();
        Self { dir: dir.to_path_buf(), rows: text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect() }
    }

    /// Removes the rounds after step `step`, which will be measured again.
    pub fn forget_after(&mut self, step: usize) {
        self.rows.retain(|row| row.step <= step);
    }

    /// Returns the best accuracy under the probe so far, 0 to 1.
    pub fn best_probe(&self) -> Option<f64> {
        self.rows.iter().filter_map(|row| row.probe_accuracy).max_by(f64::total_cmp)
    }

    /// Returns whether the probe has measured the network of step `step`.
    pub fn has_probed(&self, step: usize) -> bool {
        self.rows.iter().any(|row| row.step == step && row.probe_accuracy.is_some())
    }

    /// Adds a round and writes files and plots anew.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add(&mut self, row: Round) -> Result<()> {
        self.rows.push(row);
        let mut lines = String::new();
        let mut csv = format!("{COLUMNS}\n");
        for row in &self.rows {
            lines += &(serde_json::to_string(row)? + "\n");
            let cells = cells(row).map(|cell| cell.map(|value| value.to_string()).unwrap_or_default());
            csv += &(cells.join(",") + "\n");
        }
        write_atomically(&self.dir.join("metrics.jsonl"), lines.as_bytes())?;
        write_atomically(&self.dir.join("metrics.csv"), csv.as_bytes())?;
        self.plot()
    }

    fn plot(&self) -> Result<()> {
        let dir = self.dir.join("plots");
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let series = |name: &str, value: &dyn Fn(&Round) -> Option<f64>| {
            let points = |row: &Round| Some((row.epoch, Estimate::exact(value(row)?)));
            LineSeries { name: name.into(), points: self.rows.iter().filter_map(points).collect() }
        };
        let chart = |file: &str, title: &str, y_label: &str, y_percent: bool, series: Vec<LineSeries>| {
            // Without a probe there is no curve for it.
            let series: Vec<_> = series.into_iter().filter(|series| !series.points.is_empty()).collect();
            if series.is_empty() {
                return Ok(());
            }
            let (title, x_label, y_label) = (title.into(), "epoch".into(), y_label.into());
            LineChart { title, x_label, y_label, y_percent, series }.write(&dir.join(file))
        };
        chart(
            "accuracy",
            "Accuracy while training",
            "top-1 accuracy",
            true,
            vec![
                series("training pictures", &|row| row.train_accuracy),
                series("held-out pictures", &|row| row.valid_accuracy),
                series("held-out, under PGD", &|row| row.probe_accuracy),
            ],
        )?;
        chart(
            "loss",
            "Loss while training",
            "cross entropy",
            false,
            vec![
                series("training pictures", &|row| row.train_loss),
                series("held-out pictures", &|row| row.valid_loss),
            ],
        )?;
        chart(
            "learning-rate",
            "Learning rate",
            "learning rate",
            false,
            vec![series("learning rate", &|row| row.learning_rate)],
        )
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn row(round: usize, probe_accuracy: Option<f64>) -> Round {
        Round {
            round,
            step: 10 * round,
            epoch: round as f64 / 2.0,
            learning_rate: Some(0.1),
            train_loss: Some(2.0 / round as f64),
            train_accuracy: Some(0.25),
            valid_loss: None,
            valid_accuracy: Some(0.5),
            probe_accuracy,
            seconds: 1.5,
        }
    }

    #[test]
    fn rows_survive_their_files() {
        let dir = TempDir::new().unwrap();
        let mut history = History::open(dir.path());
        assert_eq!(history.best_probe(), None);
        for (round, probe) in [(1, Some(0.125)), (2, Some(0.25)), (3, None)] {
            history.add(row(round, probe)).unwrap();
        }
        let mut history = History::open(dir.path());
        assert_eq!(history.rows.len(), 3);
        assert_eq!(history.best_probe(), Some(0.25));
        history.forget_after(10);
        assert_eq!(history.best_probe(), Some(0.125));
        history.add(row(2, None)).unwrap();
        let csv = fs::read_to_string(dir.path().join("metrics.csv")).unwrap();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], COLUMNS);
        assert_eq!(lines[1..], ["1,10,0.5,0.1,2,0.25,,0.5,0.125,1.5", "2,20,1,0.1,1,0.25,,0.5,,1.5"]);
        for plot in ["accuracy.svg", "loss.svg", "learning-rate.svg"] {
            assert!(dir.path().join("plots").join(plot).is_file(), "{plot}");
        }
    }
}
