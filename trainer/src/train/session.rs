//! One run from its configuration to a trained network.
//!
//! What burn-train calls an epoch is a *round* here: a part of an epoch, after which it validates and saves a
//! checkpoint. Beside each checkpoint stands the number of steps done, so a run stopped in the middle of a round saves
//! there and goes on from that very step.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use burn::prelude::*;
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::{AccuracyMetric, LearningRateMetric, LossMetric};
use burn::train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining};
use shared::model::Classifier;

use super::checkpoint::{find_checkpoint, read_ema};
use super::config::TrainConfig;
use super::dashboard::Dashboard;
use super::ema::Ema;
use super::freeze::Freeze;
use super::history::History;
use super::live::LiveAttacks;
use super::loader::TrainLoader;
use super::model::TrainingModel;
use super::optim::{optimizer, scheduler};
use super::pictures::Pictures;
use super::position::Position;
use super::probe::ProbeMetric;
use super::renderer::TaskRenderer;
use super::run_dir::{Checkpoint, Part, RunDir};
use super::sets::CraftedPictures;
use super::validation::ValidLoader;
use super::watch::{AfterCheckpoint, SharedVerdict, Verdict};
use crate::data::{Dataset, HELD_OUT_SEED, Split};
use crate::evaluate::spread;
use crate::progress::{Collapse, Event, Progress};

/// A run that collapses again and again will not be saved by another attempt.
const MOST_COLLAPSES: usize = 3;

/// A run that is ready to start or to go on.
pub struct Session {
    pub config: TrainConfig,
    pub run: RunDir,
    pub dataset: Dataset,
    /// The training pictures attacked beforehand, for recipes that need them.
    pub crafted: CraftedPictures,
    /// Plain devices; the first one leads.
    pub devices: Vec<Device>,
    pub position: Arc<Position>,
    /// Where to go on.
    pub checkpoint: Option<Checkpoint>,
    /// Where to draw burn-train's dashboard, if at all.
    pub dashboard: Option<Arc<Dashboard>>,
    pub progress: Progress,
}

/// How a run ended.
pub enum Outcome {
    /// All steps are done. The network is on the plain device.
    Done(Box<Classifier>),
    /// Stopped on request after so many steps of so many; saved.
    Stopped { steps_done: usize, steps_total: usize },
}

/// How one attempt at a run ended.
enum Ended {
    Outcome(Outcome),
    Collapsed(Collapse),
}

