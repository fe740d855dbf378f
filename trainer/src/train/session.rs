//! One run from its configuration to a trained network.
//!
//! What burn-train calls an epoch is a *round* here: a part of an epoch, after which it validates and saves a
//! checkpoint. Beside each checkpoint stands the number of steps done, so a run stopped in the middle of a round saves
//! there and goes on from that very step.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::lr_scheduler::sequential::SequentialLrSchedulerConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, ModuleOptimizer, OptimizerRecord, SgdConfig};
use burn::prelude::*;
use burn::store::ModuleRecord;
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::store::EventStoreClient;
use burn::train::metric::{AccuracyMetric, LearningRateMetric, LossMetric};
use burn::train::{EarlyStoppingStrategy, Learner, SupervisedTraining};
use shared::attack::AttackConfig;
use shared::model::Classifier;

use super::config::{OptimizerName, RecipeName, TrainConfig};
use super::dashboard::Dashboard;
use super::loader::{Pictures, Position, TrainLoader, ValidLoader};
use super::model::TrainingModel;
use super::renderer::LineRenderer;
use crate::data::{Dataset, HELD_OUT_SEED, Split};
use crate::output;
use crate::run_dir::{Checkpoint, Part, RunDir};

/// Batch norm and biases, which weight decay leaves alone.
const WITHOUT_DECAY: &str = r"(bn\d\.(gamma|beta)|bias)$";

/// A run that is ready to start or to go on.
pub struct Session {
    pub config: TrainConfig,
    pub run: RunDir,
    pub dataset: Dataset,
    /// Plain device.
    pub device: Device,
    pub position: Arc<Position>,
    /// Where to go on.
    pub checkpoint: Option<Checkpoint>,
    /// Where to draw burn-train's dashboard, if at all.
    pub dashboard: Option<Arc<Dashboard>>,
}

/// How a run ended.
pub enum Outcome {
    /// All steps are done. The network is on the plain device.
    Done(Box<Classifier>),
    /// Stopped on request after so many steps of so many; saved.
    Stopped { steps_done: usize, steps_total: usize },
}

