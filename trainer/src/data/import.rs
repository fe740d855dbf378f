//! The import of a data set's files into a cache. A failed or killed import leaves no half-written cache.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::error::BadSource;
use super::{Meta, cache, source, write};
use crate::error::UsageError;
use crate::files::open_regular;
use crate::lock::Lock;
use crate::progress::{Progress, Stop};

/// The options of [`import()`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Accept the official classes with fewer pictures than the official counts.
    pub partial: bool,
    /// Replace a data set that is already there.
    pub force: bool,
}

/// Imports the data set at `path` (a folder, `.tar`, `.tar.gz`, `.tar.zst` or `.zip` in Tiny ImageNet's layout) into the folder
/// `out`, and returns the content of `meta.json` with warnings for the user.
///
/// All files are written to a folder beside `out`, which is renamed to `out` at the end.
///
/// # Errors
/// [`BadSource`] that names up to ten of the files that are wrong; others when something cannot be written or a stop was
/// requested.
pub fn import(
    path: &Path,
    out: &Path,
    options: ImportOptions,
    progress: &Progress,
    stop: &Stop,
) -> Result<(Meta, Vec<String>)> {
    if !path.is_dir() {
        open_regular(path)?;
    }
    let source = fs::canonicalize(path).with_context(|| format!("cannot read {}", path.display()))?;
    let out = &without_end(out)?;
    let staging = Staging::create(out)?;
    // Checked under the lock, so that no other import can change `out` afterwards.
    check_destination(out, options.force)?;
    let cannot = || format!("cannot import {}", path.display());
    let layout = source::read(path, progress, stop).map_err(BadSource::from_error)?;
    let layout = layout.arrange(options.partial).map_err(BadSource::from_error).with_context(cannot)?;
    let warnings = layout.warnings.clone();
    let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let meta = write::write(&staging.dir, layout, name, progress, stop).with_context(cannot)?;
    staging.publish(out)?;
    Ok((meta, warnings))
}

/// Checks that `out` is free, or holds an imported data set and nothing else and may be replaced by `force`.
///
/// # Errors
/// Names the files in the way.
pub fn check_destination(out: &Path, force: bool) -> Result<()> {
    let out = &without_end(out)?;
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

/// A temporary folder beside the destination, removed on drop unless it was published.
pub(super) struct Staging {
    pub(super) dir: PathBuf,
    /// Held until the folder has its final name, so that two imports into one place cannot mix.
    _lock: Lock,
}

impl Staging {
    /// Creates the folder, in place of one that a killed import has left.
    ///
    /// # Errors
    /// When another process writes to `out`, or the disk cannot be written to.
    pub(super) fn create(out: &Path) -> Result<Self> {
        let dir = beside(out, "importing")?;
        let context = || format!("cannot write to {}", dir.display());
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).with_context(context)?;
        }
        let lock = Lock::take(beside(out, "importing.lock")?, &format!("imports into {}", out.display()))?;
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(context)?;
        }
        fs::create_dir(&dir).with_context(context)?;
        Ok(Self { dir, _lock: lock })
    }

    /// Renames the folder to `out`, in place of an older `out`.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub(super) fn publish(self, out: &Path) -> Result<()> {
        let context = || format!("cannot move {} to {}", self.dir.display(), out.display());
        let old = beside(out, "replaced")?;
        if out.exists() {
            if old.exists() {
                fs::remove_dir_all(&old).with_context(context)?;
            }
            fs::rename(out, &old).with_context(context)?;
        }
        fs::rename(&self.dir, out).with_context(context)?;
        if old.exists() {
            fs::remove_dir_all(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // A published folder is gone already. An error here would hide the one that led here.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Returns the path of `out` with `.suffix` appended to its name.
///
/// # Errors
/// When `out` has no name, as `.` and `..` have none.
pub fn beside(out: &Path, suffix: &str) -> Result<PathBuf> {
    let mut name: OsString = name(out)?.into();
    name.push(format!(".{suffix}"));
    Ok(out.with_file_name(name))
}

/// Returns `out` without a slash or a dot at its end.
pub(super) fn without_end(out: &Path) -> Result<PathBuf> {
    Ok(out.with_file_name(name(out)?))
}

fn name(out: &Path) -> Result<&OsStr> {
    let nameless = || format!("a data set cannot be put into '{}': give the folder by its own name", out.display());
    out.file_name().ok_or_else(|| UsageError(nameless()).into())
}
