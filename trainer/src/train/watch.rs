//! What happens right after each checkpoint: it is noted where it stands, the round's measurements are kept, and a run that
//! was asked to end, or has collapsed, ends.

use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Error, Result, ensure};
use burn::train::EarlyStoppingStrategy;
use burn::train::metric::store::EventStoreClient;
use serde_json::{Value, json};
use shared::bundle::{Precision, save_weights};

use super::dashboard::Dashboard;
use super::ema::Ema;
use super::history::{History, Row};
use super::position::Position;
use super::probe::collapsed;
use super::run_dir::{Checkpoint, Part, RunDir};
use super::session::Session;
use crate::files::write_atomically;

/// A network that has learned to fool the attack it is trained with.
#[derive(Clone, Debug)]
pub struct Collapse {
    /// The round that found it.
    pub round: usize,
    /// Best share of right answers under the probe before, and the one now.
    pub(super) best: f64,
    pub(super) now: f64,
}

impl Collapse {
    /// For the run's record.
    pub fn event(&self, back_to: Checkpoint) -> Value {
        json!({
            "event": "collapse",
            "round": self.round,
            "best_probe_accuracy": self.best,
            "probe_accuracy": self.now,
            "back_to_step": back_to.steps_done,
            "collapses": back_to.collapses,
        })
    }
}

impl Display for Collapse {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let percent = |share: f64| 100.0 * share;
        write!(
            formatter,
            "the network has collapsed: {:.1}% of the probe's pictures withstand PGD, {:.1}% did before",
            percent(self.now),
            percent(self.best)
        )
    }
}

/// Whether the run may go on.
pub enum Verdict {
    Fine,
    Failed(Error),
    Collapsed(Collapse),
}

/// A verdict that training passes on to whoever started it.
#[derive(Clone)]
pub struct SharedVerdict(Arc<Mutex<Verdict>>);

impl SharedVerdict {
    /// What it is, leaving [`Verdict::Fine`].
    pub fn take(&self) -> Verdict {
        // A lock that a panic has poisoned holds the verdict all the same.
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), Verdict::Fine)
    }

    fn set(&self, verdict: Verdict) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
    }
}

/// Called by burn-train when a checkpoint is under way.
#[derive(Clone)]
pub struct AfterCheckpoint {
    run: RunDir,
    position: Arc<Position>,
    steps_per_epoch: usize,
    collapses: usize,
    /// Pictures that the probe attacks.
    probed: usize,
    /// What is to be said at each round, and where.
    notice: Option<(Arc<Dashboard>, String)>,
    history: History,
    ema: Option<Ema>,
    since: Instant,
    verdict: SharedVerdict,
}

impl AfterCheckpoint {
    /// `probed` pictures are attacked at each validation.
    pub fn new(session: &Session, steps_per_epoch: usize, probed: usize, history: History, ema: Option<Ema>) -> Self {
        Self {
            run: session.run.clone(),
            position: session.position.clone(),
            steps_per_epoch,
            collapses: session.checkpoint.map_or(0, |checkpoint| checkpoint.collapses),
            probed,
            notice: session.dashboard.clone().zip(session.notice.clone()),
            history,
            ema,
            since: Instant::now(),
            verdict: SharedVerdict(Arc::new(Mutex::new(Verdict::Fine))),
        }
    }

    pub fn verdict(&self) -> SharedVerdict {
        self.verdict.clone()
    }

    fn note(&mut self, round: usize, store: &EventStoreClient) -> Result<Option<Collapse>> {
        let steps_done = self.position.steps_done();
        let seconds = std::mem::replace(&mut self.since, Instant::now()).elapsed().as_secs_f64();
        let mut row = Row::of(round, steps_done, steps_done as f64 / self.steps_per_epoch as f64, seconds, store);
        if self.position.stop_requested() {
            // It may have ended in the middle of the validation: a part of the pictures is no measurement.
            (row.valid_loss, row.valid_accuracy, row.probe_accuracy) = (None, None, None);
        }
        if let Some((dashboard, notice)) = &self.notice {
            dashboard.notify(notice);
        }
        // Where steps were taken, there is a loss.
        let has_loss = row.learning_rate.is_none() || row.train_loss.is_some_and(f64::is_finite);
        ensure!(
            has_loss || self.position.stop_requested(),
            "the training loss is not a number any more at step {steps_done}: take a lower --learning-rate in another run"
        );
        if let (Some(best), Some(now)) = (self.history.best_probe(), row.probe_accuracy)
            && collapsed(100.0 * best, 100.0 * now, self.probed)
        {
            return Ok(Some(Collapse { round, best, now }));
        }
        if let Some(ema) = &self.ema {
            let weights = save_weights(&ema.average(), Precision::F32).context("the average cannot be saved")?;
            write_atomically(&self.run.checkpoint_file(Part::Ema, round), &weights)?;
        }
        self.run.note_position(Checkpoint { round, steps_done, collapses: self.collapses })?;
        self.history.add(row)?;
        Ok(None)
    }
}

impl EarlyStoppingStrategy for AfterCheckpoint {
    fn should_stop(&mut self, round: usize, store: &EventStoreClient) -> bool {
        match self.note(round, store) {
            Ok(None) => self.position.stop_requested(),
            Ok(Some(collapse)) => {
                self.verdict.set(Verdict::Collapsed(collapse));
                true
            }
            Err(error) => {
                self.verdict.set(Verdict::Failed(error));
                true
            }
        }
    }
}
