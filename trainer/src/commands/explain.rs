//! `bastion explain`: where in a picture the evidence for an answer is, and what an attack changes in a network.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use shared::attack::{AttackConfig, Goal, Norm};
use shared::explain::Method;
use shared::image::Picture;

use super::attack::{Attacked, USUAL_ATTACK, attacked, file_names, first, write};
use super::attack_flags::{AttackFlags, ChosenAttack};
use super::check::drawn;
use super::classify::read_picture;
use crate::data::{self, Dataset};
use crate::detect::store;
use crate::device::{self, DeviceChoice};
use crate::epsilon::EpsilonSpace;
use crate::error::UsageError;
use crate::evaluate::spread;
use crate::explain::check::{self, ExplainCheckReport, NetworkChecks};
use crate::explain::{ChosenStage, Explanation, Measured, Shown, Subject, feature_maps, measure, panel, summary};
use crate::files::write_atomically;
use crate::progress::{Progress, Stop};
use crate::{models, output};

/// Arguments of `bastion explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
The map says where what speaks for a class is, and nothing of what the picture shows there. With cam its cells add up to the
difference of the logits of the class and of the answer (or of the runner-up, where the class is the answer); grad-cam has finer
cells, at the last stage but one, and smooth-gradient has pixels: both are of the class alone, and never negative. In figures
positive values are red, negative ones blue. The attack follows each network's own gradients away from its answer; --attack none
leaves it out.

--out DIR gets a figure for each network (picture, attacked picture, difference, both maps), photo-maps.png with the feature
maps that changed most (networks side by side in their order; of each stage a row before and a row after the attack) and
explain.json with every number.

--check asks whether the maps can be believed: random weights must change them (Adebayo et al., Sanity Checks for Saliency Maps),
and patches that they call important must matter more than those in the middle of the picture (deletion and insertion, Petsiuk
et al., RISE). A method that does not beat the middle is shown without words; --save tells the networks. Exit code 1 if a check fails.

Examples:
  bastion explain photo.jpg
  bastion explain photo.jpg --attack pgd-10 --epsilon 8/255 --out explained
  bastion explain photo.jpg --attack none --method grad-cam --class goldfish --out explained
  bastion explain --check --limit 100 --save")]
pub struct ExplainArgs {
    /// Picture: PNG, JPEG, WebP, GIF or BMP
    #[arg(required_unless_present = "check")]
    image: Option<PathBuf>,
    /// Folder of a model or of a run; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    #[command(flatten)]
    attack: AttackFlags,
    /// Class to explain: a wnid, a name or an index [default: each network's answer]
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Method of the map: cam, grad-cam or smooth-gradient
    #[arg(long, value_name = "METHOD", default_value = "cam")]
    method: Method,
    /// Folder for figures and explain.json; with --check for explain-check.json [default: nothing is written]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace files of the same name in that folder
    #[arg(long)]
    force: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
    /// Check the methods on validation images instead of explaining a picture
    #[arg(
        long,
        conflicts_with_all = [
            "image", "class", "method", "attacks", "epsilon", "steps", "step_size", "restarts", "seed"
        ]
    )]
    check: bool,
    /// With --check: use so many validation images, spread over all classes [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// With --check: the imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// With --check: write the results into each network's model.json: what passes is put into words, here and on the page
    #[arg(long, requires = "check", conflicts_with = "made")]
    save: bool,
    /// With --check: use drawn pictures instead of a data set
    #[arg(long, conflicts_with = "data")]
    made: bool,
}

/// Validation images of a check where no number is given.
const CHECKED: u32 = 100;

/// The output of `--json`, and `explain.json`.
#[derive(Serialize)]
struct Report<'a> {
    device: &'static str,
    image: &'a Path,
    attack: Option<&'a AttackConfig>,
    models: Vec<Explanation>,
    /// Figures of all networks together.
    figures: Vec<PathBuf>,
}

