//! SHA-256, as lower-case hex.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

/// `bytes` as hex digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of the file `path`; `bar` moves on by what was read.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_of_file(path: &Path, bar: &ProgressBar) -> Result<String> {
    let context = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(context)?;
    let mut hash = Sha256::new();
    io::copy(&mut BufReader::with_capacity(1 << 20, bar.wrap_read(file)), &mut Hasher(&mut hash))
        .with_context(context)?;
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
