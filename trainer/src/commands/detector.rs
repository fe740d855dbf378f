//! `bastion detector`: detectors of attacked pictures, their training and their measurement.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Args, Subcommand};
use shared::bundle::Bundle;
use shared::detect::{Calibration, Detector, DetectorCard, DetectorKind, DetectorOf};

use super::command_line;
use crate::data::{self, Dataset, HELD_OUT_SEED};
use crate::detect::adaptive::{Attacker, Strength};
use crate::detect::fit::{self, Features};
use crate::detect::measure::Measurement;
use crate::detect::network::{self, CraftedPair};
use crate::detect::recipe::{DetectorRecipe, TrainedAttack};
use crate::detect::report::{NetworkReport, Report};
use crate::detect::store;
use crate::device::{self, DeviceChoice};
use crate::epsilon::Epsilon;
use crate::error::UsageError;
use crate::evaluate::spread;
use crate::progress::{Progress, Stop};
use crate::{models, output};

/// Number of held-out pictures of each class that thresholds are taken from.
const HELD_OUT: usize = 10;

/// Arguments of `bastion detector`.
#[derive(Debug, Args)]
pub struct DetectorArgs {
    #[command(subcommand)]
    command: DetectorCommand,
}

#[derive(Debug, Subcommand)]
enum DetectorCommand {
    /// Train detectors for a network, and put them into its folder
    Train(TrainArgs),
    /// Measure a network's detectors: on attacks, on harmless changes, and against an attacker who knows them
    Evaluate(EvaluateArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
A detector gives each picture a score, and raises an alarm where the score is above a threshold: a quantile of the scores of the 2000
held-out training pictures, which neither network nor detector was trained on. The recipe dropout is for networks trained with
dropout; the recipe paper needs crafted sets (`bastion craft`).

Examples:
  bastion detector train --model static/models/standard
  bastion detector train --model runs/standard --recipe paper --crafted data/fgsm,data/bim
  bastion detector train --model runs/standard --recipe my-detectors.toml")]
struct TrainArgs {
    /// Folder of the network, into which the detectors are put, or of a run
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// What to train, and on what: usual, dropout, paper or a file.toml
    #[arg(long, value_name = "NAME|FILE", default_value = "usual")]
    recipe: String,
    /// Train on so many pictures instead of the recipe's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    images: Option<u32>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Crafted sets of FGSM and BIM, for the paper's network
    #[arg(long, value_name = "DIR", value_delimiter = ',')]
    crafted: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The area under the curve and the alarms are of attacks that know the network alone. With --adaptive network and detector are attacked
together: by the sum of both losses at three weights, by orthogonal gradients (untargeted and towards nine classes), by matching the
maps of another class, by a search without gradients. An image is lost as soon as one of them brings it to a wrong answer without an
alarm. Checks say whether these attacks can be believed; one that fails gives exit code 1.

Examples:
  bastion detector evaluate --limit 1000 --save
  bastion detector evaluate --model static/models/standard --limit 1000 --adaptive 100 --save --report docs/results/detectors")]
struct EvaluateArgs {
    /// Folder of a network or of a run; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measure these detectors alone, with commas between them [default: all that the network has]
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    detector: Vec<DetectorKind>,
    /// Use only so many validation images, spread over all classes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Attack network and detector together on so many images
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    adaptive: Option<u32>,
    /// Radii of these attacks, in L-infinity and pixel units
    #[arg(long, value_name = "EPSILON", value_delimiter = ',', default_value = "4/255,8/255", requires = "adaptive")]
    epsilon: Vec<Epsilon>,
    /// Steps of these attacks
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..), requires = "adaptive")]
    steps: u16,
    /// Random starts of each of these attacks
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), requires = "adaptive")]
    starts: u16,
    /// False-alarm rate of the threshold that these attacks must stay below
    #[arg(long, value_name = "RATE", default_value_t = 0.05, value_parser = rate, requires = "adaptive")]
    rate: f64,
    /// Write the figures into each network's model.json
    #[arg(long)]
    save: bool,
    /// Write a report into this folder: detectors.json, report.md and report.html
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

