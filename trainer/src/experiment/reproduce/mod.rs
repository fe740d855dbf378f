//! The paper's experiment from end to end: five networks, four validation sets, two protocols, one report.

mod findings;
mod paper;
mod plan;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use burn::prelude::*;
use shared::attack::{AttackConfig, AttackKind, AttackRun, Goal};
use shared::model::BuildNetwork as _;

use self::plan::{CRAFTED, MODELS, attack, trials};
pub use self::plan::{DataPart, ReproductionPlan};
use self::report::ReproductionReport;
use super::children::{Training, Workspace};
use super::clock::{Clock, Gmacs};
use super::plan::{Plan, read_json, write_json};
use super::stages::{self, Experiment};
use crate::craft::craft;
use crate::data::{Cache, CraftedVal, Dataset, Meta, SIDE, SubsetOptions, ValSet, subset};
use crate::error::UsageError;
use crate::evaluate::report::{CraftedReport, ModelReport, Report};
use crate::evaluate::{Evaluation, Trial, spread};
use crate::models;
use crate::train::{ConfigFlags, RunDir, TrainConfig, resolve};

#[derive(Clone, Copy)]
enum Stage {
    Train(&'static str),
    Craft(AttackKind),
    Evaluate(&'static str),
}

/// Returns the stages: the normal model first, since the sets are crafted on it, then the others.
fn stages() -> Vec<Stage> {
    let mut stages = vec![Stage::Train(MODELS[0])];
    stages.extend(CRAFTED.map(Stage::Craft));
    stages.extend(MODELS[1..].iter().map(|model| Stage::Train(model)));
    stages.extend(MODELS.map(Stage::Evaluate));
    stages
}

/// Runs the stages of `plan` that are left, writes the report to the folder `report`, and returns its main table.
///
/// # Errors
/// [`Stopped`](crate::error::Stopped) when the user ended it; what is done stays. Else as the stages: when something cannot be
/// read or written, the device fails, or what is in the folder does not belong together.
pub fn run(plan: &ReproductionPlan, workspace: &Workspace<'_>, report: &Path) -> Result<String> {
    plan.begun(workspace.out)?;
    let part = workspace.out.join("data");
    let data = if let Some(DataPart { classes, per_class, val_per_class }) = plan.subset {
        if Cache::open(&part).is_err() {
            let options = SubsetOptions {
                classes: Some(classes),
                per_class: Some(per_class),
                val_per_class: Some(val_per_class),
                ..SubsetOptions::default()
            };
            subset(workspace.data, &part, &options, workspace.progress, workspace.stop)?;
        }
        &part
    } else {
        workspace.data
    };
    plan.claim(workspace.out)?;
    let workspace = Workspace { data, ..*workspace };
    let meta = Cache::open(data)?.into_meta();
    let mut reproduction = Reproduction { plan, workspace: &workspace, meta };
    let clock = stages::run(&mut reproduction, &stages(), &workspace)?;
    reproduction.report(report, &clock)
}

struct Reproduction<'a> {
    plan: &'a ReproductionPlan,
    workspace: &'a Workspace<'a>,
    /// Of the data set, or of the part of it.
    meta: Meta,
}

/// Returns the folder of a trained network within that of the reproduction.
fn model_dir(model: &str) -> PathBuf {
    Path::new("runs").join(model).join("final")
}

impl Experiment for Reproduction<'_> {
    type Stage = Stage;

    fn title(&self, stage: Stage) -> String {
        match stage {
            Stage::Train(model) => format!("training the {model} model"),
            Stage::Craft(kind) => format!("crafting pictures by {}", kind.label()),
            Stage::Evaluate(model) => format!("evaluating the {model} model"),
        }
    }

