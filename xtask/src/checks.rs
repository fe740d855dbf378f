//! `cargo xtask test`: all checks, in an order that compiles nothing twice.
//!
//! The dependencies are built three times: type-checked with the GPU stack (clippy and the documentation), native
//! without it (tests; with `--gpu` native with it instead), and for wasm32 (the page and its lints; burn with and without WebGPU).

use std::path::PathBuf;

use anyhow::Result;

use crate::browser::Browser;
use crate::dist::Effort;
use crate::page::programs::{self, Profile};
use crate::steps::{Steps, human};
use crate::{dist, full, gpu, npm, process, reliability, scores, tools, walls};

/// Packages and features of the native tests. Features are set for the whole workspace at once: another selection of
/// packages would change burn's features, and compile burn again.
pub const CPU_ONLY: &[&str] = &["--workspace", "--no-default-features"];
const WITH_GPU: &[&str] = &["--workspace", "--features", "tests/gpu"];
/// Selection of the tests with servers, for which burn is compiled once more.
const WITH_NODES: &[&str] =
    &["--workspace", "--no-default-features", "--features", "trainer/remote", "--test", "remote"];

/// Folder of the page that the browser tests open, below `target`.
const TESTED_PAGE: &str = "tested-page";

/// Runs all checks and prints the time of each.
///
/// `with_gpu` adds the tests of the GPU path, `full` those of `bastion serve` and the comparison of the paper's network with
/// torchvision.
///
/// # Errors
/// If a check fails, or a program that it needs is missing.
pub fn run(skip_browser: bool, with_gpu: bool, full: bool) -> Result<()> {
    let mut steps = Steps::new();
    let outcome = run_all(&mut steps, skip_browser, with_gpu, full);
    println!("{}", steps.table());
    outcome?;
    let left_out = if skip_browser { "; the browser tests were skipped (--skip-browser)" } else { "" };
    println!("All checks passed in {}{left_out}.", human(steps.elapsed()));
    Ok(())
}

fn run_all(steps: &mut Steps, skip_browser: bool, with_gpu: bool, full: bool) -> Result<()> {
    let selection = if with_gpu { WITH_GPU } else { CPU_ONLY };
    steps.run("toolchain", tools::ensure_components)?;
    // Comes first, so that a missing browser or driver does not cost half an hour.
    let browser = if skip_browser { None } else { Some(steps.run("Chromium", Browser::ensure)?) };
    if with_gpu {
        steps.run("Vulkan driver", gpu::ensure_driver)?;
    }
    let python = if full { Some(steps.run("Python", full::ensure_python)?) } else { None };
    steps.run("format", || process::run(process::cargo()?.args(["fmt", "--all", "--check"])))?;
    steps.run("scores", || scores::run(true))?;
    steps.run("walls", walls::check)?;
    steps.run("reliability", reliability::check)?;
    steps.run("clippy", || {
        let command = &mut process::cargo()?;
        process::run(
            command.args(["clippy", "--locked", "--all-targets"]).args(WITH_GPU).args(["--", "-D", "warnings"]),
        )
    })?;
    steps.run("documentation", || {
        let command = &mut process::cargo()?;
        // With the examples, since without them cargo leaves out the features that development dependencies add, and
        // type-checks everything once more.
        let documented = ["doc", "--locked", "--no-deps", "--lib", "--bins", "--examples"];
        process::run(command.env("RUSTDOCFLAGS", "-D warnings").args(documented).args(WITH_GPU))
    })?;
    steps.run("native tests", || process::run(process::cargo()?.args(["test", "--locked"]).args(selection)))?;
    if with_gpu {
        steps.run("GPU tests", || {
            let command = &mut process::cargo()?;
            // One test at a time: a software adapter already uses every core.
            let only_gpu = ["--test", "gpu", "--", "--ignored", "--test-threads", "1"];
            process::run(command.args(["test", "--locked"]).args(WITH_GPU).args(only_gpu))
        })?;
    }
    if full {
        steps.run("nodes", || process::run(process::cargo()?.args(["test", "--locked"]).args(WITH_NODES)))?;
    }
    if let Some(python) = python {
        steps.run("full network in PyTorch", || full::make(&python))?;
        steps.run("full network", || full::test(selection))?;
    }
    if let Some(browser) = browser {
        // The page as hosts serve it: with headers, hashed names and compressed copies.
        let page = dist::ensure_for(TESTED_PAGE, steps, Effort::Quick)?;
        steps.run("clippy (wasm32)", || programs::lint(Profile::Demo))?;
        let axe = steps.run("axe-core", || Ok(axe()))?;
        let settings: Vec<_> = axe.iter().map(|script| ("BASTION_AXE", script.as_path())).collect();
        steps.run("browser tests", || browser.test(&page, selection, "", &settings))?;
        if axe.is_none() {
            println!("The test of accessibility was skipped: axe-core could not be had, as said above.\n");
        }
    }
    Ok(())
}

/// Returns the script of axe-core; prints the reason if it cannot be installed.
fn axe() -> Option<PathBuf> {
    match npm::AXE.ensure() {
        Ok(folder) => Some(folder.join("axe.min.js")),
        Err(error) => {
            println!("    the test of accessibility will be skipped: {error:#}");
            None
        }
    }
}
