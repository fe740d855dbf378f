//! The search for the newest checkpoint that can be gone on from.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use burn::optim::OptimizerRecord;
use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::prelude::*;
use burn::store::ModuleRecord;
use burn::store::burn_pack::Reader;
use shared::bundle::load_weights;
use shared::model::Classifier;

use super::checkpoint_files::{Checkpoint, Part};
use super::config::TrainConfig;
use super::crash::caught;
use super::model::TrainingModel;
use super::optim::{optimizer, scheduler};
use super::run_dir::RunDir;
use super::session::MAX_COLLAPSES;
use crate::progress::Progress;

/// Returns the newest checkpoint of `run` that can be gone on from, with a warning for each that cannot, whose files are set
/// aside.
///
/// `classifier` is a network of the run's architecture, whose weights are overwritten; the run has `steps_total` steps.
///
/// # Errors
/// Names the file when there are checkpoints but none can be read; nothing is changed then.
pub fn find_checkpoint(
    run: &RunDir,
    config: &TrainConfig,
    steps_total: usize,
    classifier: Classifier,
    progress: &Progress,
) -> Result<Option<Checkpoint>> {
    let model = TrainingModel::blank(classifier);
    let dir = run.checkpoint_dir();
    let mut refused = vec![];
    for round in run.noted_rounds()? {
        // burn-train and its records panic where something is damaged.
        let loaded = caught(|| try_load(run, round, config, steps_total, &model))
            .unwrap_or_else(|panic| bail!("the checkpoint of round {round} in {} is damaged: {panic}", dir.display()));
        match loaded {
            Ok(found) => {
                for (round, error) in refused {
                    let place = run.set_aside(round)?;
                    progress.warn(format!(
                        "{error:#}: the checkpoint of step {} is taken; the files are kept in {}",
                        found.steps_done,
                        place.display()
                    ));
                }
                return Ok(Some(found));
            }
            Err(error) => refused.push((round, error)),
        }
    }
    if let Some((_, newest)) = refused.into_iter().next() {
        return Err(newest).with_context(|| {
            format!(
                "no checkpoint is whole; move {} away, or delete it, to start again at the first step",
                dir.display()
            )
        });
    }
    let rounds = run.rounds_with_files()?;
    ensure!(
        rounds.iter().all(|&round| round <= 1),
        "{} holds parts of checkpoints, and no position-K.json, which says at what step they are: put those files back, or move \
         the folder away to start again at the first step",
        dir.display()
    );
    if run.has_parts(1) {
        progress.warn(format!(
            "the checkpoint of round 1 has no position-1.json and cannot be used; its files are kept in {}",
            run.set_aside(1)?.display()
        ));
    }
    Ok(None)
}

/// Reads the files that burn-train will read, and puts their content where burn-train will put it.
fn try_load(
    run: &RunDir,
    round: usize,
    config: &TrainConfig,
    steps_total: usize,
    model: &TrainingModel,
) -> Result<Checkpoint> {
    let found = run.checkpoint(round)?;
    let position = run.checkpoint_file(Part::Position, round);
    ensure!(
        found.steps_done <= steps_total && found.collapses <= MAX_COLLAPSES && u32::try_from(round).is_ok(),
        "{} is damaged: step {} after {} collapses is not in a run of {steps_total} steps",
        position.display(),
        found.steps_done,
        found.collapses
    );
    run.verify(round)?;
    let damaged = |part: Part| {
        let file = run.checkpoint_file(part, round);
        move || format!("{} is damaged", file.display())
    };
    let file = |part: Part| run.checkpoint_file(part, round);
    let record = ModuleRecord::load(file(Part::Model)).with_context(damaged(Part::Model))?;
    model.clone().try_load_record(record).with_context(damaged(Part::Model))?;
    check_finite(&file(Part::Model))?;
    let state = OptimizerRecord::load(file(Part::Optimizer)).with_context(damaged(Part::Optimizer))?;
    let (optimizer, scheduler) = (optimizer(config)?, scheduler(config, steps_total)?);
    caught(|| optimizer.load_record(state)).map_err(anyhow::Error::msg).with_context(damaged(Part::Optimizer))?;
    let state = LrSchedulerRecord::load(file(Part::Scheduler)).with_context(damaged(Part::Scheduler))?;
    caught(|| scheduler.load_record(state)).map_err(anyhow::Error::msg).with_context(damaged(Part::Scheduler))?;
    if config.ema > 0.0 {
        read_ema(run, round, &mut model.classifier.clone())?;
    }
    Ok(found)
}

/// Loads the average of the weights at a checkpoint into `average`.
///
/// # Errors
/// When the file is missing or damaged.
pub fn read_ema(run: &RunDir, round: usize, average: &mut Classifier) -> Result<()> {
    let file = run.checkpoint_file(Part::Ema, round);
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    load_weights(average, &bytes).with_context(|| format!("{} is damaged", file.display()))
}

/// Checks that all numbers in a file of burn's are finite: a network with others cannot be trained any more.
///
/// # Errors
/// Names the file and the tensor.
pub fn check_finite(file: &Path) -> Result<()> {
    let context = || format!("cannot read {}", file.display());
    for tensor in Reader::from_file(file).and_then(Reader::into_tensors).with_context(context)? {
        let (name, dtype, shape, _, bytes) = tensor.into_parts().with_context(context)?;
        let finite = !dtype.is_float() || TensorData::from_bytes(bytes, shape, dtype).iter::<f32>().all(f32::is_finite);
        ensure!(finite, "{} holds numbers that are not finite, in {name}", file.display());
    }
    Ok(())
}
