//! `bastion detector route`: the paper's routing, measured.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use shared::detect::Detector;

use super::{AttackerArgs, make_folder};
use crate::commands::command_line;
use crate::data::{self, CraftedVal, Dataset};
use crate::detect::route::{ROUTES, Routing};
use crate::detect::store;
use crate::device::{self, DeviceChoice};
use crate::epsilon::Epsilon;
use crate::error::UsageError;
use crate::evaluate::spread;
use crate::progress::{Progress, Stop};
use crate::{models, output};

#[derive(Debug, Args)]
#[command(after_help = "\
The networks are those of a folder of `bastion reproduce`, and the router is the paper's detector of its normal model:

  bastion reproduce --out runs/paper-20 --subset --classes 20 --per-class 400 --val-per-class 50
  bastion detector train --model runs/paper-20/runs/normal --data runs/paper-20/data --recipe paper \\
      --crafted runs/paper-20/sets/fgsm,runs/paper-20/sets/bim
  bastion detector route runs/paper-20 --adaptive 200 --report docs/results/routing")]
pub struct RouteArgs {
    /// Folder of `bastion reproduce`
    #[arg(value_name = "DIR")]
    reproduction: PathBuf,
    /// The data set, where the reproduction took all of it [default: data in DIR, else $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use only so many validation images, spread over all classes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    attacker: AttackerArgs,
    /// Write a report into this folder: routing.json, report.md and report.html
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Runs `bastion detector route`.
///
/// # Errors
/// When a network, a set or the router is missing, a set is of another network, the device fails, or a check of an attack fails.
pub fn run(args: &RouteArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    make_folder(args.report.as_deref())?;
    let stop = Stop::on_ctrl_c()?;
    let dir = &args.reproduction;
    ensure!(
        dir.join("sets").is_dir() && dir.join("runs").is_dir(),
        UsageError(format!("{} is no folder of bastion reproduce: it has no crafted sets and runs", dir.display()))
    );
    let part = dir.join("data");
    let data = match &args.data {
        None if part.is_dir() => part,
        given => data::dir_or_default(given.as_deref()),
    };
    let clean = Dataset::load_val(&data)?;
    let crafted = ["fgsm", "bim"].map(|set| CraftedVal::load(&dir.join("sets").join(set), &clean));
    let crafted = crafted.into_iter().collect::<Result<Vec<_>>>()?;
    let device = device::open(device, progress)?.device;
    let network = |name: &str| {
        let of = models::dir_of(&dir.join("runs").join(name))?;
        let bundle = models::load(&of, &device)?;
        models::check_classes(&of, &bundle.card, &clean.classes)?;
        anyhow::Ok((of, bundle))
    };
    let routes = ROUTES.into_iter().map(network).collect::<Result<Vec<_>>>()?;
    let [(normal_dir, normal), (_, fgsm), (_, bim)] = routes.as_slice() else {
        unreachable!("there are as many networks as routes")
    };
    let (_, hardened) = network("hardened")?;
    let detectors = store::load(normal_dir, &normal.card, &device)?;
    let router = detectors.iter().find_map(|(card, detector)| match detector {
        Detector::Network(network, _) => Some((card, network)),
        _ => None,
    });
    let (router_card, router) = router.with_context(|| {
        format!(
            "the network in {} has no router: bastion detector train --recipe paper makes one",
            normal_dir.display()
        )
    })?;
    for set in &crafted {
        ensure!(
            set.made.weights_sha256 == normal.card.weights.sha256,
            "{} was crafted on another network than the normal one in {}",
            set.dir.display(),
            normal_dir.display()
        );
    }
    let [fgsm_set, bim_set] = crafted.as_slice() else { unreachable!("there are two sets") };
    let routing = Routing {
        router,
        networks: [normal, fgsm, bim],
        hardened: &hardened,
        split: &clean.val,
        crafted: [fgsm_set, bim_set],
        device: &device,
    };
    let indices = spread(&clean.val.labels, args.limit.map(|limit| limit as usize));
    let mut report = routing.answers(&indices, progress, &stop)?;
    if let Some(images) = args.attacker.adaptive {
        let indices = spread(&clean.val.labels, Some(images as usize));
        let strength = args.attacker.strength();
        let run = |epsilon: &Epsilon| routing.attacked(&indices, epsilon.value(), strength, progress, &stop);
        let attacked = args.attacker.epsilon.iter().map(run).collect::<Result<Vec<_>>>()?;
        report.checks = routing.checks(&indices, &attacked, strength, progress, &stop)?;
        report.attacked = attacked.into_iter().map(|withstood| withstood.figures).collect();
    }
    report.command = command_line(&["--data", "--report"]);
    report.data_sha256 = clean.sha256;
    report.router_sha256 = router_card.weights.as_ref().map(|part| part.sha256.clone()).unwrap_or_default();
    if let Some(dir) = &args.report {
        report.write(dir)?;
        progress.note(format!("The report is in {}", dir.display()));
    }
    if args.json {
        output::json(&report)?;
    } else {
        output::text(report.table().trim_end())?;
    }
    ensure!(report.is_believed(), "a check of the attacks failed: their figures are not to be believed");
    Ok(())
}
