//! The stages, one after the other, each skipped if it is done.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::attack::{AttackConfig, AttackRun, Goal, PGD_STEPS};
use shared::bundle::Bundle;
use shared::device::Engine;

use super::estimate::{Clock, Work, in_words};
use super::plan::{Layout, MODELS, Plan, attacks};
use super::report::{Reproduction, summary};
use crate::craft::craft;
use crate::data::{Cache, CraftedVal, Dataset, SIDE, SubsetOptions, subset};
use crate::error::{Stopped, UsageError};
use crate::evaluate::report::{CraftedReport, ModelReport, Report};
use crate::evaluate::{Evaluation, Trial, spread};
use crate::progress::{self, Stop};
use crate::train::{ConfigFlags, Job, NewRun, Outcome, Position, TrainConfig, resolve};
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
    Evaluate,
}

/// The normal model first, since the sets are crafted on it, then the others.
const STAGES: [Stage; 8] = [
    Stage::Train(MODELS[0]),
    Stage::Craft(0),
    Stage::Craft(1),
    Stage::Train(MODELS[1]),
    Stage::Train(MODELS[2]),
    Stage::Train(MODELS[3]),
    Stage::Train(MODELS[4]),
    Stage::Evaluate,
];

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
    interruption: &Interruption,
) -> Result<()> {
    plan.claim(out)?;
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
                subset(data, &to, &options, &interruption.stop)?;
            }
            to
        }
    };
    let work = Workshop { plan, layout, data, engine, interruption };
    let mut clock = Clock::open(work.layout.timings());
    if !STAGES.iter().all(|stage| work.is_done(*stage)) {
        work.try_out(&mut clock)?;
    }
    for (place, stage) in STAGES.iter().enumerate() {
        if work.is_done(*stage) {
            continue;
        }
        let left = STAGES[place..].iter().map(|stage| Ok(work.amount(*stage)?.0)).sum::<Result<f64>>()?;
        let estimate = clock.estimate(Work(left)).map(|time| format!(", about {} left", in_words(time)));
        eprintln!("Stage {} of {}: {}{}", place + 1, STAGES.len(), stage.title(), estimate.unwrap_or_default());
        let began = Instant::now();
        let done = work.run(*stage);
        let noted = clock.add(&stage.title(), work.amount(*stage)?, began.elapsed());
        // Where both fail, it is for the same reason, and the stage says it better.
        done?;
        noted?;
    }
    work.report(report, clock.total())
}

impl Stage {
    fn title(self) -> String {
        match self {
            Self::Train(model) => format!("training the {model} model"),
            Self::Craft(attack) => format!("crafting pictures by {}", attacks([1.0; 3])[attack].0.to_uppercase()),
            Self::Evaluate => "evaluating all models".into(),
        }
    }
}

struct Workshop<'a> {
    plan: &'a Plan,
    layout: Layout<'a>,
    data: PathBuf,
    engine: &'a Engine,
    interruption: &'a Interruption,
}

