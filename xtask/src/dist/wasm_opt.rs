//! Makes the page's programs smaller with Binaryen's `wasm-opt`, where it is available.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{bytes, human};
use crate::{npm, process};

/// Features of WebAssembly that rustc has enabled by default since 1.87, and SIMD; every browser that runs the page has
/// them.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The oldest version that is known to work. Version 108, Debian 12's, mixes up the tables of functions and of
/// references, so that no browser starts the engine.
const OLDEST: u32 = 123;

/// The command line that starts wasm-opt: a program and its first arguments.
struct WasmOpt(Vec<PathBuf>);

impl WasmOpt {
    /// Finds wasm-opt on PATH, else installs it from npm.
    ///
    /// # Errors
    /// If there is none on PATH that is new enough, and npm cannot install one.
    fn find() -> Result<Self> {
        let on_path = process::find_on_path(&["wasm-opt"]).map(|program| Self(vec![program]));
        if let Some(found) = on_path
            && found.version() >= Some(OLDEST)
        {
            return Ok(found);
        }
        let package = npm::BINARYEN.ensure()?;
        let node = npm::node().context("Node.js is not on PATH")?;
        let found = Self(vec![node, package.join("bin/wasm-opt")]);
        found.version().context("npm's wasm-opt does not start")?;
        Ok(found)
    }

    fn command(&self) -> Result<Command> {
        let (program, before) = self.0.split_first().context("no program")?;
        let mut command = process::command(program)?;
        command.args(before);
        Ok(command)
    }

    fn version(&self) -> Option<u32> {
        version_in(&process::output(self.command().ok()?.arg("--version")).ok()?)
    }
}

/// Returns the version in a line such as `wasm-opt version 123 (version_123)`.
fn version_in(printed: &str) -> Option<u32> {
    printed.strip_prefix("wasm-opt version ")?.split_whitespace().next()?.parse().ok()
}

/// Optimises the WebAssembly among `files` in place. A program that cannot be optimised stays as it is, and works as
/// before.
///
/// # Errors
/// If an optimised file cannot replace the original.
pub fn shrink(files: &[PathBuf]) -> Result<()> {
    let wasm_opt = match WasmOpt::find() {
        Ok(wasm_opt) => wasm_opt,
        Err(error) => {
            println!(
                "    the programs stay as they are: there is no wasm-opt {OLDEST} or newer on PATH, and {error:#}. With it \
                 they get smaller, in some minutes. It is part of Binaryen: https://github.com/WebAssembly/binaryen/releases"
            );
            return Ok(());
        }
    };
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "wasm")) {
        // The page's program computes little, so only its download counts. (-Oz makes the program smaller still, but
        // not its compressed copy.)
        let is_app = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("app"));
        let passes: &[&str] = if is_app { &["--merge-similar-functions", "-Os"] } else { &["-Os"] };
        replace(&wasm_opt, file, passes)?;
    }
    Ok(())
}

/// Optimises one file; keeps the original if wasm-opt fails.
fn replace(wasm_opt: &WasmOpt, file: &Path, passes: &[&str]) -> Result<()> {
    let before = bytes(file)?;
    let smaller = file.with_extension("smaller");
    let optimised = process::run(wasm_opt.command()?.args(FEATURES).args(passes).arg(file).arg("-o").arg(&smaller));
    if let Err(error) = optimised {
        println!("    {error:#}; it stays as it is");
        return if smaller.exists() { Ok(fs::remove_file(smaller)?) } else { Ok(()) };
    }
    fs::rename(&smaller, file).with_context(|| format!("cannot replace {}", file.display()))?;
    println!("    {} became {}", human(before), human(bytes(file)?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_wasm_opt_are_read() {
        assert_eq!(version_in("wasm-opt version 123 (version_123)"), Some(123));
        assert_eq!(version_in("wasm-opt version 108"), Some(108));
        assert_eq!(version_in("something else"), None);
    }
}
