//! `bastion serve`: lends this machine's device to other machines.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Args;

use crate::device::DeviceChoice;
use crate::progress::Progress;

/// Arguments of `bastion serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
A caller needs the token: $BASTION_TOKEN, or else one that is drawn and shown at each start. Callers set the same variable.
The line is not encrypted, so the address is of this machine alone, and callers on other machines come by ssh:

  bastion serve                                          on the machine with the GPU
  ssh -N -L 7401:127.0.0.1:7401 gpu                      on the caller, beside it
  BASTION_TOKEN=... bastion train --nodes 127.0.0.1:7401 --run runs/borrowed

Data, checkpoints and dashboard stay with the caller. See docs/remote.md.")]
pub struct ServeArgs {
    /// Address and port to listen on [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Runs `bastion serve`.
///
/// # Errors
/// When the build lacks the feature `remote`, the address cannot be listened on, the token is too short, or the device cannot
/// be opened or served.
#[cfg(feature = "remote")]
pub fn run(args: &ServeArgs, choice: DeviceChoice, progress: &Progress) -> Result<()> {
    let device = crate::device::open(choice, progress)?.device;
    crate::nodes::server::serve(device, args.listen.unwrap_or(crate::nodes::server::LISTEN), progress)
}

/// Runs `bastion serve`, which this build lacks.
///
/// # Errors
/// Always.
#[cfg(not(feature = "remote"))]
pub fn run(_args: &ServeArgs, _choice: DeviceChoice, _progress: &Progress) -> Result<()> {
    Err(crate::nodes::not_built())
}
