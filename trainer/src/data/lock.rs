//! A file that keeps every other process out of some work while it is held.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Held until dropped; the file goes away with it. The system lets go of it when the process is killed.
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// `None` when another process holds it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn take(path: PathBuf) -> Result<Option<Self>> {
        let context = || format!("cannot write {}", path.display());
        loop {
            let file = File::create(&path).with_context(context)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error).with_context(context),
            }
            // Whoever held it may have removed it between the two calls: then this is the lock of nothing.
            if is_at(&file, &path) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held; one that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether `path` still names `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => place(held) == place(named),
        _ => false,
    }
}

/// Whether `path` still names `file`: a system that removes no open file gives its name to no other.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &std::path::Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_lock_keeps_others_out_and_leaves_nothing() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(path.clone()).unwrap();
        assert!(held.is_some());
        assert!(Lock::take(path.clone()).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        assert!(Lock::take(path).unwrap().is_some());
    }

    /// A second process opens the file, then the first one lets go of it and a third one makes a new one of that name.
    #[cfg(unix)]
    #[test]
    fn a_file_that_lost_its_name_is_no_lock() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("lock");
        let second = File::create(&path).unwrap();
        assert!(is_at(&second, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&second, &path));
        let _third = File::create(&path).unwrap();
        assert!(!is_at(&second, &path));
    }
}
