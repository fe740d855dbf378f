//! A line of a file of results, and the seal at its end, by which a line that was changed is found.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Key, plan};

/// A line of a file of results, as JSON. In the file a seal is its last field: a digest of the line so far.
#[derive(Serialize, Deserialize)]
pub(super) struct Line<V> {
    /// Digest of the plan.
    pub plan: String,
    /// Measurement of the value.
    pub of: Key,
    /// Time that the measurement took.
    pub seconds: f64,
    /// What was measured.
    pub value: V,
}

/// Begin and end of the seal of a line.
const SEAL: [&str; 2] = [",\"seal\":\"", "\"}"];

/// Returns the JSON of a line with its seal.
///
/// # Errors
/// When the text is no object.
pub(super) fn sealed(line: &str) -> Result<String> {
    let text = line.strip_suffix('}').context("a line is an object")?;
    Ok([text, SEAL[0], &plan::digest(text)?, SEAL[1]].concat())
}

/// Returns a line without its seal; `None` if it lacks the seal or was changed since.
pub(super) fn unsealed(line: &str) -> Option<String> {
    let (text, seal) = line.strip_suffix(SEAL[1])?.rsplit_once(SEAL[0])?;
    (plan::digest(text).ok()? == seal).then(|| text.to_owned() + "}")
}
