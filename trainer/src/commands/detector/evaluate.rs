//! `bastion detector evaluate`: measures detectors, and attacks them together with their networks.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use shared::detect::{DetectorCard, DetectorKind};

use super::{AttackerArgs, make_folder};
use crate::commands::command_line;
use crate::data::{self, Dataset, photos};
use crate::detect::adaptive::Attacker;
use crate::detect::measure::Measurement;
use crate::detect::report::{NetworkReport, Report};
use crate::detect::store;
use crate::device::{self, DeviceChoice};
use crate::epsilon::Epsilon;
use crate::evaluate::spread;
use crate::progress::{Progress, Stop};
use crate::{models, output};

#[derive(Debug, Args)]
#[command(after_help = "\
The area under the curve and the alarms are of attacks that know the network alone. With --adaptive network and detector are attacked
together: by the sum of both losses at three weights, by orthogonal gradients (untargeted and towards nine classes), by matching the
maps of another class, by a search without gradients. An image is lost as soon as one of them brings it to a wrong answer without an
alarm. Checks say whether these attacks can be believed; one that fails gives exit code 1.

Examples:
  bastion detector evaluate --limit 1000 --save
  bastion detector evaluate --model static/models/standard --limit 1000 --adaptive 100 --save --report docs/results/detectors")]
pub struct EvaluateArgs {
    /// Folder of a network or of a run; may be given more than once [default: standard and hardened in static/models]
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measure these detectors alone, with commas between them [default: all that the network has]
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    detector: Vec<DetectorKind>,
    /// Show photographs of any size, too: a folder a class. They must raise no alarm
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Use only so many validation images, spread over all classes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    attacker: AttackerArgs,
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

/// Runs `bastion detector evaluate`.
///
/// # Errors
/// When a setting is out of range, the data set or a network cannot be read, the device fails, or a check of an attack fails.
pub fn run(args: &EvaluateArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    make_folder(args.report.as_deref())?;
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
    let attacked = args.attacker.adaptive.map(|images| spread(&dataset.val.labels, Some(images as usize)));
    let photos = match &args.photos {
        Some(dir) => Some(photos::load(dir, &dataset.classes, progress, &stop)?),
        None => None,
    };
    let photos = photos.as_ref().map(|photos| &photos.val);
    let mut networks = vec![];
    for (place, (dir, own)) in dirs.iter().zip(&bundles).enumerate() {
        let detectors = &all[place];
        let other = bundles.iter().enumerate().find(|(number, _)| *number != place).map(|(_, other)| other);
        let measurement =
            Measurement { own, other, detectors, split: &dataset.val, indices: &indices, photos, device: &device };
        let mut figures = measurement.run(progress, &stop)?;
        if let Some(indices) = &attacked {
            let (strength, rate) = (args.attacker.strength(), args.rate);
            for ((card, detector), figures) in detectors.iter().zip(&mut figures) {
                let attacker =
                    Attacker { own, card, detector, split: &dataset.val, indices, device: &device, strength, rate };
                let run = |epsilon: &Epsilon| attacker.run(epsilon.value(), progress, &stop);
                let adaptive = args.attacker.epsilon.iter().map(run).collect::<Result<Vec<_>>>()?;
                figures.checks = attacker.checks(&adaptive, progress, &stop)?;
                figures.adaptive = adaptive.into_iter().map(|(figures, _)| figures).collect();
            }
        }
        if args.save {
            for ((card, _), figures) in detectors.iter().zip(&mut figures) {
                // Figures of adaptive attacks are kept where only the rest is measured again.
                if let Some(before) = card.figures.clone().filter(|_| attacked.is_none()) {
                    (figures.adaptive, figures.checks) = (before.adaptive, before.checks);
                }
                store::update(dir, DetectorCard { figures: Some(figures.clone().in_short()), ..card.clone() })?;
            }
        }
        networks.push(NetworkReport {
            dir: dir.clone(),
            name: own.card.name.clone(),
            weights_sha256: own.card.weights.sha256.clone(),
            detectors: detectors.iter().map(|(card, _)| card.kind).zip(figures).collect(),
        });
    }
    let report =
        Report { command: command_line(&["--data", "--report", "--photos"]), data_sha256: dataset.sha256, networks };
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