impl Session {
    /// Finds out what is wrong with `config` for a data set, before anything of a run is written.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check(config: &TrainConfig, train: &Split) -> Result<()> {
        let plan = Plan::new(config, train)?;
        ensure!(
            config.freeze == Freeze::Backbone || config.freeze.steps(plan.steps_per_epoch) < plan.steps_total,
            "freeze {} lasts as long as the run, so the backbone would never be trained: take more epochs or steps, or \
             freeze backbone if that is meant",
            config.freeze
        );
        optimizer(config)?;
        scheduler(config, plan.steps_total)?;
        Ok(())
    }

    /// Trains until the last step or until a stop is requested. Where the probe finds that the network has collapsed, the
    /// run goes back to the checkpoint before and goes on with one step more in its single-step attacks.
    ///
    /// # Errors
    /// When a checkpoint cannot be written or read, the device fails, or the network collapses again and again.
    pub fn run(mut self, classifier: Classifier) -> Result<Outcome> {
        let split = Arc::new(std::mem::replace(&mut self.dataset.train, Split { images: vec![], labels: vec![] }));
        let plan = Plan::new(&self.config, &split)?;
        loop {
            match self.attempt(&plan, &split, classifier.clone())? {
                Ended::Outcome(outcome) => return Ok(outcome),
                Ended::Collapsed(collapse) => self.roll_back(&collapse, classifier.clone())?,
            }
        }
    }

    fn attempt(&self, plan: &Plan, split: &Arc<Split>, classifier: Classifier) -> Result<Ended> {
        let Self { config, run, position, checkpoint, .. } = self;
        let Plan { batch_size, steps_total, steps_per_round, .. } = *plan;
        let device = self.devices[0].clone();
        let rounds_done = checkpoint.map_or(0, |checkpoint| checkpoint.round);
        let rounds_left = steps_total.div_ceil(steps_per_round) - position.steps_done() / steps_per_round;
        run.forget_after(rounds_done)?;
        let pictures = |indices: &[usize], crafted| Pictures {
            split: split.clone(),
            crafted,
            indices: Arc::new(indices.to_vec()),
            image_size: config.image_size,
        };
        let train_loader = TrainLoader {
            pictures: pictures(&plan.train, self.crafted.clone()),
            batch_size,
            rows: 0..batch_size,
            mix: config.mix.clone(),
            perturbations: config.perturbations.clone(),
            crop_padding: config.crop_padding,
            seed: config.seed,
            steps_total,
            steps_per_round,
            position: position.clone(),
            device: device.clone().autodiff(),
        };
        let valid_loader = ValidLoader {
            pictures: pictures(&plan.held_out, CraftedPictures::new()),
            batch_size,
            probe: config.probe,
            position: position.clone(),
            device,
        };
        let ema = self.ema(&classifier)?;
        let attacks = LiveAttacks::new(config, steps_total, checkpoint.map_or(0, |checkpoint| checkpoint.collapses));
        let model =
            TrainingModel::new(config, classifier, attacks, ema.clone(), position.clone(), plan.steps_per_epoch);
        let learner = Learner::new(model, optimizer(config)?, scheduler(config, steps_total)?);
        let mut history = History::open(run.path());
        history.forget_after(position.steps_done());
        let verdict = SharedVerdict::default();
        let watch = AfterCheckpoint {
            run: run.clone(),
            position: position.clone(),
            steps_per_epoch: plan.steps_per_epoch,
            steps_total,
            collapses: checkpoint.map_or(0, |checkpoint| checkpoint.collapses),
            probed: valid_loader.probed(),
            history,
            ema: ema.clone(),
            since: Instant::now(),
            progress: self.progress.clone(),
            verdict: verdict.clone(),
        };
        let renderer = match &self.dashboard {
            // Its own interrupter would end the run without saving: it gets the one that stops the loader, and the round then
            // ends as after Ctrl-C.
            Some(dashboard) => dashboard.start(position.stop_handle(), checkpoint.map(|checkpoint| checkpoint.round)),
            None => Box::new(TaskRenderer::new(self.progress.clone())),
        };
        let mut training = SupervisedTraining::new(run.path(), Arc::new(train_loader), Arc::new(valid_loader))
            .metrics((AccuracyMetric::new(), LossMetric::new()))
            .metric_train_numeric(LearningRateMetric::new())
            .with_default_checkpointers()
            .with_checkpointing_strategy(KeepLastNCheckpoints::new(2))
            .early_stopping(watch)
            .renderer(renderer)
            .num_epochs(rounds_done + rounds_left);
        if config.probe > 0 {
            training = training.metric_valid_numeric(ProbeMetric::new());
        }
        if self.devices.len() > 1 {
            let devices = self.devices.iter().map(|device| device.clone().autodiff()).collect();
            let strategy = ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice);
            training = training.with_training_strategy(strategy.into());
        }
        if let Some(checkpoint) = checkpoint {
            training = training.checkpoint(checkpoint.round);
        }
        let result = training.launch(learner);
        if let Some(error) = result.error {
            return Err(anyhow!("{error}")).context("training stopped");
        }
        match verdict.take() {
            Verdict::Fine => {}
            Verdict::Failed(error) => {
                return Err(error).context("training stopped; the checkpoint before this one is whole");
            }
            Verdict::Collapsed(collapse) => return Ok(Ended::Collapsed(collapse)),
        }
        if result.interrupted.is_some() || position.steps_done() < steps_total {
            let steps_done = run.checkpoints()?.first().map_or(0, |checkpoint| checkpoint.steps_done);
            return Ok(Ended::Outcome(Outcome::Stopped { steps_done, steps_total }));
        }
        let trained = ema.map_or(result.model.classifier, |ema| ema.average());
        Ok(Ended::Outcome(Outcome::Done(Box::new(trained))))
    }

    /// The average of the weights, as it was at the checkpoint to go on from.
    fn ema(&self, classifier: &Classifier) -> Result<Option<Ema>> {
        if self.config.ema == 0.0 {
            return Ok(None);
        }
        let mut average = classifier.clone();
        if let Some(checkpoint) = self.checkpoint {
            read_ema(&self.run, checkpoint.round, &mut average)?;
        }
        Ok(Some(Ema::new(self.config.ema, average)))
    }

    /// Goes back to the checkpoint before a collapse, and says so.
    pub(super) fn roll_back(&mut self, collapse: &Collapse, classifier: Classifier) -> Result<()> {
        let collapses = 1 + self.checkpoint.map_or(0, |checkpoint| checkpoint.collapses);
        let history = History::open(self.run.path());
        let mut before = self.run.checkpoints()?;
        before.retain(|checkpoint| checkpoint.round < collapse.round);
        // One that the probe has seen, rather than one of a stop between.
        let seen = before.iter().position(|checkpoint| history.has_probed(checkpoint.steps_done)).unwrap_or(0);
        let before = before.into_iter().nth(seen);
        let before = before.with_context(|| format!("{collapse}, and there is no checkpoint from before"))?;
        ensure!(
            self.config.mix.iter().any(|share| share.is_single_step()),
            "{collapse}; its attacks take several steps already, so no more of them would help: lower --epsilon or the \
             learning rate; {} holds the network of step {}",
            self.run.checkpoint_file(Part::Model, before.round).display(),
            before.steps_done
        );
        ensure!(
            collapses <= MOST_COLLAPSES,
            "{collapse}, for the {collapses}th time: lower --epsilon or the learning rate, or use adversarial-pgd; {} \
             holds the network of step {}",
            self.run.checkpoint_file(Part::Model, before.round).display(),
            before.steps_done
        );
        self.run.forget_after(before.round)?;
        let found = find_checkpoint(&self.run, &self.config, classifier, &self.progress)?.unwrap_or(before);
        let checkpoint = Checkpoint { collapses, ..found };
        self.run.note_position(checkpoint)?;
        let (found, back_to_step) = (collapse.clone(), checkpoint.steps_done);
        let event = Event::Collapse { found, back_to_step, collapses };
        self.run.note_event(&event)?;
        self.progress.tell(&event);
        self.position.move_to(checkpoint.steps_done);
        self.checkpoint = Some(checkpoint);
        Ok(())
    }
}

