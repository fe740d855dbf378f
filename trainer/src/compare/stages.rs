//! The stages, one after the other, each skipped if it is done.

use shared::model::BuildNetwork as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use toml::Table;

use super::measure::{Measured, training};
use super::plan::{Plan, differences};
use super::report::{Done, Entry, Report};
use super::training::{Interruption, stopped};
use crate::data::{Cache, Meta, SIDE};
use crate::device::DeviceChoice;
use crate::error::{Stopped, UsageError};
use crate::memory::Memory;
use crate::output;
use crate::progress::Progress;
use crate::reproduce::estimate::{Clock, Work, in_words};
use crate::train::{ArchName, RunDir};

/// A comparison that is to be done, or gone on with.
pub struct Comparison<'a> {
    pub plan: &'a Plan,
    pub archs: &'a [ArchName],
    /// The imported data set.
    pub data: &'a Path,
    pub out: &'a Path,
    /// Validation images to measure on; none means all.
    pub limit: Option<usize>,
    pub choice: DeviceChoice,
    pub progress: &'a Progress,
    pub interruption: &'a Interruption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Train(ArchName),
    Measure(ArchName),
}

impl Stage {
    fn title(self) -> String {
        match self {
            Self::Train(arch) => format!("training {}", arch.typed()),
            Self::Measure(arch) => format!("measuring {}", arch.typed()),
        }
    }
}

