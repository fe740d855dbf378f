//! The layers of a run's settings: defaults, then the recipe, then the user's file (`--config`), then flags.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::PossibleValuesParser;
use clap::error::{Error as ClapError, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use shared::excerpt;
use toml::Table;

use super::config::TrainConfig;
use crate::error::UsageError;
use crate::files::read_up_to;

/// A recipe that comes with Bastion.
pub(super) struct Recipe {
    pub(super) name: &'static str,
    toml: &'static str,
}

/// Lists recipes by the names of their files.
macro_rules! recipes {
    ($($name:literal,)*) => {
        &[$(Recipe { name: $name, toml: include_str!(concat!("../../recipes/", $name, ".toml")) }),*]
    };
}

/// All recipes; each file begins with a description. A test compares the list with the folder.
pub(super) const RECIPES: &[Recipe] = recipes![
    "normal",
    "augmented",
    "fgsm",
    "bim",
    "hardened",
    "hardened-live",
    "adversarial-fgsm-rs",
    "adversarial-n-fgsm",
    "adversarial-pgd",
];

/// Returns a parser of the values of `--recipe`.
pub(super) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(RECIPES.iter().map(|recipe| recipe.name))
}

/// The settings on the command line, without defaults, which must not override a recipe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigFlags(Table);

impl ConfigFlags {
    /// Returns the names of the settings, such as `batch-size`.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns names and values of the settings.
    pub fn table(&self) -> &Table {
        &self.0
    }

    /// Adds a setting, as if it were on the command line.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }
}

impl From<Table> for ConfigFlags {
    fn from(table: Table) -> Self {
        Self(table)
    }
}

impl FromArgMatches for ConfigFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, ClapError> {
        let config = TrainConfig::from_arg_matches(matches)?;
        let mut table = Table::try_from(&config).map_err(|error| {
            ClapError::raw(ErrorKind::ValueValidation, format!("{}\n", too_large(matches).unwrap_or(error.to_string())))
        })?;
        table.retain(|key, _| {
            let id = key.replace('-', "_");
            // Settings without a flag have no id.
            matches.ids().any(|known| known.as_str() == id)
                && matches.value_source(&id) == Some(ValueSource::CommandLine)
        });
        Ok(Self(table))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), ClapError> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// Names the flag with a number that settings cannot hold: larger than a number of TOML may be.
fn too_large(matches: &ArgMatches) -> Option<String> {
    let is_large = |value: &OsStr| {
        let mut numbers = value.to_str().into_iter().flat_map(|value| value.split(','));
        numbers.any(|number| number.parse::<u128>().is_ok_and(|number| number > i64::MAX as u128))
    };
    let id = matches
        .ids()
        .find(|id| matches.try_get_raw(id.as_str()).ok().flatten().is_some_and(|mut values| values.any(is_large)))?;
    Some(format!("--{} takes no number above {}", id.as_str().replace('_', "-"), i64::MAX))
}

impl Args for ConfigFlags {
    fn augment_args(command: Command) -> Command {
        TrainConfig::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        TrainConfig::augment_args_for_update(command)
    }
}

/// Merges all layers to the settings of a run, and checks them.
///
/// # Errors
/// [`UsageError`] when a file has an unknown key or recipe or a wrong type, or a value is out of range; others when the file
/// cannot be read.
pub fn resolve(file: Option<&Path>, flags: &ConfigFlags) -> Result<TrainConfig> {
    let defaults = defaults();
    let file = match file {
        Some(path) => Some((path, read(path, &defaults)?)),
        None => None,
    };
    let named = |table: &Table| Some(table.get("recipe")?.as_str()?.to_string());
    let (typed, in_file) = (named(&flags.0), file.as_ref().and_then(|(_, table)| named(table)));
    if let (Some(typed), Some(in_file), Some((path, _))) = (&typed, &in_file, &file)
        && typed != in_file
    {
        bail!(usage(format!(
            "{} has the settings of the recipe {in_file}, which --recipe {typed} would mix with its own: change that file, or \
             leave one of the two out",
            path.display()
        )));
    }
    let recipe = typed.or(in_file).unwrap_or_else(|| "normal".into());
    let mut table = defaults;
    merge(&mut table, layer(&recipe)?);
    if let Some((path, layer)) = file {
        merge(&mut table, layer);
        // An error here is the file's, since the recipes are tested.
        let checked = from_table(table.clone()).and_then(|config| config.validate());
        checked.map_err(|error| usage(format!("{}: {error:#}", path.display())))?;
        // Settings that belong to the file's optimizer and length do not apply to another one from the flags.
        for (typed, decided) in [
            ("optimizer", "learning-rate"),
            ("optimizer", "backbone-learning-rate"),
            ("optimizer", "weight-decay"),
            ("epochs", "steps"),
        ] {
            if flags.0.contains_key(typed) {
                table.remove(decided);
            }
        }
    }
    merge(&mut table, flags.0.clone());
    table.insert("recipe".into(), recipe.into());
    let config = from_table(table).map_err(|error| usage(format!("{error:#}")))?;
    let of_teacher = flags.given().find(|given| given.starts_with("teacher-") && config.teacher.is_none());
    if let Some(given) = of_teacher {
        bail!(usage(format!("{given} is for the answers of a teacher: name one with --teacher DIR")));
    }
    let stem = flags.given().find(|given| *given == "stem").map_or(Ok(()), |_| config.arch.check_stem(config.stem));
    config.arch.check(flags.given()).and(stem).map_err(|error| usage(format!("{error:#}")))?;
    config.validate().map_err(|error| usage(format!("{error:#}")))?;
    Ok(config.resolved())
}

