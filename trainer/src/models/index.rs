//! `index.json`, from which the page knows what networks there are.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::error::UsageError;
use crate::run_dir::write_atomically;

/// The folders beside it that hold networks. The page shows the first two of them side by side.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    models: Vec<String>,
}

/// Adds the network in `dir` to the `index.json` that stands beside its folder; whether it was new there. Where there is no
/// such file, no page looks for networks.
///
/// # Errors
/// When the page would not take the folder's name, or the file is damaged or cannot be written.
pub fn add_to_index(dir: &Path) -> Result<bool> {
    let dir = std::path::absolute(dir)?;
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return Ok(false) };
    let file = parent.join("index.json");
    if !file.is_file() {
        return Ok(false);
    }
    let name = name.to_string_lossy().into_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ensure!(
        !name.starts_with('.') && name.chars().all(is_plain),
        UsageError(format!(
            "the page takes folders whose names are of letters, digits, '-', '_' and '.' alone, and not '{name}': name \
             another with --out"
        ))
    );
    let json = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut index: Index =
        serde_json::from_slice(&json).with_context(|| format!("{} is damaged: it lists folders", file.display()))?;
    if index.models.contains(&name) {
        return Ok(false);
    }
    index.models.push(name);
    let mut json = serde_json::to_vec_pretty(&index)?;
    json.push(b'\n');
    write_atomically(&file, &json)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_network_is_listed_once_and_after_the_others() {
        let dir = TempDir::new().unwrap();
        let (file, wide) = (dir.path().join("index.json"), dir.path().join("wide"));
        assert!(!add_to_index(&wide).unwrap() && !file.exists());
        fs::write(&file, r#"{"models": ["standard", "hardened"]}"#).unwrap();
        assert!(add_to_index(&wide).unwrap() && !add_to_index(&wide).unwrap());
        let index: Index = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(index.models, ["standard", "hardened", "wide"]);
        for name in ["my network", ".hidden", "größer"] {
            let error = add_to_index(&dir.path().join(name)).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        fs::write(&file, "[]").unwrap();
        let error = format!("{:#}", add_to_index(&wide).unwrap_err());
        assert!(error.contains("index.json is damaged"), "{error}");
    }
}
