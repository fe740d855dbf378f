//! From the official files to the cache, or to nothing: a failed or killed import leaves no half-written cache.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{Meta, cache, source};
use crate::progress::Stop;

/// How [`import()`] goes about what is unusual.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Take the official classes with fewer pictures than the official ones.
    pub partial: bool,
    /// Replace a data set that is already there.
    pub force: bool,
}

/// Imports the data set at `path` (a folder, `.tar`, `.tar.zst` or `.zip` in Tiny ImageNet's layout) into the folder
/// `out`, and returns what came of it, with warnings for the user.
///
/// Everything is written to a folder beside `out` that takes its name at the very end.
///
/// # Errors
/// Says what is wrong with the data set, and names up to ten of the files concerned; or what could not be written; or that it
/// was to stop.
pub fn import(path: &Path, out: &Path, options: ImportOptions, stop: &Stop) -> Result<(Meta, Vec<String>)> {
    check_destination(out, options.force)?;
    let layout = source::read(path, stop)?
        .arrange(options.partial)
        .with_context(|| format!("cannot import {}", path.display()))?;
    let warnings = layout.warnings.clone();
    let name = fs::canonicalize(path)?.file_name().unwrap_or_default().to_string_lossy().into_owned();

    let staging = Staging::create(out)?;
    let meta =
        cache::write(&staging.dir, layout, name, stop).with_context(|| format!("cannot import {}", path.display()))?;
    staging.publish(out)?;
    Ok((meta, warnings))
}

/// Makes sure that `out` is free, or holds an imported data set and nothing else and may be replaced by `force`.
///
/// # Errors
/// Says what is in the way.
pub fn check_destination(out: &Path, force: bool) -> Result<()> {
    let context = || format!("cannot write to {}", out.display());
    let entries = match fs::read_dir(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.with_context(context)?,
    };
    let mut empty = true;
    for entry in entries {
        let name = entry.with_context(context)?.file_name();
        ensure!(
            cache::is_file_of(&name),
            "{} holds other things than an imported data set ({}); name another folder with --out",
            out.display(),
            name.display()
        );
        empty = false;
    }
    ensure!(empty || force, "there is a data set in {} already; give --force to replace it", out.display());
    Ok(())
}

/// The folder beside the destination that is written to; goes away with the value unless published.
struct Staging {
    dir: PathBuf,
    /// Held while writing, so that two imports into one place cannot mix. The system drops it with a killed process.
    lock: Option<File>,
    published: bool,
}

impl Staging {
    fn create(out: &Path) -> Result<Self> {
        let dir = beside(out, "importing")?;
        let context = || format!("cannot write to {}", dir.display());
        fs::create_dir_all(&dir).with_context(context)?;
        let lock = File::create(dir.join("lock")).with_context(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another import into {} is running", out.display()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        // What a killed import left behind.
        for entry in fs::read_dir(&dir).with_context(context)? {
            let path = entry.with_context(context)?.path();
            if path.file_name().is_some_and(|name| name != "lock") {
                fs::remove_file(path).with_context(context)?;
            }
        }
        Ok(Self { dir, lock: Some(lock), published: false })
    }

    fn publish(mut self, out: &Path) -> Result<()> {
        let context = || format!("cannot move {} to {}", self.dir.display(), out.display());
        // Closed first: Windows moves no folder with open files in it.
        self.lock = None;
        fs::remove_file(self.dir.join("lock")).with_context(context)?;
        if out.exists() {
            let old = beside(out, "replaced")?;
            if old.exists() {
                fs::remove_dir_all(&old).with_context(context)?;
            }
            fs::rename(out, &old).with_context(context)?;
            fs::rename(&self.dir, out).with_context(context)?;
            self.published = true;
            fs::remove_dir_all(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        } else {
            fs::rename(&self.dir, out).with_context(context)?;
            self.published = true;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.lock = None;
        if !self.published {
            // The error that led here is the one to tell, not one of tidying up after it.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// `name.suffix` in the folder of `out`.
fn beside(out: &Path, suffix: &str) -> Result<PathBuf> {
    let mut name: OsString = out.file_name().with_context(|| format!("{} has no name", out.display()))?.into();
    name.push(format!(".{suffix}"));
    Ok(out.with_file_name(name))
}
