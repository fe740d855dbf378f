//! What is compared under which settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::data::sha256_of_file;
use crate::error::UsageError;
use crate::experiment::plan::{Plan, differences};
use crate::pretrained;
use crate::train::{ArchName, ConfigFlags, TrainConfig, resolve};

const ARCH: &str = "arch";

/// What all architectures of a folder have in common: `plan.json`. Which they are may change: others are trained besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonPlan {
    /// The command that began it.
    pub command: String,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// All settings of training but the architecture; those of one kind of architecture alone are ignored by the others.
    pub settings: Table,
    /// A folder with pretrained weights, a file for each architecture.
    pub pretrained: Option<PathBuf>,
    /// SHA-256 of the file in it for each architecture that was asked for.
    #[serde(default)]
    pub weights_sha256: BTreeMap<String, String>,
    /// Crafted sets that the recipe needs.
    pub crafted: Vec<PathBuf>,
}

/// Returns the settings that `file` and `flags` make for `archs`, but for the architecture.
///
/// # Errors
/// [`UsageError`] as of [`resolve`], or when a flag applies to none of them.
pub fn common_settings(file: Option<&Path>, flags: &ConfigFlags, archs: &[ArchName]) -> Result<Table> {
    for key in flags.given() {
        let errors: Vec<_> = archs.iter().filter_map(|&arch| applies(arch, key).err()).collect();
        if let [error, ..] = &errors[..]
            && errors.len() == archs.len()
        {
            bail!(UsageError(error.to_string()));
        }
    }
    // One architecture stands for all; what it does not have is added as it was typed.
    let one = ArchName::WideResnet;
    let (own, others): (Table, Table) =
        flags.table().clone().into_iter().partition(|(key, _)| applies(one, key).is_ok());
    let config = resolve(file, &ConfigFlags::from(own).with(ARCH, one.typed()))?;
    let mut settings = Table::try_from(config).context("the settings have no form in TOML")?;
    settings.extend(others);
    settings.remove(ARCH);
    Ok(settings)
}

impl Plan for ComparisonPlan {
    const NOUN: &'static str = "comparison";

    fn command(&self) -> &str {
        &self.command
    }

    fn differences(&self, now: &Self) -> Result<Vec<String>> {
        let mut found = differences(&self.settings, &now.settings);
        let paths = |paths: &[PathBuf]| {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            if names.is_empty() { "none".into() } else { names.join(",") }
        };
        let given = |dir: &Option<PathBuf>| paths(dir.as_slice());
        for (name, then, now) in [
            ("the data set (SHA-256)", self.data_sha256.clone(), now.data_sha256.clone()),
            ("pretrained-dir", given(&self.pretrained), given(&now.pretrained)),
            ("crafted", paths(&self.crafted), paths(&now.crafted)),
        ] {
            if then != now {
                found.push(format!("{name} was {then}, and now is {now}"));
            }
        }
        // Of an architecture that only one of them has, there is nothing to differ.
        for (arch, then) in &self.weights_sha256 {
            if let Some(now) = now.weights_sha256.get(arch).filter(|now| *now != then) {
                found.push(format!("the file of weights for {arch} (SHA-256) was {then}, and now is {now}"));
            }
        }
        Ok(found)
    }
}

impl ComparisonPlan {
    /// Returns the plan that was begun in the folder `out`, with the weights of this one as well; or this one, if none was.
    ///
    /// # Errors
    /// Names each setting in which that one differs; or when something else lies in `out`.
    pub fn open(self, out: &Path) -> Result<Self> {
        let Some(mut begun) = self.begun(out)? else { return Ok(self) };
        begun.weights_sha256.extend(self.weights_sha256);
        Ok(begun)
    }

    /// Returns the file of pretrained weights for `arch`, if there is a folder of them.
    ///
    /// # Errors
    /// [`UsageError`] when there is none for it.
    pub fn weights(&self, arch: ArchName) -> Result<Option<PathBuf>> {
        let Some(dir) = &self.pretrained else { return Ok(None) };
        let names = ["pth", "safetensors"].map(|end| format!("{}.{end}", arch.typed()));
        match names.iter().map(|name| dir.join(name)).find(|file| file.is_file()) {
            Some(file) => Ok(Some(file)),
            None => bail!(UsageError(format!(
                "--pretrained-dir {}: there is neither {} nor {} in it",
                dir.display(),
                names[0],
                names[1]
            ))),
        }
    }

    /// Notes the SHA-256 of the weights for `archs`.
    ///
    /// # Errors
    /// As [`ComparisonPlan::weights`], or when a file cannot be read.
    pub fn hash_weights(&mut self, archs: &[ArchName]) -> Result<()> {
        for &arch in archs {
            if let Some(file) = self.weights(arch)? {
                self.weights_sha256.insert(arch.typed(), sha256_of_file(&file, None)?);
            }
        }
        Ok(())
    }

    /// Checks that there are weights for `arch` that fit it, if it begins with weights.
    ///
    /// # Errors
    /// As [`pretrained::check`].
    pub fn check_weights(&self, arch: ArchName) -> Result<()> {
        match self.weights(arch)? {
            Some(file) => pretrained::check(&file, &self.config(arch)?.architecture()?),
            None => Ok(()),
        }
    }

    /// Returns the settings for `arch` that apply to it.
    ///
    /// # Errors
    /// As [`ComparisonPlan::config`].
    pub fn settings(&self, arch: ArchName) -> Result<Table> {
        let mut settings = Table::try_from(self.config(arch)?)?;
        settings.retain(|key, _| applies(arch, key).is_ok());
        Ok(settings)
    }

    /// Returns the settings for `arch`.
    ///
    /// # Errors
    /// [`UsageError`] when a value is out of range for it.
    pub fn config(&self, arch: ArchName) -> Result<TrainConfig> {
        let mut table = self.settings.clone();
        // Those that are not its own would only stand in the record and mean nothing.
        let defaults = Table::try_from(resolve(None, &ConfigFlags::default())?)?;
        for key in self.settings.keys().filter(|key| applies(arch, key).is_err()) {
            match defaults.get(key) {
                Some(value) => table.insert(key.clone(), value.clone()),
                None => table.remove(key),
            };
        }
        table.insert(ARCH.into(), arch.typed().into());
        let config: TrainConfig = Value::Table(table).try_into()?;
        config.validate().map_err(|error| UsageError(format!("{}: {error:#}", arch.typed())))?;
        Ok(config.resolved())
    }
}

/// # Errors
/// When an architecture does not have a setting.
fn applies(arch: ArchName, key: &str) -> Result<()> {
    arch.check(std::iter::once(key))
}
