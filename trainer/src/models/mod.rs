//! Exported models on disk: a folder with `model.json` and the weights that it names.

mod guess;
mod index;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use burn::prelude::*;
use shared::bundle::{Bundle, Card, Checks, Class, Score};
use shared::explanation::MapCheck;

use crate::data::SIDE;
use crate::files::write_atomically;

pub use guess::{Guess, classify, find_class};
pub use index::Listing;

/// Returns the folder of the model at `path`: `path` itself, or its `final` if `path` is a run whose training is done.
///
/// # Errors
/// When there is no such folder, no model in it, or the training of the run is not done.
pub fn dir_of(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    let done = path.join("final");
    if path.join("model.json").is_file() {
        Ok(path.to_path_buf())
    } else if done.join("model.json").is_file() {
        Ok(done)
    } else if !path.exists() {
        bail!("there is no folder {shown}: give that of a model (model.json and weights) or of a run")
    } else if path.join("run.json").is_file() {
        bail!("{shown} holds no trained network yet: finish its training with bastion train --resume {shown}")
    } else {
        bail!(
            "there is no model.json in {shown}: a model is a folder as `bastion export` writes it, or that of a run whose \
             training is done"
        )
    }
}

/// Adds `scores` to the model's card, in place of earlier scores of the same measurements.
///
/// # Errors
/// When `model.json` in `dir` cannot be read or written.
pub fn save_scores(dir: &Path, scores: &[Score]) -> Result<()> {
    let mut card = card(dir)?;
    card.cost = Some(card.architecture.cost(card.classes.len(), SIDE));
    for score in scores {
        match card.scores.iter_mut().find(|old| old.measures_the_same(score)) {
            Some(old) => *old = score.clone(),
            None => card.scores.push(score.clone()),
        }
    }
    write_atomically(&dir.join("model.json"), &card.to_json())
}

/// Writes the results of `bastion check` to the model's card, in place of earlier ones.
///
/// # Errors
/// When `model.json` in `dir` cannot be read or written.
pub fn save_checks(dir: &Path, checks: Checks) -> Result<()> {
    let card = Card { checks: Some(checks), ..card(dir)? };
    write_atomically(&dir.join("model.json"), &card.to_json())
}

/// Writes the results of `bastion explain --check` to the model's card, in place of earlier ones.
///
/// # Errors
/// When `model.json` in `dir` cannot be read or written.
pub fn save_explanations(dir: &Path, explanations: Vec<MapCheck>) -> Result<()> {
    let card = Card { explanations, ..card(dir)? };
    write_atomically(&dir.join("model.json"), &card.to_json())
}

/// Reads the card of the model in `dir`, without its weights.
///
/// # Errors
/// When there is no readable `model.json` in `dir`.
pub fn card(dir: &Path) -> Result<Card> {
    let path = dir.join("model.json");
    let json = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Card::from_json(&json).with_context(|| format!("cannot read {}", path.display()))
}

/// Loads the model in `dir` onto `device`, and checks its hashes and its outputs.
///
/// # Errors
/// When a file is missing, or the model is damaged, of a newer format, or has other outputs on this device.
pub fn load(dir: &Path, device: &Device) -> Result<Bundle> {
    let read = |name: &str| {
        let path = dir.join(name);
        fs::read(&path).with_context(|| {
            format!(
                "cannot read {}; a model is a folder with model.json, as `bastion export` writes it",
                path.display()
            )
        })
    };
    let context = || format!("cannot load the model in {}", dir.display());
    let json = read("model.json")?;
    let card = Card::from_json(&json).with_context(context)?;
    let mut weights = Vec::with_capacity(usize::try_from(card.weights.bytes)?.min(MAX_RESERVED));
    for part in card.weights.files() {
        let content = read(&part.file)?;
        part.check(&content).with_context(|| format!("{}: {}", dir.display(), part.file))?;
        weights.extend(content);
    }
    pollster::block_on(Bundle::load(&json, &weights, device)).with_context(context)
}