    fn is_left(&self, stage: Stage) -> Result<bool> {
        let is_done = match stage {
            Stage::Train(model) => self.model(model).join("model.json").is_file(),
            Stage::Craft(kind) => self.set(kind).is_dir(),
            // Scores of another network than the one that is there now are none.
            Stage::Evaluate(model) => match self.scores(model)? {
                Some(scores) => scores.weights_sha256 == models::card(&self.model(model))?.weights.sha256,
                None => false,
            },
        };
        if is_done {
            self.check_origin(stage)?;
        }
        Ok(!is_done)
    }

    fn work(&self, stage: Stage) -> Result<Gmacs> {
        let Meta { classes, train, val, .. } = &self.meta;
        let passes = match stage {
            Stage::Train(model) => return Gmacs::of_training(&self.config(model)?, &self.meta),
            Stage::Craft(kind) => (train.images + val.images) * passes(&[Trial::attack(attack(kind), None)]),
            Stage::Evaluate(_) => self.workspace.limit.unwrap_or(val.images).min(val.images) * passes(&trials()),
        };
        Gmacs::of_passes(passes, &self.config(MODELS[0])?, classes.len(), SIDE)
    }

    /// Attacks a batch in one step by an untrained network of the kind.
    fn try_out(&self, clock: &mut Clock) -> Result<()> {
        const IMAGES: usize = 32;
        const CLASSES: usize = 10;
        let device = &self.workspace.engine.device;
        let config = self.config(MODELS[0])?;
        let network = config.architecture()?.init_seeded(CLASSES, [0.5; 3], [0.25; 3], 0, device);
        let network = network.map_err(UsageError)?;
        let images = Tensor::<4>::full([IMAGES, 3, SIDE, SIDE], 0.5, device);
        let labels = Tensor::<1, Int>::zeros([IMAGES], device);
        let fgsm = AttackConfig::fgsm(0.1);
        let passes = IMAGES * passes(&[Trial::attack(fgsm.clone(), None)]);
        clock.try_out(Gmacs::of_passes(passes, &config, CLASSES, SIDE)?, || {
            let run = AttackRun::new(&fgsm, images.clone(), labels.clone(), Goal::Untargeted)?;
            models::read(network.forward(run.finish(&network)))?;
            Ok(())
        })
    }

    fn run(&mut self, stage: Stage) -> Result<bool> {
        match stage {
            Stage::Train(model) => self.train(model)?,
            Stage::Craft(kind) => self.craft(kind)?,
            Stage::Evaluate(model) => self.evaluate(model)?,
        }
        Ok(true)
    }
}

/// Returns the forward passes that `trials` cost one network for each picture.
fn passes(trials: &[Trial]) -> usize {
    trials.iter().map(|trial| trial.work(1) as usize).sum()
}

