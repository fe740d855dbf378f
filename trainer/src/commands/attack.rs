//! `bastion attack`: changes a picture within epsilon so that the networks predict another class.

mod attacked;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use clap::Args;
use serde::Serialize;
use shared::attack::{AttackConfig, AttackKind, Goal, Norm};
use shared::bundle::{Bundle, Card};
use shared::image::Picture;
use shared::metrics::{l0_distance, l2_distance, linf_distance};

pub(super) use self::attacked::{Attacked, attacked};
use super::attack_flags::{AttackFlags, ChosenAttack};
use super::classify::{guess_line, read_picture};
use crate::device::{self, DeviceChoice};
use crate::epsilon::{EpsilonSpace, in_file_name, in_levels};
use crate::error::UsageError;
use crate::models::{self, Guess};
use crate::progress::Progress;
use crate::{montage, output};

/// The attack where none is named.
pub(super) const USUAL_ATTACK: AttackKind = AttackKind::Bim;

/// Arguments of `bastion attack`.
#[derive(Debug, Args)]
#[command(after_help = "\
The attack uses each network's own gradients (white box). Without --target it leads away from what the network sees in
the picture; with --target it leads towards that class. Success is judged on the written 8-bit picture, which is named after
picture, model, attack, epsilon (in 255ths, in L2 in pixel units, in L0 in pixels) and target: photo-hardened-bim-eps4.png,
photo-hardened-bim-eps4-to-goldfish.png.

Examples:
  bastion attack photo.jpg --out attacked
  bastion attack photo.jpg --attack fgsm --epsilon 2/255 --out attacked
  bastion attack photo.jpg --attack pgd-l2 --epsilon 0.5 --out attacked
  bastion attack photo.jpg --attack ddn --out attacked
  bastion attack photo.jpg --attack one-pixel --epsilon 3 --out attacked
  bastion attack photo.jpg --attack pgd --steps 50 --target goldfish --out attacked")]
pub struct AttackArgs {
    /// Picture: PNG, JPEG, WebP, GIF or BMP
    image: PathBuf,
    #[command(flatten)]
    attack: AttackFlags,
    /// Class that the network shall see: a wnid, a name or an index
    #[arg(long, value_name = "CLASS")]
    target: Option<String>,
    /// Folder of a model or of a run; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// Folder for the attacked pictures
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace pictures of the same name in that folder
    #[arg(long)]
    force: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    device: &'static str,
    image: &'a Path,
    attack: &'a AttackConfig,
    restarts: usize,
    models: Vec<ModelReport>,
}

#[derive(Serialize)]
struct ModelReport {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    before: Vec<Guess>,
    after: Vec<Guess>,
    /// Whether the attack reached its goal, which the network was not at before.
    success: bool,
    /// Whether any input gradient was other than zero; else the attack had nothing to follow, and its failure says nothing.
    had_gradient: bool,
    /// Largest change of a value in the written picture, pixel units.
    linf: f32,
    /// Euclidean length of the change in the written picture, pixel units.
    l2: f32,
    /// Number of changed pixels in the written picture.
    pixels: usize,
    attacked: PathBuf,
    side_by_side: PathBuf,
}

/// Runs `bastion attack`.
///
/// # Errors When the picture or a model cannot be read, a setting is out of range or has no effect, or a picture cannot be
/// written or is there already.
pub fn run(args: &AttackArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let chosen = args.chosen()?;
    let picture = read_picture(&args.image)?;
    let engine = device::open(device, progress)?;
    let bundles = models::load_all(&args.models, &engine.device)?;
    let models = attack_all(args, &chosen, &picture, &bundles, &engine.device, progress)?;
    let (attack, restarts) = (&chosen.config, chosen.restarts);
    let report = Report { device: engine.backend.label(), image: &args.image, attack, restarts, models };
    if args.json { output::json(&report) } else { output::text(&text(&report)) }
}

