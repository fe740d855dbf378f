//! `index.json`, the page's list of networks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use shared::index::{INDEX_FILE, Index, is_folder_name};

use crate::error::UsageError;
use crate::files::write_atomically;

/// The entry of a network in the `index.json` beside its folder.
pub struct Listing {
    file: PathBuf,
    index: Index,
    name: String,
}

impl Listing {
    /// Returns the entry for the network in `dir`; `None` where there is no `index.json` beside it, and so no page.
    ///
    /// # Errors
    /// When the page would refuse the folder's name, or the file is damaged.
    pub fn of(dir: &Path) -> Result<Option<Self>> {
        let dir = std::path::absolute(dir)?;
        let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return Ok(None) };
        let file = parent.join(INDEX_FILE);
        if !file.is_file() {
            return Ok(None);
        }
        let name = name.to_string_lossy().into_owned();
        ensure!(
            is_folder_name(&name),
            UsageError(format!(
                "the page takes folders whose names are of letters, digits, '-', '_' and '.' alone, and not '{name}': name \
                 another with --out"
            ))
        );
        let json = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let index = Index::from_json(&json)
            .map_err(|error| anyhow!("{} is damaged: it lists folders: {error}", file.display()))?;
        Ok(Some(Self { file, index, name }))
    }

    /// Adds the network to the file, and returns whether it was not listed before.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(mut self) -> Result<bool> {
        if self.index.models.contains(&self.name) {
            return Ok(false);
        }
        self.index.models.push(self.name);
        write_atomically(&self.file, &self.index.to_json())?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_network_is_listed_once_and_after_the_others() {
        let dir = TempDir::new().unwrap();
        let (file, wide) = (dir.path().join("index.json"), dir.path().join("wide"));
        assert!(Listing::of(&wide).unwrap().is_none() && !file.exists());
        let add = |dir: &Path| Listing::of(dir)?.unwrap().add();
        fs::write(&file, r#"{"models": ["standard", "hardened"]}"#).unwrap();
        assert!(add(&wide).unwrap() && !add(&wide).unwrap());
        let index = Index::from_json(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(index.models, ["standard", "hardened", "wide"]);
        for name in ["my network", ".hidden", "größer"] {
            let error = add(&dir.path().join(name)).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        fs::write(&file, "[]").unwrap();
        let error = format!("{:#}", add(&wide).unwrap_err());
        assert!(error.contains("index.json is damaged"), "{error}");
    }
}
