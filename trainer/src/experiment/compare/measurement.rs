//! What a trained network is measured by: accuracy on the validation images, and how fast it is here.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use shared::bundle::Score;
use shared::device::Engine;

use crate::data::ValSet;
use crate::error::UsageError;
use crate::evaluate::{Evaluation, EvaluationBatch, Trial, logits, spread};
use crate::experiment::plan::{read_json, write_json};
use crate::models;
use crate::progress::{Progress, Stop};

/// The inference of a batch is timed for so long, after a first time that is slower than all others.
const TIMED_FOR: Duration = Duration::from_secs(1);
const TIMED_AT_MOST: usize = 20;

/// What a trained network scored. It is kept beside the runs, so that a network is measured once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// SHA-256 of the network's weights.
    pub weights_sha256: String,
    /// Accuracy on the clean validation images.
    pub score: Score,
    /// Images a second in inference.
    pub inference: f64,
    /// Name of the device.
    pub device: String,
}

impl Measurement {
    /// Reads what the network in `model` scored on so many images, if `file` has it.
    pub fn read(file: &Path, model: &Path, images: usize) -> Option<Self> {
        let measured: Self = read_json(file)?;
        let same = measured.weights_sha256 == models::card(model).ok()?.weights.sha256;
        (same && measured.score.top1.of == images).then_some(measured)
    }

    /// Measures the network in `model`, on `limit` images or on all, `batch_size` at once, and keeps that in `file`.
    ///
    /// # Errors
    /// When the network cannot be loaded, the device fails, or the file cannot be written; [`crate::error::Stopped`] when the
    /// user ended it.
    #[expect(clippy::too_many_arguments, reason = "it is called once, by the hidden command")]
    pub fn take(
        file: &Path,
        model: &Path,
        clean: &ValSet,
        limit: Option<usize>,
        batch_size: usize,
        engine: &Engine,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Self> {
        let bundle = models::load(model, &engine.device)?;
        ensure!(
            bundle.card.data_sha256 == clean.sha256,
            UsageError(format!("{} was trained on another data set", model.display()))
        );
        let indices = spread(&clean.val.labels, limit);
        let evaluation = Evaluation {
            bundles: std::slice::from_ref(&bundle),
            clean: &clean.val,
            indices: &indices,
            crafted: &[],
            trials: &[Trial::CLEAN],
            stop,
        };
        let scores = evaluation.run_in(batch_size, &engine.device, progress);
        let score = scores?.remove(0).remove(0);
        let first = &indices[..indices.len().min(batch_size)];
        let batch = EvaluationBatch::new(&clean.val, first, 0, bundle.card.classes.len(), &engine.device)?;
        let pass = || logits(&bundle, batch.images.clone()).map(drop);
        let inference = batch.labels.len() as f64 / fastest(pass)?.as_secs_f64();
        let device = engine.backend.label().into();
        let measured = Self { weights_sha256: bundle.card.weights.sha256, score, inference, device };
        write_json(file, &measured)?;
        Ok(measured)
    }
}

/// Returns how long `work` takes when nothing else disturbs it.
fn fastest(work: impl Fn() -> Result<()>) -> Result<Duration> {
    work()?;
    let (began, mut best) = (Instant::now(), Duration::MAX);
    for _ in 0..TIMED_AT_MOST {
        let before = Instant::now();
        work()?;
        best = best.min(before.elapsed());
        if began.elapsed() >= TIMED_FOR {
            break;
        }
    }
    Ok(best.max(Duration::from_nanos(1)))
}

/// A line of a run's `metrics.jsonl`, as far as it is needed here.
#[derive(Deserialize)]
struct Round {
    step: usize,
    seconds: f64,
}

/// Returns the steps that the run in the folder `run` has done, and the seconds on the clock that they took, validations and
/// checkpoints included.
///
/// # Errors
/// When it has kept no measurements.
pub fn training_time(run: &Path) -> Result<(usize, f64)> {
    let file = run.join("metrics.jsonl");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let rounds: Vec<Round> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let last = rounds.last().with_context(|| format!("{} has no rounds", file.display()))?;
    Ok((last.step, rounds.iter().map(|round| round.seconds).sum()))
}
