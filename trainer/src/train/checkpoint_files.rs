//! The files of a run's checkpoints.
//!
//! ```text
//! checkpoint/
//!   model-K.bpk, optim-K.bpk, scheduler-K.bpk    written by burn-train after round K, each whole or not at all
//!   ema-K.safetensors                            in runs that keep an average of the weights
//!   position-K.json                              written last: steps done, and SHA-256 of the others and of itself
//!   set-aside-K/                                 a checkpoint that could not be used
//! ```
//!
//! Files of a round without a position are half of a checkpoint, which a killed process has left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::run_dir::RunDir;
use crate::data::{hex, sha256_of_file};
use crate::files::write_atomically;

/// Number of checkpoints that are kept.
const KEPT: usize = 2;

/// The position of a checkpoint in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of the round after which it was taken.
    pub round: usize,
    /// Steps done.
    pub steps_done: usize,
    /// Collapses of the network so far.
    pub collapses: usize,
}

/// The content of `position-K.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PositionFile {
    round: usize,
    steps_done: usize,
    #[serde(default)]
    collapses: usize,
    /// SHA-256 of the other parts, by their files' names; empty in checkpoints of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parts: BTreeMap<String, String>,
    /// SHA-256 of this content without this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own_sha256: Option<String>,
}

impl PositionFile {
    fn own_sha256(&self) -> Result<String> {
        Ok(hex(Sha256::digest(serde_json::to_vec(&Self { own_sha256: None, ..self.clone() })?)))
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
    /// Steps done, and the hashes of the other parts.
    Position,
}

impl Part {
    const ALL: [Self; 5] = [Self::Model, Self::Optimizer, Self::Scheduler, Self::Ema, Self::Position];
    /// The parts that every checkpoint has beside its position.
    const NEEDED: [Self; 3] = [Self::Model, Self::Optimizer, Self::Scheduler];
}

impl RunDir {
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

    /// Writes the position of a checkpoint whose other parts are written, and removes the checkpoints before the last two.
    ///
    /// # Errors
    /// When a part is missing, or the file cannot be written.
    pub fn note_position(&self, checkpoint: Checkpoint) -> Result<()> {
        let Checkpoint { round, steps_done, collapses } = checkpoint;
        let mut parts = BTreeMap::new();
        for part in [&Part::NEEDED[..], &[Part::Ema]].concat() {
            let file = self.checkpoint_file(part, round);
            if part != Part::Ema || file.is_file() {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                parts.insert(name, sha256_of_file(&file, None)?);
            }
        }
        let mut position = PositionFile { round, steps_done, collapses, parts, own_sha256: None };
        position.own_sha256 = Some(position.own_sha256()?);
        write_atomically(&self.checkpoint_file(Part::Position, round), &serde_json::to_vec(&position)?)?;
        for old in self.noted_rounds()?.into_iter().filter(|&old| old < round).skip(KEPT - 1) {
            self.forget(old)?;
        }
        Ok(())
    }

    /// Returns the rounds of which a position was written, newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn noted_rounds(&self) -> Result<Vec<usize>> {
        let noted = |round: &usize| self.checkpoint_file(Part::Position, *round).exists();
        Ok(self.rounds_with_files()?.into_iter().rev().filter(noted).collect())
    }

    /// Returns the checkpoint of a round, after a look at its position; its other parts are compared with their hashes by
    /// [`RunDir::verify`].
    ///
    /// # Errors
    /// When a part is missing, or the position is damaged.
    pub fn checkpoint(&self, round: usize) -> Result<Checkpoint> {
        Ok(self.position_file(round)?.0)
    }

    /// Compares the parts of a checkpoint with the hashes in its position. Checkpoints of earlier versions have none.
    ///
    /// # Errors
    /// Names the part that is missing or damaged.
    pub fn verify(&self, round: usize) -> Result<()> {
        for (name, sha256) in self.position_file(round)?.1 {
            let file = self.checkpoint_dir().join(&name);
            let found = sha256_of_file(&file, None)?;
            ensure!(found == sha256, "{} is damaged: its SHA-256 is not the one that was noted", file.display());
        }
        Ok(())
    }

