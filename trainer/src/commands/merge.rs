//! `bastion merge`: the report of a measurement whose images were measured in parts.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;

use super::{check, evaluate, kept_flags};
use crate::check::report::CheckReport;
use crate::check::{Subject, judge};
use crate::craft;
use crate::data::{self, Dataset};
use crate::error::UsageError;
use crate::kept::{Work, gather};
use crate::progress::Progress;

/// Arguments of `bastion merge`.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes folders that `bastion evaluate`, `bastion check` or `bastion craft` wrote with --out and --shard. It needs no networks, and
data for a crafted set alone. The shards must be of one plan, one version of Bastion, the same weights and the same data, and hold every image once; what is missing,
twice, foreign or half written is named. The report is that of one run over all images.

Examples:
  bastion evaluate --attack autoattack --out runs/aa --shard 1/2
  bastion evaluate --attack autoattack --out runs/aa --shard 2/2
  bastion merge runs/aa --report runs/aa
  bastion merge from-node-1 from-node-2 --json
  bastion merge parts --set data/fgsm      (of `bastion craft --shard`)
More in docs/cluster.md.")]
pub struct MergeArgs {
    /// Folders with the shards: one that all shards share, or several
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Write what was found into each model's model.json, as the command that measured does
    #[arg(long)]
    save: bool,
    /// Write the report into this folder, as the command that measured does
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Folder for the set of attacked pictures, for parts of `bastion craft`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["save", "report"])]
    set: Option<PathBuf>,
    /// The clean data set of the parts of a crafted one [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR", requires = "set")]
    data: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Runs `bastion merge`.
///
/// # Errors
/// Names what is missing, twice, foreign or half written; when a check fails, after all are printed; when the report cannot be
/// written.
pub fn run(args: &MergeArgs, progress: &Progress) -> Result<()> {
    let parts = args.dirs.iter().any(|dir| craft::is_shard(dir));
    if let Some(set) = &args.set {
        let clean = Dataset::load_clean(&data::dir_or_default(args.data.as_deref()))?;
        return super::craft::report(&craft::merge(&args.dirs, &clean, set, progress)?, set, args.json);
    }
    ensure!(!parts, UsageError("these are parts of a crafted set: say with --set DIR where it is to be".into()));
    let (plan, kept) = gather(&args.dirs)?;
    if args.save {
        kept_flags::check_cards(&plan)?;
    }
    let publish = Publish { save: args.save, report: args.report.as_deref(), json: args.json };
    match &plan.work {
        Work::Evaluate { trials, crafted } => {
            let report = kept.report(&plan, trials, crafted)?;
            evaluate::publish(&report, plan.is_all(), publish, progress)
        }
        Work::Check { epsilon, commonest } => {
            let networks = plan.models.iter().map(|model| (model.name.clone(), model.classes)).collect();
            let checked = judge(&Subject { networks, commonest: *commonest }, *epsilon, &kept)?;
            let models = plan.models.iter().zip(checked).map(|(model, checked)| check::model_report(model, checked));
            let report = CheckReport::new(plan.data.clone(), plan.images, *epsilon, models.collect());
            check::publish(&report, publish, progress)
        }
    }
}

/// Outputs of a report.
#[derive(Clone, Copy)]
pub(super) struct Publish<'a> {
    /// Whether it goes into the models' cards.
    pub save: bool,
    /// The folder that it is written to.
    pub report: Option<&'a Path>,
    /// Whether it is printed as JSON.
    pub json: bool,
}
