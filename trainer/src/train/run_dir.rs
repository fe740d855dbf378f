//! A run folder: settings, checkpoints, metrics and the trained network.
//!
//! ```text
//! runs/standard/
//!   config.toml       all settings of the run, as `--config` takes them
//!   run.json          where it started from: command, data set, crafted sets, first network or pretrained weights
//!   checkpoint/       model-K.bpk, optim-K.bpk, scheduler-K.bpk, position-K.json (and ema-K.safetensors) of the last rounds K
//!   metrics.jsonl     a line for each round; metrics.csv holds the same
//!   memory.json       peak memory of the run
//!   events.jsonl      collapses
//!   plots/            the metrics as pictures
//!   train/, valid/    metrics of each round as burn-train logs them, like experiment.log
//!   final/            the trained network in full precision, as a bundle
//! ```
//!
//! burn-train writes the first three files of a checkpoint in the background, each whole or not at all, so the four appear in
//! any order: a checkpoint is complete when all of them are there. [`RunDir::forget_after`] removes files of an earlier attempt
//! at the same round.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::recipe::{from_toml, to_toml};
use super::sets::CraftedSet;
use crate::data::PixelStats;
use crate::files::write_atomically;
use crate::progress::Event;

const CONFIG: &str = "config.toml";
const RECORD: &str = "run.json";

/// Version of run folders, increased when settings or the names in checkpoints change.
pub const RUN_FORMAT: u32 = 1;

/// The origin of a run: command, networks and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`RUN_FORMAT`] of the version that started the run.
    #[serde(default)]
    pub format: u32,
    /// The command that started the run.
    pub command: String,
    /// The commands that made the network that the run started from.
    pub history: Vec<String>,
    /// The network that the run started from.
    pub init: Option<PathBuf>,
    /// The file of pretrained weights that the run started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<Pretrained>,
    /// The imported data set.
    pub data: PathBuf,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// The crafted sets that the run trains on as well.
    #[serde(default)]
    pub crafted: Vec<CraftedSet>,
    /// Mean and standard deviation that the network's first layer normalises by: the data set's, the first network's, or
    /// ImageNet's with pretrained weights.
    pub pixels: PixelStats,
}

