//! `bastion craft`: a set of attacked pictures, to train on or to validate with.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use shared::attack::{AttackConfig, AttackKind};
use shared::bundle::Bundle;

use crate::commands::attack_flags::{AttackFlags, ChosenAttack};
use crate::craft::{craft_on, craft_shard};
use crate::data::{self, Dataset, Meta};
use crate::device::{self, DeviceChoice};
use crate::epsilon::EpsilonSpace;
use crate::error::UsageError;
use crate::kept::ShardChoice;
use crate::nodes::{self, NodesFlag, Place, Watch};
use crate::progress::{Progress, Stop};
use crate::{models, output};

/// The attack where none is named.
pub(super) const USUAL_ATTACK: AttackKind = AttackKind::Fgsm;

/// Arguments of `bastion craft`.
#[derive(Debug, Args)]
#[command(after_help = "\
The training pictures lead away from what the model sees in them (the paper's eq. 3), the validation pictures from their true
class. A crafted set is laid out as an imported one, to train on it by --data; `bastion evaluate --crafted` shows its validation
pictures to networks. A run that was stopped or killed goes on when the same is said again.

Examples, the sets of the paper:
  bastion craft --model runs/standard --attack fgsm --epsilon-space normalized --out data/fgsm
  bastion craft --model runs/standard --attack bim --epsilon-space normalized --out data/bim
  bastion evaluate --crafted data/fgsm,data/bim

A set in two parts, one on each of two machines:
  bastion craft --model runs/standard --out parts --shard 1/2
  bastion merge parts-of-here parts-of-there --set data/fgsm")]
pub struct CraftArgs {
    /// Folder of the model whose gradients are used, or of a run
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Folder for the set
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The clean data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    attack: AttackFlags,
    /// What the radius is measured in
    #[arg(long, value_enum, default_value = "pixel")]
    epsilon_space: EpsilonSpace,
    /// Craft a part of the pictures into --out: 3/8 (the third of eight), or auto (or auto/8) for the task of a Slurm array or the
    /// pod of an indexed job; `bastion merge` makes the set of all parts
    #[arg(long, value_name = "PART")]
    shard: Option<ShardChoice>,
    #[command(flatten)]
    nodes: NodesFlag,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Runs `bastion craft`.
///
/// # Errors
/// When a setting is out of range, the data set or the model cannot be read, the set cannot be written, or the device fails.
pub fn run(args: &CraftArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    let dir = models::dir_of(&args.model)?;
    // The arguments are checked before gigabytes are read.
    let ChosenAttack { config, restarts, .. } = args.attack.one_attack(USUAL_ATTACK, args.epsilon_space)?;
    ensure!(restarts == 1, UsageError("--restarts is not for craft: a set holds what one start gives".into()));
    let config = AttackConfig { channel_scale: args.epsilon_space.scale(&models::card(&dir)?), ..config };
    ensure!(
        args.shard.is_none() || !args.json,
        UsageError("--json is for a whole set, and --shard crafts a part: give --json to bastion merge".into())
    );
    let shard = args.shard.map(|choice| choice.resolve(|name| std::env::var(name).ok())).transpose()?;
    let dataset = Dataset::load_clean(&data::dir_or_default(args.data.as_deref()))?;
    let nodes = args.nodes.open(progress)?;
    let devices = device::of_nodes(device, &nodes, progress)?;
    let bundles = devices.iter().map(|(_, device)| models::load(&dir, device)).collect::<Result<Vec<_>>>()?;
    models::check_classes(&dir, &bundles[0].card, &dataset.classes)?;
    let stop = Stop::on_ctrl_c_with_note("Stopping after the pictures at work", progress)?;
    let advice = "; what is done is kept: say the same again";
    let _watch = Watch::start(&nodes, progress, advice.into(), || {});
    let place = |((name, device), on_it)| Place { name, device, on_it };
    let places: Vec<Place<'_, Bundle>> =
        devices.iter().map(|(name, device)| (name.as_str(), device)).zip(&bundles).map(place).collect();
    if let Some(shard) = shard.filter(|shard| !shard.is_whole()) {
        let craft = || craft_shard(&dataset, &places, &config, &args.out, shard, progress, &stop);
        let pictures = nodes::guard(&nodes, craft)?;
        let out = args.out.display();
        return output::text(&format!(
            "Shard {shard} is done ({pictures} pictures). After the last shard, make the set: bastion merge {out} --set DIR"
        ));
    }
    let meta = nodes::guard(&nodes, || craft_on(&dataset, &places, &config, &args.out, progress, &stop))?;
    report(&meta, &args.out, args.json)
}

/// Prints what a set holds.
///
/// # Errors
/// When stdout cannot be written.
pub(super) fn report(meta: &Meta, out: &Path, json: bool) -> Result<()> {
    if json {
        return output::json(meta);
    }
    let Meta { source, train, val, sha256, .. } = meta;
    output::text(&format!(
        "{source}: {} training and {} validation pictures in {} (sha256 {sha256})",
        train.images,
        val.images,
        out.display()
    ))
}
