//! A run folder: what was asked for, checkpoints, metrics and the trained network.
//!
//! ```text
//! runs/standard/
//!   config.json       the resolved configuration, the data set's hash and the command
//!   checkpoint/       model-K.bpk, optim-K.bpk, scheduler-K.bpk, and position-K.json, written last
//!   train/, valid/    metrics a round, as burn-train logs them
//!   final/            the trained network in full precision, as a bundle
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::train::TrainConfig;

/// What a run was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The command that started it.
    pub command: String,
    /// The commands that made the network it started from.
    pub history: Vec<String>,
    /// The network it started from.
    pub init: Option<PathBuf>,
    /// The imported data set.
    pub data: PathBuf,
    /// Its hash.
    pub data_sha256: String,
    pub config: TrainConfig,
}

/// Where a checkpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of the round after which it was taken.
    pub round: usize,
    /// Steps done.
    pub steps_done: usize,
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
    /// When the folder exists and is not empty, or cannot be written.
    pub fn create(path: &Path, record: &RunRecord) -> Result<Self> {
        let taken = path.is_dir() && fs::read_dir(path)?.next().is_some();
        ensure!(
            !taken,
            "{} is not empty: go on with that run by --resume {0}, or name another folder with --run",
            path.display()
        );
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let run = Self { path: path.to_path_buf() };
        write_atomically(&run.path.join("config.json"), &serde_json::to_vec_pretty(record)?)?;
        Ok(run)
    }

    /// Opens a run that was started before.
    ///
    /// # Errors
    /// When the folder has no readable `config.json`.
    pub fn open(path: &Path) -> Result<(Self, RunRecord)> {
        let file = path.join("config.json");
        let text = fs::read(&file)
            .with_context(|| format!("{} is not a run folder: cannot read config.json", path.display()))?;
        let record = serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))?;
        Ok((Self { path: path.to_path_buf() }, record))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of the trained network.
    pub fn final_bundle(&self) -> PathBuf {
        self.path.join("final")
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// The newest checkpoint of which every part was written.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn latest_checkpoint(&self) -> Result<Option<Checkpoint>> {
        let dir = self.checkpoints();
        if !dir.is_dir() {
            return Ok(None);
        }
        let mut newest: Option<Checkpoint> = None;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let is_position = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("position-"));
            if !is_position {
                continue;
            }
            let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(&fs::read(&path)?) else { continue };
            let whole = ["model", "optim", "scheduler"]
                .iter()
                .all(|part| dir.join(format!("{part}-{}.bpk", checkpoint.round)).is_file());
            if whole && newest.is_none_or(|newest| checkpoint.round > newest.round) {
                newest = Some(checkpoint);
            }
        }
        Ok(newest)
    }

    /// Notes where the checkpoint of `checkpoint.round` stands; the parts themselves are burn-train's.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn note_position(&self, checkpoint: Checkpoint) -> Result<()> {
        let dir = self.checkpoints();
        let file = |round: usize| dir.join(format!("position-{round}.json"));
        write_atomically(&file(checkpoint.round), &serde_json::to_vec(&checkpoint)?)?;
        if let Some(old) = checkpoint.round.checked_sub(3) {
            let _ = fs::remove_file(file(old)); // only tidiness: its checkpoint is deleted already
        }
        Ok(())
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// When the folder is full or not writable; an older file of that name is then unharmed.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let Some(dir) = path.parent() else { bail!("{} names no file", path.display()) };
    let context = || format!("cannot write {}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(context)?;
    std::io::Write::write_all(&mut file, content).with_context(context)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is private; what it becomes is not.
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644)).with_context(context)?;
    }
    file.as_file().sync_all().with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}
