//! Reading and writing of files of any kind.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Opens a file for reading, and returns it with its size. Pipes and devices are refused: they may wait, or go on, for ever.
///
/// # Errors
/// When the file cannot be opened, or is none.
pub fn open_regular(path: &Path) -> Result<(File, u64)> {
    let context = || format!("cannot read {}", path.display());
    let meta = fs::metadata(path).with_context(context)?;
    ensure!(!meta.is_dir(), "{} is a folder, and a file is asked for", path.display());
    ensure!(
        meta.is_file(),
        "{} is a pipe or a device, and not a file: save what comes from it to a file, and give that",
        path.display()
    );
    Ok((File::open(path).with_context(context)?, meta.len()))
}

/// Reads a file of up to `limit` bytes; of a larger one the first `limit + 1`, by which it is known.
///
/// # Errors
/// Under the conditions of [`open_regular`], or when the file cannot be read.
pub fn read_up_to(limit: usize, path: &Path) -> Result<Vec<u8>> {
    let (file, bytes) = open_regular(path)?;
    let mut read = Vec::with_capacity(limit.min(bytes as usize) + 1);
    let context = || format!("cannot read {}", path.display());
    file.take(limit as u64 + 1).read_to_end(&mut read).with_context(context)?;
    Ok(read)
}

/// Writes a file whole or not at all.
///
/// # Errors
/// When the disk is full or the folder not writable; an older file of that name is then unharmed.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let Some(dir) = path.parent() else { bail!("{} names no file", path.display()) };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let context = || format!("cannot write {}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(context)?;
    file.write_all(content).with_context(context)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is private, the finished one is not.
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644)).with_context(context)?;
    }
    file.as_file().sync_all().with_context(context)?;
    file.persist(path).with_context(context)?;
    // Else a power cut may undo the new name. Some file systems cannot do this, and need not.
    #[cfg(unix)]
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}
