//! Output on stdout: a command's result, and nothing else. Progress and warnings go to stderr.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

/// Prints `value` as one JSON object.
pub fn json(value: &impl Serialize) -> Result<()> {
    text(&serde_json::to_string_pretty(value)?)
}

/// Prints `text` and a newline.
pub fn text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
