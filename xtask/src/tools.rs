//! Optional parts of the Rust toolchain: the wasm32 target, rustfmt and clippy.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process;

/// The target triple of the page's programs.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Adds the wasm32 target to the toolchain in use if it is missing.
///
/// # Errors
/// If the target is missing and rustup cannot add it.
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

/// Adds rustfmt and clippy to the toolchain in use if they are missing.
///
/// # Errors
/// If a component is missing and rustup cannot add it.
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

/// Returns the folder of the toolchain in use.
fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(process::output(process::command("rustc")?.args(["--print", "sysroot"]))?))
}
