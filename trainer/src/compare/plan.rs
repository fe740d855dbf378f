//! What is compared under which settings: `plan.json` in the folder of a comparison, which takes no others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::data::sha256_of_file;
use crate::error::UsageError;
use crate::files::write_atomically;
use crate::pretrained;
use crate::train::{ArchName, ConfigFlags, TrainConfig, resolve};

const PLAN: &str = "plan.json";
const ARCH: &str = "arch";

/// What all architectures of a folder have in common. Which they are may change: others are trained besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The command that began it.
    pub command: String,
    #[serde(flatten)]
    pub asked: Asked,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
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

impl Asked {
    /// The settings that `file` and `flags` make for `archs`.
    ///
    /// # Errors
    /// [`UsageError`] as of [`resolve`], or when a flag applies to none of them.
    pub fn settings(file: Option<&Path>, flags: &ConfigFlags, archs: &[ArchName]) -> Result<Table> {
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

    /// The file of pretrained weights for `arch`, if there is a folder of them.
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

    /// Notes what the weights for `archs` are now.
    ///
    /// # Errors
    /// As [`Asked::weights`], or when a file cannot be read.
    pub fn hash_weights(&mut self, archs: &[ArchName]) -> Result<()> {
        for &arch in archs {
            if let Some(file) = self.weights(arch)? {
                self.weights_sha256.insert(arch.typed(), sha256_of_file(&file, None)?);
            }
        }
        Ok(())
    }

    /// What differs from `now`, in words; nothing, if nothing does.
    fn differences(&self, now: &Self) -> Vec<String> {
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
        found
    }
}

impl Plan {
    /// The plan of the folder `out` for what is asked now, which was begun there before if there is one.
    ///
    /// # Errors
    /// Names each setting in which that one differs; or when something else lies in `out`.
    pub fn open(out: &Path, command: String, asked: Asked) -> Result<Self> {
        let file = out.join(PLAN);
        if !file.exists() {
            let first =
                fs::read_dir(out).into_iter().flatten().find_map(|entry| entry.ok()?.file_name().into_string().ok());
            ensure!(
                first.is_none(),
                "{} is not empty (there is {}): name a folder with --out for the runs and the report",
                out.display(),
                first.unwrap_or_default()
            );
            return Ok(Self { command, asked });
        }
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut begun: Self =
            serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))?;
        let differences = begun.asked.differences(&asked);
        ensure!(
            differences.is_empty(),
            "{} belongs to a comparison with other settings ({}): {}; say that again to go on with it, or name another folder \
             with --out",
            out.display(),
            begun.command,
            differences.join("; ")
        );
        begun.asked.weights_sha256.extend(asked.weights_sha256);
        Ok(begun)
    }

    /// Makes `out` the folder of this plan. To be called when nothing can be wrong with it any more.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn claim(&self, out: &Path) -> Result<()> {
        fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        write_atomically(&out.join(PLAN), &serde_json::to_vec_pretty(self)?)
    }

    /// Makes sure that there are weights for `arch` that fit it, if it begins with weights.
    ///
    /// # Errors
    /// As [`pretrained::check`].
    pub fn check_weights(&self, arch: ArchName) -> Result<()> {
        match self.asked.weights(arch)? {
            Some(file) => pretrained::check(&file, &self.config(arch)?.architecture()?),
            None => Ok(()),
        }
    }

    /// The settings for `arch` that apply to it.
    ///
    /// # Errors
    /// As [`Plan::config`].
    pub fn settings(&self, arch: ArchName) -> Result<Table> {
        let mut settings = Table::try_from(self.config(arch)?)?;
        settings.retain(|key, _| applies(arch, key).is_ok());
        Ok(settings)
    }

    /// The settings for `arch`.
    ///
    /// # Errors
    /// [`UsageError`] when a value is out of range for it.
    pub fn config(&self, arch: ArchName) -> Result<TrainConfig> {
        let mut table = self.asked.settings.clone();
        // Those that are not its own would only stand in the record and mean nothing.
        let defaults = Table::try_from(resolve(None, &ConfigFlags::default())?)?;
        for key in self.asked.settings.keys().filter(|key| applies(arch, key).is_err()) {
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

/// Which settings differ, with both values.
pub(super) fn differences(then: &Table, now: &Table) -> Vec<String> {
    let in_words = |value: Option<&Value>| value.map_or("not set".into(), Value::to_string);
    let mut keys: Vec<&String> = then.keys().chain(now.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| then.get(*key) != now.get(*key));
    differing
        .map(|key| format!("{key} was {}, and now is {}", in_words(then.get(key)), in_words(now.get(key))))
        .collect()
}
