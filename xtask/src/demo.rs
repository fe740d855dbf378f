//! `cargo xtask demo`: from a bare toolchain to the page in a browser.

use std::env;

use anyhow::Result;

use crate::page;
use crate::server::Server;
use crate::steps::{Steps, human};

/// Builds the page, serves it on `port` or the next free one, and opens a browser unless `no_open` is set.
///
/// # Errors
/// If the page cannot be built or no port is free.
pub fn run(port: u16, no_open: bool) -> Result<()> {
    let mut steps = Steps::new();
    let dist = page::ensure_built(&mut steps)?;
    let server = Server::bind(&dist, port)?;
    let url = server.url();
    println!("Ready after {}: Bastion is at {url} (Ctrl-C stops it)", human(steps.elapsed()));
    if server.port() != port {
        println!("Port {port} is in use, so this is the next free one.");
    }
    if no_open {
    } else if !has_display() {
        println!("There is no display here: open the address in a browser.");
    } else if let Err(error) = open::that_detached(&url) {
        println!("No browser could be started ({error}): open the address yourself.");
    }
    server.run();
    Ok(())
}

/// Returns whether a browser can be shown: not in CI, nor on a Unix without a display.
fn has_display() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let unix_without_screen =
        cfg!(all(unix, not(target_os = "macos"))) && !is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY");
    !is_set("CI") && !unix_without_screen
}
