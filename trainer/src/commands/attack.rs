//! `bastion attack`: changes a picture within epsilon so that the networks predict another class.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use clap::Args;
use serde::Serialize;
use shared::attack::{AttackConfig, AttackKind, AttackRun, Goal, Norm, smallest_in_8_bits};
use shared::bundle::{Bundle, Card};
use shared::image::{Picture, ToTensor as _};
use shared::metrics::{l0_distance, l2_distance, linf_distance};

use super::attack_flags::{AttackFlags, ChosenAttack};
use super::classify::{guess_line, read_picture};
use crate::device::{self, DeviceChoice};
use crate::epsilon::{EpsilonSpace, in_file_name, in_levels};
use crate::error::UsageError;
use crate::models::{self, Guess};
use crate::progress::{Progress, Unit};
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
fn file_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
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
    ChosenAttack { config, restarts, .. }: &ChosenAttack,
    picture: &Picture,
    bundle: &Bundle,
    target: Option<usize>,
    files: Files,
    device: &Device,
    progress: &Progress,
) -> Result<ModelReport> {
    let before = first(models::classify(bundle, std::slice::from_ref(picture), 5, device)?)?;
    let original = before.first().context("the model has no classes")?.index;
    let (label, goal) = match target {
        Some(target) => (target, Goal::Targeted),
        None => (original, Goal::Untargeted),
    };
    let labels = Tensor::from_data([label as i64], device);
    let mut run = AttackRun::new(config, picture.to_tensor(device), labels, goal)?.with_restarts(*restarts);
    let task = progress.start("Attacking", Some(run.steps_total() as u64), Unit::Steps);
    while !run.is_done() {
        run.step(&bundle.model);
        task.advance(1);
    }
    let values = models::read(run.adversarial())?;
    let had_gradient = config.kind.is_control() || models::read(run.slope())?.iter().any(|&slope| slope != 0.0);
    drop(task);
    let attacked = match config.kind.seeks_smallest() {
        true => pollster::block_on(smallest_in_8_bits(&bundle.model, picture, &values, config, label, goal, device))?,
        false => Picture::from_attacked(&values, picture, &config.threat())?,
    };

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

fn first<T>(mut one: Vec<T>) -> Result<T> {
    one.pop().context("the model gave no answer")
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
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
mod tests {
    use burn::module::{ModuleMapper, Param};
    use clap::Parser;
    use shared::image::SIDE;
    use tempfile::TempDir;

    use super::*;
    use crate::epsilon::Epsilon;
    use crate::models::tests::bundle;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        args: AttackArgs,
    }

    fn args(more: &[&str]) -> AttackArgs {
        Flags::parse_from(["attack", "dir/photo.jpg"].iter().chain(more)).args
    }

    /// Returns a picture with values in the middle of the range, so that no change is clipped.
    fn picture() -> Picture {
        Picture::from_rgb8((0..SIDE * SIDE * 3).map(|i| 100 + (i * 7 % 50) as u8).collect()).unwrap()
    }

    /// Attacks two random networks of the same name.
    fn attack_two(out: &TempDir, more: &[&str]) -> Result<Vec<ModelReport>> {
        let args = args(&[&["--out", out.path().to_str().unwrap()], more].concat());
        let device = Device::flex();
        let bundles = [bundle("a/b", 1, &device), bundle("a/b", 2, &device)];
        attack_all(&args, &args.chosen()?, &picture(), &bundles, &device, &Progress::silent())
    }

    fn names(dir: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_written_picture_is_in_the_ball_and_is_what_is_judged() {
        for (attack, epsilon, steps) in
            [("fgsm", "2/255", 2), ("bim", "0.03", 7), ("pgd", "8/255", 8), ("noise", "4/255", 4)]
        {
            let dir = TempDir::new().unwrap();
            let reports = attack_two(&dir, &["--attack", attack, "--epsilon", epsilon]).unwrap();
            assert_eq!(reports.len(), 2);
            for (report, seed) in reports.iter().zip([1, 2]) {
                let written = read_picture(&report.attacked).unwrap();
                let pairs = written.as_rgb8().iter().zip(picture().as_rgb8().to_vec());
                let largest = pairs.map(|(to, from)| to.abs_diff(from)).max().unwrap();
                assert!(largest > 0 && largest <= steps, "{attack}: {largest}");
                assert!((report.linf * 255.0 - f32::from(largest)).abs() < 1e-3);
                assert!(report.l2 > report.linf);

                let device = Device::flex();
                let again = models::classify(&bundle("a/b", seed, &device), &[written], 5, &device).unwrap();
                assert_eq!(again[0], report.after);
                assert_eq!(report.success, report.after[0].index != report.before[0].index);
            }
        }
    }

    #[test]
    fn in_l2_the_written_picture_is_in_the_ball_too() {
        let dir = TempDir::new().unwrap();
        for more in [&["--epsilon", "2"][..], &["--epsilon", "0.5", "--restarts", "2"]] {
            let flags = [&["--attack", "pgd-l2", "--steps", "4"], more].concat();
            let epsilon: f32 = more[1].parse().unwrap();
            for report in attack_two(&dir, &flags).unwrap() {
                assert!(report.l2 <= epsilon + 1e-5 && report.l2 > 0.9 * epsilon, "{epsilon}: {}", report.l2);
                assert!(report.attacked.to_string_lossy().contains(&format!("pgd-l2-eps{epsilon}")));
            }
        }
    }

    #[test]
    fn a_smallest_change_fools_in_the_written_picture_too() {
        for attack in ["deepfool", "ddn"] {
            let dir = TempDir::new().unwrap();
            for report in attack_two(&dir, &["--attack", attack, "--steps", "20"]).unwrap() {
                assert!(report.success && report.l2 > 0.0 && report.l2 < 3.0, "{attack}: {}", report.l2);
            }
        }
        // Far too near to fool.
        let dir = TempDir::new().unwrap();
        for report in attack_two(&dir, &["--attack", "ddn", "--steps", "3", "--epsilon", "0.01"]).unwrap() {
            assert!(!report.success && report.l2 <= 0.01, "{}", report.l2);
        }
    }

    #[test]
    fn as_many_pixels_change_as_are_allowed() {
        let dir = TempDir::new().unwrap();
        for report in attack_two(&dir, &["--attack", "one-pixel", "--epsilon", "3", "--steps", "1"]).unwrap() {
            assert!((1..=3).contains(&report.pixels), "{}", report.pixels);
            assert!(report.attacked.to_string_lossy().contains("one-pixel-eps3"), "{}", report.attacked.display());
        }
    }

    #[test]
    fn a_target_becomes_likelier() {
        let dir = TempDir::new().unwrap();
        for target in ["n00000002", "2", "Class 2", "second name 2"] {
            let reports = attack_two(&dir, &["--target", target, "--steps", "3", "--force"]).unwrap();
            for report in reports {
                let of = |guesses: &[Guess]| guesses.iter().find(|guess| guess.index == 2).unwrap().probability;
                assert!(of(&report.after) > of(&report.before));
                assert_eq!(report.success, report.after[0].index == 2 && report.before[0].index != 2);
            }
        }
    }

    #[test]
    fn models_of_one_name_do_not_share_a_file() {
        let dir = TempDir::new().unwrap();
        attack_two(&dir, &["--attack", "fgsm"]).unwrap();
        let expected = [
            "photo-a_b-2-fgsm-eps4-side-by-side.png",
            "photo-a_b-2-fgsm-eps4.png",
            "photo-a_b-fgsm-eps4-side-by-side.png",
            "photo-a_b-fgsm-eps4.png",
        ];
        assert_eq!(names(&dir), expected);
    }

    #[test]
    fn names_in_any_script_keep_their_letters_and_are_kept_apart() {
        let names = |names: &[&str]| file_names(names.iter().copied());
        assert_eq!(names(&["标准", "加固"]), ["标准", "加固"]);
        assert_eq!(names(&["Größe", "größe", "GRÖSSE"]), ["Größe", "größe-2", "GRÖSSE"]);
        assert_eq!(names(&["a b", "a/b", "a:b", "A_B"]), ["a_b", "a_b-2", "a_b-3", "A_B-4"]);
        assert_eq!(names(&["a", "a", "a-2", "A-2"]), ["a", "a-2", "a-2-2", "A-2-3"]);
        assert_eq!(names(&["😀", "🙂"]), ["_", "_-2"]);
    }

    /// Logits so far apart that the loss is exactly zero, and its gradient too.
    #[test]
    fn a_network_that_is_too_sure_for_a_gradient_is_not_said_to_hold() {
        struct Surer;

        impl ModuleMapper for Surer {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                if D == 2 { param.map(|weights| weights * 1e6) } else { param }
            }
        }

        let dir = TempDir::new().unwrap();
        let args = args(&["--out", dir.path().to_str().unwrap()]);
        let device = Device::flex();
        let ordinary = bundle("ordinary", 1, &device);
        let mut sure = bundle("sure", 1, &device);
        sure.model = sure.model.map(&mut Surer);
        let chosen = args.chosen().unwrap();
        let models = attack_all(&args, &chosen, &picture(), &[ordinary, sure], &device, &Progress::silent()).unwrap();
        assert_eq!(models.iter().map(|model| model.had_gradient).collect::<Vec<_>>(), [true, false]);
        assert!(!models[1].success);
        let report = Report { device: "CPU", image: &args.image, attack: &chosen.config, restarts: 1, models };
        assert_eq!(text(&report).matches("there was no gradient to follow").count(), 1, "{}", text(&report));
    }

    #[test]
    fn a_target_that_is_there_already_is_no_success() {
        let dir = TempDir::new().unwrap();
        let first = attack_two(&dir, &["--attack", "fgsm"]).unwrap()[0].before[0].index.to_string();
        let more = ["--attack", "fgsm", "--epsilon", "0", "--target", &first, "--force"];
        assert!(!attack_two(&dir, &more).unwrap()[0].success);
    }

    #[test]
    fn pictures_are_replaced_only_by_force_and_another_epsilon_has_another_name() {
        let dir = TempDir::new().unwrap();
        attack_two(&dir, &["--attack", "fgsm"]).unwrap();
        attack_two(&dir, &["--attack", "fgsm", "--epsilon", "0.03"]).unwrap();
        assert_eq!(names(&dir).len(), 8);
        assert!(names(&dir).contains(&"photo-a_b-fgsm-eps7.65.png".to_string()));
        attack_two(&dir, &["--attack", "fgsm", "--target", "2"]).unwrap();
        assert!(names(&dir).contains(&"photo-a_b-fgsm-eps4-to-Class_2.png".to_string()));
        let error = attack_two(&dir, &["--attack", "fgsm"]).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("photo-a_b-fgsm-eps4.png is there already: give --force"), "{error}");
        attack_two(&dir, &["--attack", "fgsm", "--force"]).unwrap();
    }

    #[test]
    fn defaults_are_those_of_every_command() {
        assert_eq!(args(&["--out", "x"]).chosen().unwrap().config, AttackConfig::bim(Epsilon::default().value(), 5));
        for (attack, steps) in [("fgsm", 1), ("bim", 5), ("pgd", 20), ("noise", 0)] {
            assert_eq!(args(&["--out", "x", "--attack", attack]).chosen().unwrap().config.steps, steps);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error_and_writes_nothing() {
        let dir = TempDir::new().unwrap();
        for (more, says) in [
            (&["--target", "unicorn"][..], "'unicorn' is not a class of the model a/b"),
            (&["--target", "name"], "perhaps Class 0 (n00000000)"),
            (&["--target", "7"], "index from 0 to 4"),
            (&["--attack", "fgsm", "--steps", "5"], "fgsm takes one step"),
            (&["--attack", "noise", "--steps", "5"], "noise takes no steps"),
            (&["--attack", "noise", "--step-size", "1/255"], "noise takes no steps"),
            (&["--attack", "noise", "--target", "2"], "noise is aimed at nothing"),
        ] {
            let error = attack_two(&dir, more).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.downcast_ref::<UsageError>().is_some(), "{error}");
        }
        assert!(names(&dir).is_empty());
    }
}
