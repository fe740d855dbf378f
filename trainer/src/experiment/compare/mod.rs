//! Architectures compared under the same budget, as section 2.1 of the paper does it: each is trained with the same settings
//! and measured on the validation images, each in a child process, and set beside the others.
//!
//! Each training is a run folder as of `bastion train`.

mod charts;
mod measurement;
mod plan;
mod report;
mod results;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::model::BuildNetwork as _;

pub use self::measurement::Measurement;
use self::measurement::training_time;
pub use self::plan::{ComparisonPlan, common_settings};
pub use self::results::ComparisonReport;
use self::results::{ComparedNetwork, NetworkResult};
use super::children::{Training, Workspace};
use super::clock::Gmacs;
use super::plan::Plan;
use super::stages::{self, Experiment};
use crate::child;
use crate::data::{Cache, Meta, SIDE};
use crate::error::UsageError;
use crate::evaluate;
use crate::memory::Memory;
use crate::train::{ArchName, RunDir};

#[derive(Clone, Copy)]
enum Stage {
    Train(ArchName),
    Measure(ArchName),
}

/// Runs what is left of training and measuring `archs`, writes the report and returns it. A network whose training or measuring dies, for
/// want of memory for instance, is left out, and the others are compared.
///
/// # Errors
/// [`Stopped`](crate::error::Stopped) when the user ended it; what is done stays. When something cannot be read or written, or
/// what is in the folder does not belong together.
pub fn run(plan: &ComparisonPlan, archs: &[ArchName], workspace: &Workspace<'_>) -> Result<ComparisonReport> {
    let meta = Cache::open(workspace.data)?.into_meta();
    let images = workspace.limit.unwrap_or(meta.val.images).min(meta.val.images);
    let mut comparison = Comparison { plan, archs, workspace, meta, images, failures: vec![] };
    for &arch in archs {
        comparison.check(arch)?;
    }
    plan.claim(workspace.out)?;
    let stages: Vec<Stage> = archs.iter().flat_map(|&arch| [Stage::Train(arch), Stage::Measure(arch)]).collect();
    stages::run(&mut comparison, &stages, workspace)?;
    comparison.report()
}

struct Comparison<'a> {
    plan: &'a ComparisonPlan,
    archs: &'a [ArchName],
    workspace: &'a Workspace<'a>,
    meta: Meta,
    /// Validation images to measure on.
    images: usize,
    /// Networks that are left out, and why.
    failures: Vec<(ArchName, String)>,
}

impl Experiment for Comparison<'_> {
    type Stage = Stage;

    fn title(&self, stage: Stage) -> String {
        match stage {
            Stage::Train(arch) => format!("training {}", arch.typed()),
            Stage::Measure(arch) => format!("measuring {}", arch.typed()),
        }
    }

    fn is_left(&self, stage: Stage) -> Result<bool> {
        let (Stage::Train(arch) | Stage::Measure(arch)) = stage;
        let is_done = match stage {
            Stage::Train(arch) => self.model(arch).join("model.json").is_file(),
            Stage::Measure(arch) => self.measurement(arch)?.is_some(),
        };
        Ok(!is_done && self.failure(arch).is_none())
    }

    fn work(&self, stage: Stage) -> Result<Gmacs> {
        match stage {
            Stage::Train(arch) => Gmacs::of_training(&self.plan.config(arch)?, &self.meta),
            Stage::Measure(arch) => {
                Gmacs::of_passes(self.images, &self.plan.config(arch)?, self.meta.classes.len(), SIDE)
            }
        }
    }

    fn run(&mut self, stage: Stage) -> Result<bool> {
        let (arch, failure) = match stage {
            Stage::Train(arch) => (arch, self.train(arch)?),
            Stage::Measure(arch) => (arch, self.measure(arch)?),
        };
        let Some(failure) = failure else { return Ok(true) };
        self.workspace.progress.warn(format!("{} is left out: {failure}", arch.typed()));
        self.failures.push((arch, failure));
        Ok(false)
    }
}