impl Comparison<'_> {
    /// Does what is left, and writes the report. A network whose training or measuring dies, of too little memory for
    /// instance, is left out, and the others are compared.
    ///
    /// # Errors
    /// [`Stopped`] when it was to stop; what is done stays. When something cannot be read or written, or what is in the folder
    /// does not belong together; and, after the report, when a network was left out.
    pub fn run(&self) -> Result<()> {
        let meta = Cache::open(self.data)?.into_meta();
        let images = self.limit.map_or(meta.val.images, |limit| limit.min(meta.val.images));
        for &arch in self.archs {
            self.check(arch, &meta)?;
        }
        self.plan.claim(self.out)?;
        let mut clock = Clock::open(self.out.join("timings.json"));
        let mut failures: Vec<(ArchName, String)> = vec![];
        let stages: Vec<Stage> =
            self.archs.iter().flat_map(|&arch| [Stage::Train(arch), Stage::Measure(arch)]).collect();
        for (place, &stage) in stages.iter().enumerate() {
            let (Stage::Train(arch) | Stage::Measure(arch)) = stage;
            if failures.iter().any(|(failed, _)| *failed == arch) || self.is_done(stage, images) {
                continue;
            }
            ensure!(!self.interruption.stop.requested(), Stopped(stopped()));
            let amounts = stages[place..].iter().map(|&stage| self.amount(stage, &meta, images));
            let left = amounts.sum::<Result<f64>>()?;
            let left =
                clock.estimate(Work(left)).map_or(String::new(), |time| format!(", about {} left", in_words(time)));
            self.progress.note(format!("Stage {} of {}: {}{left}", place + 1, stages.len(), stage.title()));
            let began = Instant::now();
            let done = match stage {
                Stage::Train(arch) => self.train(arch),
                Stage::Measure(arch) => self.measure(arch),
            };
            let whole = matches!(done, Ok(None));
            let amount = if whole { Some(Work(self.amount(stage, &meta, images)?)) } else { None };
            let noted = clock.add(&stage.title(), amount, began.elapsed(), "");
            // Where both fail, it is for the same reason, and the stage says it better.
            if let Some(failure) = done? {
                self.progress.warn(format!("{} is left out: {failure}", arch.typed()));
                failures.push((arch, failure));
            }
            noted?;
        }
        self.report(&meta, images, &failures)
    }

    /// What can be wrong with an architecture is found before anything is trained.
    fn check(&self, arch: ArchName, meta: &Meta) -> Result<()> {
        let config = self.plan.config(arch)?;
        // Its weights are drawn when they are used.
        let network = config.architecture()?.init(meta.classes.len(), [0.5; 3], [0.25; 3], &Device::flex());
        network.map_err(|error| UsageError(format!("{}: {error}", arch.typed())))?;
        let path = self.path(arch);
        if !path.join("run.json").is_file() {
            return Ok(());
        }
        let (_, record, begun) = RunDir::open(&path)?;
        let differing = differences(&Table::try_from(begun)?, &Table::try_from(config)?);
        ensure!(
            differing.is_empty() && record.data_sha256 == meta.sha256,
            "{} is a run with other settings or on another data set ({}): delete it to have it trained again",
            path.display(),
            differing.join("; ")
        );
        let (then, now) =
            (record.pretrained.map(|then| then.sha256), self.plan.asked.weights_sha256.get(&arch.typed()));
        let told = |sha256: Option<&String>| sha256.map_or("none".into(), |sha256| format!("SHA-256 {sha256}"));
        ensure!(
            then.as_ref() == now,
            "{} is a run that began with other weights ({}, now {}): put those back, or delete it to have it trained again",
            path.display(),
            told(then.as_ref()),
            told(now)
        );
        Ok(())
    }

    pub(super) fn path(&self, arch: ArchName) -> PathBuf {
        self.out.join(arch.typed())
    }

    /// The trained network.
    pub(super) fn model(&self, arch: ArchName) -> PathBuf {
        self.path(arch).join("final")
    }

    /// The file with what it scored.
    pub(super) fn scores(&self, arch: ArchName) -> Result<PathBuf> {
        let dir = self.out.join("scores");
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(dir.join(format!("{}.json", arch.typed())))
    }

    fn is_done(&self, stage: Stage, images: usize) -> bool {
        match stage {
            Stage::Train(arch) => self.model(arch).join("model.json").is_file(),
            Stage::Measure(arch) => self.measured(arch, images).is_some(),
        }
    }

    fn measured(&self, arch: ArchName, images: usize) -> Option<Measured> {
        Measured::read(&self.scores(arch).ok()?, &self.model(arch), images)
    }

    /// How much there is to do in all of a stage, in billions of multiplications.
    fn amount(&self, stage: Stage, meta: &Meta, images: usize) -> Result<f64> {
        let (Stage::Train(arch) | Stage::Measure(arch)) = stage;
        let config = self.plan.config(arch)?;
        let macs =
            |side| Ok::<_, anyhow::Error>(config.architecture()?.cost(meta.classes.len(), side).macs as f64 / 1e9);
        Ok(match stage {
            Stage::Train(_) => {
                let batch_size = config.batch_size;
                let shown = config.steps.map_or(config.epochs * meta.train.images, |steps| steps * batch_size);
                // A pass backwards costs about two forwards.
                3.0 * macs(config.image_size)? * shown as f64
            }
            Stage::Measure(_) => macs(SIDE)? * images as f64,
        })
    }

    fn report(&self, meta: &Meta, images: usize, failures: &[(ArchName, String)]) -> Result<()> {
        let mut networks = vec![];
        for &arch in self.archs {
            let cost = self.plan.config(arch)?.architecture()?.cost(meta.classes.len(), SIDE);
            let failure = failures.iter().find(|(failed, _)| *failed == arch).map(|(_, failure)| failure.clone());
            let done = if failure.is_none() { Some(self.entry(arch, images)?) } else { None };
            networks.push(Entry {
                arch: arch.typed(),
                parameters: cost.parameters,
                macs: cost.macs,
                weights_sha256: self.plan.asked.weights_sha256.get(&arch.typed()).cloned(),
                settings: self.plan.settings(arch)?,
                done,
                failure,
            });
        }
        let report = Report {
            command: self.plan.command.clone(),
            data_sha256: meta.sha256.clone(),
            classes: meta.classes.len(),
            train_images: meta.train.images,
            images,
            pretrained: self.plan.asked.pretrained.is_some(),
            side: SIDE,
            networks,
        };
        report.write(self.out, &self.plan.config(self.archs[0])?)?;
        output::text(&report.summary())?;
        self.progress.note(format!("The report is in {}", self.out.join("report.md").display()));
        let names: Vec<String> = failures.iter().map(|(arch, _)| arch.typed()).collect();
        ensure!(
            names.is_empty(),
            "{} of {} networks are missing ({}): saying the same again tries them once more; a smaller --batch-size is for \
             another --out",
            names.len(),
            self.archs.len(),
            names.join(", ")
        );
        Ok(())
    }

    fn entry(&self, arch: ArchName, images: usize) -> Result<Done> {
        let context = || format!("the scores of {} are gone", arch.typed());
        let Measured { score, inference, device, .. } = self.measured(arch, images).with_context(context)?;
        let (steps, seconds) = training(&self.path(arch))?;
        let pictures = steps * self.plan.config(arch)?.batch_size;
        Ok(Done {
            top1: score.top1,
            top1_interval: score.top1_interval,
            top5: score.top5,
            training_images_per_second: pictures as f64 / seconds,
            inference_images_per_second: inference,
            peak: Memory::of_run(&self.path(arch)),
            steps,
            seconds,
            device,
        })
    }
}
