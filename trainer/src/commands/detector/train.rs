//! `bastion detector train`: makes detectors of a network.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use shared::bundle::Bundle;
use shared::detect::{Calibration, Detector, DetectorCard, DetectorKind, DetectorOf};

use crate::data::{self, Dataset, HELD_OUT_SEED};
use crate::detect::fit::{self, Features};
use crate::detect::network::{self, CraftedPair};
use crate::detect::recipe::{DetectorRecipe, TrainedAttack};
use crate::detect::store;
use crate::device::{self, DeviceChoice};
use crate::error::UsageError;
use crate::evaluate::spread;
use crate::models;
use crate::progress::{Progress, Stop};

/// Number of held-out pictures of each class that thresholds are taken from.
const HELD_OUT: usize = 10;
/// Fewest pictures of a class for means and a covariance.
const LEAST: usize = 4;

#[derive(Debug, Args)]
#[command(after_help = "\
A detector gives each picture a score, and raises an alarm where the score is above a threshold: a quantile of the scores of the 2000
held-out training pictures, which neither network nor detector was trained on. The recipe dropout is for networks trained with
dropout; the recipe paper needs crafted sets (`bastion craft`).

Examples:
  bastion detector train --model static/models/standard
  bastion detector train --model runs/standard --recipe paper --crafted data/fgsm,data/bim
  bastion detector train --model runs/standard --recipe my-detectors.toml")]
pub struct TrainArgs {
    /// Folder of the network, into which the detectors are put, or of a run
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Detectors to train, and their pictures: usual, dropout, paper or a file.toml
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

/// Runs `bastion detector train`.
///
/// # Errors
/// When a setting is out of range, the data set or the network cannot be read, or the device fails.
pub fn run(args: &TrainArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let mut recipe = recipe(&args.recipe)?;
    if let Some(images) = args.images {
        recipe.images = images as usize;
    }
    let needs_network = recipe.detectors.contains(&DetectorKind::Network);
    ensure!(
        needs_network || args.crafted.is_empty(),
        UsageError(format!("--crafted is for the paper's network, which the recipe {} does not make", args.recipe))
    );
    ensure!(
        !needs_network || args.crafted.len() == 2,
        UsageError("the paper's detector needs two crafted sets: --crafted data/fgsm,data/bim".into())
    );
    let is_fitted = |kind: &DetectorKind| kind.has_weights();
    ensure!(
        args.images.is_none() || recipe.detectors.iter().any(is_fitted),
        UsageError(format!("--images is for detectors with weights, which the recipe {} does not make", args.recipe))
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
    let least = LEAST * card.classes.len();
    ensure!(
        !recipe.detectors.contains(&DetectorKind::Mahalanobis) || indices.len() >= least,
        "Mahalanobis distances need {LEAST} pictures of each of the {} classes: take --images {least} or more",
        card.classes.len()
    );
    let trained_with = card.recipe.config["dropout"].as_f64().unwrap_or(0.0);
    if trained_with == 0.0 && recipe.detectors.iter().any(|kind| kind.is_dropout()) {
        progress.warn("the network was not trained with --dropout, so that its answers under dropout say little");
    }
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
    // Nothing is written before all are there.
    let mut made = vec![];
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
        let pictures = (&dataset.train, held_out.as_slice());
        let scores = |detector: &Detector| fit::scores(detector, &model, pictures, &device, progress, &stop);
        // Attacked pictures may be unusually certain as well as unusually uncertain.
        let tails = if kind.is_dropout() { Some(Calibration::new(scores(&detector)?).tails()) } else { None };
        let detector = match tails {
            Some(tails) => detector.with_tails(tails),
            None => detector,
        };
        let scores = scores(&detector)?;
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
            tails,
            trained_on,
            trained_attacks,
            calibration: Calibration::new(scores),
            figures: None,
        };
        made.push((detector, described));
    }
    for (detector, described) in made {
        let kind = described.kind;
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
