//! `cargo xtask test --full`: the paper's network in full, with weights that torchvision saved, loaded and compared with it.
//!
//! It needs Python with PyTorch, which is why nothing else does it: that of `BASTION_PYTHON`, or else one in `target/full`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;

/// What `tests/reference/full.py` imports. Their versions are those of the other references.
const PACKAGES: [&str; 4] = ["torch", "torchvision", "numpy", "safetensors"];

/// A Python that has the packages.
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

/// Has torchvision make the files.
pub fn make(python: &Path) -> Result<()> {
    process::run(process::command(python)?.arg("tests/reference/full.py").arg(folder()?))
}

/// Loads them, with what the other native tests are compiled from.
pub fn test(selection: &[&str]) -> Result<()> {
    let only_full = ["--test", "full", "--", "--ignored", "--nocapture"];
    let command = &mut process::cargo()?;
    process::run(command.args(["test", "--locked"]).args(selection).args(only_full).env("BASTION_FULL", folder()?))
}

fn folder() -> Result<PathBuf> {
    Ok(process::root()?.join("target").join("full"))
}
