//! `cargo xtask dist`: the page as a folder for a static web server, without pictures whose licence forbids
//! publication.
//!
//! Besides the page, the folder holds compressed copies beside the files; `_headers`, which Netlify, Cloudflare Pages
//! and `cargo xtask serve` obey; and `.nojekyll`, without which GitHub Pages might leave files out.

mod budget;
mod compress;
mod headers;
mod minify;
mod wasm_opt;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::page::folder::{create_empty, files};
use crate::page::programs::Profile;
use crate::page::{self, Samples, names};
use crate::process;
use crate::steps::Steps;

pub use budget::Budgets;

/// Default folder of the page. Only this folder is emptied without confirmation.
const DEFAULT_OUT: &str = "target/deploy";

/// How much time goes into making the files small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// As small as possible: for visitors.
    Thorough,
    /// The same files, but larger: for tests.
    Quick,
}

impl Effort {
    /// Returns the cargo profile of the programs.
    fn profile(self) -> Profile {
        match self {
            Self::Thorough => Profile::Page,
            Self::Quick => Profile::Demo,
        }
    }
}

/// Builds the page as a folder for a web server and prints its sizes; `quick` is for tests only.
///
/// # Errors
/// If the page cannot be built, or `out` is not empty.
pub fn run(out: Option<PathBuf>, quick: bool) -> Result<()> {
    let mut steps = Steps::new();
    let out = steps.run("folder", || prepare(out))?;
    let effort = if quick { Effort::Quick } else { Effort::Thorough };
    build(&mut steps, &out, effort)?;
    println!("{}", budget::table(&out)?);
    if effort == Effort::Thorough {
        let budgets = Budgets::of(&out)?;
        println!("{budgets}");
        for overrun in budgets.overruns() {
            println!("WARNING: {overrun}");
        }
    } else {
        println!(
            "The programs are as large as a quick build leaves them: budgets are for `cargo xtask dist` without --quick."
        );
    }
    println!(
        "The page is in {0}; `cargo xtask serve {0}` shows it here, with its own headers. Any static host will do, over \
         HTTPS: browsers ask for that before they give a page WebGPU or a camera. docs/hosting.md has the details.",
        out.display()
    );
    Ok(())
}

/// Builds the page as hosts serve it into the folder `purpose` below `target`, emptied first, and returns the folder.
///
/// # Errors
/// If the page cannot be built or the folder cannot be written.
pub fn ensure_for(purpose: &str, steps: &mut Steps, effort: Effort) -> Result<PathBuf> {
    let out = create_empty(&process::root()?.join("target").join(purpose))?;
    build(steps, &out, effort)?;
    Ok(out)
}

fn build(steps: &mut Steps, out: &Path, effort: Effort) -> Result<()> {
    let programs = page::ensure_programs(steps, effort.profile())?;
    assemble(steps, &process::root()?, &programs, out, effort, minify::all)
}

/// Fills the empty folder `out` from the folder `programs` and the page of the workspace `root`. `minify` makes scripts and styles
/// smaller, for tests too: they open what visitors get.
fn assemble(
    steps: &mut Steps,
    root: &Path,
    programs: &Path,
    out: &Path,
    effort: Effort,
    minify: fn(&Path) -> Result<()>,
) -> Result<()> {
    steps.run("copy", || page::copy(root, programs, out, Samples::Public))?;
    fs::write(out.join(".nojekyll"), "").context("cannot write .nojekyll")?;
    steps.run("esbuild", || minify(out))?;
    if effort == Effort::Thorough {
        steps.run("wasm-opt", || wasm_opt::shrink(&files(out)?))?;
    }
    // Steps that depend on the files' final content come last: names, headers for these names, then copies of all
    // files.
    steps.run("names", || names::assign(out))?;
    steps.run("headers", || headers::write(out))?;
    steps.run("compressed copies", || compress::all(&files(out)?, effort))
}

/// Returns an empty folder: `out`, which must be new or empty, or else the default folder, emptied.
fn prepare(out: Option<PathBuf>) -> Result<PathBuf> {
    let Some(out) = out else { return create_empty(&process::root()?.join(DEFAULT_OUT)) };
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut content = fs::read_dir(&out).with_context(|| format!("cannot look into {}", out.display()))?;
    ensure!(content.next().is_none(), "{} is not empty; name a new folder, or empty this one", out.display());
    // Steps run in the workspace root, wherever this program was started.
    out.canonicalize().with_context(|| format!("cannot open {}", out.display()))
}

/// Returns the path of a file relative to `folder`, with slashes, as in a URL.
fn address_of(file: &Path, folder: &Path) -> Result<String> {
    let inside = file.strip_prefix(folder).context("a file outside of its folder")?;
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Ok(parts.join("/"))
}

/// Returns the size of a file in bytes.
fn bytes(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).with_context(|| format!("cannot look at {}", file.display()))?.len())
}

/// Formats a number of bytes for people: `12.3 kB`, `4.56 MB`.
fn human(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{:.1} kB", bytes as f64 / 1e3) } else { format!("{:.2} MB", bytes as f64 / 1e6) }
}

#[cfg(test)]
mod tests;
