//! `bastion evaluate`: how often networks are right, on clean images and under white-box attacks.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use shared::attack::{AttackConfig, AttackKind};
use shared::bundle::Score;

use crate::commands::attack::attack_kinds;
use crate::data::{self, Dataset};
use crate::device::{self, DeviceChoice};
use crate::epsilon::Epsilon;
use crate::evaluate::{evaluate, spread};
use crate::run_dir::write_atomically;
use crate::{models, output, progress};

#[derive(Debug, Args)]
#[command(after_help = "\
Attacks are white-box: through the network's own gradients, with the true labels. Intervals are Wilson's, at 95%.

Examples:
  bastion evaluate
  bastion evaluate --model runs/standard/final --limit 1000
  bastion evaluate --attack bim --epsilon 2/255,4/255,8/255 --json")]
pub struct EvaluateArgs {
    /// Folder of a model; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Attacks, with commas between them
    #[arg(long = "attack", value_name = "ATTACK", value_delimiter = ',', default_values = ["fgsm", "bim"], value_parser = attack_kinds())]
    attacks: Vec<AttackKind>,
    /// Radii, with commas between them
    #[arg(long, value_delimiter = ',', default_values = ["4/255"])]
    epsilon: Vec<Epsilon>,
    /// Steps of BIM and PGD
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Use only so many validation images, spread over all classes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Write the scores into each model's model.json
    #[arg(long)]
    save: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    data_sha256: String,
    images: usize,
    models: Vec<ModelReport>,
}

#[derive(Serialize)]
struct ModelReport {
    dir: PathBuf,
    name: String,
    scores: Vec<Score>,
}

/// Runs `bastion evaluate`.
///
/// # Errors
/// When the data set or a model cannot be read, or the device fails.
pub fn run(args: &EvaluateArgs, device: DeviceChoice) -> Result<()> {
    let dataset = Dataset::load_val(&data::dir_or_default(args.data.as_deref()))?;
    let engine = device::open(device)?;
    let dirs = models::dirs_or_shipped(&args.models)?;
    let attacks: Vec<AttackConfig> = args
        .attacks
        .iter()
        .flat_map(|&kind| {
            args.epsilon.iter().map(move |epsilon| AttackConfig::new(kind, epsilon.value(), args.steps.into()))
        })
        .collect();
    let indices = spread(dataset.val.len(), args.limit.map(|limit| limit as usize));
    let mut reports = Vec::with_capacity(dirs.len());
    for dir in dirs {
        let bundle = models::load(&dir, &engine.device)?;
        anyhow::ensure!(
            bundle.card.classes == dataset.classes,
            "the model in {} has other classes than the data set",
            dir.display()
        );
        let bar = progress::count(indices.len() as u64, "Evaluating");
        let scores = evaluate(&bundle, &dataset.val, &indices, &attacks, &engine.device, &bar)?;
        bar.finish_and_clear();
        if args.save {
            save(&dir, &scores)?;
        }
        reports.push(ModelReport { dir, name: bundle.card.name, scores });
    }
    let report = Report { data_sha256: dataset.sha256, images: indices.len(), models: reports };
    if args.json { output::json(&report) } else { output::text(table(&report).trim_end()) }
}

fn save(dir: &Path, scores: &[Score]) -> Result<()> {
    let mut card = models::card(dir)?;
    card.scores = scores.to_vec();
    write_atomically(&dir.join("model.json"), &card.to_json())
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    for model in &report.models {
        text += &format!("{} ({}), {} validation images\n", model.name, model.dir.display(), report.images);
        text += &format!("  {:<26}{:>8}  {:<18}{:>8}  success\n", "", "top-1", "95% interval", "top-5");
        for score in &model.scores {
            let [low, high] = score.top1_interval;
            let success = score.success.map(|success| format!("{:.1}%", 100.0 * success.value())).unwrap_or_default();
            text += &format!(
                "  {:<26}{:>7.2}%  [{:.2}, {:.2}]{:>14.2}%  {success}\n",
                score_name(score),
                100.0 * score.top1.value(),
                100.0 * low,
                100.0 * high,
                100.0 * score.top5.value(),
            );
        }
        text.push('\n');
    }
    text
}

/// `BIM-5, 4/255 (0.0157)`.
fn score_name(score: &Score) -> String {
    let Some(attack) = &score.attack else { return "clean".into() };
    let steps = match attack.kind {
        AttackKind::Fgsm => String::new(),
        AttackKind::Bim | AttackKind::Pgd => format!("-{}", attack.steps),
    };
    let epsilon = Epsilon::new(attack.epsilon).map(|epsilon| epsilon.to_string()).unwrap_or_default();
    format!("{}{steps}, {epsilon}", attack.kind.label())
}