/// What the settings and the data set decide of a run, and nothing else does.
struct Plan {
    /// Pictures to train on.
    train: Vec<usize>,
    /// Pictures to validate on.
    held_out: Vec<usize>,
    batch_size: usize,
    steps_per_epoch: usize,
    steps_total: usize,
    /// Steps from one checkpoint to the next.
    steps_per_round: usize,
}

impl Plan {
    fn new(config: &TrainConfig, split: &Split) -> Result<Self> {
        let batch_size = config.batch_size;
        let (train, mut held_out) = split.held_out(HELD_OUT_SEED, config.held_out);
        // Those that the probe attacks come first, and are of all classes.
        let labels: Vec<u16> = held_out.iter().map(|&index| split.labels[index]).collect();
        let probed = spread(&labels, Some(config.probe));
        let place =
            |index: &usize| held_out.binary_search(index).is_ok_and(|place| probed.binary_search(&place).is_ok());
        let (mut first, rest): (Vec<usize>, Vec<usize>) = held_out.iter().copied().partition(place);
        first.extend(rest);
        held_out = first;
        ensure!(
            train.len() >= batch_size,
            "a batch of {} is larger than the {} training pictures: lower --batch-size",
            batch_size,
            train.len()
        );
        let steps_per_epoch = TrainLoader::steps_per_epoch(train.len(), batch_size);
        let steps_total = config.steps.unwrap_or(config.epochs * steps_per_epoch);
        let steps_per_round = steps_per_epoch.div_ceil(config.rounds).min(steps_total);
        Ok(Self { train, held_out, batch_size, steps_per_epoch, steps_total, steps_per_round })
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
