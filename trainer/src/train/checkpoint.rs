//! Checkpoints are read before burn-train reads them, which panics where it cannot.

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

/// The checkpoint of `run` to go on from: the newest one that can be read, with a warning for each that cannot.
///
/// `classifier` is a network of the run's architecture; what it holds afterwards is of no use.
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

/// Reads what burn-train will read, which panics where it cannot.
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

/// Fills `average` with the average of the weights as it was at a checkpoint.
///
/// # Errors
/// When the file is missing or damaged.
pub fn read_ema(run: &RunDir, round: usize, average: &mut Classifier) -> Result<()> {
    let file = run.checkpoint_file(Part::Ema, round);
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    load_weights(average, &bytes).with_context(|| format!("{} is damaged", file.display()))
}
