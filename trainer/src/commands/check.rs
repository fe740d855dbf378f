//! `bastion check`: checks that the robust accuracies of networks are sound.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::kept_flags::{self, KeptFlags};
use super::merge::Publish;
use crate::check::report::{CheckReport, CheckedModelReport};
use crate::check::{CHECKS, Checked, Subject, check};
use crate::data::{self, Dataset, Split, made};
use crate::device::{self, DeviceChoice};
use crate::epsilon::Epsilon;
use crate::error::UsageError;
use crate::evaluate::spread;
use crate::kept::{PlannedModel, Work};
use crate::progress::Progress;
use crate::{models, output};

/// Arguments of `bastion check`.
#[derive(Debug, Args)]
#[command(after_help = "\
What must hold of a sound evaluation, whatever it finds (Carlini et al., On Evaluating Adversarial Robustness): attacks that
keep to their ball, that gain from steps and from epsilon, and that beat noise, transfer and a random search of 100 squares;
gradients that are there and lead uphill; logits that are the image's own. White-box is PGD-20 until an image is fooled, measured
as `bastion evaluate` measures what is published; and that must leave no more right than the last step does.

Attacks are compared on the images on which they differ; only what Wilson's 95% interval excludes counts as a difference. So
few images forgive more than many. A check is skipped where it cannot be measured, which the figure explains: accuracies say
nothing of a network that is right on fewer than 20 images, or no more often than by chance.

Exit code 1 if any check fails; a skipped one is no failure.

Examples:
  bastion check
  bastion check --model runs/hardened/final --model static/models/standard --limit 1000
  bastion check --epsilon 8/255 --full --report runs/checks
  bastion check --limit 1000 --save --report runs/checks
  bastion check --made --limit 40 --json")]
pub struct CheckArgs {
    /// Folder of a model; may be given more than once: each is what the others are transferred from [default: standard and
    /// hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use drawn pictures instead of a data set; networks are right about them by chance, so what needs accuracy is skipped
    #[arg(long, conflicts_with_all = ["data", "full"])]
    made: bool,
    /// Radius of the attacks
    #[arg(long, allow_hyphen_values = true, default_value = "4/255")]
    epsilon: Epsilon,
    /// Use so many validation images, spread over all classes
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Use all validation images
    #[arg(long, conflicts_with = "limit")]
    full: bool,
    /// Note what was found in each model's model.json, passed or failed, in place of what was noted before
    #[arg(long, conflicts_with = "made")]
    save: bool,
    #[command(flatten)]
    kept: KeptFlags,
    /// Write a report into this folder: checks.json, checks.md, and loss-curves.svg [default: the folder of --out]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Images with their labels, and their name in a report.
struct Images {
    name: String,
    split: Split,
}

/// Draws `count` pictures of the first `classes` classes, or of as many as can be drawn. They are unrelated to the classes of a
/// network that was trained on other data.
pub(super) fn drawn(classes: usize, count: usize) -> Split {
    /// Number of classes that can be drawn: colours times shapes.
    const DRAWN: usize = 20;
    let class = |index: usize| index % classes.min(DRAWN);
    Split {
        images: (0..count).flat_map(|index| made::picture(class(index), index as u64)).collect(),
        labels: (0..count).map(|index| class(index) as u16).collect(),
    }
}

/// Runs `bastion check`.
///
/// # Errors
/// When a check fails, after all are printed; when epsilon is 0, the data set or a model cannot be read, or the device fails.
pub fn run(args: &CheckArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    if args.epsilon.value() == 0.0 {
        return Err(UsageError("--epsilon 0 is no attack: there is nothing to check".into()).into());
    }
    let shard = args.kept.part(&[("--save", args.save), ("--report", args.report.is_some()), ("--json", args.json)])?;
    args.kept.check_report(args.report.as_deref())?;
    let val = match args.made {
        true => None,
        false => Some(Dataset::load_val(&data::dir_or_default(args.data.as_deref()))?),
    };
    let engine = device::open(device, progress)?;
    let dirs = models::dirs_or_shipped(&args.models)?;
    let bundles = dirs.iter().map(|dir| models::load(dir, &engine.device)).collect::<Result<Vec<_>>>()?;
    let limit = args.limit as usize;
    let images = match val {
        Some(val) => {
            for (dir, bundle) in dirs.iter().zip(&bundles) {
                models::check_classes(dir, &bundle.card, &val.classes)?;
                if args.save {
                    kept_flags::check_data_of(dir, &bundle.card.data_sha256, &val)?;
                }
            }
            Images { name: val.sha256, split: val.val }
        }
        None => {
            let classes = bundles.iter().map(|bundle| bundle.card.classes.len()).min().unwrap_or(1);
            Images { name: "made".into(), split: drawn(classes, limit) }
        }
    };
    let indices = spread(&images.split.labels, (!args.full).then_some(limit));
    let epsilon = args.epsilon.value();
    let planned: Vec<PlannedModel> =
        dirs.iter().zip(&bundles).map(|(dir, bundle)| PlannedModel::new(dir, bundle)).collect();
    let commonest = Subject::new(&bundles, &images.split, &indices).commonest;
    let work = Work::Check { epsilon, commonest };
    let plan = kept_flags::plan(&images.name, indices.len(), images.split.len(), planned, work);
    let kept = args.kept.open(&plan, shard, progress)?;
    let stop = args.kept.stop(progress)?;
    let checked = check(&bundles, &images.split, &indices, epsilon, &kept, &engine.device, progress, &stop)?;
    if !shard.is_whole() {
        return args.kept.print_part(shard, &kept, &plan);
    }
    let models = plan.models.iter().zip(checked).map(|(model, checked)| model_report(model, checked)).collect();
    let report = CheckReport::new(images.name, indices.len(), epsilon, models);
    let publish = Publish { save: args.save, report: args.kept.report(args.report.as_deref()), json: args.json };
    self::publish(&report, publish, progress)
}

/// Returns the report of the checks of `model`.
pub(super) fn model_report(model: &PlannedModel, Checked { clean, checks }: Checked) -> CheckedModelReport {
    CheckedModelReport {
        dir: model.dir.clone(),
        name: model.name.clone(),
        weights_sha256: model.weights_sha256.clone(),
        clean,
        checks,
    }
}

/// Saves, writes and prints a report.
///
/// # Errors
/// When a check has failed; when a card or the report cannot be written.
pub(super) fn publish(report: &CheckReport, to: Publish<'_>, progress: &Progress) -> Result<()> {
    if to.save {
        for model in &report.models {
            models::save_checks(&model.dir, model.for_card(report.epsilon, report.images))?;
        }
    }
    if let Some(dir) = to.report {
        report.write(dir)?;
        progress.note(format!("The report is in {}", dir.display()));
    }
    if to.json {
        output::json(report)?;
    } else {
        output::text(&report.table())?;
    }
    let failures = report.failures();
    if !failures.is_empty() {
        bail!("{} of {} checks failed: {}", report.failed, CHECKS * report.models.len(), failures.join("; "));
    }
    Ok(())
}