/// Runs `bastion explain`.
///
/// # Errors
/// When the picture, a model or the data set cannot be read, a setting is out of range, a file cannot be written or is there
/// already, or a check fails.
pub fn run(args: &ExplainArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let Some(image) = args.image.as_deref().filter(|_| !args.check) else {
        return run_check(args, device, progress);
    };
    // clap would not ask for --check where it conflicts with the picture.
    let of_check = [
        ("--limit", args.limit.is_some()),
        ("--data", args.data.is_some()),
        ("--made", args.made),
        ("--save", args.save),
    ];
    if let Some((flag, _)) = of_check.into_iter().find(|(_, given)| *given) {
        return Err(
            UsageError(format!("{flag} is for bastion explain --check, and here is a picture to explain")).into()
        );
    }
    let chosen = args.chosen()?;
    let picture = read_picture(image)?;
    let engine = device::open(device, progress)?;
    let dirs = models::dirs_or_shipped(&args.models)?;
    let bundles = dirs.iter().map(|dir| models::load(dir, &engine.device)).collect::<Result<Vec<_>>>()?;
    let classes = bundles
        .iter()
        .map(|bundle| args.class.as_deref().map(|text| models::find_class(&bundle.card, text)).transpose())
        .collect::<Result<Vec<_>>>()?;
    let names = file_names(bundles.iter().map(|bundle| bundle.card.name.as_str()));
    let files = args.out.as_deref().map(|dir| Files::new(dir, image, &names, args.force)).transpose()?;

    let (mut explanations, mut stages) = (Vec::new(), Vec::new());
    for (place, (bundle, class)) in bundles.iter().zip(classes).enumerate() {
        let made = match &chosen {
            None => None,
            Some(chosen) => {
                let guesses = models::classify(bundle, std::slice::from_ref(&picture), 1, &engine.device)?;
                let label = first(guesses)?.first().context("the model has no classes")?.index;
                Some(attacked(chosen, &picture, bundle, label, Goal::Untargeted, &engine.device, progress)?)
            }
        };
        let changed =
            chosen.as_ref().zip(made.as_ref()).map(|(chosen, made)| (&chosen.config, &made.picture, made.had_gradient));
        // An answer is explained without its detectors, too.
        let detectors = store::load_usable(&dirs[place], &bundle.card, &engine.device, progress);
        let (detectors, method) = (detectors.as_slice(), args.method);
        let subject = Subject { bundle, detectors, picture: &picture, attacked: changed, class, method };
        let Measured { mut explanation, stages: drawn } = measure(&subject, &engine.device)?;
        if let Some(files) = &files {
            let path = &files.panels[place];
            write(path, &figure(&picture, &explanation, chosen.as_ref(), made.as_ref())?)?;
            explanation.figures.push(path.clone());
        }
        explanations.push(explanation);
        stages.push(drawn);
    }
    let attack = chosen.as_ref().map(|chosen| &chosen.config);
    let mut report = Report { device: engine.backend.label(), image, attack, models: explanations, figures: vec![] };
    let mut written = vec![];
    if let Some(files) = files {
        let networks: Vec<&[ChosenStage]> = stages.iter().map(Vec::as_slice).collect();
        write(&files.maps, &feature_maps(&networks)?)?;
        report.figures.push(files.maps.clone());
        write_atomically(&files.json, &serde_json::to_vec_pretty(&report)?)?;
        written = vec![files.maps, files.json];
    }
    if args.json {
        return output::json(&report);
    }
    output::text(&summary(&Shown { image, attack, files: &written }, &report.models))
}

/// Draws the figure of one network.
fn figure(
    picture: &Picture,
    explanation: &Explanation,
    chosen: Option<&ChosenAttack>,
    made: Option<&Attacked>,
) -> Result<Vec<u8>> {
    let pair = made.zip(explanation.map_after.as_ref()).map(|(made, map)| (&made.picture, map));
    // In L2 and L0 the largest change of a value is not bounded by epsilon.
    let reach = match chosen.map(|chosen| &chosen.config) {
        Some(config) if config.kind.norm() == Norm::Linf => config.epsilon,
        _ => explanation.attacked.as_ref().map_or(0.0, |attacked| attacked.linf),
    };
    panel(picture, &explanation.map, pair, reach)
}

