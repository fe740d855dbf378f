//! What a folder was begun for: `plan.json`. A folder takes no other plan.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::files::write_atomically;

const FILE: &str = "plan.json";

/// What an experiment was asked for.
pub trait Plan: Serialize + DeserializeOwned {
    /// The noun for the experiment in messages.
    const NOUN: &'static str;
    /// Name, up to its first dot, of what may lie in the folder before the plan does.
    const MADE_BEFORE: Option<&'static str> = None;

    /// Returns the command that began it.
    fn command(&self) -> &str;

    /// Names each setting in which `now` differs, with both values.
    ///
    /// # Errors
    /// When a setting has no form in TOML.
    fn differences(&self, now: &Self) -> Result<Vec<String>>;

    /// Reads the plan that was begun in the folder `out`, if there is one.
    ///
    /// # Errors
    /// When it differs from this plan, with each setting in which it does, or something else lies in `out`.
    fn begun(&self, out: &Path) -> Result<Option<Self>> {
        let file = out.join(FILE);
        if !file.exists() {
            let mut names =
                fs::read_dir(out).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let foreign = names.find(|name| Self::MADE_BEFORE.is_none_or(|own| name.split('.').next() != Some(own)));
            ensure!(
                foreign.is_none(),
                "{} is not empty (there is {}): name a folder with --out for the runs and the report",
                out.display(),
                foreign.unwrap_or_default()
            );
            return Ok(None);
        }
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let begun: Self =
            serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", file.display()))?;
        let differences = begun.differences(self)?;
        ensure!(
            differences.is_empty(),
            "{} belongs to another {} ({}): {}; give that command again to go on with it, or name another folder with --out",
            out.display(),
            Self::NOUN,
            begun.command(),
            differences.join("; ")
        );
        Ok(Some(begun))
    }

    /// Makes `out` the folder of this plan. To be called once nothing can be wrong with the plan any more.
    ///
    /// # Errors
    /// When it cannot be written.
    fn claim(&self, out: &Path) -> Result<()> {
        fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        write_json(&out.join(FILE), self)
    }
}

/// Names the settings in which two tables differ, with both values.
pub fn differences(then: &Table, now: &Table) -> Vec<String> {
    let in_words = |value: Option<&Value>| value.map_or("not set".into(), Value::to_string);
    let mut keys: Vec<&String> = then.keys().chain(now.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| then.get(*key) != now.get(*key));
    differing
        .map(|key| format!("{key} was {}, and now is {}", in_words(then.get(key)), in_words(now.get(key))))
        .collect()
}

/// Reads `file`, if it holds a `T`.
pub fn read_json<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Writes `value` to `file`, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(file: &Path, value: &impl Serialize) -> Result<()> {
    write_atomically(file, &serde_json::to_vec_pretty(value)?)
}
