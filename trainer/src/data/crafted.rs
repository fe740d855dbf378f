//! The record of how a set of attacked pictures was crafted, and its validation pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use shared::attack::AttackConfig;

use super::{Cache, Split, ValSet};

/// The source network, data set and attack of a crafted set.
///
/// The training pictures are attacked away from the class that the source network predicts (eq. 3 of the paper, which also
/// avoids label leaking), the validation pictures away from their true class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crafted {
    /// Name of the network whose gradients were used.
    pub source: String,
    /// SHA-256 of the file with the network's weights.
    pub weights_sha256: String,
    /// SHA-256 of the clean data set.
    pub data_sha256: String,
    /// The attack's settings.
    pub attack: AttackConfig,
}

/// The validation pictures of a crafted set, in the order of the clean ones: every network is measured on the same ones, as
/// in the paper.
pub struct CraftedVal {
    /// Folder of the crafted set.
    pub dir: PathBuf,
    /// The network and attack that crafted the set.
    pub made: Crafted,
    /// SHA-256 of the crafted set, as in [`super::Dataset::sha256`].
    pub sha256: String,
    /// The attacked pictures.
    pub val: Split,
}

impl CraftedVal {
    /// Loads the validation pictures of the crafted set in `dir`, which must be made from `clean`.
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
        // Distances and success rates compare clean and attacked pictures one by one.
        ensure!(val.labels == clean.val.labels, "{} is damaged: its labels are not the clean ones", dir.display());
        Ok(Self { dir: dir.to_path_buf(), made, sha256, val })
    }
}