/// Writes the card and weights of [`Bundle::export`] to `dir`: the weights in one file, or cut into files of at most
/// `part_bytes`. Weights of an earlier model in `dir` are removed.
///
/// # Errors
/// When the folder cannot be made or a file cannot be written.
pub fn write(dir: &Path, json: &[u8], weights: &[u8], part_bytes: Option<usize>) -> Result<()> {
    let mut card = Card::from_json(json)?;
    if let Some(part_bytes) = part_bytes {
        card.weights.cut(weights, part_bytes);
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let files = card.weights.files();
    let mut rest = weights;
    for part in &files {
        let (content, after) = rest.split_at(usize::try_from(part.bytes)?);
        write_atomically(&dir.join(&part.file), content)?;
        rest = after;
    }
    write_atomically(&dir.join("model.json"), &card.to_json())?;
    let whole = &card.weights.file;
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_weights = name
            .strip_prefix(whole.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.').is_some_and(is_number));
        if is_weights && files.iter().all(|part| part.file != name) {
            fs::remove_file(dir.join(&name)).with_context(|| format!("cannot remove {}", dir.join(&name).display()))?;
        }
    }
    Ok(())
}

/// Most bytes that are reserved for weights before they are read: a damaged card may name too many.
const MAX_RESERVED: usize = 1 << 30;

/// Returns the folders of the models at `paths`, or of the models that come with Bastion if `paths` is empty.
///
/// # Errors
/// As for [`dir_of`], or when `paths` is empty and the models of Bastion are not there.
pub fn dirs_or_shipped(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !paths.is_empty() {
        return paths.iter().map(|path| dir_of(path)).collect();
    }
    let shipped = ["standard", "hardened"].map(|name| Path::new("static").join("models").join(name));
    ensure!(
        shipped.iter().any(|dir| dir.is_dir()),
        "there is no {} here; run this in Bastion's folder, or name a model's folder with --model",
        shipped[0].display()
    );
    Ok(shipped.to_vec())
}

/// Loads the models at `paths`, or the two that come with Bastion if `paths` is empty.
///
/// # Errors
/// As for [`load`] and [`dirs_or_shipped`].
pub fn load_all(paths: &[PathBuf], device: &Device) -> Result<Vec<Bundle>> {
    dirs_or_shipped(paths)?.iter().map(|dir| load(dir, device)).collect()
}

/// Reads the values of a tensor from the device, in row-major order.
///
/// # Errors
/// When the device fails.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    Ok(pollster::block_on(shared::device::read(tensor))?)
}

