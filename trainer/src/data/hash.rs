//! SHA-256, as lower-case hex.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::progress::Task;

/// Returns `bytes` as lower-case hex digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the SHA-256 of the file `path`; `task` advances by the bytes that were read.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_of_file(path: &Path, task: Option<&Task>) -> Result<String> {
    let context = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(context)?;
    let mut hash = Sha256::new();
    let mut file: Box<dyn Read> = match task {
        Some(task) => Box::new(task.reader(file)),
        None => Box::new(file),
    };
    io::copy(&mut BufReader::with_capacity(1 << 20, &mut file), &mut Hasher(&mut hash)).with_context(context)?;
    Ok(hex(hash.finalize()))
}

struct Hasher<'a>(&'a mut Sha256);

impl Write for Hasher<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