/// Paths of the files of one picture.
struct Files {
    panels: Vec<PathBuf>,
    maps: PathBuf,
    json: PathBuf,
}

impl Files {
    /// Returns the paths in `dir`, which is made if need be.
    fn new(dir: &Path, image: &Path, names: &[String], force: bool) -> Result<Self> {
        let stem = image.file_stem().unwrap_or_default().to_string_lossy();
        let panels = names.iter().map(|name| dir.join(format!("{stem}-{name}.png"))).collect();
        let files = Self { panels, maps: dir.join(format!("{stem}-maps.png")), json: dir.join("explain.json") };
        let all: Vec<&Path> = files.panels.iter().chain([&files.maps, &files.json]).map(PathBuf::as_path).collect();
        free(&all, force)?;
        fs::create_dir_all(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        Ok(files)
    }
}

/// Checks that no file is there that would be replaced.
fn free(paths: &[&Path], force: bool) -> Result<()> {
    for path in paths {
        ensure!(
            force || !path.exists(),
            "{} is there already: give --force to replace it, or another folder with --out",
            path.display()
        );
    }
    Ok(())
}

impl ExplainArgs {
    /// Returns the attack that the flags name; none for `--attack none`.
    fn chosen(&self) -> Result<Option<ChosenAttack>> {
        let mut chosen = self.attack.attacks(&[USUAL_ATTACK], EpsilonSpace::Pixel)?;
        ensure!(
            chosen.len() < 2 && chosen.iter().all(|chosen| !chosen.is_sequence),
            UsageError("--attack: name one attack with one radius, or none".into())
        );
        Ok(chosen.pop())
    }
}

fn run_check(args: &ExplainArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let file = args.out.as_ref().map(|dir| dir.join("explain-check.json"));
    free(file.as_deref().as_slice(), args.force)?;
    let val = match args.made {
        true => None,
        false => Some(Dataset::load_val(&data::dir_or_default(args.data.as_deref()))?),
    };
    let engine = device::open(device, progress)?;
    let dirs = models::dirs_or_shipped(&args.models)?;
    let bundles = dirs.iter().map(|dir| models::load(dir, &engine.device)).collect::<Result<Vec<_>>>()?;
    let limit = args.limit.unwrap_or(CHECKED) as usize;
    let (name, split) = match val {
        Some(val) => {
            for (dir, bundle) in dirs.iter().zip(&bundles) {
                models::check_classes(dir, &bundle.card, &val.classes)?;
            }
            (val.sha256, val.val)
        }
        None => {
            let classes = bundles.iter().map(|bundle| bundle.card.classes.len()).min().unwrap_or(1);
            ("made".into(), drawn(classes, limit))
        }
    };
    let indices = spread(&split.labels, Some(limit));
    let stop = Stop::on_ctrl_c()?;
    let mut checked = Vec::with_capacity(bundles.len());
    for (dir, bundle) in dirs.into_iter().zip(&bundles) {
        let measured = check::measure(bundle, &split, &indices, &engine.device, progress, &stop)?;
        checked.push(NetworkChecks::new(dir, bundle.card.name.clone(), measured));
    }
    if args.save {
        for network in &checked {
            models::save_explanations(&network.dir, network.for_card(indices.len()))?;
        }
    }
    let report = ExplainCheckReport::new(name, indices.len(), checked);
    if let Some((file, dir)) = file.zip(args.out.as_ref()) {
        fs::create_dir_all(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        write_atomically(&file, &serde_json::to_vec_pretty(&report)?)?;
    }
    if args.json {
        output::json(&report)?;
    } else {
        output::text(&report.table())?;
    }
    let failures = report.failures();
    if !failures.is_empty() {
        bail!("{} checks failed: {}", failures.len(), failures.join("; "));
    }
    Ok(())
}
