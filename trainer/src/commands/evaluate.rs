//! `bastion evaluate`: how often networks are right, on clean and augmented images and under attacks.

mod corruptions;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use burn::prelude::Device;
use clap::{Args, ValueEnum};
use shared::attack::{AttackKind, Goal};
use shared::bundle::{Bundle, ImageSet, Score};
use shared::corrupt::{Corruption, Severity};

use self::corruptions::CorruptionChoice;
use super::attack_flags::{AttackFlags, ChosenAttack, in_words};
use super::kept_flags::{self, KeptFlags};
use super::merge::Publish;
use crate::data::{self, CraftedVal, Dataset, ValSet, photos};
use crate::device::{self, DeviceChoice};
use crate::epsilon::EpsilonSpace;
use crate::error::UsageError;
use crate::evaluate::report::{CraftedReport, ModelReport, Report};
use crate::evaluate::{Evaluation, Trial, spread};
use crate::kept::{PlannedModel, Work};
use crate::nodes::{self, NodesFlag, Place, Watch};
use crate::progress::Progress;
use crate::{models, output};

/// The attacks where none is named.
pub(super) const USUAL_ATTACKS: [AttackKind; 2] = [AttackKind::Fgsm, AttackKind::Bim];

/// Returns whether a white-box attack of this kind follows each image until it is fooled.
fn follows(kind: AttackKind) -> bool {
    kind.properties().until_fooled
}

fn after_help() -> String {
    format!(
        "\
White-box: each network is attacked through its own gradients; only this is robust accuracy. Transfer: the images are crafted
on one network and shown to all, in passing (--protocol transfer) or, the protocol of the paper, saved by `bastion craft` and
shown as they are (--crafted). Attacks lead away from the true label, unlike those of `bastion attack`, which knows none.
Success is the share of the images seen rightly that the attack changed or, with --targeted, the share of all images that it
led to the target. Intervals are Wilson's, at 95%.

White-box {following} follow each image until it is fooled for the first time, at whatever step of whatever random start, and
go on with those that still hold: the worst case over all steps and starts, as in AutoAttack, and several times as fast as taking
every step of every image. Images that are wrong without an attack are not attacked. A fooled image has no top-5:
nothing led it further. {others}, and images in transfer, count as they are after the last step, as in the papers; so do {following} with
--last-step. deepfool and ddn look for the smallest change that fools: epsilon is the length up to which one counts, and their
median length is told too, over the images that were right, where one that was not fooled counts as infinite.

An evaluation takes hours: with --out it goes on where it was stopped or killed, and --shard gives a part of the images to each of
several machines (docs/cluster.md).

Examples:
  bastion evaluate
  bastion evaluate --model runs/standard --limit 1000
  bastion evaluate --attack noise,fgsm,bim,pgd --epsilon 2/255,4/255,8/255 --json
  bastion evaluate --augmented --attack noise,fgsm,bim,pgd-50 --epsilon 4/255,8/255 --save
  bastion evaluate --attack pgd-50 --restarts 10 --limit 1000 --epsilon 4/255,8/255 --save
  bastion evaluate --attack autoattack --epsilon 8/255 --limit 1000 --out runs/autoattack
  bastion evaluate --attack pgd-l2 --epsilon 0.5,1
  bastion evaluate --attack deepfool,ddn --limit 1000
  bastion evaluate --attack one-pixel --epsilon 1,3,5 --limit 100
  bastion evaluate --attack none --crafted data/fgsm,data/bim --augmented
  bastion evaluate --limit 500 --corruptions --report runs/report
  bastion evaluate --photos ~/pictures/by-class --attack none
  bastion evaluate --augmented --protocol both --epsilon-space normalized",
        following = in_words(follows),
        others = in_words(|kind| !follows(kind))
    )
}

fn last_step_help() -> String {
    let following = in_words(follows);
    format!("Let white-box {following} take all steps of all images and count them as they are after the last one")
}