impl Session {
    /// Finds out what is wrong with `config` for a data set, before anything of a run is written.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check(config: &TrainConfig, train: &Split) -> Result<()> {
        let plan = Plan::new(config, train)?;
        optimizer(config)?;
        scheduler(config, plan.steps_total)?;
        Ok(())
    }

    /// Trains until the last step or until a stop is requested.
    ///
    /// # Errors
    /// When a checkpoint cannot be written or read, or the device fails.
    pub fn run(self, classifier: Classifier) -> Result<Outcome> {
        let Self { config, run, dataset, device, position, checkpoint, dashboard } = self;
        let autodiff = device.clone().autodiff();
        let split = Arc::new(dataset.train);
        let Plan { train, held_out, steps_total, steps_per_round } = Plan::new(&config, &split)?;
        let pictures = |indices: Vec<usize>| Pictures {
            split: split.clone(),
            indices: Arc::new(indices),
            image_size: config.image_size,
        };
        let rounds_done = checkpoint.map_or(0, |checkpoint| checkpoint.round);
        let rounds_left = (steps_total - position.steps_done().min(steps_total)).div_ceil(steps_per_round);
        run.forget_after(rounds_done)?;
        let train_loader = TrainLoader {
            pictures: pictures(train),
            batch_size: config.batch_size,
            crop_padding: config.crop_padding,
            seed: config.seed,
            steps_total,
            steps_per_round,
            position: position.clone(),
            device: autodiff.clone(),
        };
        let valid_loader = ValidLoader {
            pictures: pictures(held_out),
            batch_size: config.batch_size,
            position: position.clone(),
            device: device.clone(),
        };
        let model = TrainingModel {
            classifier: classifier.train(),
            attacks: attacks(&config),
            label_smoothing: config.label_smoothing,
        };
        let learner = Learner::new(model, optimizer(&config)?, scheduler(&config, steps_total)?);
        let after_checkpoint =
            AfterCheckpoint { run: run.clone(), position: position.clone(), failure: Arc::default() };
        let failure = after_checkpoint.failure.clone();
        let renderer = match &dashboard {
            // Its own interrupter would end the run without saving: it gets the one that stops the loader, and the round then
            // ends as after Ctrl-C.
            Some(dashboard) => dashboard.start(position.stop_handle(), checkpoint.map(|checkpoint| checkpoint.round)),
            None => Box::new(LineRenderer::new()),
        };
        let mut training = SupervisedTraining::new(run.path(), Arc::new(train_loader), Arc::new(valid_loader))
            .metrics((AccuracyMetric::new(), LossMetric::new()))
            .metric_train_numeric(LearningRateMetric::new())
            .with_default_checkpointers()
            .with_checkpointing_strategy(KeepLastNCheckpoints::new(2))
            .early_stopping(after_checkpoint)
            .renderer(renderer)
            .num_epochs(rounds_done + rounds_left);
        if let Some(checkpoint) = checkpoint {
            training = training.checkpoint(checkpoint.round);
        }
        let result = training.launch(learner);
        if let Some(error) = result.error {
            return Err(anyhow!("{error}")).context("training stopped");
        }
        // A lock that a panic has poisoned holds the error all the same.
        if let Some(error) = failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take() {
            return Err(error).context("training stopped; the checkpoint before this one is whole");
        }
        if result.interrupted.is_some() || position.steps_done() < steps_total {
            let saved = run.checkpoints()?.first().map_or(0, |checkpoint| checkpoint.steps_done);
            return Ok(Outcome::Stopped { steps_done: saved, steps_total });
        }
        Ok(Outcome::Done(Box::new(result.model.classifier)))
    }
}

/// What the settings and the data set decide of a run, and nothing else does.
struct Plan {
    /// Pictures to train on.
    train: Vec<usize>,
    /// Pictures to validate on.
    held_out: Vec<usize>,
    steps_total: usize,
    /// Steps from one checkpoint to the next.
    steps_per_round: usize,
}

impl Plan {
    fn new(config: &TrainConfig, split: &Split) -> Result<Self> {
        let (train, held_out) = split.held_out(HELD_OUT_SEED, config.held_out);
        ensure!(
            train.len() >= config.batch_size,
            "a batch of {} is larger than the {} training pictures: lower --batch-size",
            config.batch_size,
            train.len()
        );
        let steps_per_epoch = TrainLoader::steps_per_epoch(train.len(), config.batch_size);
        let steps_total = config.steps.unwrap_or(config.epochs * steps_per_epoch);
        let steps_per_round = steps_per_epoch.div_ceil(config.rounds).min(steps_total);
        Ok(Self { train, held_out, steps_total, steps_per_round })
    }
}

