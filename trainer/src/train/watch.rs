//! The work after each checkpoint: its position and the round's measurements are written, and a run ends if a stop was
//! requested or the network has collapsed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Error, Result, bail};
use burn::train::EarlyStoppingStrategy;
use burn::train::checkpoint::{CheckpointingAction, CheckpointingStrategy};
use burn::train::metric::store::EventStoreClient;
use shared::bundle::{Precision, save_weights};

use super::checkpoint::check_finite;
use super::checkpoint_files::{Checkpoint, Part};
use super::ema::Ema;
use super::history::{History, measured};
use super::position::Position;
use super::probe::collapsed;
use super::run_dir::RunDir;
use crate::files::write_atomically;
use crate::pretrained::is_finite;
use crate::progress::{Collapse, Event, Progress};

/// The state of a run after a checkpoint.
#[derive(Default)]
pub enum RunState {
    #[default]
    Healthy,
    Failed(Error),
    Collapsed(Collapse),
}

/// A state that is passed from burn-train's callback to the session.
#[derive(Clone, Default)]
pub struct SharedRunState(Arc<Mutex<RunState>>);

impl SharedRunState {
    /// Returns the state, and leaves [`RunState::Healthy`].
    pub fn take(&self) -> RunState {
        // A lock that a panic has poisoned still holds the state.
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, state: RunState) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// A callback for burn-train's checkpoints.
#[derive(Clone)]
pub struct AfterCheckpoint {
    pub run: RunDir,
    pub position: Arc<Position>,
    pub steps_per_epoch: usize,
    pub steps_total: usize,
    pub collapses: usize,
    /// Number of pictures that the probe attacks.
    pub probed: usize,
    pub history: History,
    pub ema: Option<Ema>,
    /// Beginning of the round.
    pub since: Instant,
    pub progress: Progress,
    pub state: SharedRunState,
}

impl AfterCheckpoint {
    fn note(&mut self, round: usize, store: &EventStoreClient) -> Result<Option<Collapse>> {
        let steps_done = self.position.steps_done();
        let seconds = std::mem::replace(&mut self.since, Instant::now()).elapsed().as_secs_f64();
        let epochs = |steps: usize| steps as f64 / self.steps_per_epoch as f64;
        let mut row = measured(round, steps_done, epochs(steps_done), seconds, store);
        if self.position.stop_requested() {
            // The validation may be incomplete, and a part of the pictures is no measurement.
            (row.valid_loss, row.valid_accuracy, row.probe_accuracy) = (None, None, None);
        }
        let (steps_total, epochs_total) = (self.steps_total, epochs(self.steps_total));
        self.progress.send(&Event::Round { measured: row.clone(), steps_total, epochs_total });
        // A round with training steps has a loss, and its last step may have given weights that no loss has been made of.
        let has_loss = row.learning_rate.is_none() || row.train_loss.is_some_and(f64::is_finite);
        let weights = check_finite(&self.run.checkpoint_file(Part::Model, round));
        let average = self.ema.as_ref().is_none_or(|ema| is_finite(&ema.average()));
        let problem = match weights {
            _ if !has_loss => Some("the training loss is not a number any more".into()),
            Err(error) => Some(format!("{error:#}")),
            Ok(()) => (!average).then(|| "the average of the weights is not a number any more".to_string()),
        };
        if let Some(problem) = problem {
            self.run.forget(round)?;
            let kept = match self.run.checkpoints()?.first() {
                Some(kept) => format!("the checkpoint of step {} is kept", kept.steps_done),
                None => "nothing was saved before".into(),
            };
            bail!(
                "{problem} at step {steps_done}, which is not saved; {kept}: take a lower --learning-rate in another run"
            );
        }
        if let (Some(best), Some(now)) = (self.history.best_probe(), row.probe_accuracy)
            && collapsed(100.0 * best, 100.0 * now, self.probed)
        {
            return Ok(Some(Collapse { round, best_probe_accuracy: best, probe_accuracy: now }));
        }
        if let Some(ema) = &self.ema {
            let weights = save_weights(&ema.average(), Precision::F32).context("the average cannot be saved")?;
            write_atomically(&self.run.checkpoint_file(Part::Ema, round), &weights)?;
        }
        self.run.note_position(Checkpoint { round, steps_done, collapses: self.collapses })?;
        self.history.add(row)?;
        self.progress.send(&Event::Checkpoint { round, step: steps_done, collapses: self.collapses });
        Ok(None)
    }
}

/// A strategy that saves a checkpoint each round; [`AfterCheckpoint`] removes old ones.
pub struct EachRound;

impl CheckpointingStrategy for EachRound {
    /// Returns a deletion of nothing after saving, which burn-train's writers accept only once they have written: what comes
    /// after finds whole files.
    fn checkpointing(&mut self, _round: usize, _store: &EventStoreClient) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save, CheckpointingAction::Delete(NO_ROUND)]
    }
}

/// A number that no round has.
const NO_ROUND: usize = 0;

impl EarlyStoppingStrategy for AfterCheckpoint {
    fn should_stop(&mut self, round: usize, store: &EventStoreClient) -> bool {
        match self.note(round, store) {
            Ok(None) => self.position.stop_requested(),
            Ok(Some(collapse)) => {
                self.state.set(RunState::Collapsed(collapse));
                true
            }
            Err(error) => {
                self.state.set(RunState::Failed(error));
                true
            }
        }
    }
}
