//! Writing of files of any kind.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Writes a file whole or not at all.
///
/// # Errors
/// When the disk is full or the folder not writable; an older file of that name is then unharmed.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let Some(dir) = path.parent() else { bail!("{} names no file", path.display()) };
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
    Ok(())
}
