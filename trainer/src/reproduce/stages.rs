//! The stages, one after the other, each skipped if it is done.

use shared::model::BuildNetwork as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::attack::{AttackConfig, AttackRun, BIM_STEPS, Goal, PGD_STEPS};
use shared::device::Engine;

use super::estimate::{Clock, Work, in_words};
use super::plan::{Layout, MODELS, Plan, attacks};
use super::report::{Reproduction, summary};
use crate::craft::craft;
use crate::data::{Cache, CraftedVal, Dataset, SIDE, SubsetOptions, ValSet, subset};
use crate::error::{Stopped, UsageError};
use crate::evaluate::report::{CraftedReport, ModelReport, Report};
use crate::evaluate::{Evaluation, Trial, spread};
use crate::files::write_atomically;
use crate::progress::{Progress, Stop};
use crate::train::{ConfigFlags, Job, NewRun, Outcome, Position, RunDir, TrainConfig, resolve};
use crate::{models, output};

/// PGD as the field does it.
const PGD_EPSILON: f32 = 4.0 / 255.0;

/// The user's wish that it end, passed on to whatever is under way.
#[derive(Clone, Default)]
pub struct Interruption {
    stop: Stop,
    training: Arc<Mutex<Option<Arc<Position>>>>,
}

impl Interruption {
    /// Asks for the end.
    pub fn request(&self) {
        self.stop.request();
        if let Some(position) = &*self.training.lock().unwrap_or_else(PoisonError::into_inner) {
            position.request_stop();
        }
    }

    /// Whoever trains from now on is to be asked as well.
    fn train(&self, position: &Arc<Position>) {
        *self.training.lock().unwrap_or_else(PoisonError::into_inner) = Some(position.clone());
        // It may have been asked for just before.
        if self.stop.requested() {
            position.request_stop();
        }
    }
}

/// A stage that is to be done or done already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Train(&'static str),
    /// The place of the attack among the paper's.
    Craft(usize),
    Evaluate(&'static str),
}

/// The normal model first, since the sets are crafted on it, then the others.
fn stages() -> Vec<Stage> {
    let mut stages = vec![Stage::Train(MODELS[0]), Stage::Craft(0), Stage::Craft(1)];
    stages.extend(MODELS[1..].iter().map(|model| Stage::Train(model)));
    stages.extend(MODELS.iter().map(|model| Stage::Evaluate(model)));
    stages
}

/// Does what is left of `plan` in the folder `out`, and writes the report to `report`.
///
/// # Errors
/// [`Stopped`] when it was to stop; what is done stays. Otherwise as the stages: when something cannot be read or written,
/// the device fails, or what is in the folder does not belong together.
pub fn reproduce(
    plan: &Plan,
    data: &Path,
    out: &Path,
    report: &Path,
    engine: &Engine,
    progress: &Progress,
    interruption: &Interruption,
) -> Result<()> {
    plan.check_free(out)?;
    let layout = Layout(out);
    let data = match plan.subset {
        None => data.to_path_buf(),
        Some(part) => {
            let to = layout.data();
            if Cache::open(&to).is_err() {
                let options = SubsetOptions {
                    classes: Some(part.classes),
                    per_class: Some(part.per_class),
                    val_per_class: Some(part.val_per_class),
                    ..SubsetOptions::default()
                };
                subset(data, &to, &options, progress, &interruption.stop)?;
            }
            to
        }
    };
    plan.claim(out)?;
    let work = Workshop { plan, layout, data, engine, progress, interruption };
    let mut clock = Clock::open(work.layout.timings());
    let stages = stages();
    for (place, stage) in stages.iter().enumerate() {
        if work.is_done(*stage)? {
            work.check_origin(*stage)?;
            continue;
        }
        work.try_out(&mut clock)?;
        let left = stages[place..].iter().map(|stage| Ok(work.amount(*stage)?.0)).sum::<Result<f64>>()?;
        let estimate = clock.estimate(Work(left)).map(|time| format!(", about {} left", in_words(time)));
        progress.note(format!(
            "Stage {} of {}: {}{}",
            place + 1,
            stages.len(),
            stage.title(),
            estimate.unwrap_or_default()
        ));
        let began = Instant::now();
        let done = work.run(*stage);
        let amount = if done.is_ok() { Some(work.amount(*stage)?) } else { None };
        let noted = clock.add(&stage.title(), amount, began.elapsed(), engine.backend.label());
        // Where both fail, it is for the same reason, and the stage says it better.
        done?;
        noted?;
    }
    work.report(report, &clock)
}

impl Stage {
    fn title(self) -> String {
        match self {
            Self::Train(model) => format!("training the {model} model"),
            Self::Craft(attack) => format!("crafting pictures by {}", attacks([1.0; 3])[attack].0.to_uppercase()),
            Self::Evaluate(model) => format!("evaluating the {model} model"),
        }
    }
}

