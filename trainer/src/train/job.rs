//! A run in a folder: started, resumed or already done.

use shared::model::BuildNetwork as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::bundle::{Bundle, Class, Description, Precision, Recipe};
use shared::model::Classifier;

use super::checkpoint::find_checkpoint;
use super::checkpoint_files::Checkpoint;
use super::config::TrainConfig;
use super::dashboard::Dashboard;
use super::freeze::Freeze;
use super::position::Position;
use super::run_dir::{Pretrained, RUN_FORMAT, RunDir, RunRecord};
use super::session::{Outcome, Session};
use super::sets::{self, CraftedPictures};
use super::teacher::Teacher;
use crate::data::{Dataset, PixelStats};
use crate::error::UsageError;
use crate::lock::Lock;
use crate::models;
use crate::nodes::Node;
use crate::pretrained;
use crate::progress::Progress;

/// A new run.
pub struct NewRun<'a> {
    /// The folder for it.
    pub path: &'a Path,
    /// The settings.
    pub config: TrainConfig,
    /// A model to start from.
    pub init: Option<&'a Path>,
    /// A file of weights of PyTorch to start from, instead of a model.
    pub pretrained: Option<&'a Path>,
    /// The imported data set.
    pub data: &'a Path,
    /// Crafted sets that the recipe needs.
    pub crafted: &'a [PathBuf],
    /// The command line, for the record.
    pub command: String,
}

/// The devices that a run computes on.
pub struct Places {
    /// Devices without autodiff; the first one leads, and holds the weights and the optimizer.
    pub devices: Vec<Device>,
    /// Other machines. One of them is the device that leads; several share each step, and this machine's device leads.
    pub nodes: Vec<Node>,
    /// This machine's own device.
    pub own: Device,
}

impl Places {
    /// Computes on devices of this machine, at least one.
    pub fn here(devices: Vec<Device>) -> Self {
        Self { own: devices[0].clone(), devices, nodes: vec![] }
    }

    /// Computes on `nodes`, if there are any, and on this machine's device `own`.
    pub fn on(nodes: Vec<Node>, own: Device) -> Self {
        let leads = match &nodes[..] {
            [node] => node.device.clone(),
            _ => own.clone(),
        };
        Self { devices: vec![leads], nodes, own }
    }
}

/// A run that is ready to start or to go on.
pub struct Job {
    run: RunDir,
    /// Keeps other processes from training in the same folder.
    lock: Lock,
    record: RunRecord,
    config: TrainConfig,
    dataset: Dataset,
    crafted: CraftedPictures,
    teacher: Option<Teacher>,
    checkpoint: Option<Checkpoint>,
    /// The network before the first step, into which a checkpoint is loaded later.
    network: Classifier,
}

impl Job {
    /// Creates the run folder, after all checks of the settings.
    ///
    /// # Errors
    /// When the folder is taken, a setting does not fit the data set, a set or a model cannot be read or does not fit, or
    /// the folder cannot be written.
    pub fn start(new: &NewRun<'_>, device: &Device, progress: &Progress) -> Result<Self> {
        let usage = |error: anyhow::Error| UsageError(format!("{error:#}"));
        RunDir::check_free(new.path)?;
        let init = new.init.map(models::dir_of).transpose()?;
        let parent = init.as_deref().map(models::card).transpose()?;
        let dataset = Dataset::load(new.data)?;
        Session::check(&new.config, &dataset.train).map_err(usage)?;
        if let Some(note) = Session::held_out_note(&new.config, &dataset.train) {
            progress.warn(note);
        }
        let (crafted, notes) = sets::load(new.crafted, &new.config.mix, &dataset)?;
        let pretrained = new.pretrained.map(Pretrained::of).transpose()?;
        let pixels = match (&parent, &pretrained) {
            // A network that is fine-tuned keeps its normalisation.
            (Some(card), _) => PixelStats { mean: card.mean, std: card.std },
            (None, Some(_)) => pretrained::pixels_of(&new.config.architecture()?),
            (None, None) => dataset.pixels,
        };
        let is_new = parent.is_none() && pretrained.is_none();
        ensure!(
            !is_new || new.config.freeze == Freeze::None,
            UsageError(
                "freeze keeps weights that were learned before: give --pretrained or --init, or no --freeze".into()
            )
        );
        let (teacher, teacher_sha256) = Teacher::load(&new.config, &dataset.classes, device)?.unzip();
        let record = RunRecord {
            format: RUN_FORMAT,
            teacher_sha256,
            command: new.command.clone(),
            init: init.map(std::path::absolute).transpose()?,
            pretrained,
            data: std::path::absolute(new.data)?,
            data_sha256: dataset.sha256.clone(),
            crafted: notes,
            pixels,
            history: parent.map_or(vec![], |card| card.recipe.commands),
        };
        let network = first_network(&record, &new.config, &dataset.classes, device, progress)?;
        let (run, lock) = RunDir::create(new.path, &record, &new.config)?;
        Ok(Self { run, lock, record, config: new.config.clone(), dataset, crafted, teacher, checkpoint: None, network })
    }

