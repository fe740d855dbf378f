//! A lock file, which one process at a time can hold.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// A lock, held until dropped, when its file is removed. The system releases the lock of a killed process.
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock of the file `path`; `None` when another process holds it.
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
            // Its last holder may have removed the file between the two calls: then this lock excludes nobody.
            if is_at(&file, &path) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed before the lock is released. A file that cannot be removed does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns whether `path` still names `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => place(held) == place(named),
        _ => false,
    }
}

/// Returns whether `path` still names `file`: always, on a system that cannot remove an open file.
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

    /// A second process opens the file, then the first one releases the lock and a third one creates a new file of that name.
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
