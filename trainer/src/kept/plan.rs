//! What a folder of results was begun for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::attack::in_255ths;
use shared::bundle::Bundle;

use crate::evaluate::report::CraftedReport;
use crate::evaluate::{Origins, Trial};
use crate::experiment::plan::Plan;
use crate::lock::Lock;

/// Everything that results depend on, and all that a report needs besides them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPlan {
    /// Version of Bastion.
    pub version: String,
    /// The command, without folders.
    pub command: String,
    /// SHA-256 of the data set, or `made`.
    pub data: String,
    /// Number of images that are measured.
    pub images: usize,
    /// Number of images of the set, of which those that are measured are spread over all classes.
    pub images_of_set: usize,
    /// The networks.
    pub models: Vec<PlannedModel>,
    /// What is measured on them.
    pub work: Work,
}

/// A network that is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedModel {
    /// Folder of the network.
    pub dir: PathBuf,
    /// Name of the network.
    pub name: String,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// Standard deviation that the network normalises by.
    pub std: [f32; 3],
    /// Number of classes.
    pub classes: usize,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Accuracies, by `bastion evaluate`.
    Evaluate {
        /// The trials.
        trials: Vec<Trial>,
        /// The crafted sets that trials show.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        crafted: Vec<CraftedReport>,
    },
    /// The checks of an evaluation, by `bastion check`.
    Check {
        /// Radius of the attacks, pixel units.
        epsilon: f32,
        /// Images of the commonest class.
        commonest: usize,
    },
}

impl Work {
    /// Returns whether the same is measured, wherever crafted sets lie.
    fn is_same(&self, other: &Self) -> bool {
        self.without_folders() == other.without_folders()
    }

    fn without_folders(&self) -> Self {
        let mut work = self.clone();
        if let Self::Evaluate { crafted, .. } = &mut work {
            crafted.iter_mut().for_each(|set| set.dir = PathBuf::new());
        }
        work
    }
}

impl PlannedModel {
    /// Describes the network in the folder `dir`.
    pub fn new(dir: &Path, Bundle { card, .. }: &Bundle) -> Self {
        Self {
            dir: dir.to_path_buf(),
            name: card.name.clone(),
            weights_sha256: card.weights.sha256.clone(),
            std: card.std,
            classes: card.classes.len(),
        }
    }
}

impl KeptPlan {
    /// Returns the names and deviations that scores are written with.
    pub fn origins(&self) -> Origins<'_> {
        let crafted = match &self.work {
            Work::Evaluate { crafted, .. } => crafted.iter().map(|set| (&set.made, set.sha256.as_str())).collect(),
            Work::Check { .. } => vec![],
        };
        Origins { networks: self.models.iter().map(|model| (model.name.as_str(), model.std)).collect(), crafted }
    }

    /// Returns the beginning of a SHA-256 of all that results depend on: every line of results carries it, so that files of two
    /// measurements are told apart in one folder too.
    pub(super) fn digest(&self) -> Result<String> {
        let weights: Vec<&str> = self.models.iter().map(|model| model.weights_sha256.as_str()).collect();
        let work = self.work.without_folders();
        digest(&serde_json::to_string(&(&self.version, &self.data, self.images, weights, work))?)
    }

    /// Makes `dir` the folder of this plan, unless it is already.
    ///
    /// # Errors
    /// When `dir` belongs to another plan or holds something else; when it cannot be read or written.
    pub(super) fn take(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        // The tasks of an array begin at the same time.
        let _one =
            Lock::take_within(Duration::from_secs(60), dir.join("plan.lock"), &format!("begins in {}", dir.display()))?;
        match self.begun(dir)? {
            Some(_) => Ok(()),
            None => self.claim(dir),
        }
    }

    /// Reads the plan of the folder `dir`.
    ///
    /// # Errors
    /// When there is none, or it is of another version of Bastion, whose results this one does not add up.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let file = dir.join("plan.json");
        ensure!(dir.is_dir(), "there is no folder {}", dir.display());
        ensure!(
            file.is_file()
                || !std::fs::read_dir(dir)?
                    .flatten()
                    .any(|entry| { entry.file_name().to_str().and_then(super::Shard::of_file).is_some() }),
            "{} is missing, without which nobody knows what the results beside it are of: get it from another shard's folder of the \
             same command, or measure again",
            file.display()
        );
        ensure!(
            file.is_file(),
            "{} holds no results to merge: give folders that `bastion evaluate --out` or `bastion check --out` wrote",
            dir.display()
        );
        let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let context = || format!("cannot understand {}", file.display());
        let Version { version } = serde_json::from_slice(&text).with_context(context)?;
        ensure!(
            version == VERSION,
            "{} was measured by version {version} of Bastion, and this is {VERSION}: merge with that version, or measure again",
            dir.display()
        );
        serde_json::from_slice(&text).with_context(context)
    }

    /// Returns whether all images of the set are measured.
    pub fn is_all(&self) -> bool {
        self.images == self.images_of_set
    }

    fn networks(&self) -> String {
        let name = |model: &PlannedModel| {
            format!("{} (weights {})", model.name, model.weights_sha256.get(..12).unwrap_or(&model.weights_sha256))
        };
        self.models.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn settings(&self) -> String {
        match &self.work {
            Work::Evaluate { trials, .. } => {
                let origins = self.origins();
                let name = |trial: &Trial| origins.score(trial, 0, &[], &[]).to_string();
                trials.iter().map(name).collect::<Vec<_>>().join("; ")
            }
            Work::Check { epsilon, .. } => format!("bastion check at {}", in_255ths(*epsilon)),
        }
    }
}

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns the first 16 hexadecimal digits of a SHA-256.
pub(super) fn digest(text: &str) -> Result<String> {
    let digits: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.get(..16).map(Into::into).context("a SHA-256 is shorter than it is")
}

impl Plan for KeptPlan {
    const NOUN: &'static str = "measurement";
    // The lock under which folders are begun.
    const MADE_BEFORE: Option<&'static str> = Some("plan");

    fn command(&self) -> &str {
        &self.command
    }

    fn differences(&self, now: &Self) -> Result<Vec<String>> {
        let pairs = [
            ("the version of Bastion", self.version.clone(), now.version.clone()),
            ("the data set", self.data.clone(), now.data.clone()),
            ("the number of images", self.images.to_string(), now.images.to_string()),
            ("the list of networks", self.networks(), now.networks()),
            ("what is measured", self.settings(), now.settings()),
        ];
        let differing = pairs.into_iter().filter(|(_, then, now)| then != now);
        let mut differences: Vec<String> =
            differing.map(|(what, then, now)| format!("{what} was {then}, and now is {now}")).collect();
        if differences.is_empty() && !self.work.is_same(&now.work) {
            differences.push("the settings of an attack (--steps, --step-size, --seed, ...) are others".into());
        }
        Ok(differences)
    }
}
