//! `wasm-opt` of Binaryen: the page's programs made smaller, where it can be had.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{bytes, human};
use crate::{npm, process};

/// WebAssembly that rustc has emitted by default since 1.87, and SIMD; any browser that runs the page has all of it.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// The oldest version that is known to work. Debian 12's, 108, writes an engine that no browser starts: it mixes up the tables of
/// functions and of references.
const OLDEST: u32 = 123;

/// How to start it: a program, and what comes before its own arguments.
struct WasmOpt(Vec<PathBuf>);

impl WasmOpt {
    /// From PATH, else from npm.
    ///
    /// # Errors
    /// Says why there is none.
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

/// 123 of `wasm-opt version 123 (version_123)`.
fn version_in(printed: &str) -> Option<u32> {
    printed.strip_prefix("wasm-opt version ")?.split_whitespace().next()?.parse().ok()
}

/// Optimises the WebAssembly among `files`, each in its place. What cannot be optimised stays as it is, and is as good a
/// program as before.
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
        // Nobody waits for the page's own program to compute, only for it to come. (-Oz makes it smaller still, but not its
        // compressed copy.)
        let is_engine = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("engine"));
        let passes: &[&str] = if is_engine { &["-Os"] } else { &["--merge-similar-functions", "-Os"] };
        replace(&wasm_opt, file, passes)?;
    }
    Ok(())
}

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