fn corruptions_help() -> String {
    let approximated = Corruption::ALL.into_iter().filter(|corruption| corruption.is_approximation());
    format!(
        "Evaluate on the validation images with common corruptions too, each at severities 1 to 5 (Tiny-ImageNet-C, of which \
         only {} is approximated) [default when given alone: all {}]",
        approximated.map(Corruption::name).collect::<Vec<_>>().join(", "),
        Corruption::ALL.len()
    )
}

/// Arguments of `bastion evaluate`.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct EvaluateArgs {
    /// Folder of a model or of a run; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Evaluate on photographs instead: DIR/CLASS/*, of any size, CLASS being the id of a class or one of its names ("goldfish"); the
    /// networks see their centre squares at 64x64
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "crafted", "augmented", "corruptions", "shard"])]
    photos: Option<PathBuf>,
    #[command(flatten)]
    attack: AttackFlags,
    /// What the radii are measured in [default: pixel]
    #[arg(long, value_enum)]
    epsilon_space: Option<EpsilonSpace>,
    #[arg(long, help = last_step_help())]
    last_step: bool,
    /// Attack towards a random other class instead of away from the true one
    #[arg(long)]
    targeted: bool,
    /// Whose gradients the attacks use [default: white-box]
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// Place of the network that images are crafted on for transfer, counted from 1 [default: 1]
    #[arg(long, value_name = "PLACE", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    source: Option<u16>,
    /// Show these crafted sets too, with commas between them; made by `bastion craft` from the data set of --data
    #[arg(long, value_name = "DIR", value_delimiter = ',')]
    crafted: Vec<PathBuf>,
    /// Evaluate on the augmented images too: the paper's perturbations, the same ones at every evaluation
    #[arg(long)]
    augmented: bool,
    #[arg(
        long, value_name = "CORRUPTION", value_delimiter = ',', num_args = 0.., default_missing_value = "all",
        help = corruptions_help()
    )]
    corruptions: Vec<CorruptionChoice>,
    /// Use only so many validation images, spread over all classes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Write the scores into each model's model.json, beside those of other attacks and of other numbers of images; with --limit
    /// only those of attacks
    #[arg(long)]
    save: bool,
    #[command(flatten)]
    kept: KeptFlags,
    /// Write a report into this folder: scores.json, .csv and .md, and figures as .svg [default: the folder of --out]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    nodes: NodesFlag,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Networks whose gradients the attacks use.
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
/// When a setting is out of range or has no effect, the data set, a crafted set or a model cannot be read, or the device fails.
pub fn run(args: &EvaluateArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let chosen = args.chosen()?;
    let shard = args.kept.part(&[("--save", args.save), ("--report", args.report.is_some()), ("--json", args.json)])?;
    args.kept.check_report(args.report.as_deref())?;
    let stop = args.kept.stop(progress)?;
    let dirs = models::dirs_or_shipped(&args.models)?;
    let dataset = match &args.photos {
        Some(photos) => photos::load(photos, &models::card(&dirs[0])?.classes, progress, &stop)?,
        None => Dataset::load_val(&data::dir_or_default(args.data.as_deref()))?,
    };
    let crafted = args.load_crafted(&dataset)?;
    let nodes = args.nodes.open(progress)?;
    let devices = device::of_nodes(device, &nodes, progress)?;
    // All networks are loaded before the first is evaluated: hours of work should not end at a mistyped name.
    let load = |device: &Device| dirs.iter().map(|dir| models::load(dir, device)).collect::<Result<Vec<_>>>();
    let mut loaded = devices.iter().map(|(_, device)| load(device)).collect::<Result<Vec<_>>>()?;
    let places: Vec<_> =
        devices.iter().zip(&loaded).map(|((name, device), on_it)| Place { name, device, on_it: &on_it[..] }).collect();
    let bundles = &loaded[0];
    for (dir, bundle) in dirs.iter().zip(bundles) {
        check(args, dir, bundle, &dataset)?;
    }
    let trials = args.trials(&chosen, bundles, &crafted)?;
    let indices = spread(&dataset.val.labels, args.limit.map(|limit| limit as usize));
    let planned = dirs.iter().zip(bundles).map(|(dir, bundle)| PlannedModel::new(dir, bundle)).collect();
    let crafted_reports: Vec<CraftedReport> = crafted.iter().map(CraftedReport::from).collect();
    let work = Work::Evaluate { trials: trials.clone(), crafted: crafted_reports.clone() };
    let plan = kept_flags::plan(&dataset.sha256, indices.len(), dataset.val.len(), planned, work);
    let kept = args.kept.open(&plan, shard, progress)?;
    let evaluation =
        Evaluation { bundles, clean: &dataset.val, indices: &indices, crafted: &crafted, trials: &trials, stop: &stop };
    let _watch = Watch::start(&nodes, progress, args.kept.advice().into(), || {});
    let scores = nodes::guard(&nodes, || evaluation.run_on(&places, &kept, progress))?;
    if !shard.is_whole() {
        return args.kept.print_part(shard, &kept, &plan);
    }
    let report = |(network, ((dir, bundle), scores)): (usize, ((PathBuf, Bundle), Vec<Score>))| {
        anyhow::Ok(ModelReport {
            dir,
            name: bundle.card.name,
            weights_sha256: bundle.card.weights.sha256,
            scores,
            seconds: kept.seconds_of(network, &trials)?,
        })
    };
    let bundles = loaded.swap_remove(0);
    let models = dirs.into_iter().zip(bundles).zip(scores).enumerate().map(report).collect::<Result<_>>()?;
    let report = Report { data_sha256: dataset.sha256, images: indices.len(), models, crafted: crafted_reports };
    let publish = Publish { save: args.save, report: args.kept.report(args.report.as_deref()), json: args.json };
    self::publish(&report, plan.is_all(), publish, progress)
}

