//! One run from its configuration to a trained network.
//!
//! An epoch of burn-train is a *round* here: a part of an epoch, after which burn-train validates and saves a checkpoint.
//! Each checkpoint has the number of steps done, so a run stopped in the middle of a round resumes from that very step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use burn::prelude::*;
use burn::train::metric::{AccuracyMetric, LearningRateMetric, LossMetric};
use burn::train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining};
use shared::model::Classifier;

use super::checkpoint::{find_checkpoint, read_ema};
use super::checkpoint_files::{Checkpoint, Part};
use super::config::TrainConfig;
use super::dashboard::Dashboard;
use super::ema::Ema;
use super::forecast;
use super::freeze::Freeze;
use super::history::History;
use super::live::LiveAttacks;
use super::loader::TrainLoader;
use super::metric_log::MetricLog;
use super::model::TrainingModel;
use super::optim::{optimizer, scheduler};
use super::pictures::Pictures;
use super::position::Position;
use super::probe::ProbeMetric;
use super::renderer::TaskRenderer;
use super::run_dir::RunDir;
use super::sets::CraftedPictures;
use super::spread::Spread;
use super::teacher::Teacher;
use super::validation::ValidLoader;
use super::watch::{AfterCheckpoint, EachRound, RunState, SharedRunState};
use crate::data::{Dataset, HELD_OUT_SEED, Split};
use crate::evaluate::spread;
use crate::nodes::Node;
use crate::progress::{Collapse, Event, Progress};

/// Most collapses after which a run goes back to a checkpoint: more attempts are of no use.
pub const MAX_COLLAPSES: usize = 3;

/// A run that is ready to start or to be resumed.
pub struct Session {
    pub config: TrainConfig,
    pub run: RunDir,
    pub dataset: Dataset,
    /// The training pictures attacked beforehand, for recipes that need them.
    pub crafted: CraftedPictures,
    /// The network whose answers are part of the targets, if any, on the device that leads.
    pub teacher: Option<Teacher>,
    /// Devices without autodiff; the first one leads.
    pub devices: Vec<Device>,
    /// Other machines that compute. One of them is the device that leads; several share each step, and the device that leads
    /// is this machine's.
    pub nodes: Vec<Node>,
    /// This machine's own device.
    pub own: Device,
    pub position: Arc<Position>,
    /// The checkpoint to resume from.
    pub checkpoint: Option<Checkpoint>,
    /// The terminal to draw burn-train's dashboard on, if any.
    pub dashboard: Option<Arc<Dashboard>>,
    pub progress: Progress,
}

/// The end of a run.
pub enum Outcome {
    /// All steps are done. The trained network is on the device without autodiff.
    Done(Box<Classifier>),
    /// The run was stopped on request, and a checkpoint saved.
    Stopped {
        /// Steps done.
        steps_done: usize,
        /// Steps of the whole run.
        steps_total: usize,
    },
}

/// The end of one attempt at a run.
enum Ended {
    Outcome(Outcome),
    Collapsed(Collapse),
}

impl Session {
    /// Checks `config` against a data set, before any file of the run is written.
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

    /// Returns a note on held-out pictures that `config` asks for and that `train` cannot spare: never more than half of a class.
    pub fn held_out_note(config: &TrainConfig, train: &Split) -> Option<String> {
        let mut of_class = BTreeMap::<u16, usize>::new();
        train.labels.iter().for_each(|&label| *of_class.entry(label).or_default() += 1);
        let least = of_class.into_values().min()? / 2;
        (least < config.held_out).then(|| {
            format!(
                "held-out {} is more than half of the pictures of a class: only half of them are held out, {least} of the \
                 smallest class",
                config.held_out
            )
        })
    }

    /// Returns the number of steps of a run with `config` on the training pictures `train`.
    ///
    /// # Errors
    /// When there are fewer pictures than in a batch.
    pub fn steps_total(config: &TrainConfig, train: &Split) -> Result<usize> {
        Ok(Plan::new(config, train)?.steps_total)
    }

    /// Trains until the last step or until a stop is requested. After a collapse that the probe finds, the run goes back to
    /// the checkpoint before and goes on with one step more in its single-step attacks.
    ///
    /// # Errors
    /// When a checkpoint cannot be written or read, the device fails, or the network collapses again and again.
    pub fn run(mut self, classifier: Classifier) -> Result<Outcome> {
        let split = Arc::new(std::mem::replace(&mut self.dataset.train, Split { images: vec![], labels: vec![] }));
        let plan = Plan::new(&self.config, &split)?;
        let spread = (self.nodes.len() > 1).then(|| Spread::new(&self.nodes));
        let mut is_first = true;
        loop {
            let forecast = std::mem::replace(&mut is_first, false);
            match self.attempt(&plan, &split, classifier.clone(), spread.clone(), forecast)? {
                Ended::Outcome(outcome) => return Ok(outcome),
                Ended::Collapsed(collapse) => self.roll_back(&collapse, plan.steps_total, classifier.clone())?,
            }
        }
    }

