//! Nodes: devices of other machines that compute for a command, each served by `bastion serve`. docs/remote.md says what
//! stays on the caller's machine and what travels.

mod address;
mod error;
mod link;
mod pool;
mod probe;
#[cfg(feature = "remote")]
pub mod server;
mod share;
#[cfg(test)]
mod tests;
mod token;
mod watch;

use std::time::Duration;

use anyhow::{Result, ensure};
use burn::prelude::*;
use clap::Args;

pub use self::address::Address;
pub use self::error::NodeError;
pub use self::link::Link;
pub use self::pool::Pool;
pub use self::share::{Place, at_once, in_turns};
pub use self::token::{TOKEN, given_token};
pub use self::watch::{Watch, guard};
use crate::error::UsageError;
use crate::progress::Progress;

/// Port of `bastion serve` where none is given.
pub const PORT: u16 = 7401;

/// Time in which a node has to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The flag `--nodes`.
#[derive(Clone, Debug, Default, Args)]
pub struct NodesFlag {
    /// Compute on these machines, each of which runs `bastion serve`; $BASTION_TOKEN is the token of all (builds with the
    /// `remote` feature)
    #[arg(long, value_delimiter = ',', value_name = "HOST:PORT,...")]
    pub nodes: Vec<Address>,
}

/// A machine that computes for this one.
#[derive(Clone, Debug)]
pub struct Node {
    /// Address, as it was given.
    pub name: String,
    /// Device of the machine, without autodiff.
    pub device: Device,
}

impl NodesFlag {
    /// Opens the nodes, measures the line to each and notes it. Returns none if none were given.
    ///
    /// # Errors
    /// [`UsageError`] when a node is given twice, there is no token, or the build lacks the feature; [`NodeError`] when a node
    /// does not answer or refuses the token.
    pub fn open(&self, progress: &Progress) -> Result<Vec<Node>> {
        for (place, address) in self.nodes.iter().enumerate() {
            let twice = self.nodes[..place].contains(address);
            ensure!(!twice, UsageError(format!("--nodes {address}: a node is given once")));
        }
        if self.nodes.is_empty() {
            return Ok(vec![]);
        }
        let token = token::to_connect()?;
        let open = |address: &Address| {
            let name = address.to_string();
            let failed = |text: String| NodeError { node: name.clone(), text };
            probe::ask(&name, LIMIT).map_err(failed)?;
            let device = connect(&name, &token)?;
            let link = Link::measure(&device).map_err(|error| failed(format!("{error:#}")))?;
            progress.note(format!("Node {name}: {link}"));
            Ok(Node { name, device })
        };
        self.nodes.iter().map(open).collect()
    }

    /// Returns the addresses as given.
    pub fn names(&self) -> Vec<String> {
        self.nodes.iter().map(ToString::to_string).collect()
    }
}

/// Opens the device of the node `name`, which answers already.
#[cfg(feature = "remote")]
fn connect(name: &str, token: &str) -> Result<Device> {
    use shared::device::remote::{self, ConnectError};

    let (sender, receiver) = std::sync::mpsc::channel();
    let (address, token) = (name.to_string(), token.to_string());
    // A thread of its own: what answered may be no `bastion serve`, and may never finish the handshake.
    std::thread::spawn(move || sender.send(remote::connect(&address, &token)));
    let text = match receiver.recv_timeout(LIMIT) {
        Ok(Ok(device)) => return Ok(device),
        Ok(Err(ConnectError::Unauthorized)) => {
            format!("refuses the token: {TOKEN} must be the one that `bastion serve` shows there")
        }
        Ok(Err(ConnectError::IncompatibleProtocol { .. })) => {
            "runs another version of burn: build the same version of bastion for both machines".into()
        }
        Ok(Err(error)) => format!("{error}: is that `bastion serve`?"),
        Err(_) => format!("did not finish the handshake in {} s: is that `bastion serve`?", LIMIT.as_secs()),
    };
    Err(NodeError { node: name.into(), text }.into())
}

#[cfg(not(feature = "remote"))]
fn connect(_name: &str, _token: &str) -> Result<Device> {
    Err(not_built())
}

/// Returns the error of a build without the feature.
pub fn not_built() -> anyhow::Error {
    UsageError("this build neither serves nor reaches other machines: build it with `--features remote`".into()).into()
}
