//! What a set of attacked pictures says of itself, and those of its pictures that networks are shown.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use shared::attack::AttackConfig;

use super::{Cache, Split, ValSet};

/// How a set of attacked pictures was crafted from a clean one.
///
/// The training pictures lead away from what the source network sees in them (eq. 3 of the paper, which also avoids label
/// leaking), the validation pictures from their true class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crafted {
    /// Name of the network whose gradients were used.
    pub source: String,
    /// SHA-256 of its weights' file.
    pub weights_sha256: String,
    /// That of the clean data set.
    pub data_sha256: String,
    pub attack: AttackConfig,
}

/// The validation pictures of a crafted set, in the order of the clean ones: every network is shown these same pictures, as
/// in the paper.
pub struct CraftedVal {
    pub dir: PathBuf,
    pub made: Crafted,
    /// Of the crafted set itself, as in [`super::Dataset::sha256`].
    pub sha256: String,
    pub val: Split,
}

impl CraftedVal {
    /// Loads those of the crafted set in `dir`, which must be made from `clean`.
    ///
    /// # Errors
    /// When there is no crafted set in `dir`, it is damaged, or was crafted from another data set.
    pub fn load(dir: &Path, clean: &ValSet) -> Result<Self> {
        let cache = Cache::open(dir)?;
        let meta = cache.meta();
        let made = meta.crafted.clone().with_context(|| {
            format!("{} holds pictures that nobody attacked: give a set made by `bastion craft`", dir.display())
        })?;
        ensure!(
            made.data_sha256 == clean.sha256 && meta.classes == clean.classes,
            "{} was crafted from another data set (SHA-256 {}) than the clean one given (SHA-256 {}): name that one with \
             --data, or craft the set anew from this one",
            dir.display(),
            made.data_sha256,
            clean.sha256
        );
        let (sha256, val) = (meta.sha256.clone(), cache.val()?);
        // Picture for picture: distances and success compare the two.
        ensure!(val.labels == clean.val.labels, "{} is damaged: its labels are not the clean ones", dir.display());
        Ok(Self { dir: dir.to_path_buf(), made, sha256, val })
    }
}
