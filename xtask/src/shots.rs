//! `cargo xtask shots`: pictures of the page for the README, taken by the browser test of its layout.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::browser::Browser;
use crate::checks::CPU_ONLY;
use crate::page;
use crate::steps::Steps;

/// Runs the layout test, which writes its screenshots into `out`.
///
/// `picture` is the picture to attack instead of a sample; with `webgpu` the page computes on the browser's WebGPU.
///
/// # Errors
/// If the page cannot be built, a path cannot be opened, or the test fails.
pub fn run(out: &Path, picture: Option<&Path>, webgpu: bool) -> Result<()> {
    let mut steps = Steps::new();
    let browser = steps.run("Chromium", Browser::ensure)?;
    let dist = page::ensure_built(&mut steps)?;
    // The test runs in the folder of its own package, so the paths have to be absolute.
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let out = out.canonicalize().with_context(|| format!("cannot open {}", out.display()))?;
    let picture = picture
        .map(|path| path.canonicalize().with_context(|| format!("cannot open {}", path.display())))
        .transpose()?;
    let mut settings = vec![("BASTION_SHOTS", out.as_path())];
    settings.extend(picture.as_deref().map(|path| ("BASTION_SHOT_PICTURE", path)));
    if webgpu {
        settings.push(("BASTION_SHOT_WEBGPU", Path::new("1")));
    }
    steps.run("screenshots", || browser.test(&dist, CPU_ONLY, "layout::", &settings))?;
    println!("The pictures are in {}.", out.display());
    Ok(())
}