    /// Resumes the run in `path`, with the data set where it was or in `data`.
    ///
    /// # Errors
    /// When `path` is no run, another process trains there, the data set is not the one that the run was started with, or no checkpoint can be read.
    pub fn resume(path: &Path, data: Option<&Path>, device: &Device, progress: &Progress) -> Result<Self> {
        let (run, mut record, config) = RunDir::open(path)?;
        let lock = run.lock()?;
        run.forget_scratch()?;
        if let Some(data) = data {
            record.data = std::path::absolute(data)?;
        }
        let dataset = Dataset::load(&record.data)?;
        ensure!(
            dataset.sha256 == record.data_sha256,
            "{} is not the data set that the run was started with (SHA-256 {}, then {}); say with --data where that one is",
            record.data.display(),
            dataset.sha256,
            record.data_sha256
        );
        let dirs: Vec<PathBuf> = record.crafted.iter().map(|set| set.dir.clone()).collect();
        let (crafted, notes) = sets::load(&dirs, &config.mix, &dataset)?;
        ensure!(notes == record.crafted, "the crafted sets of the run were made anew since: {}", names(&dirs));
        let (teacher, teacher_sha256) = Teacher::load(&config, &dataset.classes, device)?.unzip();
        ensure!(
            teacher_sha256 == record.teacher_sha256,
            "the teacher of the run has other weights than when the run was started: put those back, or start another run"
        );
        let blank = || blank_network(&record, &config, dataset.classes.len(), device);
        let steps_total = Session::steps_total(&config, &dataset.train)?;
        let checkpoint = find_checkpoint(&run, &config, steps_total, blank()?, progress)?;
        let network = match checkpoint {
            // A checkpoint holds all weights: the network that the run started from may be gone.
            Some(_) => blank()?,
            None => {
                record.pretrained.as_ref().map_or(Ok(()), unchanged)?;
                first_network(&record, &config, &dataset.classes, device, progress)?
            }
        };
        if data.is_some() {
            run.write_record(&record)?;
        }
        Ok(Self { run, lock, record, config, dataset, crafted, teacher, checkpoint, network })
    }

    /// Returns the position at which the run begins: the first step, or the one after its checkpoint.
    pub fn position(&self) -> Arc<Position> {
        Arc::new(Position::at(self.steps_done()))
    }

    /// Returns the number of steps that are done already.
    pub fn steps_done(&self) -> usize {
        self.checkpoint.map_or(0, |checkpoint| checkpoint.steps_done)
    }