/// A file of pretrained weights, as it was when a run started from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// Absolute path.
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// The position of a checkpoint in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of the round after which it was taken.
    pub round: usize,
    /// Steps done.
    pub steps_done: usize,
    /// Collapses of the network so far.
    #[serde(default)]
    pub collapses: usize,
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Starts a new run.
    ///
    /// # Errors
    /// As for [`RunDir::check_free`], or when the folder cannot be written.
    pub fn create(path: &Path, record: &RunRecord, config: &TrainConfig) -> Result<Self> {
        Self::check_free(path)?;
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let run = Self { path: path.to_path_buf() };
        write_atomically(&path.join(CONFIG), to_toml(config)?.as_bytes())?;
        // Written last: a folder without a record is no run.
        run.write_record(record)?;
        Ok(run)
    }

    /// Checks that a run can be started in the folder `path`.
    ///
    /// # Errors
    /// When the folder exists and is not empty.
    pub fn check_free(path: &Path) -> Result<()> {
        let taken = path.is_dir() && fs::read_dir(path)?.next().is_some();
        ensure!(
            !taken,
            "{} is not empty: go on with that run by --resume {0}, or name another folder with --run",
            path.display()
        );
        Ok(())
    }

    /// Opens a run that was started before.
    ///
    /// # Errors
    /// When the folder holds no run, or its settings cannot be read.
    pub fn open(path: &Path) -> Result<(Self, RunRecord, TrainConfig)> {
        let file = path.join(RECORD);
        let text =
            fs::read(&file).with_context(|| format!("{} is not a run folder: cannot read {RECORD}", path.display()))?;
        let record: RunRecord =
            serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))?;
        ensure!(
            record.format == RUN_FORMAT,
            "{} was begun by another version of Bastion, whose settings and checkpoints this one does not read: go on with \
             that version, or start another run, with --init if the network is trained already",
            path.display()
        );
        let file = path.join(CONFIG);
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let config = from_toml(&text).with_context(|| format!("cannot understand {}", file.display()))?;
        Ok((Self { path: path.to_path_buf() }, record, config))
    }

    /// Writes the origin of the run, in place of an earlier record.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn write_record(&self, record: &RunRecord) -> Result<()> {
        write_atomically(&self.path.join(RECORD), &serde_json::to_vec_pretty(record)?)
    }

    /// Adds a line to `events.jsonl`.
    ///
    /// # Errors
    /// When the line cannot be written.
    pub fn note_event(&self, event: &Event) -> Result<()> {
        let file = self.path.join("events.jsonl");
        let context = || format!("cannot write {}", file.display());
        let mut out = fs::OpenOptions::new().create(true).append(true).open(&file).with_context(context)?;
        out.write_all((serde_json::to_string(event)? + "\n").as_bytes()).with_context(context)
    }

    /// Returns the path of the run folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of the trained network.
    pub fn final_bundle(&self) -> PathBuf {
        self.path.join("final")
    }

    /// Returns the folder of the checkpoints.
    pub fn checkpoint_dir(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// Returns the file with one part of a checkpoint.
    pub fn checkpoint_file(&self, part: Part, round: usize) -> PathBuf {
        self.checkpoint_dir().join(match part {
            Part::Model => format!("model-{round}.bpk"),
            Part::Optimizer => format!("optim-{round}.bpk"),
            Part::Scheduler => format!("scheduler-{round}.bpk"),
            Part::Ema => format!("ema-{round}.safetensors"),
            Part::Position => format!("position-{round}.json"),
        })
    }

    /// Returns the checkpoints of which every part was written, newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        let mut found = Vec::new();
        for round in self.rounds_with_files()? {
            if !Part::NEEDED.iter().all(|&part| self.checkpoint_file(part, round).is_file()) {
                continue;
            }
            let position = fs::read(self.checkpoint_file(Part::Position, round))?;
            // The file is written whole or not at all, so any other content is not Bastion's.
            found.extend(serde_json::from_slice::<Checkpoint>(&position).ok().filter(|found| found.round == round));
        }
        found.reverse();
        Ok(found)
    }

    /// Removes all files of checkpoints after `round`, which will be written again.
    ///
    /// # Errors
    /// When a file cannot be removed: it could be taken for a part of a later checkpoint.
    pub fn forget_after(&self, round: usize) -> Result<()> {
        for later in self.rounds_with_files()?.into_iter().filter(|&later| later > round) {
            for file in Part::ALL.map(|part| self.checkpoint_file(part, later)) {
                if file.is_file() {
                    fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Writes the position of a checkpoint, whose other parts burn-train writes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note_position(&self, checkpoint: Checkpoint) -> Result<()> {
        let file = |round| self.checkpoint_file(Part::Position, round);
        write_atomically(&file(checkpoint.round), &serde_json::to_vec(&checkpoint)?)?;
        if let Some(old) = checkpoint.round.checked_sub(3) {
            // An error changes nothing: the checkpoint of these files is deleted already.
            let _ = fs::remove_file(file(old));
            let _ = fs::remove_file(self.checkpoint_file(Part::Ema, old));
        }
        Ok(())
    }

    /// Returns the rounds of which any part of a checkpoint exists, ascending.
    fn rounds_with_files(&self) -> Result<BTreeSet<usize>> {
        let dir = self.checkpoint_dir();
        if !dir.is_dir() {
            return Ok(BTreeSet::new());
        }
        let context = || format!("cannot read {}", dir.display());
        let mut rounds = BTreeSet::new();
        for entry in fs::read_dir(&dir).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            let number = name.to_str().and_then(|name| name.split(['-', '.']).nth(1)?.parse::<usize>().ok());
            rounds.extend(number);
        }
        Ok(rounds)
    }
}

/// The parts of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Model,
    Optimizer,
    Scheduler,
    /// The average of the weights, in runs that keep one.
    Ema,
    /// A [`Checkpoint`].
    Position,
}

impl Part {
    const ALL: [Self; 5] = [Self::Model, Self::Optimizer, Self::Scheduler, Self::Ema, Self::Position];
    /// The parts that every checkpoint has.
    const NEEDED: [Self; 4] = [Self::Model, Self::Optimizer, Self::Scheduler, Self::Position];
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn write(run: &RunDir, part: Part, round: usize, content: &str) {
        fs::create_dir_all(run.checkpoint_dir()).unwrap();
        fs::write(run.checkpoint_file(part, round), content).unwrap();
    }

    fn checkpoint(run: &RunDir, round: usize, steps_done: usize) {
        for part in [Part::Model, Part::Optimizer, Part::Scheduler] {
            write(run, part, round, "x");
        }
        run.note_position(Checkpoint { round, steps_done, collapses: 0 }).unwrap();
    }

    #[test]
    fn a_checkpoint_counts_when_all_of_it_is_there() {
        let dir = TempDir::new().unwrap();
        let run = RunDir { path: dir.path().to_path_buf() };
        assert_eq!(run.checkpoints().unwrap(), []);
        for round in [2, 9, 10, 11] {
            checkpoint(&run, round, 100 * round);
        }
        fs::remove_file(run.checkpoint_file(Part::Optimizer, 11)).unwrap();
        write(&run, Part::Position, 2, "{");
        let rounds: Vec<_> = run.checkpoints().unwrap().iter().map(|found| (found.round, found.steps_done)).collect();
        assert_eq!(rounds, [(10, 1000), (9, 900)]);
    }

    #[test]
    fn later_rounds_are_forgotten_in_all_their_parts() {
        let dir = TempDir::new().unwrap();
        let run = RunDir { path: dir.path().to_path_buf() };
        run.forget_after(0).unwrap();
        checkpoint(&run, 3, 30);
        checkpoint(&run, 4, 40);
        write(&run, Part::Model, 5, "half of a checkpoint");
        run.forget_after(3).unwrap();
        assert_eq!(run.checkpoints().unwrap(), [Checkpoint { round: 3, steps_done: 30, collapses: 0 }]);
        assert_eq!(fs::read_dir(run.checkpoint_dir()).unwrap().count(), 4);
    }
}