impl Reproduction<'_> {
    fn config(&self, model: &str) -> Result<TrainConfig> {
        resolve(None, &ConfigFlags::from(self.plan.settings.clone()).with("recipe", model))
    }

    fn model(&self, model: &str) -> PathBuf {
        self.workspace.out.join(model_dir(model))
    }

    fn run_dir(&self, model: &str) -> PathBuf {
        self.workspace.out.join("runs").join(model)
    }

    fn set(&self, kind: AttackKind) -> PathBuf {
        self.workspace.out.join("sets").join(kind.label().to_lowercase())
    }

    /// Reads what a model scored, if it was evaluated.
    fn scores(&self, model: &str) -> Result<Option<ModelReport>> {
        Ok(read_json(&self.workspace.scores(model)?))
    }

    /// Checks that what a stage has made was made from what is there now.
    fn check_origin(&self, stage: Stage) -> Result<()> {
        match stage {
            Stage::Train(model) => {
                let run = self.run_dir(model);
                for set in &RunDir::open(&run)?.1.crafted {
                    ensure!(
                        Cache::open(&set.dir)?.meta().sha256 == set.sha256,
                        "{} was trained on another set than {} is now: delete it to have it trained again",
                        run.display(),
                        set.dir.display()
                    );
                }
            }
            Stage::Craft(kind) => {
                let (set, source) = (self.set(kind), self.model(MODELS[0]));
                let crafted = Cache::open(&set)?.into_meta().crafted;
                let sha256 = models::card(&source)?.weights.sha256;
                ensure!(
                    crafted.is_some_and(|crafted| crafted.weights_sha256 == sha256),
                    "{} was crafted from another network than the normal model in {}: delete it to have it crafted again",
                    set.display(),
                    source.display()
                );
            }
            Stage::Evaluate(_) => {}
        }
        Ok(())
    }

    fn train(&self, model: &'static str) -> Result<()> {
        let config = self.config(model)?;
        let crafted: Vec<PathBuf> =
            config.mix.iter().filter_map(|share| share.crafted_by()).map(|kind| self.set(kind)).collect();
        let pretrained = self.plan.pretrained.as_ref().map(|weights| weights.file.clone());
        let training = Training { name: model, run: self.run_dir(model), config, pretrained, crafted: &crafted };
        // The memory of a GPU is for the child.
        self.workspace.engine.device.memory_cleanup();
        match self.workspace.train(&training)? {
            Some(reason) => bail!("the {model} model is missing: {reason}"),
            None => Ok(()),
        }
    }

    fn craft(&self, kind: AttackKind) -> Result<()> {
        let Workspace { data, engine, progress, stop, .. } = self.workspace;
        let dataset = Dataset::load(data)?;
        let source = models::load(&self.model(MODELS[0]), &engine.device)?;
        let attack = attack(kind);
        craft(&dataset, &source, &attack, &self.set(kind), &engine.device, progress, stop)?;
        Ok(())
    }

    fn evaluate(&self, model: &str) -> Result<()> {
        let Workspace { data, limit, engine, progress, stop, .. } = self.workspace;
        let clean = Dataset::load_val(data)?;
        let bundle = models::load(&self.model(model), &engine.device)?;
        let trials = trials();
        let crafted = self.crafted(&clean)?;
        let indices = spread(&clean.val.labels, *limit);
        let evaluation = Evaluation {
            bundles: std::slice::from_ref(&bundle),
            clean: &clean.val,
            indices: &indices,
            crafted: &crafted,
            trials: &trials,
            stop,
        };
        let scores = evaluation.run(&engine.device, progress)?.remove(0);
        let report = ModelReport {
            dir: model_dir(model),
            name: model.into(),
            weights_sha256: bundle.card.weights.sha256,
            scores,
            seconds: vec![],
        };
        write_json(&self.workspace.scores(model)?, &report)
    }

    fn crafted(&self, clean: &ValSet) -> Result<Vec<CraftedVal>> {
        CRAFTED.iter().map(|&kind| CraftedVal::load(&self.set(kind), clean)).collect()
    }

    fn report(&self, dir: &Path, clock: &Clock) -> Result<String> {
        let clean = Dataset::load_val(self.workspace.data)?;
        // A report is read on other machines: no path of this one goes into it.
        let set = |set: &CraftedVal| CraftedReport {
            dir: Path::new("sets").join(set.dir.file_name().unwrap_or_default()),
            ..CraftedReport::from(set)
        };
        let models = MODELS.iter().filter_map(|model| self.scores(model).transpose());
        let scores = Report {
            images: spread(&clean.val.labels, self.workspace.limit).len(),
            models: models.collect::<Result<_>>()?,
            crafted: self.crafted(&clean)?.iter().map(set).collect(),
            data_sha256: clean.sha256,
        };
        let report = ReproductionReport {
            command: &self.plan.command,
            config: &RunDir::open(&self.run_dir(MODELS[0]))?.2,
            pretrained: self.plan.pretrained.as_ref(),
            classes: self.meta.classes.len(),
            train_images: self.meta.train.images,
            device: clock.devices(),
            took: clock.total(),
            scores: &scores,
        };
        report.write(dir)?;
        Ok(report.summary())
    }
}
