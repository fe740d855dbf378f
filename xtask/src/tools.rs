//! The parts of the Rust toolchain that not every installation has: the wasm32 target, rustfmt and clippy.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process;

pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Adds the wasm32 target to the toolchain in use unless it is there.
pub fn ensure_wasm_target() -> Result<()> {
    let sysroot = sysroot()?;
    if sysroot.join("lib/rustlib").join(WASM_TARGET).join("lib").is_dir() {
        println!("    {WASM_TARGET} is installed");
        return Ok(());
    }
    if process::find_on_path(&["rustup"]).is_none() {
        bail!(
            "the Rust toolchain in {} cannot compile for {WASM_TARGET} and there is no rustup to add it; install Rust \
             with rustup (https://rustup.rs), or add your distribution's package for that target",
            sysroot.display()
        );
    }
    process::run(process::command("rustup")?.args(["target", "add", WASM_TARGET]))
}

/// Adds rustfmt and clippy to the toolchain in use unless they are there.
pub fn ensure_components() -> Result<()> {
    let bin = sysroot()?.join("bin");
    for (component, binary) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if bin.join(format!("{binary}{}", env::consts::EXE_SUFFIX)).is_file() {
            continue;
        }
        process::run(process::command("rustup")?.args(["component", "add", component]))
            .with_context(|| format!("{component} is missing; add it with `rustup component add {component}`"))?;
    }
    println!("    rustfmt and clippy are installed");
    Ok(())
}

/// The toolchain's own folder.
fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(process::output(process::command("rustc")?.args(["--print", "sysroot"]))?))
}
