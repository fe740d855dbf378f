//! Programs and scripts from npm, each in its own folder below `target/tools/npm`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process;

/// An npm package at a fixed version.
pub struct Package {
    /// Name in the registry.
    pub name: &'static str,
    /// Exact version.
    pub version: &'static str,
}

/// The accessibility tests, a script that runs in the page.
pub const AXE: Package = Package { name: "axe-core", version: "4.14.1" };
/// `wasm-opt`, compiled to WebAssembly, for Node.js.
pub const BINARYEN: Package = Package { name: "binaryen", version: "132.0.0" };
/// `esbuild`, which makes scripts and style sheets smaller.
pub const ESBUILD: Package = Package { name: "esbuild", version: "0.28.2" };
/// Lighthouse in the last major version that Node.js 18 runs.
pub const LIGHTHOUSE: Package = Package { name: "lighthouse", version: "12.8.2" };

impl Package {
    /// Returns the folder of the package, and installs the package if need be.
    ///
    /// # Errors
    /// If there is no npm, or it cannot install the package.
    pub fn ensure(&self) -> Result<PathBuf> {
        let Self { name, version } = self;
        // The version is in the path, so a folder that exists holds the right version.
        let prefix = process::root()?.join("target/tools/npm").join(format!("{name}-{version}"));
        let folder = prefix.join("node_modules").join(name);
        if folder.join("package.json").is_file() {
            println!("    {name} {version} is installed");
            return Ok(folder);
        }
        let npm = process::find_on_path(&["npm", "npm.cmd"])
            .with_context(|| format!("{name} comes from npm, which is not on PATH: install Node.js"))?;
        ensure!(node().is_some(), "{name} needs Node.js, which is not on PATH");
        // Into a temporary folder first: an interrupted installation must not pass for a complete one.
        let unfinished = prefix.with_file_name(format!("{name}.unfinished"));
        for leftover in [&unfinished, &prefix] {
            if leftover.exists() {
                fs::remove_dir_all(leftover).with_context(|| format!("cannot remove {}", leftover.display()))?;
            }
        }
        fs::create_dir_all(&unfinished).with_context(|| format!("cannot create {}", unfinished.display()))?;
        let quiet = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"];
        process::run(process::command(npm)?.args(quiet).arg(&unfinished).arg(format!("{name}@{version}")))?;
        fs::rename(&unfinished, &prefix).with_context(|| format!("cannot move {name} to {}", prefix.display()))?;
        Ok(folder)
    }
}

/// Returns the path of Node.js, if it is on PATH.
pub fn node() -> Option<PathBuf> {
    process::find_on_path(&["node", "nodejs"])
}