/// Returns the content of a run folder's `config.toml`.
///
/// # Errors
/// When a value has no form in TOML, which a test rules out.
pub fn to_toml(config: &TrainConfig) -> Result<String> {
    toml::to_string(config).context("the settings have no form in TOML")
}

/// Parses the text of [`to_toml`].
///
/// # Errors
/// Names the key that is missing, unknown or of the wrong type.
pub fn from_toml(text: &str) -> Result<TrainConfig> {
    toml::from_str(text).map_err(|error| anyhow!(excerpt(&error.to_string())))
}

fn usage(text: String) -> anyhow::Error {
    UsageError(text).into()
}

/// Returns the settings of a recipe that comes with Bastion.
fn layer(name: &str) -> Result<Table> {
    let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) else {
        let known: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
        return Err(usage(format!("there is no recipe '{name}'; there are {}", known.join(", "))));
    };
    recipe.toml.parse().with_context(|| format!("the recipe {name} is damaged"))
}

fn read(path: &Path, defaults: &Table) -> Result<Table> {
    let bytes = read_up_to(LARGEST_FILE, path)?;
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST_FILE);
    let text = text.ok_or_else(|| usage(format!("{} is no file of settings", path.display())))?;
    let table: Table = text.parse().map_err(|error| usage(format!("{}: {error}", path.display())))?;
    let is_known = |key: &str| defaults.contains_key(key) || OPTIONAL.contains(&key);
    if let Some(key) = table.keys().find(|key| !is_known(key)) {
        let names_it = |line: &str| {
            let rest = line.trim_start_matches(['[', ' ', '\t', '"']).strip_prefix(key.as_str());
            rest.is_some_and(|rest| rest.starts_with(['=', ' ', '\t', '.', ']', '"']))
        };
        let line = text.lines().position(names_it);
        let line = line.map(|line| format!(", line {}", line + 1)).unwrap_or_default();
        bail!(usage(format!("{}{line}: there is no setting '{key}'{}", path.display(), nearest(key, defaults))));
    }
    Ok(table)
}

/// Largest size of a file of settings; those of a run have less than a thousandth of it.
const LARGEST_FILE: usize = 1 << 20;

/// Settings whose default depends on others, so that a table of defaults lacks them.
const OPTIONAL: &[&str] =
    &["backbone-learning-rate", "input-size", "steps", "learning-rate", "weight-decay", "teacher"];

/// Returns a hint for an unknown key: ` (did you mean 'epochs'?)`, or how to list all keys.
fn nearest(key: &str, defaults: &Table) -> String {
    let key = key.replace('_', "-");
    let known = defaults.keys().map(String::as_str).chain(OPTIONAL.iter().copied());
    match known.map(|known| (strsim::jaro(&key, known), known)).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, known)) if likeness > 0.7 => format!(" (did you mean '{known}'?)"),
        _ => "; `bastion train --help` lists them, here without their dashes in front".into(),
    }
}

/// Merges `over` into `base`: tables key by key, all other values are replaced.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => merge(base, over),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