    fn attempt(
        &self,
        plan: &Plan,
        split: &Arc<Split>,
        classifier: Classifier,
        spread: Option<Spread>,
        forecast: bool,
    ) -> Result<Ended> {
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
            crop_scale: config.crop_scale,
            perturbed: config.perturbed,
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
        let model = TrainingModel { spread, teacher: self.teacher.clone(), ..model };
        if forecast && !self.nodes.is_empty() {
            let batch = train_loader.next_batch(&self.own);
            forecast::announce(&model, &batch, self.dataset.classes.len(), &self.nodes, &self.own, &self.progress)?;
        }
        let learner = Learner::new(model, optimizer(config)?, scheduler(config, steps_total)?);
        let mut history = History::open(run.path());
        history.forget_after(position.steps_done());
        let state = SharedRunState::default();
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
            state: state.clone(),
        };
        let renderer = match &self.dashboard {
            // The dashboard's own interrupter would end the run without saving: the position's stops the loader, and the round
            // ends as after Ctrl-C.
            Some(dashboard) => dashboard.start(position.stop_handle(), checkpoint.map(|checkpoint| checkpoint.round)),
            None => Box::new(TaskRenderer::new(self.progress.clone())),
        };
        let mut training = SupervisedTraining::new(run.path(), Arc::new(train_loader), Arc::new(valid_loader))
            .metrics((AccuracyMetric::new(), LossMetric::new()))
            .metric_train_numeric(LearningRateMetric::new())
            .with_metric_logger(MetricLog::new(run.path()))
            .with_application_logger(None)
            .with_default_checkpointers()
            .with_checkpointing_strategy(EachRound)
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
        match state.take() {
            RunState::Healthy => {}
            RunState::Failed(error) => {
                return Err(error).context("training stopped");
            }
            RunState::Collapsed(collapse) => return Ok(Ended::Collapsed(collapse)),
        }
        if result.interrupted.is_some() || position.steps_done() < steps_total {
            let steps_done = run.checkpoints()?.first().map_or(0, |checkpoint| checkpoint.steps_done);
            return Ok(Ended::Outcome(Outcome::Stopped { steps_done, steps_total }));
        }
        let trained = ema.map_or(result.model.classifier, |ema| ema.average());
        Ok(Ended::Outcome(Outcome::Done(Box::new(trained))))
    }

    /// Returns the average of the weights, as it was at the checkpoint to resume from.
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

    /// Goes back to the checkpoint before a collapse, and sends an event of it.
    pub(super) fn roll_back(&mut self, collapse: &Collapse, steps_total: usize, classifier: Classifier) -> Result<()> {
        let collapses = 1 + self.checkpoint.map_or(0, |checkpoint| checkpoint.collapses);
        let history = History::open(self.run.path());
        let mut before = self.run.checkpoints()?;
        before.retain(|checkpoint| checkpoint.round < collapse.round);
        // A checkpoint that the probe has measured is preferred to one of a stop.
        let probed = before.iter().position(|checkpoint| history.has_probed(checkpoint.steps_done)).unwrap_or(0);
        let before = before.into_iter().nth(probed);
        let before = before.with_context(|| format!("{collapse}, and there is no checkpoint from before"))?;
        ensure!(
            self.config.mix.iter().any(|share| share.is_single_step()),
            "{collapse}; its attacks take several steps already, so no more of them would help: lower --epsilon or the \
             learning rate; {} holds the network of step {}",
            self.run.checkpoint_file(Part::Model, before.round).display(),
            before.steps_done
        );
        ensure!(
            collapses <= MAX_COLLAPSES,
            "{collapse}, for the {collapses}th time: lower --epsilon or the learning rate, or use adversarial-pgd; {} \
             holds the network of step {}",
            self.run.checkpoint_file(Part::Model, before.round).display(),
            before.steps_done
        );
        self.run.forget_after(before.round)?;
        let found =
            find_checkpoint(&self.run, &self.config, steps_total, classifier, &self.progress)?.unwrap_or(before);
        let checkpoint = Checkpoint { collapses, ..found };
        self.run.note_position(checkpoint)?;
        let (found, back_to_step) = (collapse.clone(), checkpoint.steps_done);
        let event = Event::Collapse { found, back_to_step, collapses };
        self.run.note_event(&event)?;
        self.progress.send(&event);
        self.position.move_to(checkpoint.steps_done);
        self.checkpoint = Some(checkpoint);
        Ok(())
    }
}

/// The batches and steps of a run, which settings and data set alone decide.
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
        // The pictures that the probe attacks come first, and are of all classes.
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

    /// Otherwise a fine-tuned network would be validated on pictures that its parent was trained on.
    #[test]
    fn the_seed_of_a_run_does_not_change_what_is_held_out() {
        let train = dataset().train;
        let held_out = |seed| Plan::new(&config(&["--seed", seed]), &train).unwrap().held_out;
        assert_eq!(held_out("0").len(), 8);
        assert_eq!(held_out("0"), held_out("7"));
        assert_eq!(held_out("0"), train.held_out(0, 2).1, "those of the shipped networks");
    }
}