fn attack_all(
    args: &AttackArgs,
    chosen: &ChosenAttack,
    picture: &Picture,
    bundles: &[Bundle],
    device: &Device,
    progress: &Progress,
) -> Result<Vec<ModelReport>> {
    // Unknown classes are an error before anything is computed or written.
    let targets = bundles
        .iter()
        .map(|bundle| args.target.as_deref().map(|text| models::find_class(&bundle.card, text)).transpose())
        .collect::<Result<Vec<_>>>()?;
    let files: Vec<Files> = file_names(bundles.iter().map(|bundle| bundle.card.name.as_str()))
        .iter()
        .zip(bundles.iter().zip(&targets))
        .map(|(name, (bundle, &target))| Files::new(args, &chosen.config, name, &bundle.card, target))
        .collect();
    for path in files.iter().flat_map(|files| [&files.attacked, &files.side_by_side]) {
        ensure!(
            args.force || !path.exists(),
            "{} is there already: give --force to replace it, or another folder with --out",
            path.display()
        );
    }
    fs::create_dir_all(&args.out).with_context(|| format!("cannot write to {}", args.out.display()))?;
    let mut reports = Vec::with_capacity(bundles.len());
    for ((bundle, target), files) in bundles.iter().zip(targets).zip(files) {
        reports.push(attack(chosen, picture, bundle, target, files, device, progress)?);
    }
    Ok(reports)
}

/// Paths of the pictures of one model.
struct Files {
    attacked: PathBuf,
    side_by_side: PathBuf,
}

impl Files {
    /// Returns the paths for the model of `card`, which is called `name` in names of files.
    fn new(args: &AttackArgs, config: &AttackConfig, name: &str, card: &Card, target: Option<usize>) -> Self {
        let stem = args.image.file_stem().unwrap_or_default().to_string_lossy();
        let kind = format!("{}-{}", config.kind, in_file_name(&config.threat()));
        let to = target.map(|target| format!("-to-{}", in_file(card.classes[target].short_name()))).unwrap_or_default();
        let file = |suffix: &str| args.out.join(format!("{stem}-{name}-{kind}{to}{suffix}.png"));
        Self { attacked: file(""), side_by_side: file("-side-by-side") }
    }
}

/// Returns a name in letters, digits, hyphens and dots, of whatever script: other characters are not allowed in the names of
/// files everywhere.
fn in_file(name: &str) -> String {
    name.replace(|letter: char| !letter.is_alphanumeric() && letter != '-' && letter != '.', "_")
}

/// Returns the models' names for their files, with a number behind a name that another has already: on some disks names differ
/// by more than their case.
pub(super) fn file_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut free = |name: String| {
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        // The numbers have no end.
        std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase())).unwrap_or_default()
    };
    names.map(|name| free(in_file(name))).collect()
}

impl AttackArgs {
    fn chosen(&self) -> Result<ChosenAttack> {
        let chosen = self.attack.one_attack(USUAL_ATTACK, EpsilonSpace::Pixel)?;
        if chosen.config.kind.is_control() && self.target.is_some() {
            let message =
                format!("{} is aimed at nothing, so it has no --target; choose another --attack", chosen.config.kind);
            return Err(UsageError(message).into());
        }
        Ok(chosen)
    }
}

