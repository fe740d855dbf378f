//! `cargo xtask test --full`: compares the paper's full network, loaded from torchvision's weights, with torchvision
//! itself.
//!
//! The comparison is optional because it needs Python with PyTorch: the interpreter in `BASTION_PYTHON`, else one in
//! `target/full`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;

/// Packages that `tests/reference/full.py` imports; `tests/reference/requirements.txt` pins their versions.
const PACKAGES: [&str; 4] = ["torch", "torchvision", "numpy", "safetensors"];

/// Returns a Python interpreter that has the packages; installs them into a virtual environment if need be.
///
/// # Errors
/// If there is no Python, or a package cannot be installed.
pub fn ensure_python() -> Result<PathBuf> {
    if let Some(python) = env::var_os("BASTION_PYTHON") {
        return Ok(python.into());
    }
    let venv = folder()?.join("venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let has_packages = |python: &Path| -> Result<bool> {
        let imports = format!("import {}", PACKAGES.join(", "));
        Ok(process::output(process::command(python)?.args(["-c", &imports])).is_ok())
    };
    if python.is_file() && has_packages(&python)? {
        return Ok(python);
    }
    let system = process::find_on_path(&["python3", "python"]).context(
        "there is no Python; install it with its venv module, or name one that has PyTorch and torchvision in BASTION_PYTHON",
    )?;
    process::run(process::command(system)?.args(["-m", "venv"]).arg(&venv))?;
    let install = ["-m", "pip", "install", "-q", "-c", "tests/reference/requirements.txt"];
    process::run(process::command(&python)?.args(install).args(PACKAGES))?;
    Ok(python)
}

/// Writes the network's weights and logits by torchvision.
///
/// # Errors
/// If the script fails.
pub fn make(python: &Path) -> Result<()> {
    process::run(process::command(python)?.arg("tests/reference/full.py").arg(folder()?))
}

/// Runs the test that loads the weights and compares the logits, with the same `selection` of packages and features as
/// the other native tests.
///
/// # Errors
/// If the test does not compile or fails.
pub fn test(selection: &[&str]) -> Result<()> {
    let only_full = ["--test", "full", "--", "--ignored", "--nocapture"];
    let command = &mut process::cargo()?;
    process::run(command.args(["test", "--locked"]).args(selection).args(only_full).env("BASTION_FULL", folder()?))
}

fn folder() -> Result<PathBuf> {
    Ok(process::root()?.join("target").join("full"))
}