/// Saves, writes and prints a report; `is_all` says whether it is of all images of the set.
///
/// # Errors
/// When a card or the report cannot be written.
pub(super) fn publish(report: &Report, is_all: bool, to: Publish<'_>, progress: &Progress) -> Result<()> {
    if to.save {
        for model in &report.models {
            // Accuracies without an attack in a card are always those on all images.
            let scores: Vec<Score> =
                model.scores.iter().filter(|score| is_all || score.attack.is_some()).cloned().collect();
            models::save_scores(&model.dir, &scores)?;
            let (count, file) = (scores.len(), model.dir.join("model.json"));
            progress.note(format!(
                "Saved {count} {} to {}",
                if count == 1 { "score" } else { "scores" },
                file.display()
            ));
        }
    }
    if let Some(dir) = to.report {
        report.write(dir)?;
        progress.note(format!("The report is in {}", dir.display()));
    }
    if to.json { output::json(report) } else { output::text(report.table().trim_end()) }
}

fn check(args: &EvaluateArgs, dir: &Path, bundle: &Bundle, dataset: &ValSet) -> Result<()> {
    models::check_classes(dir, &bundle.card, &dataset.classes)?;
    if args.save && args.photos.is_none() {
        kept_flags::check_data_of(dir, &bundle.card.data_sha256, dataset)
    } else {
        Ok(())
    }
}

impl EvaluateArgs {
    /// Returns the attacks that the arguments name.
    ///
    /// # Errors
    /// [`UsageError`] when a number is out of range, or an argument has no effect: the user expects that it has one.
    fn chosen(&self) -> Result<Vec<ChosenAttack>> {
        let space = self.epsilon_space.unwrap_or(EpsilonSpace::Pixel);
        let chosen = self.attack.attacks(&USUAL_ATTACKS, space)?;
        let none = chosen.is_empty();
        let in_transfer = self.protocol.is_some_and(|protocol| protocol != Protocol::WhiteBox);
        let last_step = format!(
            "--last-step is for white-box {}: other attacks always count after the last step",
            in_words(follows)
        );
        let idle = [
            (none && self.epsilon_space.is_some(), "--epsilon-space has no effect with --attack none"),
            (none && self.targeted, "--targeted has no effect with --attack none"),
            (none && self.protocol.is_some(), "--protocol has no effect with --attack none"),
            (
                self.last_step && !(chosen.iter().any(|chosen| follows(chosen.config.kind)) && self.in_white_box()),
                last_step.as_str(),
            ),
            (
                chosen.iter().any(|chosen| chosen.is_sequence) && (in_transfer || self.last_step || self.targeted),
                "--attack autoattack is white-box, untargeted, and follows each image: leave out --protocol, --last-step and \
                 --targeted",
            ),
            (
                self.save && self.limit.is_some() && none && self.crafted.is_empty(),
                "--save with --limit keeps scores of attacks, and --attack none has none",
            ),
            (
                self.source.is_some() && !in_transfer,
                "--source is for images crafted in passing: give --protocol transfer or both",
            ),
        ];
        match idle.into_iter().find(|(idle, _)| *idle) {
            Some((_, message)) => Err(UsageError(message.into()).into()),
            None => Ok(chosen),
        }
    }