struct Workshop<'a> {
    plan: &'a Plan,
    layout: Layout<'a>,
    data: PathBuf,
    engine: &'a Engine,
    progress: &'a Progress,
    interruption: &'a Interruption,
}

impl Workshop<'_> {
    fn config(&self, model: &str) -> Result<TrainConfig> {
        resolve(None, &ConfigFlags::from(self.plan.settings.clone()).with("recipe", model))
    }

    fn is_done(&self, stage: Stage) -> Result<bool> {
        Ok(match stage {
            Stage::Train(model) => self.layout.model(model).join("model.json").is_file(),
            Stage::Craft(attack) => self.layout.set(attacks([1.0; 3])[attack].0).is_dir(),
            // Scores of another network than the one that is there now are none.
            Stage::Evaluate(model) => match self.scores(model) {
                Some(scores) => scores.weights_sha256 == models::card(&self.layout.model(model))?.weights.sha256,
                None => false,
            },
        })
    }

    /// What a stage has made was made from what is there now.
    fn check_origin(&self, stage: Stage) -> Result<()> {
        match stage {
            Stage::Train(model) => {
                let (_, record, _) = RunDir::open(&self.layout.run(model))?;
                for set in &record.crafted {
                    let now = Cache::open(&set.dir)?.into_meta().sha256;
                    ensure!(
                        now == set.sha256,
                        "{} was trained on another set than {} is now: delete it to have it trained again",
                        self.layout.run(model).display(),
                        set.dir.display()
                    );
                }
                Ok(())
            }
            Stage::Craft(attack) => {
                let dir = self.layout.set(attacks([1.0; 3])[attack].0);
                let crafted = Cache::open(&dir)?.into_meta().crafted;
                let source = models::card(&self.layout.model(MODELS[0]))?.weights.sha256;
                ensure!(
                    crafted.is_some_and(|crafted| crafted.weights_sha256 == source),
                    "{} was crafted from another network than the normal model in {}: delete it to have it crafted again",
                    dir.display(),
                    self.layout.model(MODELS[0]).display()
                );
                Ok(())
            }
            Stage::Evaluate(_) => Ok(()),
        }
    }

    /// What a model scored, if it was evaluated.
    fn scores(&self, model: &str) -> Option<ModelReport> {
        serde_json::from_slice(&fs::read(self.layout.scores(model)).ok()?).ok()
    }

    /// How much there is to do in all of a stage.
    fn amount(&self, stage: Stage) -> Result<Work> {
        let meta = Cache::open(&self.data)?.into_meta();
        let val = self.plan.limit.map_or(meta.val.images, |limit| limit.min(meta.val.images));
        Ok(match stage {
            Stage::Train(model) => {
                let config = self.config(model)?;
                let batch_size = config.batch_size;
                let images = config.steps.map_or(config.epochs * meta.train.images, |steps| steps * batch_size);
                Work::training(images, config.image_size)
            }
            Stage::Craft(attack) => {
                Work::attack(meta.train.images + meta.val.images, attacks([1.0; 3])[attack].1.steps_total())
            }
            Stage::Evaluate(_) => {
                let steps = [0, 0, 0, 0, 1, BIM_STEPS, PGD_STEPS, 0];
                Work(steps.iter().map(|&steps| Work::attack(val, steps).0).sum())
            }
        })
    }

    /// A batch attacked in one step by an untrained network of the kind.
    fn try_out(&self, clock: &mut Clock) -> Result<()> {
        const IMAGES: usize = 32;
        let device = &self.engine.device;
        let network = self.config(MODELS[0])?.architecture()?.init_seeded(10, [0.5; 3], [0.25; 3], 0, device);
        let network = network.map_err(UsageError)?;
        let images = Tensor::<4>::full([IMAGES, 3, SIDE, SIDE], 0.5, device);
        let labels = Tensor::<1, Int>::zeros([IMAGES], device);
        clock.try_out(Work::attack(IMAGES, 1), || {
            let run = AttackRun::new(&AttackConfig::fgsm(0.1), images.clone(), labels.clone(), Goal::Untargeted)?;
            models::read(network.forward(run.finish(&network)))?;
            Ok(())
        })
    }

    fn run(&self, stage: Stage) -> Result<()> {
        match stage {
            Stage::Train(model) => self.train(model),
            Stage::Craft(attack) => self.craft(attack),
            Stage::Evaluate(model) => self.evaluate(model),
        }
    }

    fn train(&self, model: &str) -> Result<()> {
        let path = self.layout.run(model);
        let device = &self.engine.device;
        let job = if path.join("run.json").is_file() {
            Job::resume(&path, None, device, self.progress)?
        } else {
            // Killed before its record was written, it holds nothing.
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
            let config = self.config(model)?;
            let needed = config.mix.iter().filter_map(|share| share.crafted_by());
            let crafted: Vec<PathBuf> = needed.map(|kind| self.layout.set(&kind.label().to_lowercase())).collect();
            let new = NewRun {
                path: &path,
                config,
                init: None,
                pretrained: None,
                data: &self.data,
                crafted: &crafted,
                command: self.plan.command.clone(),
            };
            Job::start(&new, device, self.progress)?
        };
        let position = job.position();
        self.interruption.train(&position);
        match job.train(std::slice::from_ref(device), position, None, self.progress)? {
            Outcome::Done(_) => Ok(()),
            Outcome::Stopped { steps_done, steps_total } => {
                Err(stopped(&format!("{steps_done} of {steps_total} steps of the {model} model are saved")))
            }
        }
    }

    fn craft(&self, attack: usize) -> Result<()> {
        let dataset = Dataset::load(&self.data)?;
        let source = models::load(&self.layout.model(MODELS[0]), &self.engine.device)?;
        let (name, config) = attacks(source.card.std)[attack].clone();
        let out = self.layout.set(name);
        craft(&dataset, &source, &config, &out, &self.engine.device, self.progress, &self.interruption.stop)?;
        Ok(())
    }

    fn evaluate(&self, name: &str) -> Result<()> {
        let clean = Dataset::load_val(&self.data)?;
        let bundle = models::load(&self.layout.model(name), &self.engine.device)?;
        let attacks = attacks(models::card(&self.layout.model(MODELS[0]))?.std);
        let crafted = self.crafted(&clean)?;
        let noise =
            AttackConfig { channel_scale: attacks[0].1.channel_scale, ..AttackConfig::noise(attacks[0].1.epsilon, 0) };
        let mut trials = vec![Trial::CLEAN, Trial::AUGMENTED];
        trials.extend(crafted.iter().enumerate().map(|(place, set)| Trial::saved(place, set)));
        trials.extend(attacks.iter().map(|(_, config)| Trial::attack(config.clone(), None)));
        trials.push(Trial::attack(AttackConfig::pgd(PGD_EPSILON, PGD_STEPS, 0), None));
        trials.push(Trial::attack(noise, None));
        let indices = spread(&clean.val.labels, self.plan.limit);
        let evaluation = Evaluation {
            bundles: std::slice::from_ref(&bundle),
            clean: &clean.val,
            indices: &indices,
            crafted: &crafted,
            trials: &trials,
            stop: &self.interruption.stop,
        };
        let scores = evaluation.run(&self.engine.device, self.progress);
        let report = ModelReport {
            dir: Layout(Path::new("")).model(name),
            name: name.into(),
            weights_sha256: bundle.card.weights.sha256,
            scores: scores?.remove(0),
        };
        let file = self.layout.scores(name);
        fs::create_dir_all(self.layout.0.join("scores")).with_context(|| format!("cannot write {}", file.display()))?;
        write_atomically(&file, &serde_json::to_vec_pretty(&report)?)
    }

    fn crafted(&self, clean: &ValSet) -> Result<Vec<CraftedVal>> {
        attacks([1.0; 3]).iter().map(|(name, _)| CraftedVal::load(&self.layout.set(name), clean)).collect()
    }

    fn report(&self, dir: &Path, clock: &Clock) -> Result<()> {
        let clean = Dataset::load_val(&self.data)?;
        let meta = Cache::open(&self.data)?.into_meta();
        // A report is read elsewhere: no place of this machine goes into it.
        let set = |set: &CraftedVal| CraftedReport {
            dir: Path::new("sets").join(set.dir.file_name().unwrap_or_default()),
            ..CraftedReport::from(set)
        };
        let scores = Report {
            data_sha256: clean.sha256.clone(),
            images: spread(&clean.val.labels, self.plan.limit).len(),
            models: MODELS.iter().filter_map(|model| self.scores(model)).collect(),
            crafted: self.crafted(&clean)?.iter().map(set).collect(),
        };
        let reproduction = Reproduction {
            plan: self.plan,
            config: &RunDir::open(&self.layout.run(MODELS[0]))?.2,
            classes: meta.classes.len(),
            train_images: meta.train.images,
            device: clock.devices(),
            seconds: clock.total(),
            scores: &scores,
        };
        reproduction.write(dir)?;
        output::text(&summary(&scores))?;
        self.progress.note(format!("The report is in {}", dir.join("report.md").display()));
        Ok(())
    }
}

fn stopped(what: &str) -> anyhow::Error {
    Stopped(format!("Stopped; {what}. Say the same again to go on")).into()
}

#[cfg(test)]
impl Interruption {
    /// Requests the end once `done` says so.
    pub(super) fn when(done: impl Fn() -> bool + Send + 'static) -> Self {
        let interruption = Self::default();
        let to_stop = interruption.clone();
        std::thread::spawn(move || {
            while !done() {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            to_stop.request();
        });
        interruption
    }
}
