//! Checks of checkpoints before burn-train reads them, which panics on damaged ones.

use anyhow::{Context, Result};
use burn::optim::OptimizerRecord;
use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::prelude::*;
use burn::store::ModuleRecord;
use shared::bundle::load_weights;
use shared::model::Classifier;

use super::config::TrainConfig;
use super::model::TrainingModel;
use super::run_dir::{Checkpoint, Part, RunDir};
use crate::progress::Progress;

/// Returns the newest checkpoint of `run` that can be read, with a warning for each that cannot.
///
/// `classifier` is a network of the run's architecture, whose weights are overwritten.
///
/// # Errors
/// Names the file when there are checkpoints but none can be read.
pub fn find_checkpoint(
    run: &RunDir,
    config: &TrainConfig,
    classifier: Classifier,
    progress: &Progress,
) -> Result<Option<Checkpoint>> {
    let model = TrainingModel::blank(classifier);
    let mut newest = None;
    for checkpoint in run.checkpoints()? {
        match try_load(run, checkpoint.round, config, &model) {
            Ok(()) => return Ok(Some(checkpoint)),
            Err(error) => {
                progress.warn(format!("{error:#}"));
                newest.get_or_insert(error);
            }
        }
    }
    match newest {
        None => Ok(None),
        Some(error) => Err(error).with_context(|| {
            format!(
                "no checkpoint is whole; delete {} to start again at the first step",
                run.checkpoint_dir().display()
            )
        }),
    }
}

/// Reads the files that burn-train will read, which panics on damaged ones.
fn try_load(run: &RunDir, round: usize, config: &TrainConfig, model: &TrainingModel) -> Result<()> {
    let damaged = |part: Part| {
        let file = run.checkpoint_file(part, round);
        move || format!("{} is damaged", file.display())
    };
    let file = |part: Part| run.checkpoint_file(part, round);
    let record = ModuleRecord::load(file(Part::Model)).with_context(damaged(Part::Model))?;
    model.clone().try_load_record(record).with_context(damaged(Part::Model))?;
    OptimizerRecord::load(file(Part::Optimizer)).with_context(damaged(Part::Optimizer))?;
    LrSchedulerRecord::load(file(Part::Scheduler)).with_context(damaged(Part::Scheduler))?;
    if config.ema > 0.0 {
        read_ema(run, round, &mut model.classifier.clone())?;
    }
    Ok(())
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