fn kind(name: &str) -> Result<DetectorKind, String> {
    let names = || DetectorKind::ALL.map(DetectorKind::name).join(", ");
    DetectorKind::named(name).ok_or_else(|| format!("there is no detector '{name}': take {}", names()))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
        _ => Err(format!("{text} is no rate: a number between 0 and 1, as 0.05")),
    }
}

/// Runs `bastion detector`.
///
/// # Errors
/// When a setting is out of range, the data set or a network cannot be read, the device fails, or a check of an attack fails.
pub fn run(args: &DetectorArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    match &args.command {
        DetectorCommand::Train(args) => train(args, device, progress),
        DetectorCommand::Evaluate(args) => evaluate(args, device, progress),
    }
}

fn train(args: &TrainArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let mut recipe = recipe(&args.recipe)?;
    if let Some(images) = args.images {
        recipe.images = images as usize;
    }
    let needs_network = recipe.detectors.contains(&DetectorKind::Network);
    ensure!(
        needs_network || args.crafted.is_empty(),
        UsageError(format!("--crafted is for the paper's network, which the recipe {} does not make", args.recipe))
    );
    let stop = Stop::on_ctrl_c()?;
    let dir = models::dir_of(&args.model)?;
    let dataset = Dataset::load_clean(&data::dir_or_default(args.data.as_deref()))?;
    let crafted = if needs_network { Some(CraftedPair::load(&args.crafted, &dataset)?) } else { None };
    let device = device::open(device, progress)?.device;
    let Bundle { card, model } = models::load(&dir, &device)?;
    models::check_classes(&dir, &card, &dataset.classes)?;
    let (train, held_out) = dataset.train.held_out(HELD_OUT_SEED, HELD_OUT);
    ensure!(
        !held_out.is_empty(),
        "thresholds are taken from held-out training pictures, and this data set has one picture a class: take a larger one"
    );
    let labels: Vec<u16> = train.iter().map(|&index| dataset.train.labels[index]).collect();
    let indices: Vec<usize> = spread(&labels, Some(recipe.images)).into_iter().map(|place| train[place]).collect();
    recipe.images = indices.len();
    let of = DetectorOf {
        architecture: &card.architecture,
        classes: card.classes.len(),
        mean: card.mean,
        std: card.std,
        device: &device,
    };
    let on_maps = |kind: &&DetectorKind| kind.has_weights() && **kind != DetectorKind::Network;
    let features = match recipe.detectors.iter().find(on_maps) {
        Some(_) => Some(Features::collect(&recipe, &model, (&dataset.train, &indices), &device, progress, &stop)?),
        None => None,
    };
    for &kind in &recipe.detectors {
        let detector = match (kind, &features, &crafted) {
            (DetectorKind::Network, _, Some(crafted)) => {
                network::train(&recipe, (&dataset, &indices), crafted, &of, progress, &stop)?
            }
            (kind, Some(features), _) => fit::fit(kind, &recipe, features, &of, progress)?,
            (kind, None, _) => Detector::new(kind, &of, recipe.dropout, recipe.passes).map_err(|text| anyhow!(text))?,
        };
        // Of the weights as they are read back, which files round.
        let detector = match detector.save()? {
            Some(file) => detector.load(&file)?,
            None => detector,
        };
        let scores = fit::scores(&detector, &model, (&dataset.train, &held_out), &device)?;
        ensure!(scores.iter().all(|score| score.is_finite()), "the detector {kind} gives scores that are no numbers");
        let fitted = kind.has_weights();
        let trained_attacks: Vec<String> = match kind {
            DetectorKind::Network => ["fgsm", "bim-5"].map(String::from).to_vec(),
            // Its regression sees FGSM alone.
            DetectorKind::Mahalanobis => {
                recipe.attacks.iter().filter(|attack| attack.steps == 1).map(TrainedAttack::name).collect()
            }
            _ if fitted => recipe.attacks.iter().map(TrainedAttack::name).collect(),
            _ => vec![],
        };
        let trained_on = match kind {
            DetectorKind::Network => format!("{} training images, untouched and of crafted sets", indices.len()),
            _ if fitted => recipe.in_words(&trained_attacks),
            _ => String::new(),
        };
        let described = DetectorCard {
            kind,
            weights: None,
            passes: if kind.is_dropout() { recipe.passes } else { 0 },
            dropout: if kind.is_dropout() { recipe.dropout } else { 0.0 },
            trained_on,
            trained_attacks,
            calibration: Calibration::new(scores),
            figures: None,
        };
        store::save(&dir, &detector, described)?;
        progress.note(format!("The detector {kind} is in {}", dir.display()));
    }
    Ok(())
}

