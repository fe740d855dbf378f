//! `bastion detector`: detectors of attacked pictures, their training and their measurement.

mod evaluate;
mod route;
mod train;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use crate::detect::adaptive::Strength;
use crate::device::DeviceChoice;
use crate::epsilon::Epsilon;
use crate::error::UsageError;
use crate::progress::Progress;

/// Arguments of `bastion detector`.
#[derive(Debug, Args)]
pub struct DetectorArgs {
    #[command(subcommand)]
    command: DetectorCommand,
}

#[derive(Debug, Subcommand)]
enum DetectorCommand {
    /// Train detectors for a network, and put them into its folder
    Train(train::TrainArgs),
    /// Measure a network's detectors: on attacks, on harmless changes, and against an attacker who knows them
    Evaluate(evaluate::EvaluateArgs),
    /// Measure the paper's routing to attack-specific networks against its one hardened network
    Route(route::RouteArgs),
}

/// Settings of the attacks by an attacker who knows the defence.
#[derive(Debug, Args)]
struct AttackerArgs {
    /// Attack all that defends together, on so many images
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    adaptive: Option<u32>,
    /// Radii of these attacks, in L-infinity and pixel units
    #[arg(long, value_name = "EPSILON", value_delimiter = ',', default_value = "4/255,8/255", requires = "adaptive")]
    epsilon: Vec<Epsilon>,
    /// Steps of these attacks
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..), requires = "adaptive")]
    steps: u16,
    /// Random starts of each of these attacks
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), requires = "adaptive")]
    starts: u16,
}

impl AttackerArgs {
    fn strength(&self) -> Strength {
        Strength { steps: self.steps.into(), starts: self.starts.into() }
    }
}

/// Makes the folder of a report, before anything is measured.
fn make_folder(report: Option<&Path>) -> Result<()> {
    let Some(dir) = report else { return Ok(()) };
    ensure!(!dir.is_file(), UsageError(format!("{} is a file, and a folder is asked for", dir.display())));
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

/// Runs `bastion detector`.
///
/// # Errors
/// When a setting is out of range, the data set or a network cannot be read, the device fails, or a check of an attack fails.
pub fn run(args: &DetectorArgs, device: DeviceChoice, progress: &Progress) -> Result<()> {
    match &args.command {
        DetectorCommand::Train(args) => train::run(args, device, progress),
        DetectorCommand::Evaluate(args) => evaluate::run(args, device, progress),
        DetectorCommand::Route(args) => route::run(args, device, progress),
    }
}