impl Comparison<'_> {
    /// Finds what can be wrong with an architecture before anything is trained.
    fn check(&self, arch: ArchName) -> Result<()> {
        let config = self.plan.config(arch)?;
        // Its weights are drawn when they are used.
        let network = config.architecture()?.init(self.meta.classes.len(), [0.5; 3], [0.25; 3], &Device::flex());
        network.map_err(|error| UsageError(format!("{}: {error}", arch.typed())))?;
        let path = self.path(arch);
        if !path.join("run.json").is_file() {
            return Ok(());
        }
        let (_, record, begun) = RunDir::open(&path)?;
        let weights = record.pretrained.map(|weights| weights.sha256);
        ensure!(
            begun == config
                && record.data_sha256 == self.meta.sha256
                && weights.as_ref() == self.plan.weights_sha256.get(&arch.typed()),
            "{} is a run with other settings, or from another data set or other weights: put those back, or delete it to have it \
             trained again",
            path.display()
        );
        Ok(())
    }

    fn path(&self, arch: ArchName) -> PathBuf {
        self.workspace.out.join(arch.typed())
    }

    /// Returns the folder of the trained network.
    fn model(&self, arch: ArchName) -> PathBuf {
        self.path(arch).join("final")
    }

    fn failure(&self, arch: ArchName) -> Option<&String> {
        self.failures.iter().find(|(failed, _)| *failed == arch).map(|(_, failure)| failure)
    }

    fn measurement(&self, arch: ArchName) -> Result<Option<Measurement>> {
        Ok(Measurement::read(&self.workspace.scores(&arch.typed())?, &self.model(arch), self.images))
    }

    fn train(&self, arch: ArchName) -> Result<Option<String>> {
        self.workspace.train(&Training {
            name: &arch.typed(),
            run: self.path(arch),
            config: self.plan.config(arch)?,
            pretrained: self.plan.weights(arch)?,
            crafted: &self.plan.crafted,
        })
    }

    /// Measures in a child process; returns why that died, if it did. A batch is not larger than in training, which took more
    /// memory for each of its pictures.
    fn measure(&self, arch: ArchName) -> Result<Option<String>> {
        let Workspace { data, limit, choice, progress, .. } = self.workspace;
        let name = arch.typed();
        let config = self.plan.config(arch)?;
        let batch_size = (config.batch_size / config.accumulate).clamp(1, evaluate::BATCH);
        let mut command = child::command(*choice, progress.choice())?;
        command.args(["measure-network", "--data"]).arg(data).arg("--model").arg(self.model(arch));
        command.arg("--out").arg(self.workspace.scores(&name)?).args(["--batch-size", &batch_size.to_string()]);
        if let Some(limit) = limit {
            command.args(["--limit", &limit.to_string()]);
        }
        self.workspace.wait_for(&name, "measuring", command, &[])
    }

    fn report(&self) -> Result<ComparisonReport> {
        let networks = self.archs.iter().map(|&arch| self.network(arch)).collect::<Result<_>>()?;
        let report = ComparisonReport {
            command: self.plan.command.clone(),
            data_sha256: self.meta.sha256.clone(),
            classes: self.meta.classes.len(),
            train_images: self.meta.train.images,
            images: self.images,
            pretrained: self.plan.pretrained.is_some(),
            side: SIDE,
            networks,
        };
        report.write(self.workspace.out, &self.plan.config(self.archs[0])?)?;
        Ok(report)
    }

    fn network(&self, arch: ArchName) -> Result<ComparedNetwork> {
        let cost = self.plan.config(arch)?.architecture()?.cost(self.meta.classes.len(), SIDE);
        let failure = self.failure(arch).cloned();
        Ok(ComparedNetwork {
            arch: arch.typed(),
            parameters: cost.parameters,
            macs: cost.macs,
            weights_sha256: self.plan.weights_sha256.get(&arch.typed()).cloned(),
            settings: self.plan.settings(arch)?,
            done: if failure.is_none() { Some(self.result(arch)?) } else { None },
            failure,
        })
    }

    fn result(&self, arch: ArchName) -> Result<NetworkResult> {
        let context = || format!("the scores of {} are gone", arch.typed());
        let Measurement { score, inference, device, .. } = self.measurement(arch)?.with_context(context)?;
        let (steps, seconds) = training_time(&self.path(arch))?;
        let pictures = steps * self.plan.config(arch)?.batch_size;
        Ok(NetworkResult {
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
