//! What a visit costs over the wire, file by file, and what it may cost.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{address_of, bytes, human};
use crate::page::{self, folder::files};
use crate::server::encoding::{BROTLI, GZIP};

/// Page and program, without the engine; bytes as they are sent. The page shows itself after these.
const APP: u64 = 250_000;
/// The engine, which loads while the visitor reads.
const ENGINE: u64 = 2_500_000;
/// Each of the two networks that come first.
const NETWORK: u64 = 8_000_000;

/// Parts of a visit beside what they may cost.
pub struct Budgets(Vec<Budget>);

struct Budget {
    what: String,
    bytes: u64,
    limit: u64,
}

impl Budgets {
    /// Of a folder that has its compressed copies.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(out: &Path) -> Result<Self> {
        let (mut app, mut engine) = (0, 0);
        for file in originals(out)? {
            let address = address_of(&file, out)?;
            let is_program = [".html", ".js", ".css", ".wasm"].iter().any(|ending| address.ends_with(ending));
            if is_program && !address.contains('/') {
                *if address.starts_with("engine") { &mut engine } else { &mut app } += sent(&file)?;
            }
        }
        let mut budgets = vec![
            Budget { what: "page and app".into(), bytes: app, limit: APP },
            Budget { what: "engine".into(), bytes: engine, limit: ENGINE },
        ];
        for name in page::first_models(&out.join("models")) {
            let network = out.join("models").join(&name);
            let bytes = originals(&network)?.iter().map(|file| sent(file)).sum::<Result<u64>>()?;
            budgets.push(Budget { what: format!("network {name}"), bytes, limit: NETWORK });
        }
        Ok(Self(budgets))
    }

    /// A sentence for each part that costs more than it may.
    pub fn overruns(&self) -> Vec<String> {
        let over = self.0.iter().filter(|budget| budget.bytes > budget.limit);
        over.map(|budget| {
            let Budget { what, bytes, limit } = budget;
            format!("{what}: {} over the wire, which is more than the {} allowed", human(*bytes), human(*limit))
        })
        .collect()
    }
}

impl Display for Budgets {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|budget| budget.what.chars().count()).max().unwrap_or(0);
        for Budget { what, bytes, limit } in &self.0 {
            let mark = if bytes > limit { "  OVER" } else { "" };
            writeln!(f, "{what:width$}  {:>9} of {:>9}{mark}", human(*bytes), human(*limit))?;
        }
        Ok(())
    }
}

/// The files below a folder without their compressed copies.
fn originals(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_copy = |file: &PathBuf| {
        let name = file.to_string_lossy();
        [BROTLI, GZIP].iter().any(|encoding| name.ends_with(encoding.suffix))
    };
    Ok(files(folder)?.into_iter().filter(|file| !is_copy(file)).collect())
}

/// The bytes of a file as a server with Brotli sends it.
fn sent(file: &Path) -> Result<u64> {
    let copy = BROTLI.beside(file);
    bytes(if copy.is_file() { &copy } else { file })
}

/// A line for each file with its size as it is and compressed, and one for all of them.
///
/// # Errors
/// If the folder cannot be read.
pub fn table(out: &Path) -> Result<String> {
    let mut rows = Vec::new();
    let mut total = [0; 3];
    for file in originals(out)? {
        let raw = bytes(&file)?;
        let compressed = |copy: PathBuf| if copy.is_file() { bytes(&copy).map(Some) } else { Ok(None) };
        let (gzip, brotli) = (compressed(GZIP.beside(&file))?, compressed(BROTLI.beside(&file))?);
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