fn defaults() -> Table {
    let matches = TrainConfig::augment_args(Command::new("defaults")).get_matches_from(["defaults"]);
    // Every argument has a default value or may be missing, as a test checks.
    let config = TrainConfig::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // Small numbers, texts and tables of them, which all have a form in TOML.
    Table::try_from(&config).unwrap_or_else(|error| unreachable!("settings without a form in TOML: {error}"))
}

fn from_table(table: Table) -> Result<TrainConfig> {
    Ok(TrainConfig::try_from_table(table)?)
}

impl TrainConfig {
    fn try_from_table(table: Table) -> Result<Self, toml::de::Error> {
        toml::Value::Table(table).try_into()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;
    use tempfile::TempDir;

    use super::super::mix::Share;
    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        flags: ConfigFlags,
    }

    fn typed(words: &[&str]) -> ConfigFlags {
        Typed::parse_from([&["test"], words].concat()).flags
    }

    fn file(text: &str) -> (TempDir, std::path::PathBuf) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("mine.toml");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn every_recipe_resolves_and_survives_its_file() {
        for recipe in RECIPES {
            let config = resolve(None, &typed(&["--recipe", recipe.name])).unwrap();
            assert_eq!(config.recipe, recipe.name);
            assert_eq!(from_toml(&to_toml(&config).unwrap()).unwrap(), config, "{}", recipe.name);
            assert!(recipe.toml.starts_with('#'), "{} does not say what it is", recipe.name);
        }
    }

    #[test]
    fn every_file_of_the_folder_is_a_recipe() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let mut files: Vec<_> = paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        let mut listed: Vec<_> = RECIPES.iter().map(|recipe| format!("{}.toml", recipe.name)).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn flags_override_the_file_and_the_file_the_recipe() {
        let (_dir, path) = file(
            "recipe = \"adversarial-n-fgsm\"\nepochs = 3\nepsilon = \"8/255\"\nseed = 9\n[perturbations.rotation]\ndegrees = 30.0\n",
        );
        let config = resolve(Some(&path), &typed(&["--epochs", "5"])).unwrap();
        assert_eq!((config.recipe.as_str(), config.epochs, config.seed), ("adversarial-n-fgsm", 5, 9));
        assert_eq!(config.mix, [Share::NFgsm]);
        assert_eq!(config.epsilon.value(), 8.0 / 255.0);
        // A table of which a part is given keeps the rest.
        let rotation = &config.perturbations.rotation;
        assert_eq!((rotation.degrees, rotation.probability), (30.0, 0.5));
        let config = resolve(Some(&path), &typed(&["--mix", "normal,bim"])).unwrap();
        assert_eq!(config.mix, [Share::Normal, Share::Bim]);
        // The record must not give a recipe's settings another recipe's name.
        let error = resolve(Some(&path), &typed(&["--recipe", "normal"])).unwrap_err().to_string();
        assert!(error.contains("adversarial-n-fgsm") && error.contains("--recipe normal"), "{error}");
        assert!(resolve(Some(&path), &typed(&["--recipe", "adversarial-n-fgsm"])).is_ok());
    }

    #[test]
    fn what_one_setting_decides_does_not_outlive_it() {
        let sgd = resolve(None, &typed(&["--steps", "7", "--backbone-learning-rate", "0.02"])).unwrap();
        let (_dir, path) = file(&to_toml(&sgd).unwrap());
        let again = resolve(Some(&path), &typed(&[])).unwrap();
        assert_eq!(again, sgd);
        let adamw = resolve(Some(&path), &typed(&["--optimizer", "adamw", "--epochs", "3"])).unwrap();
        assert_eq!((adamw.learning_rate(), adamw.weight_decay(), adamw.steps), (1e-3, 0.05, None));
        assert_eq!((sgd.backbone_learning_rate, adamw.backbone_learning_rate), (Some(0.02), None));
        let both = resolve(Some(&path), &typed(&["--epochs", "3", "--steps", "5"])).unwrap();
        assert_eq!(both.steps, Some(5));
    }

    #[test]
    fn a_flag_with_the_default_value_counts_as_typed() {
        let (_dir, path) = file("batch-size = 32\n");
        let batch_size = |flags| resolve(Some(&path), &flags).unwrap().batch_size;
        assert_eq!(batch_size(typed(&[])), 32);
        let flags = typed(&["--batch-size", "128"]);
        assert_eq!(flags.given().collect::<Vec<_>>(), ["batch-size"]);
        assert_eq!(batch_size(flags), 128);
        assert_eq!(batch_size(typed(&["--batch", "64"])), 64);
    }

