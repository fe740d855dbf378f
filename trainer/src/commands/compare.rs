//! `bastion compare`: which architecture, under the same budget.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::error::Error as ClapError;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::data::{self, Cache};
use crate::device::{self, DeviceChoice};
use crate::error::UsageError;
use crate::experiment::Workspace;
use crate::experiment::compare::{self, ComparisonPlan, common_settings};
use crate::output;
use crate::progress::{Progress, Stop};
use crate::train::{ArchName, ConfigFlags};

/// Arguments of `bastion compare`.
#[derive(Debug, Args)]
#[command(after_help = "\
Trains each network with the same settings, in a process of its own, and writes a table (accuracy, parameters, multiplications,
images a second, memory) and figures to report.md in the folder of --out. Each is a run folder as of `bastion train`. Settings of
one kind of network (--width, --stem, ...) are ignored by the others. Ctrl-C saves; saying the same again goes on, after a kill
too; a network that the memory does not suffice for is left out.

Examples:
  bastion compare --out runs/compare --epochs 3 --batch-size 32
  bastion compare --out runs/compare --pretrained-dir weights --stem conv3 --learning-rate 0.01
  bastion compare --out runs/small --arch wide-resnet,resnet18 --steps 500 --batch-size 32 --image-size 32")]
pub struct CompareArgs {
    /// Folder for runs and report; the same folder goes on with what was begun in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A TOML file with settings, as `bastion train` takes it
    #[arg(long = "config", id = "config_file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// A folder with pretrained weights: for each network a file of its name, such as resnet50.pth or resnet50.safetensors
    #[arg(long, value_name = "DIR")]
    pretrained_dir: Option<PathBuf>,
    /// Sets made by `bastion craft`, for recipes that train on them, with commas between them
    #[arg(long, value_name = "DIR", value_delimiter = ',')]
    crafted: Vec<PathBuf>,
    /// The imported data set [default: $BASTION_DATA, or data/tiny-imagenet-200]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Measure on so many validation images, spread over all classes, instead of on all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    networks: Networks,
}

/// The settings of training, of which `--arch` names several.
#[derive(Debug)]
struct Networks {
    archs: Vec<ArchName>,
    settings: ConfigFlags,
}

impl FromArgMatches for Networks {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, ClapError> {
        let archs = matches.get_many("arch").into_iter().flatten().copied().collect();
        Ok(Self { archs, settings: ConfigFlags::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), ClapError> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Networks {
    fn augment_args(command: Command) -> Command {
        ConfigFlags::augment_args(command).mut_arg("arch", |arch| {
            arch.value_delimiter(',')
                .value_name("NETWORK,...")
                .default_values(["resnet50", "resnext50_32x4d", "wide_resnet50_2"])
                .help("The networks")
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Runs `bastion compare`.
///
/// # Errors
/// As [`compare::run`], or when a setting is out of range, or was another one when the folder was begun; and, after the report,
/// when a network was left out.
pub fn run(args: &CompareArgs, choice: DeviceChoice, progress: &Progress) -> Result<()> {
    let mut archs = args.networks.archs.clone();
    archs.dedup();
    for (place, arch) in archs.iter().enumerate() {
        ensure!(!archs[..place].contains(arch), UsageError(format!("--arch names {} twice", arch.typed())));
    }
    let data = data::dir_or_default(args.data.as_deref());
    let cache = Cache::open(&data)?;
    cache.check_clean()?;
    let absolute = |path: &PathBuf| std::path::absolute(path);
    let mut plan = ComparisonPlan {
        command: super::command_line(&["--data", "--out", "--device", "--pretrained-dir"]),
        data_sha256: cache.into_meta().sha256,
        settings: common_settings(args.config_file.as_deref(), &args.networks.settings, &archs)?,
        pretrained: args.pretrained_dir.as_ref().map(absolute).transpose()?,
        weights_sha256: BTreeMap::new(),
        crafted: args.crafted.iter().map(absolute).collect::<Result<_, _>>()?,
    };
    plan.hash_weights(&archs)?;
    let plan = plan.open(&args.out)?;
    for &arch in &archs {
        plan.check_weights(arch)?;
    }
    // Only to say what computes, or that nothing does: it is the children that compute.
    let engine = device::open(choice, progress)?;
    let workspace = Workspace {
        command: &plan.command,
        out: &args.out,
        data: &data,
        limit: args.limit.map(|limit| limit as usize),
        choice,
        engine: &engine,
        progress,
        stop: &Stop::on_ctrl_c()?,
    };
    let report = compare::run(&plan, &archs, &workspace)?;
    output::text(&report.summary())?;
    progress.note(format!("The report is in {}", args.out.join("report.md").display()));
    report.check_complete()
}
