//! `bastion try-batch`, which the program asks of itself: whether a step fits into the memory.

use std::io;

use anyhow::{Context, Result};
use clap::Args;
use shared::device::Backend;

use crate::device::{self, DeviceChoice};
use crate::memory::Memory;
use crate::output;
use crate::progress::Progress;
use crate::train::{fit, from_toml, take_steps};

/// The settings of the run come on stdin, as `config.toml` has them.
#[derive(Debug, Args)]
pub struct TryBatchArgs {
    /// Classes of the data set
    #[arg(long)]
    classes: usize,
    /// Bytes that this process may take on a CPU
    #[arg(long)]
    memory: Option<u64>,
}

/// Runs `bastion try-batch`: prints whether a GPU computes, and the bytes that were taken at the peak, if that is told.
///
/// # Errors
/// When a setting is out of range, or the device fails. For want of memory it ends in any way.
pub fn run(args: &TryBatchArgs, choice: DeviceChoice, progress: &Progress) -> Result<()> {
    let config = from_toml(&io::read_to_string(io::stdin()).context("cannot read the settings")?)?;
    let engine = device::open(choice, progress)?;
    let on_gpu = !matches!(engine.backend, Backend::Flex | Backend::LibTorch);
    if on_gpu {
        // Before it may die.
        output::text(fit::ON_GPU)?;
    } else if let Some(bytes) = args.memory {
        limit(bytes)?;
    }
    take_steps(&config, args.classes, &engine.device)?;
    let Memory { process, device } = Memory::taken(&engine.device);
    output::text(&if on_gpu { device } else { process }.map_or(String::new(), |bytes| bytes.to_string()))
}

/// Has the system refuse this process more than so many bytes. Those it counts are of private memory that can be written:
/// address space alone, of which a thread reserves much, costs nothing.
#[cfg(target_os = "linux")]
fn limit(bytes: u64) -> Result<()> {
    use nix::sys::resource::{Resource, setrlimit};

    setrlimit(Resource::RLIMIT_DATA, bytes, bytes).context("the memory of a trial cannot be limited")?;
    // It is expected to crash, and nobody will look into it.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("the core file of a trial cannot be limited")
}

/// Other systems count otherwise, or not at all.
#[cfg(not(target_os = "linux"))]
fn limit(_bytes: u64) -> Result<()> {
    Ok(())
}
