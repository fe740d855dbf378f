//! `bastion evaluate`: how often networks are right, on clean and augmented images and under attacks.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use shared::attack::{AttackConfig, AttackKind, Goal};
use shared::bundle::{Bundle, ImageSet, Score};
use shared::corrupt::{Corruption, Severity, UnknownCorruption};

use crate::commands::attack::attack_kinds;
use crate::data::{self, Dataset, ValSet};
use crate::device::{self, DeviceChoice};
use crate::epsilon::{Epsilon, EpsilonSpace};
use crate::error::UsageError;
use crate::evaluate::report::{ModelReport, Report};
use crate::evaluate::{Trial, evaluate, spread};
use crate::run_dir::write_atomically;
use crate::{models, output, progress};

#[derive(Debug, Args)]
#[command(after_help = "\
White-box: each network is attacked through its own gradients; only this is robust accuracy. Transfer: the images are crafted
once, on one network, and shown to all (the protocol of the paper). Attacks lead away from the true label, unlike those of
`bastion attack`, which knows none. Success is the share of the images seen rightly that the attack changed or, with
--targeted, the share of all images that it led to the target. Intervals are Wilson's, at 95%.

Examples:
  bastion evaluate
  bastion evaluate --model runs/standard/final --limit 1000
  bastion evaluate --attack noise,fgsm,bim,pgd --epsilon 2/255,4/255,8/255 --json
  bastion evaluate --attack pgd --steps 50 --restarts 10 --limit 1000
  bastion evaluate --limit 500 --corruptions --report runs/report
  bastion evaluate --augmented --protocol both --epsilon-space normalized --epsilon 0.2")]
pub struct EvaluateArgs {
    /// Folder of a model; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Attacks, with commas between them: fgsm, bim, pgd, and noise of the same size as a control
    #[arg(long = "attack", value_name = "ATTACK", value_delimiter = ',', default_value = "fgsm,bim", value_parser = attack_kinds())]
    attacks: Vec<AttackKind>,
    /// Radii, with commas between them
    #[arg(long, value_delimiter = ',', default_value = "4/255")]
    epsilon: Vec<Epsilon>,
    /// What the radii are measured in
    #[arg(long, value_enum, default_value = "pixel")]
    epsilon_space: EpsilonSpace,
    /// Steps of BIM and PGD
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    steps: u16,
    /// Random starts of PGD and noise; an image counts as fooled if any of them fools
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    restarts: u16,
    /// Attack towards a random other class instead of away from the true one
    #[arg(long)]
    targeted: bool,
    /// Whose gradients the attacks use
    #[arg(long, value_enum, default_value = "white-box")]
    protocol: Protocol,
    /// Place of the network that images are crafted on for transfer, counted from 1
    #[arg(long, value_name = "PLACE", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    source: u16,
    /// Evaluate on the augmented images too: the paper's perturbations, the same ones at every evaluation
    #[arg(long)]
    augmented: bool,
    /// Evaluate on the validation images with common corruptions too, each at severities 1 to 5 (Tiny-ImageNet-C, of which
    /// only frost is approximated) [default when given alone: all 15]
    #[arg(long, value_name = "CORRUPTION", value_delimiter = ',', num_args = 0.., default_missing_value = "all")]
    corruptions: Vec<CorruptionChoice>,
    /// Use only so many validation images, spread over all classes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Write the scores into each model's model.json, beside those of other attacks; not with --limit
    #[arg(long, conflicts_with = "limit")]
    save: bool,
    /// Write a report into this folder: scores.json, .csv and .md, and figures as .svg and .png
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What `--corruptions` takes: `all`, or a name.
#[derive(Clone, Debug)]
enum CorruptionChoice {
    All,
    One(Corruption),
}

impl FromStr for CorruptionChoice {
    type Err = UnknownCorruption;

