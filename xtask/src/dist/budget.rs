//! Bytes over the wire of a visit, file by file, and their budgets.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{address_of, bytes, human};
use crate::page::{self, folder::files};
use crate::server::encoding::{BROTLI, GZIP};

/// Budget of the page and its program, without the engine, in bytes as sent. The page appears once these are loaded.
const APP_LIMIT: u64 = 250_000;
/// Budget of the engine for the CPU, which is all that a browser without an adapter loads.
const CPU_ENGINE_LIMIT: u64 = 800_000;
/// Budget of the engine for WebGPU, which loads while the visitor reads.
const GPU_ENGINE_LIMIT: u64 = 2_500_000;
/// Budget of the decoder, which loads beside the engine and has to be there before the first picture is seen.
const DECODER_LIMIT: u64 = 300_000;
/// Budget of each of the two default networks.
const NETWORK_LIMIT: u64 = 8_000_000;

/// The parts of a visit with their sizes and budgets; displayed as a table.
pub struct Budgets(Vec<Budget>);

struct Budget {
    part: String,
    bytes: u64,
    limit: u64,
}

impl Budgets {
    /// Measures a built folder, with its compressed copies.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn of(out: &Path) -> Result<Self> {
        let (mut app, mut cpu_engine, mut gpu_engine, mut decoder) = (0, 0, 0, 0);
        for file in originals(out)? {
            let address = address_of(&file, out)?;
            let is_program = [".html", ".js", ".css", ".wasm"].iter().any(|ending| address.ends_with(ending));
            if is_program && !address.contains('/') {
                let part = match address.split(['-', '_', '.']).next() {
                    Some("cpu") => &mut cpu_engine,
                    Some("gpu") => &mut gpu_engine,
                    Some("decoder") => &mut decoder,
                    _ => &mut app,
                };
                *part += sent_bytes(&file)?;
            }
        }
        let mut budgets = vec![
            Budget { part: "page and app".into(), bytes: app, limit: APP_LIMIT },
            Budget { part: "engine for the CPU".into(), bytes: cpu_engine, limit: CPU_ENGINE_LIMIT },
            Budget { part: "engine for WebGPU".into(), bytes: gpu_engine, limit: GPU_ENGINE_LIMIT },
            Budget { part: "decoder".into(), bytes: decoder, limit: DECODER_LIMIT },
        ];
        for name in page::first_models(&out.join("models")) {
            let network = out.join("models").join(&name);
            let bytes = originals(&network)?.iter().map(|file| sent_bytes(file)).sum::<Result<u64>>()?;
            budgets.push(Budget { part: format!("network {name}"), bytes, limit: NETWORK_LIMIT });
        }
        Ok(Self(budgets))
    }

    /// Returns a sentence for each part that is over its budget.
    pub fn overruns(&self) -> Vec<String> {
        let over = self.0.iter().filter(|budget| budget.bytes > budget.limit);
        over.map(|budget| {
            let Budget { part, bytes, limit } = budget;
            format!("{part}: {} over the wire, which is more than the {} allowed", human(*bytes), human(*limit))
        })
        .collect()
    }
}

impl Display for Budgets {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|budget| budget.part.chars().count()).max().unwrap_or(0);
        for Budget { part, bytes, limit } in &self.0 {
            let mark = if bytes > limit { "  OVER" } else { "" };
            writeln!(f, "{part:width$}  {:>9} of {:>9}{mark}", human(*bytes), human(*limit))?;
        }
        Ok(())
    }
}

/// Returns the files below a folder without their compressed copies.
fn originals(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_copy = |file: &PathBuf| {
        let name = file.to_string_lossy();
        [BROTLI, GZIP].iter().any(|encoding| name.ends_with(encoding.suffix))
    };
    Ok(files(folder)?.into_iter().filter(|file| !is_copy(file)).collect())
}

/// Returns the bytes of a file as a server with Brotli sends it.
fn sent_bytes(file: &Path) -> Result<u64> {
    let copy = BROTLI.copy_of(file);
    bytes(if copy.is_file() { &copy } else { file })
}

/// Returns a table of file sizes, uncompressed and compressed, with a line for each file and one for the total.
///
/// # Errors
/// If the folder cannot be read.
pub fn table(out: &Path) -> Result<String> {
    let mut rows = Vec::new();
    let mut total = [0; 3];
    for file in originals(out)? {
        let raw = bytes(&file)?;
        let compressed = |copy: PathBuf| if copy.is_file() { bytes(&copy).map(Some) } else { Ok(None) };
        let (gzip, brotli) = (compressed(GZIP.copy_of(&file))?, compressed(BROTLI.copy_of(&file))?);
        for (sum, size) in total.iter_mut().zip([raw, gzip.unwrap_or(raw), brotli.unwrap_or(raw)]) {
            *sum += size;
        }
        rows.push((address_of(&file, out)?, [Some(raw), gzip, brotli]));
    }
    rows.push(("total".to_owned(), total.map(Some)));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut table = format!("{:width$}  {:>9}  {:>9}  {:>9}\n", "file", "raw", "gzip", "brotli");
    for (name, sizes) in rows {
        let [raw, gzip, brotli] = sizes.map(|size| size.map_or_else(|| "-".to_owned(), human));
        table += &format!("{name:width$}  {raw:>9}  {gzip:>9}  {brotli:>9}\n");
    }
    Ok(table)
}