    fn position_file(&self, round: usize) -> Result<(Checkpoint, BTreeMap<String, String>)> {
        let file = self.checkpoint_file(Part::Position, round);
        let damaged = || format!("{} is damaged", file.display());
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let position: PositionFile = serde_json::from_slice(&bytes).with_context(damaged)?;
        let sum = position.own_sha256()?;
        let sound = position.own_sha256.as_ref().map_or(position.parts.is_empty(), |noted| *noted == sum);
        ensure!(sound && position.round == round, damaged());
        for part in Part::NEEDED {
            let file = self.checkpoint_file(part, round);
            ensure!(file.is_file(), "{} is missing", file.display());
        }
        let PositionFile { steps_done, collapses, parts, .. } = position;
        Ok((Checkpoint { round, steps_done, collapses }, parts))
    }

    /// Returns the checkpoints of which every part is there, newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        Ok(self.noted_rounds()?.into_iter().filter_map(|round| self.checkpoint(round).ok()).collect())
    }

    /// Removes all files of checkpoints after `round`, which will be written again.
    ///
    /// # Errors
    /// When a file cannot be removed: it could be taken for a part of a later checkpoint.
    pub fn forget_after(&self, round: usize) -> Result<()> {
        self.rounds_with_files()?.into_iter().filter(|&later| later > round).try_for_each(|later| self.forget(later))
    }

    /// Removes the files of the checkpoint of `round`, its position first: without one, the others are no checkpoint.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn forget(&self, round: usize) -> Result<()> {
        for file in Part::ALL.into_iter().rev().map(|part| self.checkpoint_file(part, round)) {
            if file.is_file() {
                fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
            }
        }
        Ok(())
    }

    /// Moves the files of a checkpoint that cannot be used to a folder of their own, and returns the folder.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub fn set_aside(&self, round: usize) -> Result<PathBuf> {
        let name = |number: usize| match number {
            1 => format!("set-aside-{round}"),
            _ => format!("set-aside-{round}-{number}"),
        };
        let mut places = (1..).map(|number| self.checkpoint_dir().join(name(number))).filter(|place| !place.exists());
        // The iterator has no end.
        let place = places.next().unwrap_or_default();
        fs::create_dir(&place).with_context(|| format!("cannot create {}", place.display()))?;
        for file in Part::ALL.into_iter().rev().map(|part| self.checkpoint_file(part, round)) {
            if file.exists() {
                let to = place.join(file.file_name().unwrap_or_default());
                fs::rename(&file, to).with_context(|| format!("cannot move {}", file.display()))?;
            }
        }
        Ok(place)
    }

    /// Removes what burn-train was writing when a process was killed: `model-K.bpk.7-0.tmp`, say.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file not removed.
    pub fn forget_scratch(&self) -> Result<()> {
        let dir = self.checkpoint_dir();
        if !dir.is_dir() {
            return Ok(());
        }
        let context = || format!("cannot tidy up {}", dir.display());
        for entry in fs::read_dir(&dir).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            let is_scratch = |name: &str| name.contains(".bpk.") && name.ends_with(".tmp");
            if name.to_str().is_some_and(is_scratch) {
                fs::remove_file(dir.join(name)).with_context(context)?;
            }
        }
        Ok(())
    }

    /// Returns whether all parts of a checkpoint but its position are there.
    pub fn has_parts(&self, round: usize) -> bool {
        Part::NEEDED.iter().all(|&part| self.checkpoint_file(part, round).is_file())
    }

    /// Returns the rounds of which any part of a checkpoint exists, ascending.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn rounds_with_files(&self) -> Result<BTreeSet<usize>> {
        let dir = self.checkpoint_dir();
        if !dir.is_dir() {
            return Ok(BTreeSet::new());
        }
        let context = || format!("cannot read {}", dir.display());
        let mut rounds = BTreeSet::new();
        for entry in fs::read_dir(&dir).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            let number = name.to_str().and_then(|name| name.split(['-', '.']).nth(1)?.parse::<usize>().ok());
            let named = |round: &usize| {
                Part::ALL.iter().any(|&part| self.checkpoint_file(part, *round).file_name() == Some(name.as_os_str()))
            };
            rounds.extend(number.filter(named));
        }
        Ok(rounds)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::run_dir::tests::run_dir;
    use super::*;

    fn write(run: &RunDir, part: Part, round: usize, content: &str) {
        fs::create_dir_all(run.checkpoint_dir()).unwrap();
        fs::write(run.checkpoint_file(part, round), content).unwrap();
    }

    fn checkpoint(run: &RunDir, round: usize, steps_done: usize) {
        for part in Part::NEEDED {
            write(run, part, round, "x");
        }
        run.note_position(Checkpoint { round, steps_done, collapses: 0 }).unwrap();
    }

    fn rounds(run: &RunDir) -> Vec<(usize, usize)> {
        run.checkpoints().unwrap().iter().map(|found| (found.round, found.steps_done)).collect()
    }

    #[test]
    fn a_checkpoint_counts_when_all_of_it_is_there_and_two_are_kept() {
        let dir = TempDir::new().unwrap();
        let run = run_dir(&dir);
        assert_eq!(run.checkpoints().unwrap(), []);
        for round in [2, 9, 10, 11] {
            checkpoint(&run, round, 100 * round);
        }
        assert_eq!(rounds(&run), [(11, 1100), (10, 1000)]);
        assert_eq!(fs::read_dir(run.checkpoint_dir()).unwrap().count(), 8);
        fs::remove_file(run.checkpoint_file(Part::Optimizer, 11)).unwrap();
        assert_eq!(rounds(&run), [(10, 1000)]);
    }

    #[test]
    fn later_rounds_are_forgotten_in_all_their_parts() {
        let dir = TempDir::new().unwrap();
        let run = run_dir(&dir);
        run.forget_after(0).unwrap();
        checkpoint(&run, 3, 30);
        checkpoint(&run, 4, 40);
        write(&run, Part::Model, 5, "half of a checkpoint");
        for name in ["notes-7.txt", "model-4.bpk.77-0.tmp"] {
            fs::write(run.checkpoint_dir().join(name), "somebody's, or a killed process's").unwrap();
        }
        run.forget_scratch().unwrap();
        run.forget_after(3).unwrap();
        assert_eq!(run.checkpoints().unwrap(), [Checkpoint { round: 3, steps_done: 30, collapses: 0 }]);
        assert_eq!(fs::read_dir(run.checkpoint_dir()).unwrap().count(), 5);
    }

    #[test]
    fn every_flipped_byte_of_every_part_is_found() {
        let dir = TempDir::new().unwrap();
        let run = run_dir(&dir);
        write(&run, Part::Ema, 3, "the average");
        checkpoint(&run, 3, 30);
        let sound = |run: &RunDir| run.checkpoint(3).and_then(|_| run.verify(3)).is_ok();
        assert!(sound(&run));
        for part in Part::ALL {
            let file = run.checkpoint_file(part, 3);
            let whole = fs::read(&file).unwrap();
            for place in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[place] ^= 1;
                fs::write(&file, flipped).unwrap();
                assert!(!sound(&run), "{part:?}, byte {place}");
            }
            fs::write(&file, whole).unwrap();
        }
        assert!(sound(&run));
    }

    #[test]
    fn positions_of_earlier_versions_are_read() {
        let dir = TempDir::new().unwrap();
        let run = run_dir(&dir);
        checkpoint(&run, 3, 30);
        write(&run, Part::Position, 3, r#"{"round":3,"steps_done":28}"#);
        run.verify(3).unwrap();
        assert_eq!(run.checkpoint(3).unwrap(), Checkpoint { round: 3, steps_done: 28, collapses: 0 });
    }

    #[test]
    fn what_is_set_aside_is_kept() {
        let dir = TempDir::new().unwrap();
        let run = run_dir(&dir);
        for name in ["set-aside-3", "set-aside-3-2"] {
            checkpoint(&run, 3, 30);
            assert_eq!(run.set_aside(3).unwrap(), run.checkpoint_dir().join(name));
            assert_eq!(fs::read_dir(run.checkpoint_dir().join(name)).unwrap().count(), 4);
        }
        assert_eq!(rounds(&run), []);
    }
}
