//! `bastion measure-network`, which `bastion compare` asks of this program: what a trained network scores, and how fast it is.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::data::Dataset;
use crate::device::{self, DeviceChoice};
use crate::experiment::compare::Measurement;
use crate::progress::{Progress, Stop};

/// Arguments of `bastion measure-network`.
#[derive(Debug, Args)]
pub struct MeasureNetworkArgs {
    /// Folder of the model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// The imported data set
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Validation images, instead of all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Images that are shown to the network at once
    #[arg(long, value_name = "N")]
    batch_size: NonZeroUsize,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs `bastion measure-network`.
///
/// # Errors
/// As [`Measurement::take`], or when the data set cannot be read. For want of memory it ends in any way.
pub fn run(args: &MeasureNetworkArgs, choice: DeviceChoice, progress: &Progress) -> Result<()> {
    let stop = Stop::on_ctrl_c()?;
    let clean = Dataset::load_val(&args.data)?;
    let engine = device::open(choice, progress)?;
    let batch_size = args.batch_size.get();
    Measurement::take(&args.out, &args.model, &clean, args.limit, batch_size, &engine, progress, &stop).map(drop)
}
