//! Compressed copies beside the files, so that no server has to compress anything, and none compresses less than it could.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use super::{Effort, bytes};
use crate::server::encoding::{BROTLI, Encoding, GZIP};

/// Text and programs. Pictures are compressed already, and weights are as good as random.
const WORTH_IT: [&str; 8] = ["css", "html", "js", "json", "svg", "txt", "wasm", "webmanifest"];

/// The largest window of the standard (RFC 7932), 2^24 bytes: it spans nearly all of the engine.
const WINDOW: i32 = 24;

/// Writes both copies of each of `files` that gets smaller.
///
/// # Errors
/// If a file cannot be read or a copy not be written.
pub fn all(files: &[PathBuf], effort: Effort) -> Result<()> {
    let worth_it = |file: &&PathBuf| {
        file.extension().is_some_and(|extension| WORTH_IT.iter().any(|known| extension.eq_ignore_ascii_case(known)))
    };
    let jobs: Vec<_> = files.iter().filter(worth_it).flat_map(|file| [(file, BROTLI), (file, GZIP)]).collect();
    let written: usize = jobs.par_iter().map(|(file, encoding)| copy(file, *encoding, effort)).sum::<Result<_>>()?;
    println!("    {written} copies");
    Ok(())
}

/// Writes one copy; gives how many there are now, none if it is no smaller.
fn copy(file: &Path, encoding: Encoding, effort: Effort) -> Result<usize> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let target = encoding.beside(file);
    let failed = || format!("cannot write {}", target.display());
    let mut output = File::create(&target).with_context(failed)?;
    if encoding == BROTLI {
        let quality = if effort == Effort::Thorough { 11 } else { 5 };
        let settings = BrotliEncoderParams { quality, lgwin: WINDOW, size_hint: content.len(), ..Default::default() };
        brotli::BrotliCompress(&mut content.as_slice(), &mut output, &settings).with_context(failed)?;
    } else {
        let level = if effort == Effort::Thorough { Compression::best() } else { Compression::fast() };
        let mut writer = GzEncoder::new(output, level);
        writer.write_all(&content).and_then(|()| writer.finish().map(drop)).with_context(failed)?;
    }
    if bytes(&target)? < content.len() as u64 {
        return Ok(1);
    }
    fs::remove_file(&target).with_context(failed)?;
    Ok(0)
}