    fn from_str(text: &str) -> Result<Self, UnknownCorruption> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

/// What `--protocol` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Each network's own
    WhiteBox,
    /// Those of one network
    Transfer,
    /// First the one, then the other
    Both,
}

/// Runs `bastion evaluate`.
///
/// # Errors
/// When a setting is out of range, the data set or a model cannot be read, or the device fails.
pub fn run(args: &EvaluateArgs, device: DeviceChoice) -> Result<()> {
    let dataset = Dataset::load_val(&data::dir_or_default(args.data.as_deref()))?;
    let engine = device::open(device)?;
    let dirs = models::dirs_or_shipped(&args.models)?;
    // All before the first is evaluated: hours of work should not end at a mistyped name.
    let bundles = dirs.iter().map(|dir| models::load(dir, &engine.device)).collect::<Result<Vec<_>>>()?;
    for (dir, bundle) in dirs.iter().zip(&bundles) {
        check(args, dir, bundle, &dataset)?;
    }
    let trials = args.trials(&bundles)?;
    let indices = spread(&dataset.val.labels, args.limit.map(|limit| limit as usize));
    let bar = progress::count((indices.len() * trials.len()) as u64, "Evaluating");
    let scores = evaluate(&bundles, &dataset.val, &indices, &trials, &engine.device, &bar)?;
    bar.finish_and_clear();

    let report = |((dir, bundle), scores): ((PathBuf, Bundle), Vec<Score>)| ModelReport {
        dir,
        name: bundle.card.name,
        weights_sha256: bundle.card.weights.sha256,
        scores,
    };
    let models: Vec<ModelReport> = dirs.into_iter().zip(bundles).zip(scores).map(report).collect();
    if args.save {
        for model in &models {
            save(&model.dir, &model.scores)?;
        }
    }
    let report = Report { data_sha256: dataset.sha256, images: indices.len(), models };
    if let Some(dir) = &args.report {
        report.write(dir)?;
        eprintln!("The report is in {}", dir.display());
    }
    if args.json { output::json(&report) } else { output::text(report.table().trim_end()) }
}

fn check(args: &EvaluateArgs, dir: &Path, bundle: &Bundle, dataset: &ValSet) -> Result<()> {
    ensure!(
        bundle.card.classes == dataset.classes,
        "the model in {} has other classes than the data set",
        dir.display()
    );
    ensure!(
        !args.save || bundle.card.data_sha256 == dataset.sha256,
        "the model in {} was trained on other data (sha256 {}) than this ({}): its scores here are not saved; leave out \
         --save",
        dir.display(),
        bundle.card.data_sha256,
        dataset.sha256
    );
    Ok(())
}

impl EvaluateArgs {
    fn trials(&self, bundles: &[Bundle]) -> Result<Vec<Trial>> {
        let source = usize::from(self.source) - 1;
        let Some(crafted_on) = bundles.get(source) else {
            return Err(UsageError(format!("--source {}: there are {} models", self.source, bundles.len())).into());
        };
        // The networks share their data, and so what they normalise with.
        let channel_scale = self.epsilon_space.scale(&crafted_on.card);
        let sources: &[Option<usize>] = match self.protocol {
            Protocol::WhiteBox => &[None],
            Protocol::Transfer => &[Some(source)],
            Protocol::Both => &[None, Some(source)],
        };
        let mut trials = vec![Trial::CLEAN];
        if self.augmented {
            trials.push(Trial::AUGMENTED);
        }
        for choice in &self.corruptions {
            let corruptions: &[Corruption] = match choice {
                CorruptionChoice::All => &Corruption::ALL,
                CorruptionChoice::One(one) => std::slice::from_ref(one),
            };
            for &corruption in corruptions {
                let set = |severity| ImageSet::Corrupted { corruption, severity };
                trials.extend(Severity::ALL.map(|severity| Trial { set: set(severity), attack: None }));
            }
        }
        for &crafted_on in sources {
            for &kind in &self.attacks {
                for epsilon in &self.epsilon {
                    let config = AttackConfig::new(kind, epsilon.value(), self.steps.into());
                    let config = AttackConfig { channel_scale, ..config };
                    config.validate().map_err(|error| UsageError(error.to_string()))?;
                    // Noise uses nobody's gradients: it is the same in both protocols.
                    let crafted_on = crafted_on.filter(|_| kind != AttackKind::Noise);
                    let mut trial = Trial::attack(config, crafted_on);
                    if let Some(attack) = &mut trial.attack {
                        let random = matches!(kind, AttackKind::Pgd | AttackKind::Noise);
                        attack.restarts = if random { self.restarts.into() } else { 1 };
                        attack.goal = if self.targeted { Goal::Targeted } else { Goal::Untargeted };
                    }
                    if !trials.contains(&trial) {
                        trials.push(trial);
                    }
                }
            }
        }
        Ok(trials)
    }
}

/// Replaces what was measured again, and keeps the rest.
fn save(dir: &Path, scores: &[Score]) -> Result<()> {
    let mut card = models::card(dir)?;
    for score in scores {
        match card.scores.iter_mut().find(|old| old.measures_the_same(score)) {
            Some(old) => *old = score.clone(),
            None => card.scores.push(score.clone()),
        }
    }
    write_atomically(&dir.join("model.json"), &card.to_json())
}
