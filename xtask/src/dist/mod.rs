//! `cargo xtask dist`: the page as a folder for a static web server, without anything that may not be passed on.
//!
//! What is in the folder besides the page that Trunk built: the engine under names with a hash, which Trunk gives to the
//! page's program alone; one style sheet of all of them; compressed copies beside the files; `_headers`, which Netlify and
//! Cloudflare Pages obey, and `cargo xtask serve` too; and `.nojekyll`, without which GitHub Pages might leave files out.

mod budget;
mod compress;
mod engine;
mod headers;
mod styles;
mod wasm_opt;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::steps::Steps;
use crate::{page, process};

pub use budget::Budgets;

/// Where the page goes unless told otherwise. This one folder is emptied without a question.
const DEFAULT_OUT: &str = "target/deploy";

/// What the page may show on this machine only: pictures of Tiny ImageNet, put there by `bastion export --samples`.
const LOCAL_SAMPLES: &str = "samples/local";

/// How much work the folder is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// All there is: for visitors.
    Thorough,
    /// The same files, but larger ones: for tests.
    Quick,
}

/// Builds the page and makes of it a folder for a web server, `quick` for tests only.
///
/// # Errors
/// If the page cannot be built, or `out` holds something already.
pub fn run(out: Option<PathBuf>, quick: bool) -> Result<()> {
    let mut steps = Steps::new();
    let out = steps.run("folder", || prepare(out))?;
    let dist = page::ensure_built(&mut steps)?;
    let effort = if quick { Effort::Quick } else { Effort::Thorough };
    assemble(&mut steps, &dist, &out, effort)?;
    let budgets = Budgets::of(&out)?;
    println!("{}\n{budgets}", budget::table(&out)?);
    for overrun in budgets.overruns() {
        println!("WARNING: {overrun}");
    }
    println!(
        "The page is in {0}; `cargo xtask serve {0}` shows it here, with its own headers. Any static host will do, over \
         HTTPS: browsers ask for that before they give a page WebGPU or a camera. docs/hosting.md has the details.",
        out.display()
    );
    Ok(())
}

/// The built page as it is served to the world, in a folder of its own below `target`, made anew.
///
/// # Errors
/// If the page cannot be built or the folder cannot be written.
pub fn ensure_for(purpose: &str, steps: &mut Steps, effort: Effort) -> Result<PathBuf> {
    let dist = page::ensure_built(steps)?;
    let out = emptied(&process::root()?.join("target").join(purpose))?;
    assemble(steps, &dist, &out, effort)?;
    Ok(out)
}

/// Makes of the page that Trunk left in `dist` what a web server needs, in the empty folder `out`.
fn assemble(steps: &mut Steps, dist: &Path, out: &Path, effort: Effort) -> Result<()> {
    steps.run("copy", || copy_page(dist, out))?;
    if effort == Effort::Thorough {
        steps.run("wasm-opt", || wasm_opt::shrink(&files(out)?))?;
    }
    // Last of all what goes by a file's content: names, then the headers for these names, then the copies of all of it.
    steps.run("names", || styles::unite(out).and_then(|()| engine::name_by_content(out)))?;
    steps.run("headers", || headers::write(out))?;
    steps.run("compressed copies", || compress::all(&files(out)?, effort))
}

/// An empty folder: the one asked for, or the default one, emptied.
fn prepare(out: Option<PathBuf>) -> Result<PathBuf> {
    let Some(out) = out else { return emptied(&process::root()?.join(DEFAULT_OUT)) };
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut content = fs::read_dir(&out).with_context(|| format!("cannot look into {}", out.display()))?;
    ensure!(content.next().is_none(), "{} is not empty; name a new folder, or empty this one", out.display());
    // Steps run in the workspace root, wherever this program was started.
    out.canonicalize().with_context(|| format!("cannot open {}", out.display()))
}

/// A folder of our own, with nothing in it.
fn emptied(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))
}

/// Copies the built page, but for [`LOCAL_SAMPLES`].
fn copy_page(dist: &Path, out: &Path) -> Result<()> {
    let local = dist.join(LOCAL_SAMPLES);
    for file in files(dist)? {
        if file.starts_with(&local) {
            continue;
        }
        let target = out.join(file.strip_prefix(dist).context("a file outside of its folder")?);
        let folder = target.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::copy(&file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    fs::write(out.join(".nojekyll"), "").context("cannot write .nojekyll")?;
    if local.is_dir() {
        println!("    without {LOCAL_SAMPLES}: those pictures are under ImageNet's terms and stay on this machine");
    }
    Ok(())
}

/// All files below `folder`, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot look into {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() { &mut folders } else { &mut files }.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The path of a file below `folder` as an address has it: with slashes, and none in front.
fn address_of(file: &Path, folder: &Path) -> Result<String> {
    let inside = file.strip_prefix(folder).context("a file outside of its folder")?;
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Ok(parts.join("/"))
}

fn bytes(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).with_context(|| format!("cannot look at {}", file.display()))?.len())
}

fn human(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{:.1} kB", bytes as f64 / 1e3) } else { format!("{:.2} MB", bytes as f64 / 1e6) }
}

#[cfg(test)]
mod tests;
