//! Lists, empties and copies folders.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Returns all files below a folder, sorted by path.
///
/// # Errors
/// If a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// Creates a folder, or empties it if it exists, and returns its absolute path.
///
/// # Errors
/// If the folder cannot be removed or created.
pub fn create_empty(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))
}

/// Copies all files below a folder into another folder, except for files below `left_out`.
///
/// # Errors
/// If a file cannot be read or written.
pub fn copy(from: &Path, to: &Path, left_out: Option<&Path>) -> Result<()> {
    for file in files(from)? {
        if left_out.is_some_and(|left_out| file.starts_with(left_out)) {
            continue;
        }
        let target = to.join(file.strip_prefix(from).context("a file outside of its folder")?);
        let folder = target.parent().context("a file without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::copy(&file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}
