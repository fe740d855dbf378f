//! The record of an unfinished crafted set, or of parts of one: of which network, attack and data it is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::{Crafted, hex};
use crate::files::write_atomically;
use crate::kept::VERSION;
use crate::lock::Lock;

/// Name of the file in the folder.
pub(super) const PLAN: &str = "crafting.json";
/// Longest wait for another process that writes the same file.
const PATIENCE: Duration = Duration::from_secs(60);

/// The content of [`PLAN`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Version of Bastion that crafts: the random numbers of another one may differ.
    version: String,
    #[serde(flatten)]
    pub(super) crafted: Crafted,
}

impl Plan {
    pub(super) fn new(crafted: &Crafted) -> Self {
        Self { version: VERSION.into(), crafted: crafted.clone() }
    }

    /// Reads the plan of the folder `dir`.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(PLAN);
        let text = fs::read(&path).with_context(|| {
            format!("cannot read {}: a part is a folder that `bastion craft --shard` wrote", path.display())
        })?;
        serde_json::from_slice(&text).with_context(|| format!("{} cannot be understood", path.display()))
    }

    /// Returns the SHA-256 of a batch of pictures of this plan: the same pictures have another one in another plan, so that files of
    /// two sets are told apart in one folder too.
    ///
    /// # Errors
    /// When the plan has no form in JSON.
    pub(super) fn sum(&self, pictures: &[u8]) -> Result<String> {
        Ok(hex(Sha256::new().chain_update(serde_json::to_vec(self)?).chain_update(pictures).finalize()))
    }

    /// Claims the folder `dir` for the plan, or finds the same plan there. Several processes may do so at once.
    ///
    /// # Errors
    /// When `dir` has another plan, which stays; when it holds other files than those of a plan, or cannot be written.
    pub(super) fn take(&self, dir: &Path) -> Result<()> {
        let _lock =
            Lock::take_within(PATIENCE, dir.join("crafting.json.lock"), &format!("begins in {}", dir.display()))?;
        if dir.join(PLAN).exists() {
            let differs = Self::read(dir)?.differences(self);
            ensure!(
                differs.is_empty(),
                "another set was begun in {}, with another {}: go on with that one, or name another folder with --out",
                dir.display(),
                differs.join(" and another ")
            );
            return Ok(());
        }
        let context = || format!("cannot read {}", dir.display());
        for entry in fs::read_dir(dir).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            ensure!(
                name.to_string_lossy().ends_with(".lock"),
                "{} holds other things than parts of a crafted set ({}): name another folder with --out",
                dir.display(),
                name.display()
            );
        }
        write_atomically(&dir.join(PLAN), &serde_json::to_vec_pretty(self)?)
    }

    /// Names what differs in another plan.
    pub(super) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let (ours, theirs) = (&self.crafted, &other.crafted);
        let differs = [
            ("version of Bastion", self.version != other.version),
            ("network", ours.weights_sha256 != theirs.weights_sha256),
            ("data set", ours.data_sha256 != theirs.data_sha256),
            ("attack", ours.attack != theirs.attack),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect()
    }
}
