//! A run folder: settings, checkpoints, metrics and the trained network.
//!
//! ```text
//! runs/standard/
//!   config.toml       all settings of the run, as `--config` takes them
//!   run.json          where it started from: command, data set, crafted sets, first network or pretrained weights
//!   lock              the process that trains here, while it does
//!   checkpoint/       the last two rounds: see `checkpoint_files`
//!   metrics.jsonl     a line for each round; metrics.csv holds the same
//!   memory.json       peak memory of the run
//!   events.jsonl      collapses
//!   plots/            the metrics as pictures
//!   train/, valid/    metrics of each batch, a file a round and metric
//!   final/            the trained network in full precision, as a bundle
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::recipe::{from_toml, to_toml};
use super::sets::CraftedSet;
use crate::data::{PixelStats, sha256_of_file};
use crate::files::write_atomically;
use crate::lock::Lock;
use crate::progress::Event;

const CONFIG: &str = "config.toml";
const RECORD: &str = "run.json";
const LOCK: &str = "lock";

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
    /// SHA-256 of the weights of the teacher, if the settings name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_sha256: Option<String>,
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

impl Pretrained {
    /// Describes the file as it is now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(file: &Path) -> Result<Self> {
        Ok(Self { file: std::path::absolute(file)?, sha256: sha256_of_file(file, None)? })
    }
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Starts a new run, and returns its folder with the lock by which this process owns it.
    ///
    /// # Errors
    /// As for [`RunDir::check_free`], or when another process starts a run there or the folder cannot be written.
    pub fn create(path: &Path, record: &RunRecord, config: &TrainConfig) -> Result<(Self, Lock)> {
        Self::check_free(path)?;
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let run = Self { path: path.to_path_buf() };
        let lock = run.lock()?;
        // Another process may have started a run there before the lock was taken.
        Self::check_free(path)?;
        write_atomically(&path.join(CONFIG), to_toml(config)?.as_bytes())?;
        // Written last: a folder without a record is no run.
        if let Err(error) = run.write_record(record) {
            // Else the folder would be in the way of the next try.
            let _ = fs::remove_file(path.join(CONFIG));
            return Err(error);
        }
        Ok((run, lock))
    }

    /// Takes the lock of the folder: one process at a time trains there. A child of an experiment waits for a minute, since the
    /// child of an experiment that was killed may still be saving.
    ///
    /// # Errors
    /// Names the process that trains there; when the folder cannot be written.
    pub fn lock(&self) -> Result<Lock> {
        let patience = if crate::child::has_parent() { Duration::from_secs(60) } else { Duration::ZERO };
        Lock::take_within(patience, self.path.join(LOCK), &format!("trains in {}", self.path.display()))
    }

    /// Checks that a run can be started in the folder `path`.
    ///
    /// # Errors
    /// When the folder exists and holds anything but a lock.
    pub fn check_free(path: &Path) -> Result<()> {
        let mut taken = false;
        if path.is_dir() {
            let context = || format!("cannot read {}", path.display());
            for entry in fs::read_dir(path).with_context(context)? {
                taken |= entry.with_context(context)?.file_name() != LOCK;
            }
        }
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
        let json =
            serde_json::to_vec_pretty(record).context("the run cannot be recorded: rename the folder in question")?;
        write_atomically(&self.path.join(RECORD), &json)
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
}

#[cfg(test)]
pub(super) mod tests {
    use tempfile::TempDir;

    use super::RunDir;

    /// Returns a run folder without a record.
    pub fn run_dir(dir: &TempDir) -> RunDir {
        RunDir { path: dir.path().to_path_buf() }
    }
}