    #[test]
    fn any_seed_is_kept_and_other_numbers_without_a_form_are_refused_by_name() {
        for seed in [0, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
            let config = resolve(None, &typed(&["--seed", &seed.to_string()])).unwrap();
            assert_eq!(config.seed, seed);
            let text = to_toml(&config).unwrap();
            assert_eq!(from_toml(&text).unwrap(), config);
            let (_dir, path) = file(&text);
            assert_eq!(resolve(Some(&path), &typed(&[])).unwrap().seed, seed);
            let json = serde_json::to_value(&config).unwrap();
            assert_eq!(serde_json::from_value::<TrainConfig>(json).unwrap(), config);
        }
        for flag in ["--steps", "--epochs", "--batch-size", "--probe", "--held-out", "--strides"] {
            for number in [i64::MAX as u64 + 1, u64::MAX] {
                let error =
                    Typed::try_parse_from(["test", flag, &number.to_string()]).map(|_| ()).unwrap_err().to_string();
                assert!(error.contains(&format!("{flag} takes no number above")), "{error}");
            }
        }
        let (_dir, path) = file("seed = \"many\"\n");
        let error = format!("{:#}", resolve(Some(&path), &typed(&[])).unwrap_err());
        assert!(error.contains("'many' is no seed"), "{error}");
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named_with_its_place() {
        for (text, words) in [
            ("epochs = 3\nbatchsize = 4\n", &["mine.toml, line 2", "'batchsize'", "did you mean 'batch-size'"][..]),
            ("epochs = 3\nepoch = 4\n", &["mine.toml, line 2", "'epoch'"]),
            ("epsilon-warm-up = 2.0\n", &["mine.toml", "epsilon-warm-up must be"]),
            ("epochs = \"three\"\n", &["mine.toml", "epochs"]),
            ("epochs = \n", &["mine.toml", "line 1"]),
            ("recipe = \"best\"\n", &["no recipe 'best'", "adversarial-pgd"]),
            ("epochs = 0\n", &["epochs must be 1 to 10000"]),
            ("mix = [\"nromal\"]\n", &["nromal"]),
            ("[perturbations.affin]\nscale = 3\n", &["affin"]),
            ("[perturbations.rotation]\ndegrees = 300.0\n", &["rotation.degrees"]),
            ("epsilon = 8\n", &["epsilon"]),
            ("batch-size = 1\n", &["batch-size must be 2"]),
            ("crop-scale = 0.0\n", &["crop-scale must be 0.05 to 1"]),
            ("crop-scale = 0.5\nimage-size = 32\n", &["image-size must be 64"]),
            ("teacher = \"t\"\nmix = [\"crafted-bim\"]\n", &["before an attack", "crafted ones"]),
            ("perturbed = 0.5\n", &["perturbed applies to pictures attacked while training"]),
            ("teacher-weight = 1.5\n", &["teacher-weight must be 0 to 1"]),
            ("batch-size = \"auto\"\n", &["batch-size takes a number of pictures", "not \"auto\""]),
        ] {
            let (_dir, path) = file(text);
            let error = resolve(Some(&path), &typed(&[])).unwrap_err();
            assert!(error.downcast_ref::<UsageError>().is_some(), "{error:#}");
            for word in words {
                assert!(format!("{error:#}").contains(word), "{word} is not in: {error:#}");
            }
        }
    }

    #[test]
    fn what_is_for_a_teacher_is_refused_without_one() {
        let error = resolve(None, &typed(&["--teacher-weight", "0.3"])).unwrap_err().to_string();
        assert!(error.contains("teacher-weight is for the answers of a teacher"), "{error}");
        assert!(resolve(None, &typed(&["--teacher-weight", "0.3", "--teacher", "runs/other"])).is_ok());
    }

    #[test]
    fn a_stem_that_a_network_does_not_have_is_refused_and_another_is_taken() {
        for arch in ["wide-resnet", "efficientnet_lite0"] {
            let error = resolve(None, &typed(&["--arch", arch, "--stem", "conv7"])).unwrap_err().to_string();
            assert!(error.contains("torchvision's") && error.contains("conv3-stride2"), "{error}");
            let [small, large] = ["conv3-stride2", "conv3"].map(|stem| {
                let config = resolve(None, &typed(&["--arch", arch, "--stem", stem])).unwrap();
                config.architecture().unwrap().cost(200, 64).macs
            });
            assert!(large > 3 * small, "{arch}: {small} and {large}");
        }
    }
}
