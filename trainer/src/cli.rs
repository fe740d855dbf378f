//! The command line of `bastion`.

use clap::{Parser, Subcommand};

use crate::commands::attack::AttackArgs;
use crate::commands::check::CheckArgs;
use crate::commands::classify::ClassifyArgs;
use crate::commands::compare::CompareArgs;
use crate::commands::craft::CraftArgs;
use crate::commands::data::DataArgs;
use crate::commands::detector::DetectorArgs;
use crate::commands::evaluate::EvaluateArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::export::ExportArgs;
use crate::commands::measure_network::MeasureNetworkArgs;
use crate::commands::merge::MergeArgs;
use crate::commands::reproduce::ReproduceArgs;
use crate::commands::serve::ServeArgs;
use crate::commands::train::TrainArgs;
use crate::commands::weights::WeightsArgs;
use crate::device::DeviceChoice;
use crate::progress::ProgressChoice;

/// Train image classifiers that hold under attack, and attack them.
#[derive(Debug, Parser)]
#[command(name = "bastion", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    /// What computes: auto (a real GPU if there is one, else the CPU), wgpu, vulkan, libtorch or cpu
    #[arg(long, value_enum, default_value = "auto", global = true, hide_possible_values = true)]
    pub device: DeviceChoice,
    /// How progress is shown on stderr: auto (the dashboard of train, or bar), bar (on a terminal, else lines), lines, json (an
    /// object a line: docs/progress.md) or none (warnings and errors alone)
    #[arg(long, value_enum, default_value = "auto", global = true, hide_possible_values = true)]
    pub progress: ProgressChoice,
}

const EXAMPLES: &str = "\
From data to the page:
  bastion data import tiny-imagenet-200.zip
  bastion train --run runs/standard --recipe normal
  bastion train --run runs/hardened --recipe adversarial-n-fgsm --init runs/standard
  bastion export runs/standard --out static/models/standard
  bastion export runs/hardened --out static/models/hardened
  bastion evaluate --save

Exit codes: 0 done, 1 failed, 2 not understood, 130 stopped by Ctrl-C.";

/// The subcommands of `bastion`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Get the data set (Tiny ImageNet) ready for training
    Data(DataArgs),
    /// Train a network
    Train(TrainArgs),
    /// Look into files of pretrained weights
    Weights(WeightsArgs),
    /// Make a set of attacked pictures, to train on or to validate with
    Craft(CraftArgs),
    /// Measure networks on the validation images, clean and attacked
    Evaluate(EvaluateArgs),
    /// Train detectors of attacked pictures, and measure them
    Detector(DetectorArgs),
    /// Ask whether the measurements can be believed: a list of checks, each with its figure
    Check(CheckArgs),
    /// Put the shards of evaluate or check together, and report
    Merge(MergeArgs),
    /// Do the paper's experiment from data to report
    Reproduce(ReproduceArgs),
    /// Train several networks under the same budget, and set them side by side
    Compare(CompareArgs),
    /// Lend this machine's device to others: what they name with --nodes
    Serve(ServeArgs),
    /// Make a trained network ready for the page
    Export(ExportArgs),
    /// Say what networks see in a picture
    Classify(ClassifyArgs),
    /// Attack a picture
    Attack(AttackArgs),
    /// Show where in a picture the evidence for an answer is, and what an attack changes
    Explain(ExplainArgs),
    /// Measure a trained network: what `bastion compare` asks
    #[command(hide = true)]
    MeasureNetwork(MeasureNetworkArgs),
}