    /// Trains on `places`, until the last step or a stop requested of `position`; writes the trained network to the run
    /// folder. A `dashboard` is drawn besides the view of `progress`.
    ///
    /// # Errors
    /// When a checkpoint cannot be written or read, the device fails, the network collapses again and again, or the trained
    /// network cannot be written.
    pub fn train(
        self,
        places: &Places,
        position: Arc<Position>,
        dashboard: Option<Arc<Dashboard>>,
        progress: &Progress,
    ) -> Result<Outcome> {
        let Self { run, lock, record, config, dataset, crafted, teacher, checkpoint, network } = self;
        let (classes, data_sha256) = (dataset.classes.clone(), dataset.sha256.clone());
        let session = Session {
            config: config.clone(),
            run: run.clone(),
            dataset,
            crafted,
            teacher,
            devices: places.devices.clone(),
            nodes: places.nodes.clone(),
            own: places.own.clone(),
            position,
            checkpoint,
            dashboard,
            progress: progress.clone(),
        };
        let outcome = session.run(network)?;
        if let Outcome::Done(model) = &outcome {
            let description = Description {
                // Runs of one recipe differ in their folders' names.
                name: run.path().file_name().map_or(config.recipe.clone(), |name| name.to_string_lossy().into_owned()),
                architecture: config.architecture()?,
                classes,
                mean: record.pixels.mean,
                std: record.pixels.std,
                recipe: Recipe {
                    name: config.recipe.clone(),
                    commands: [record.history, vec![record.command]].concat(),
                    config: serde_json::to_value(config.public())?,
                },
                data_sha256,
                scores: vec![],
            };
            let exported = Bundle::export(model, description, Precision::F32, &places.devices[0]);
            let (json, weights) = pollster::block_on(exported)?;
            models::write(&run.final_bundle(), &json, &weights, None)?;
        }
        drop(lock);
        Ok(outcome)
    }
}

/// Returns the network of a run's first step.
fn first_network(
    record: &RunRecord,
    config: &TrainConfig,
    classes: &[Class],
    device: &Device,
    progress: &Progress,
) -> Result<Classifier> {
    let pixels = &record.pixels;
    let architecture = config.architecture()?;
    if let Some(Pretrained { file, .. }) = &record.pretrained {
        let (network, plan) = pretrained::load(file, &architecture, classes.len(), pixels, config.seed, device)?;
        progress.note(format!("Loaded {} tensors from {}", plan.loaded.len() + plan.shrunk.len(), file.display()));
        plan.notes().iter().for_each(|note| progress.note(format!("  {note}")));
        return Ok(network);
    }
    let Some(dir) = &record.init else {
        let network = architecture.init_seeded(classes.len(), pixels.mean, pixels.std, config.seed, device);
        return network.map_err(|error| UsageError(error).into());
    };
    let bundle = models::load(dir, device)?;
    let card = &bundle.card;
    let (mut theirs, mut ours) = (card.architecture.name(), architecture.name());
    if theirs == ours {
        (theirs, ours) = (serde_json::to_string(&card.architecture)?, serde_json::to_string(&architecture)?);
    }
    ensure!(
        card.architecture == architecture,
        "{} holds {theirs}, and this run trains {ours}: give the same --arch and what belongs to it",
        dir.display()
    );
    ensure!(
        card.classes == classes,
        "{} knows {} classes, and the data set has {}, or others: a network is trained further on the classes it knows",
        dir.display(),
        card.classes.len(),
        classes.len()
    );
    Ok(bundle.model)
}

/// Checks that the file of weights has not changed since the run was started.
fn unchanged(then: &Pretrained) -> Result<()> {
    let file = then.file.display();
    let now = Pretrained::of(&then.file).with_context(|| {
        format!("the run has no checkpoint yet, and starts from the weights in {file}: put that file back")
    })?;
    ensure!(
        now.sha256 == then.sha256,
        "{file} is not the file that the run was started from (SHA-256 {}, then {}): put that one back, or start another run",
        now.sha256,
        then.sha256
    );
    Ok(())
}

/// Returns a network of the run's architecture, for a checkpoint to be loaded into.
fn blank_network(record: &RunRecord, config: &TrainConfig, classes: usize, device: &Device) -> Result<Classifier> {
    let network = config.architecture()?.init(classes, record.pixels.mean, record.pixels.std, device);
    network.map_err(|error| UsageError(error).into())
}

fn names(dirs: &[PathBuf]) -> String {
    dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
}