fn attack(
    chosen: &ChosenAttack,
    picture: &Picture,
    bundle: &Bundle,
    target: Option<usize>,
    files: Files,
    device: &Device,
    progress: &Progress,
) -> Result<ModelReport> {
    let config = &chosen.config;
    let before = first(models::classify(bundle, std::slice::from_ref(picture), 5, device)?)?;
    let original = before.first().context("the model has no classes")?.index;
    let (label, goal) = match target {
        Some(target) => (target, Goal::Targeted),
        None => (original, Goal::Untargeted),
    };
    let Attacked { picture: attacked, had_gradient } =
        attacked(chosen, picture, bundle, label, goal, device, progress)?;
    let png = attacked.encode_png()?;
    write(&files.attacked, &png)?;
    // In L2 and L0 the largest change of a value is not bounded by epsilon.
    let reach = match config.kind.norm() {
        Norm::Linf => config.epsilon,
        Norm::L2 | Norm::L0 => linf_distance(&picture.to_chw(), &attacked.to_chw()),
    };
    write(&files.side_by_side, &montage::side_by_side(picture, &attacked, reach)?)?;

    // The result is measured on the written file, whose values are rounded to 8 bits.
    let written = Picture::decode(&png)?;
    let after = first(models::classify(bundle, std::slice::from_ref(&written), 5, device)?)?;
    let now = after.first().map(|guess| guess.index);
    let (from, to) = (picture.to_chw(), written.to_chw());
    Ok(ModelReport {
        model: bundle.card.name.clone(),
        target: target.map(|target| bundle.card.classes[target].name.clone()),
        success: now != Some(original) && target.is_none_or(|target| now == Some(target)),
        had_gradient,
        before,
        after,
        linf: linf_distance(&from, &to),
        l2: l2_distance(&from, &to),
        pixels: l0_distance(&from, &to),
        attacked: files.attacked,
        side_by_side: files.side_by_side,
    })
}

pub(super) fn first<T>(mut one: Vec<T>) -> Result<T> {
    one.pop().context("the model gave no answer")
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn text(report: &Report<'_>) -> String {
    let config = report.attack;
    let epsilon = match config.kind.norm() {
        Norm::Linf => in_levels(config.epsilon),
        Norm::L2 | Norm::L0 => config.threat().to_string(),
    };
    let steps = config.steps_total();
    let steps = if steps == 1 { "1 step".to_string() } else { format!("{steps} steps") };
    let mut text = format!("{}: {}, epsilon {epsilon}, {steps}", report.image.display(), config.kind.label());
    if let Some(length) = config.step_size {
        text += &format!(" of {}", config.kind.norm().in_words(length));
    }
    if report.restarts > 1 {
        text += &format!(", {} restarts", report.restarts);
    }
    for model in &report.models {
        let (before, after) = (guess_name(&model.before), guess_name(&model.after));
        let verdict = match (&model.target, model.success) {
            (None, true) => format!("fooled: {before} became {after}"),
            (None, false) => format!("held: still {after}"),
            (Some(target), false) if model.before.first().is_some_and(|guess| guess.name == *target) => {
                format!("nothing to do: {before} is the target already")
            }
            (Some(_), true) => format!("fooled: {before} became {after}, the target"),
            (Some(target), false) if before == after => format!("held: still {after}, not {}", short(target)),
            (Some(target), false) => format!("held: {before} became {after}, not {}", short(target)),
        };
        text += &format!("\n\n{}\n  {:<36}  after", model.model, "before");
        for (before, after) in model.before.iter().zip(&model.after) {
            text += &format!("\n{:<38}{}", guess_line(before), guess_line(after));
        }
        let unchanged = match model.linf == 0.0 && config.epsilon > 0.0 {
            _ if !model.had_gradient => {
                ", but there was no gradient to follow: the network is so sure that every input gradient is zero in 32-bit \
                 numbers, which says nothing of how it holds; craft on another network (bastion evaluate --protocol transfer)"
            }
            true => ", since no change was large enough to be written in 8 bits: take a larger epsilon",
            false => "",
        };
        text += &format!(
            "\n  {verdict}{unchanged}\n  changed by {:.0}/255 at most (L-inf {:.4}), L2 {:.3}, {} of 4096 pixels\n  {}\n  {}",
            255.0 * model.linf,
            model.linf,
            model.l2,
            model.pixels,
            model.attacked.display(),
            model.side_by_side.display()
        );
    }
    text
}

fn guess_name(guesses: &[Guess]) -> &str {
    guesses.first().map_or("nothing", |guess| short(&guess.name))
}

fn short(name: &str) -> &str {
    name.split(',').next().unwrap_or(name)
}

#[cfg(test)]
mod tests;