/// Checks that a model has the classes of a data set, in the same order.
///
/// # Errors
/// When it has others, with what to do.
pub fn check_classes(dir: &Path, card: &Card, classes: &[Class]) -> Result<()> {
    ensure!(
        card.classes == classes,
        "the model in {} has other classes than the data set ({} against {}): train a network on this data set, or take one with \
         all classes (`bastion data subset --per-class` leaves none out)",
        dir.display(),
        card.classes.len(),
        classes.len()
    );
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use burn::module::{Module as _, ModuleMapper, Param};
    use shared::bundle::{Class, Description, Precision, Recipe};
    use shared::model::{Architecture, BuildNetwork as _, WideResNetConfig};
    use tempfile::TempDir;

    use super::*;

    /// Returns card and weights of a small random network of five classes.
    pub(crate) fn exported(name: &str, seed: u64, device: &Device) -> (Vec<u8>, Vec<u8>) {
        let architecture =
            Architecture::WideResNet(WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(10, 1) });
        let (mean, std) = ([0.5; 3], [0.25; 3]);
        let description = Description {
            name: name.into(),
            architecture: architecture.clone(),
            classes: (0..5)
                .map(|i| Class { wnid: format!("n{i:08}"), name: format!("Class {i}, second name {i}") })
                .collect(),
            mean,
            std,
            recipe: Recipe::default(),
            data_sha256: String::new(),
            scores: vec![],
        };
        let model = architecture.init_seeded(5, mean, std, seed, device).unwrap();
        pollster::block_on(Bundle::export(&model, description, Precision::F16, device)).unwrap()
    }

    /// Returns a small random network of five classes.
    pub(crate) fn bundle(name: &str, seed: u64, device: &Device) -> Bundle {
        let (json, weights) = exported(name, seed, device);
        pollster::block_on(Bundle::load(&json, &weights, device)).unwrap()
    }

    /// Multiplies the weights of the linear layer, and so the logits: with a large factor the softmax is exactly 0 or 1 and has
    /// no gradient, as after defensive distillation (Papernot et al., 2016).
    struct Sharpen(f32);

    impl ModuleMapper for Sharpen {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if D == 2 { param.map(|weights| weights.mul_scalar(self.0)) } else { param }
        }
    }

    /// Returns [`bundle`], but so sure that no gradient is left in 32-bit numbers.
    pub(crate) fn masked(seed: u64, device: &Device) -> Bundle {
        let bundle = bundle("masked", seed, device);
        Bundle { model: bundle.model.map(&mut Sharpen(1e6)), ..bundle }
    }

    #[test]
    fn a_folder_is_loaded_and_checked() {
        let (dir, device) = (TempDir::new().unwrap(), Device::flex());
        let (json, weights) = exported("small", 3, &device);
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        let failure = || format!("{:#}", load(dir.path(), &device).map(|_| ()).unwrap_err());
        assert!(failure().contains("model.json"), "{}", failure());
        write("model.json", &json);
        assert!(failure().contains("model.safetensors"), "{}", failure());
        write("model.safetensors", &weights);
        assert_eq!(load(dir.path(), &device).unwrap().card.name, "small");

        let mut flipped = weights.clone();
        flipped[weights.len() / 2] ^= 1;
        write("model.safetensors", &flipped);
        assert!(failure().contains("sha256"), "{}", failure());
        let elsewhere = String::from_utf8(json).unwrap().replace("model.safetensors", "../model.safetensors");
        write("model.json", elsewhere.as_bytes());
        assert!(failure().contains("is not a file name"), "{}", failure());
    }

    #[test]
    fn weights_are_cut_into_files_and_put_together_again() {
        let (dir, device) = (TempDir::new().unwrap(), Device::flex());
        let (json, weights) = exported("small", 3, &device);
        let files = || {
            let names =
                fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        };
        for name in ["model.safetensors.txt", "model.safetensors5"] {
            fs::write(dir.path().join(name), "not of a model").unwrap();
        }
        let half = weights.len() / 2 + 1;
        let parts =
            ["model.json", "model.safetensors.0", "model.safetensors.1", "model.safetensors.txt", "model.safetensors5"];
        let whole = ["model.json", "model.safetensors", "model.safetensors.txt", "model.safetensors5"];
        for (part_bytes, expected) in [(Some(half), &parts[..]), (None, &whole), (Some(half), &parts)] {
            write(dir.path(), &json, &weights, part_bytes).unwrap();
            assert_eq!(files(), expected);
            assert_eq!(load(dir.path(), &device).unwrap().card.name, "small");
        }
        let second = dir.path().join("model.safetensors.1");
        fs::write(&second, &weights[half..weights.len() - 1]).unwrap();
        let failure = format!("{:#}", load(dir.path(), &device).map(|_| ()).unwrap_err());
        assert!(failure.contains("model.safetensors.1") && failure.contains("truncated"), "{failure}");
        fs::remove_file(&second).unwrap();
        let failure = format!("{:#}", load(dir.path(), &device).map(|_| ()).unwrap_err());
        assert!(failure.contains("cannot read") && failure.contains("model.safetensors.1"), "{failure}");
    }

    #[test]
    fn a_run_stands_for_its_trained_network() {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        let failure = || dir_of(&run).unwrap_err().to_string();
        assert!(failure().contains("there is no folder"), "{}", failure());
        fs::create_dir_all(run.join("final")).unwrap();
        assert!(failure().contains("there is no model.json in"), "{}", failure());
        fs::write(run.join("run.json"), "{}").unwrap();
        assert!(failure().contains("finish its training with bastion train --resume"), "{}", failure());
        fs::write(run.join("final").join("model.json"), "{}").unwrap();
        for path in [run.clone(), run.join("final")] {
            assert_eq!(dir_of(&path).unwrap(), run.join("final"));
        }
    }
}
