//! `bastion reproduce`: the paper's experiment from data to report.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::data::{self, Cache};
use crate::device::{self, DeviceChoice};
use crate::error::UsageError;
use crate::experiment::Workspace;
use crate::experiment::reproduce::{self, DataPart, ReproductionPlan};
use crate::output;
use crate::pretrained;
use crate::progress::{Progress, Stop};
use crate::train::{ConfigFlags, Pretrained, resolve};

/// Arguments of `bastion reproduce`.
#[derive(Debug, Args)]
#[command(after_help = "\
Trains the normal model, crafts FGSM and BIM sets on it, trains the four others (augmented, fgsm, bim, hardened), evaluates all
five on four validation sets under both protocols, and writes a report beside the paper's Table 1. Settings of training are the
same for all five. Ctrl-C saves; saying the same again goes on, after a kill too.

Examples:
  bastion reproduce --out runs/paper
  bastion reproduce --out runs/paper-small --subset --batch-size 32
  bastion reproduce --out runs/paper-full --arch efficientnet_lite0 --pretrained efficientnet_lite0.whl --input-size 128 --epochs 3
  bastion reproduce --out runs/paper-20 --subset --classes 20 --per-class 400 --val-per-class 50 --epochs 12 --batch-size 64")]
pub struct ReproduceArgs {
    /// Folder for everything that is made on the way; the same folder goes on with what was begun in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder for the report [default: report in the folder of --out]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use a part of the data set: minutes instead of days on a CPU
    #[arg(long)]
    subset: bool,
    /// Classes of the part
    #[arg(long, value_name = "N", default_value_t = 10, requires = "subset", value_parser = clap::value_parser!(u16).range(2..))]
    classes: u16,
    /// Training pictures of each class in the part
    #[arg(long, value_name = "N", default_value_t = 100, requires = "subset", value_parser = clap::value_parser!(u16).range(2..))]
    per_class: u16,
    /// Validation pictures of each class in the part
    #[arg(long, value_name = "N", default_value_t = 25, requires = "subset", value_parser = clap::value_parser!(u16).range(1..))]
    val_per_class: u16,
    /// Evaluate on so many validation images, spread over all classes, instead of on all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// A file of weights for ImageNet that all five models start from, as the paper's did (`bastion train --help`)
    #[arg(long, value_name = "FILE")]
    pretrained: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFlags,
}

/// Runs `bastion reproduce`.
///
/// # Errors
/// As [`reproduce::run`], or when a setting is out of range.
pub fn run(args: &ReproduceArgs, choice: DeviceChoice, progress: &Progress) -> Result<()> {
    for own in ["recipe", "mix"] {
        ensure!(
            args.config.given().all(|given| given != own),
            UsageError(format!("--{own} is what the five models differ in: it cannot be set for all"))
        );
    }
    let config = resolve(None, &args.config)?;
    if let Some(file) = &args.pretrained {
        pretrained::check(file, &config.architecture()?)?;
    }
    let data = data::dir_or_default(args.data.as_deref());
    let plan = ReproductionPlan {
        command: super::command_line(&["--data", "--out", "--report", "--device", "--pretrained"]),
        data_sha256: Cache::open(&data)?.into_meta().sha256,
        subset: args.subset.then(|| DataPart {
            classes: args.classes.into(),
            per_class: args.per_class.into(),
            val_per_class: args.val_per_class.into(),
        }),
        settings: args.config.table().clone(),
        pretrained: args.pretrained.as_deref().map(Pretrained::of).transpose()?,
        limit: args.limit.map(|limit| limit as usize),
    };
    let engine = device::open(choice, progress)?;
    let workspace = Workspace {
        command: &plan.command,
        out: &args.out,
        data: &data,
        limit: plan.limit,
        choice,
        engine: &engine,
        progress,
        stop: &Stop::on_ctrl_c()?,
    };
    let report = args.report.clone().unwrap_or_else(|| args.out.join("report"));
    output::text(&reproduce::run(&plan, &workspace, &report)?)?;
    progress.note(format!("The report is in {}", report.join("report.md").display()));
    Ok(())
}