/// The checkpoint of `run` to go on from: the newest one that can be read, with a warning for each that cannot.
///
/// `classifier` is a network of the run's architecture; what it holds afterwards is of no use.
///
/// # Errors
/// Names the file when there are checkpoints but none can be read.
pub fn find_checkpoint(run: &RunDir, classifier: Classifier) -> Result<Option<Checkpoint>> {
    let model = TrainingModel { classifier, attacks: vec![], label_smoothing: 0.0 };
    let mut newest = None;
    for checkpoint in run.checkpoints()? {
        match try_load(run, checkpoint.round, &model) {
            Ok(()) => return Ok(Some(checkpoint)),
            Err(error) => {
                output::warn(&format!("{error:#}"));
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
fn try_load(run: &RunDir, round: usize, model: &TrainingModel) -> Result<()> {
    let damaged = |part: Part| {
        let file = run.checkpoint_file(part, round);
        move || format!("{} is damaged", file.display())
    };
    let file = |part: Part| run.checkpoint_file(part, round);
    let record = ModuleRecord::load(file(Part::Model)).with_context(damaged(Part::Model))?;
    model.clone().try_load_record(record).with_context(damaged(Part::Model))?;
    OptimizerRecord::load(file(Part::Optimizer)).with_context(damaged(Part::Optimizer))?;
    LrSchedulerRecord::load(file(Part::Scheduler)).with_context(damaged(Part::Scheduler))?;
    Ok(())
}

/// Called right after each checkpoint: notes where it stands, and ends the run if that was asked for.
#[derive(Clone)]
struct AfterCheckpoint {
    run: RunDir,
    position: Arc<Position>,
    /// Why the run was ended instead.
    failure: Arc<Mutex<Option<Error>>>,
}

impl EarlyStoppingStrategy for AfterCheckpoint {
    fn should_stop(&mut self, round: usize, _store: &EventStoreClient) -> bool {
        let checkpoint = Checkpoint { round, steps_done: self.position.steps_done() };
        if let Err(error) = self.run.note_position(checkpoint) {
            *self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(error);
            return true;
        }
        self.position.stop_requested()
    }
}

fn attacks(config: &TrainConfig) -> Vec<AttackConfig> {
    let epsilon = config.epsilon.value();
    match config.recipe {
        RecipeName::Normal => vec![],
        RecipeName::Hardened => vec![AttackConfig::fgsm(epsilon), AttackConfig::bim(epsilon, config.bim_steps)],
    }
}

fn optimizer(config: &TrainConfig) -> Result<ModuleOptimizer> {
    let without_decay = ParamGroup::from_regex(WITHOUT_DECAY).map_err(|error| anyhow!("{error:?}"))?;
    Ok(match config.optimizer {
        OptimizerName::Sgd => {
            let sgd = || {
                // burn's default dampening of 0.1 is not PyTorch's, nor any paper's.
                let momentum = MomentumConfig::new().with_momentum(config.momentum).with_dampening(0.0);
                SgdConfig::new().with_momentum(Some(momentum.with_nesterov(true)))
            };
            let decay = WeightDecayConfig::new(config.weight_decay() as f32);
            sgd().with_weight_decay(Some(decay)).init().with_group(without_decay, sgd().build(), None)
        }
        OptimizerName::Adamw => {
            let adamw = |decay: f64| AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay as f32);
            adamw(config.weight_decay()).init().with_group(without_decay, adamw(0.0).build(), None)
        }
    })
}

/// Linear warm-up, then a cosine to zero.
fn scheduler(config: &TrainConfig, steps_total: usize) -> Result<ModuleLrScheduler> {
    let warm_up = (config.warm_up * steps_total as f64).round() as usize;
    let peak = config.learning_rate();
    let cosine = CosineAnnealingLrSchedulerConfig::new(peak, (steps_total - warm_up).max(1));
    let scheduler = if warm_up == 0 {
        cosine.init()
    } else {
        let linear = LinearLrSchedulerConfig::new(peak / warm_up as f64, peak, warm_up);
        SequentialLrSchedulerConfig::new(
            vec![LrSchedulerConfig::Linear(linear), LrSchedulerConfig::Cosine(cosine)],
            vec![warm_up],
        )
        .init()
    };
    match scheduler {
        Ok(scheduler) => Ok(scheduler),
        Err(error) => bail!("no learning rate schedule can be made of these settings: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, dataset};
    use super::*;

    /// Or a network that is trained further would be validated on what its parent has learned by heart.
    #[test]
    fn the_seed_of_a_run_does_not_change_what_is_held_out() {
        let train = dataset().train;
        let held_out = |seed| Plan::new(&config(&["--seed", seed]), &train).unwrap().held_out;
        assert_eq!(held_out("0").len(), 8);
        assert_eq!(held_out("0"), held_out("7"));
        assert_eq!(held_out("0"), train.held_out(0, 2).1, "those of the shipped networks");
    }
}
