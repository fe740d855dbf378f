//! This machine's device, served to other machines.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::mpsc::channel;

use anyhow::{Context, Result, anyhow};
use burn::prelude::*;
use rand::TryRng;
use rand::rngs::SysRng;
use shared::device::remote;

use super::{PORT, TOKEN, given_token};
use crate::progress::{Progress, on_ctrl_c};

/// Address that is listened on where none is given: of this machine alone.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), PORT);

/// Serves `device` on the address `listen` until Ctrl-C.
///
/// # Errors
/// When the address cannot be listened on, the token is too short, or the device's backend cannot be served.
pub fn serve(device: Device, listen: SocketAddr, progress: &Progress) -> Result<()> {
    let listener =
        TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}: take another --listen"))?;
    let address = listener.local_addr()?;
    let token = match given_token()? {
        Some(token) => token,
        None => {
            let token = drawn_token()?;
            progress.note(format!("The token is {token}: callers set {TOKEN} to it"));
            token
        }
    };
    if !address.ip().is_loopback() {
        progress.warn(format!(
            "the line to {address} is not encrypted: who is between can read and change token, pictures and weights. Listen on \
             {LISTEN} and let callers come by ssh -L {0}:127.0.0.1:{0}, unless the network is yours alone",
            address.port()
        ));
    }
    progress.note(format!("Serving on {address}, until Ctrl-C: bastion train --nodes {address} ..."));
    let (ended, end) = channel();
    let stopped = ended.clone();
    // A second Ctrl-C ends the program at once.
    on_ctrl_c(move || drop(stopped.send(Ok(()))), || {})?;
    let told = progress.clone();
    let asked = move |caller: Option<SocketAddr>, let_in: bool| {
        let caller = caller.map_or("someone".into(), |address| address.to_string());
        match let_in {
            true => told.note(format!("{caller} computes here")),
            false => told.warn(format!("{caller} has another token, and was refused")),
        }
    };
    let served = remote::serve(device, listener, &token, asked);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the server")?;
    runtime.spawn(async move {
        let _ = ended.send(served.await);
    });
    let served = end.recv().unwrap_or(Ok(()));
    // Sessions at work are cut, and their callers told by the closed connection.
    runtime.shutdown_background();
    served.map_err(|error| anyhow!("{error}"))
}

/// Returns a token that cannot be guessed: 128 random bits.
fn drawn_token() -> Result<String> {
    let mut bits = [0; 16];
    SysRng.try_fill_bytes(&mut bits).map_err(|error| anyhow!("no random token can be drawn: {error}; set {TOKEN}"))?;
    Ok(crate::data::hex(bits))
}