    fn in_white_box(&self) -> bool {
        self.protocol != Some(Protocol::Transfer)
    }

    fn load_crafted(&self, clean: &ValSet) -> Result<Vec<CraftedVal>> {
        let sets = self.crafted.iter().map(|dir| CraftedVal::load(dir, clean)).collect::<Result<Vec<_>>>()?;
        for (index, set) in sets.iter().enumerate() {
            let same =
                |other: &&CraftedVal| (&other.made.attack, &other.made.source) == (&set.made.attack, &set.made.source);
            if let Some(other) = sets[..index].iter().find(same) {
                return Err(UsageError(format!(
                    "--crafted: {} and {} are both {} on a network named {}, and their scores would have one name: give one \
                     of them",
                    other.dir.display(),
                    set.dir.display(),
                    set.made.attack,
                    set.made.source
                ))
                .into());
            }
        }
        Ok(sets)
    }

    fn trials(&self, chosen: &[ChosenAttack], bundles: &[Bundle], crafted: &[CraftedVal]) -> Result<Vec<Trial>> {
        let place = self.source.unwrap_or(1);
        let source = usize::from(place) - 1;
        ensure!(source < bundles.len(), UsageError(format!("--source {place}: there are {} models", bundles.len())));
        let sources: &[Option<usize>] = match self.protocol.unwrap_or(Protocol::WhiteBox) {
            Protocol::WhiteBox => &[None],
            Protocol::Transfer => &[Some(source)],
            Protocol::Both => &[None, Some(source)],
        };
        let set = if self.photos.is_some() { ImageSet::Photos } else { ImageSet::Validation };
        let mut trials = vec![Trial::unattacked(set)];
        if self.augmented {
            trials.push(Trial::AUGMENTED);
        }
        trials.extend(self.corrupted());
        for &crafted_on in sources {
            for ChosenAttack { config, restarts, then, .. } in chosen {
                let config = config.clone();
                // Noise uses no network's gradients: it is the same in both protocols.
                let crafted_on = crafted_on.filter(|_| !config.kind.is_control());
                let kind = config.kind;
                let mut trial = Trial { set, ..Trial::attack(config, crafted_on) };
                if let Some(attack) = &mut trial.attack {
                    attack.restarts = *restarts;
                    attack.until_fooled = follows(kind) && crafted_on.is_none() && !self.last_step;
                    if attack.until_fooled && !self.targeted {
                        attack.then.clone_from(then);
                    }
                    attack.normalized = self.epsilon_space == Some(EpsilonSpace::Normalized);
                    attack.goal = if self.targeted { Goal::Targeted } else { Goal::Untargeted };
                }
                if !trials.contains(&trial) {
                    trials.push(trial);
                }
            }
        }
        trials.extend(crafted.iter().enumerate().map(|(place, set)| Trial::saved(place, set)));
        Ok(trials)
    }

    fn corrupted(&self) -> impl Iterator<Item = Trial> {
        let corruptions = self.corruptions.iter().flat_map(|choice| match choice {
            CorruptionChoice::All => &Corruption::ALL[..],
            CorruptionChoice::One(one) => std::slice::from_ref(one),
        });
        corruptions.flat_map(|&corruption| {
            Severity::ALL.map(|severity| Trial::unattacked(ImageSet::Corrupted { corruption, severity }))
        })
    }
}
