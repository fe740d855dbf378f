//! A lock file, which one process at a time can hold, and which names the process.

use std::fmt::{self, Display};
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

/// A lock, held until dropped, when its file is removed. The system releases the lock of a killed process, whose file is then
/// taken over.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock of the file `path`.
    ///
    /// # Errors
    /// When the file cannot be written, or another process holds the lock: the error is that process and `does`, such as
    /// `another process (PID 7, since Fri, 27 Nov 2026 00:53:37 GMT) trains in runs/standard`, and what to do.
    pub fn take(path: PathBuf, does: &str) -> Result<Self> {
        Self::take_within(Duration::ZERO, path, does)
    }

    /// Takes the lock of the file `path`, and waits for up to `patience` until another process releases it.
    ///
    /// # Errors
    /// Under the conditions of [`Lock::take`].
    pub fn take_within(patience: Duration, path: PathBuf, does: &str) -> Result<Self> {
        const PAUSE: Duration = Duration::from_millis(50);
        let context = || format!("cannot write {}", path.display());
        let began = Instant::now();
        loop {
            // Not truncated: the file may name the process that holds the lock.
            let open = File::options().create(true).read(true).write(true).truncate(false).open(&path);
            let mut file = open.with_context(context)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if began.elapsed() < patience => {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    bail!("{} {does}: wait until it has ended, or stop it", Holder::read(&mut file))
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(context),
            }
            // Its last holder may have removed the file between the two calls: then this lock excludes nobody.
            if is_at(&file, &path) {
                let named = file.set_len(0).and_then(|()| file.write_all(Holder::this().as_bytes()));
                // Dropped where the disk is full, so that no empty file is left.
                let lock = Self { path: path.clone(), _file: file };
                named.with_context(context)?;
                return Ok(lock);
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

/// The process that holds a lock, as far as the file names it.
struct Holder(Option<(u32, SystemTime)>);

impl Holder {
    /// Returns the text by which a lock file names this process: its number and the time.
    fn this() -> String {
        format!("{}\n{}\n", std::process::id(), httpdate::fmt_http_date(SystemTime::now()))
    }

    fn read(file: &mut File) -> Self {
        let mut text = String::new();
        // A file that cannot be read names nobody; longer than this is none of Bastion's.
        let _ = file.take(100).read_to_string(&mut text);
        let parsed = |text: &str| {
            let (id, since) = text.split_once('\n')?;
            Some((id.parse().ok()?, httpdate::parse_http_date(since.trim()).ok()?))
        };
        Self(parsed(&text))
    }
}

impl Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((id, since)) => {
                write!(formatter, "another process (PID {id}, since {})", httpdate::fmt_http_date(since))
            }
            None => formatter.write_str("another process"),
        }
    }
}

/// Returns whether `path` still names `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => place(held) == place(named),
        _ => false,
    }
}

/// Returns whether `path` still names `file`: always, on a system that cannot remove an open file.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_lock_keeps_others_out_names_its_process_and_leaves_nothing() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(path.clone(), "trains in x").unwrap();
        for _ in 0..2 {
            let error = Lock::take(path.clone(), "trains in x").unwrap_err().to_string();
            let named = format!("another process (PID {}, since ", std::process::id());
            assert!(error.starts_with(&named) && error.contains(" GMT) trains in x: wait"), "{error}");
        }
        drop(held);
        assert!(!path.exists());
        drop(Lock::take(path, "trains in x").unwrap());
    }

    /// A process that was killed leaves its file, and the system has released its lock.
    #[test]
    fn the_lock_of_a_dead_process_is_taken_over() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("lock");
        for left in [
            "",
            "4194303\nFri, 27 Nov 2026 00:53:37 GMT\n",
            "a text that is much longer than the new one".repeat(9).as_str(),
        ] {
            fs::write(&path, left).unwrap();
            let _held = Lock::take(path.clone(), "trains in x").unwrap();
            assert_eq!(
                fs::read_to_string(&path).unwrap().lines().next(),
                Some(std::process::id().to_string().as_str())
            );
        }
    }

    #[test]
    fn a_holder_that_ends_soon_is_waited_for() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(path.clone(), "trains in x").unwrap();
        let ends = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(120));
            drop(held);
        });
        Lock::take_within(Duration::from_secs(60), path, "trains in x").unwrap();
        ends.join().unwrap();
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
