//! What is reproduced, and where what belongs to it lies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use shared::attack::{AttackConfig, BIM_STEPS, PAPER_EPSILON_STD};
use toml::Table;

use crate::files::write_atomically;

const PLAN: &str = "plan.json";

/// The paper's models, by the recipes that train them, in the order of its Table 1.
pub const MODELS: [&str; 5] = ["normal", "augmented", "fgsm", "bim", "hardened"];

/// How much of the data set is used: so many classes, and pictures of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subset {
    pub classes: usize,
    pub per_class: usize,
    pub val_per_class: usize,
}

/// What was asked for: `plan.json`. The same folder takes no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The command that began it.
    pub command: String,
    /// SHA-256 of the data set that was given.
    pub data_sha256: String,
    pub subset: Option<Subset>,
    /// Settings of training that differ from those of the recipes, the same for all models.
    pub settings: Table,
    /// Validation images that are evaluated on; none means all.
    pub limit: Option<usize>,
}

impl Plan {
    /// Makes `out` the folder of this plan. To be called when nothing can be wrong with it any more.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn claim(&self, out: &Path) -> Result<()> {
        fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        write_atomically(&out.join(PLAN), &serde_json::to_vec_pretty(self)?)
    }

    /// Makes sure that `out` is this plan's, or nobody's.
    ///
    /// # Errors
    /// When another plan was begun there, or something else lies there.
    pub fn check_free(&self, out: &Path) -> Result<()> {
        let file = out.join(PLAN);
        if !file.exists() {
            let entries =
                fs::read_dir(out).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            // A part of the data set is taken before the folder is claimed.
            let foreign = entries.into_iter().find(|name| name != "data" && !name.starts_with("data."));
            ensure!(
                foreign.is_none(),
                "{} is not empty (there is {}): name a folder with --out for what is made on the way",
                out.display(),
                foreign.unwrap_or_default()
            );
            return Ok(());
        }
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let begun: Self =
            serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))?;
        // How it was typed may differ.
        let same = Self { command: self.command.clone(), ..begun.clone() } == *self;
        ensure!(
            same,
            "{} belongs to another reproduction ({}): say that again to go on with it, or name another folder with --out",
            out.display(),
            begun.command
        );
        Ok(())
    }
}

/// The paper's two attacks, whose radius is in normalised space.
pub fn attacks(std: [f32; 3]) -> [(&'static str, AttackConfig); 2] {
    let scaled = |config| AttackConfig { channel_scale: std, ..config };
    [
        ("fgsm", scaled(AttackConfig::fgsm(PAPER_EPSILON_STD))),
        ("bim", scaled(AttackConfig::bim(PAPER_EPSILON_STD, BIM_STEPS))),
    ]
}

/// Where things lie in the folder of a reproduction.
pub struct Layout<'a>(pub &'a Path);

impl Layout<'_> {
    /// The reduced data set.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub fn run(&self, model: &str) -> PathBuf {
        self.0.join("runs").join(model)
    }

    /// The trained network.
    pub fn model(&self, model: &str) -> PathBuf {
        self.run(model).join("final")
    }

    pub fn set(&self, attack: &str) -> PathBuf {
        self.0.join("sets").join(attack)
    }

    /// What a model scored.
    pub fn scores(&self, model: &str) -> PathBuf {
        self.0.join("scores").join(format!("{model}.json"))
    }

    /// Seconds that stages took.
    pub fn timings(&self) -> PathBuf {
        self.0.join("timings.json")
    }
}