fn recipe(name: &str) -> Result<DetectorRecipe> {
    if !name.ends_with(".toml") {
        return DetectorRecipe::named(name);
    }
    let text = fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    DetectorRecipe::from_toml(&text).with_context(|| format!("cannot understand {name}"))
}

fn evaluate(args: &EvaluateArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let stop = Stop::on_ctrl_c()?;
    let dirs = models::dirs_or_shipped(&args.models)?;
    let dataset = Dataset::load_val(&data::dir_or_default(args.data.as_deref()))?;
    let device = device::open(device, progress)?.device;
    let bundles = dirs.iter().map(|dir| models::load(dir, &device)).collect::<Result<Vec<_>>>()?;
    let mut all = vec![];
    for (dir, bundle) in dirs.iter().zip(&bundles) {
        models::check_classes(dir, &bundle.card, &dataset.classes)?;
        let mut detectors = store::load(dir, &bundle.card, &device)?;
        detectors.retain(|(card, _)| args.detector.is_empty() || args.detector.contains(&card.kind));
        ensure!(
            !detectors.is_empty(),
            "the network in {} has no such detector: make it with bastion detector train --model {}",
            dir.display(),
            dir.display()
        );
        all.push(detectors);
    }
    let indices = spread(&dataset.val.labels, args.limit.map(|limit| limit as usize));
    let attacked = args.adaptive.map(|images| spread(&dataset.val.labels, Some(images as usize)));
    let mut networks = vec![];
    for (place, (dir, own)) in dirs.iter().zip(&bundles).enumerate() {
        let detectors = &all[place];
        let other = bundles.iter().enumerate().find(|(number, _)| *number != place).map(|(_, other)| other);
        let measurement =
            Measurement { own, other, detectors, split: &dataset.val, indices: &indices, device: &device };
        let mut figures = measurement.run(progress, &stop)?;
        if let Some(indices) = &attacked {
            let strength = Strength { steps: args.steps.into(), starts: args.starts.into(), rate: args.rate };
            for ((card, detector), figures) in detectors.iter().zip(&mut figures) {
                let attacker =
                    Attacker { own, card, detector, split: &dataset.val, indices, device: &device, strength };
                for epsilon in &args.epsilon {
                    figures.adaptive.push(attacker.run(epsilon.value(), progress, &stop)?);
                }
                figures.checks = attacker.checks(&figures.adaptive, progress, &stop)?;
            }
        }
        if args.save {
            for ((card, _), figures) in detectors.iter().zip(&mut figures) {
                // What an adaptive attacker left stays known where only the rest is measured again.
                if let Some(before) = card.figures.clone().filter(|_| attacked.is_none()) {
                    (figures.adaptive, figures.checks) = (before.adaptive, before.checks);
                }
                store::update(dir, DetectorCard { figures: Some(figures.clone()), ..card.clone() })?;
            }
        }
        networks.push(NetworkReport {
            dir: dir.clone(),
            name: own.card.name.clone(),
            weights_sha256: own.card.weights.sha256.clone(),
            detectors: detectors.iter().map(|(card, _)| card.kind).zip(figures).collect(),
        });
    }
    let report = Report { command: command_line(&["--data", "--report"]), data_sha256: dataset.sha256, networks };
    if let Some(dir) = &args.report {
        report.write(dir)?;
        progress.note(format!("The report is in {}", dir.display()));
    }
    if args.json {
        output::json(&report)?;
    } else {
        output::text(report.table().trim_end())?;
    }
    ensure!(report.is_believed(), "a check of the attacks on a detector failed: its figures are not to be believed");
    Ok(())
}
