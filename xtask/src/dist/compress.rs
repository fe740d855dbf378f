//! Compressed copies beside the files, so that no server has to compress anything, and copies are as small as can be.

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

/// File endings of text and programs. Pictures are compressed already, and weights are nearly random.
const COMPRESSIBLE: [&str; 8] = ["css", "html", "js", "json", "svg", "txt", "wasm", "webmanifest"];

/// Base-2 logarithm of Brotli's window, the largest of RFC 7932: 2^24 bytes span nearly all of the engine.
const WINDOW: i32 = 24;

/// Writes a Brotli and a gzip copy of each of `files` that becomes smaller.
///
/// # Errors
/// If a file cannot be read or a copy cannot be written.
pub fn all(files: &[PathBuf], effort: Effort) -> Result<()> {
    let is_compressible = |file: &&PathBuf| {
        file.extension().is_some_and(|extension| COMPRESSIBLE.iter().any(|known| extension.eq_ignore_ascii_case(known)))
    };
    let jobs: Vec<_> = files.iter().filter(is_compressible).flat_map(|file| [(file, BROTLI), (file, GZIP)]).collect();
    let written: usize = jobs.par_iter().map(|(file, encoding)| copy(file, *encoding, effort)).sum::<Result<_>>()?;
    println!("    {written} copies");
    Ok(())
}

/// Writes one copy and returns 1; removes the copy and returns 0 if it is no smaller than the file.
fn copy(file: &Path, encoding: Encoding, effort: Effort) -> Result<usize> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let target = encoding.copy_of(file);
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