impl Workshop<'_> {
    fn config(&self, model: &str) -> Result<TrainConfig> {
        resolve(None, &ConfigFlags::from(self.plan.settings.clone()).with("recipe", model))
    }

    fn is_done(&self, stage: Stage) -> bool {
        match stage {
            Stage::Train(model) => self.layout.model(model).join("model.json").is_file(),
            Stage::Craft(attack) => self.layout.set(attacks([1.0; 3])[attack].0).is_dir(),
            Stage::Evaluate => self.scores_file().is_file(),
        }
    }

    fn scores_file(&self) -> PathBuf {
        self.layout.0.join("scores.json")
    }

    /// How much there is to do in all of a stage.
    fn amount(&self, stage: Stage) -> Result<Work> {
        let meta = Cache::open(&self.data)?.into_meta();
        let val = self.plan.limit.map_or(meta.val.images, |limit| limit.min(meta.val.images));
        Ok(match stage {
            Stage::Train(model) => {
                let config = self.config(model)?;
                let images = config.steps.map_or(config.epochs * meta.train.images, |steps| steps * config.batch_size);
                Work::training(images, config.image_size)
            }
            Stage::Craft(attack) => {
                Work::attack(meta.train.images + meta.val.images, attacks([1.0; 3])[attack].1.steps_total())
            }
            Stage::Evaluate => {
                let steps = [0, 0, 0, 0, 1, 5, PGD_STEPS, 0];
                Work(steps.iter().map(|&steps| Work::attack(val, steps).0).sum::<f64>() * MODELS.len() as f64)
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
            Stage::Evaluate => self.evaluate(),
        }
    }

    fn train(&self, model: &str) -> Result<()> {
        let path = self.layout.run(model);
        let device = &self.engine.device;
        let job = if path.join("run.json").is_file() {
            Job::resume(&path, None, device)?
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
                data: &self.data,
                crafted: &crafted,
                command: self.plan.command.clone(),
            };
            Job::start(&new, device)?
        };
        let position = job.position();
        self.interruption.train(&position);
        match job.train(std::slice::from_ref(device), position, None)? {
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
        let bar = progress::count((dataset.train.len() + dataset.val.len()) as u64, "Crafting");
        let out = self.layout.set(name);
        craft(&dataset, &source, &config, &out, &self.engine.device, &bar, &self.interruption.stop)?;
        bar.finish_and_clear();
        Ok(())
    }

    fn evaluate(&self) -> Result<()> {
        let clean = Dataset::load_val(&self.data)?;
        let bundles: Vec<Bundle> = MODELS
            .iter()
            .map(|model| models::load(&self.layout.model(model), &self.engine.device))
            .collect::<Result<_>>()?;
        let attacks = attacks(bundles[0].card.std);
        let crafted: Vec<CraftedVal> =
            attacks.iter().map(|(name, _)| CraftedVal::load(&self.layout.set(name), &clean)).collect::<Result<_>>()?;
        for set in &crafted {
            ensure!(
                set.made.weights_sha256 == bundles[0].card.weights.sha256,
                "{} was crafted from another network than the normal model in {}: delete it to have it crafted again",
                set.dir.display(),
                self.layout.model(MODELS[0]).display()
            );
        }
        let noise = AttackConfig { channel_scale: bundles[0].card.std, ..AttackConfig::noise(attacks[0].1.epsilon, 0) };
        let mut trials = vec![Trial::CLEAN, Trial::AUGMENTED];
        trials.extend(crafted.iter().enumerate().map(|(place, set)| Trial::saved(place, set)));
        trials.extend(attacks.iter().map(|(_, config)| Trial::attack(config.clone(), None)));
        trials.push(Trial::attack(AttackConfig::pgd(PGD_EPSILON, PGD_STEPS, 0), None));
        trials.push(Trial::attack(noise, None));
        let indices = spread(&clean.val.labels, self.plan.limit);
        let bar = progress::count((indices.len() * trials.len()) as u64, "Evaluating");
        let evaluation =
            Evaluation { bundles: &bundles, clean: &clean.val, indices: &indices, crafted: &crafted, trials: &trials };
        let scores = evaluation.run(&self.engine.device, &bar)?;
        bar.finish_and_clear();
        let model = |((name, bundle), scores): ((&&str, Bundle), _)| ModelReport {
            dir: Layout(Path::new("")).model(name),
            name: (*name).into(),
            weights_sha256: bundle.card.weights.sha256,
            scores,
        };
        // A report is read elsewhere: no place of this machine goes into it.
        let set = |set: &CraftedVal| CraftedReport {
            dir: Path::new("sets").join(set.dir.file_name().unwrap_or_default()),
            ..CraftedReport::from(set)
        };
        let report = Report {
            data_sha256: clean.sha256,
            images: indices.len(),
            models: MODELS.iter().zip(bundles).zip(scores).map(model).collect(),
            crafted: crafted.iter().map(set).collect(),
        };
        crate::run_dir::write_atomically(&self.scores_file(), &serde_json::to_vec_pretty(&report)?)
    }

    fn report(&self, dir: &Path, seconds: f64) -> Result<()> {
        let file = self.scores_file();
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let scores: Report =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged: delete it", file.display()))?;
        let meta = Cache::open(&self.data)?.into_meta();
        let reproduction = Reproduction {
            plan: self.plan,
            config: &self.config(MODELS[0])?,
            classes: meta.classes.len(),
            train_images: meta.train.images,
            device: self.engine.backend.label().into(),
            seconds,
            scores: &scores,
        };
        reproduction.write(dir)?;
        output::text(&summary(&scores))?;
        eprintln!("The report is in {}", dir.join("report.md").display());
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
