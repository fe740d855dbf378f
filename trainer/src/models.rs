//! Exported models on disk: a folder with `model.json` and the weights that it names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use burn::prelude::*;
use shared::bundle::{Bundle, Card, Score};
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::{softmax, top_k};

use crate::error::UsageError;
use crate::run_dir::write_atomically;

/// How many pictures go through a network at once.
const BATCH: usize = 64;

/// The folder of the model that `path` means: `path` itself, or `final` in it where it is a run whose training is done.
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

/// Replaces those of the model's scores that were measured again by `scores`, and keeps the others.
///
/// # Errors
/// When `model.json` in `dir` cannot be read or written.
pub fn save_scores(dir: &Path, scores: &[Score]) -> Result<()> {
    let mut card = card(dir)?;
    for score in scores {
        match card.scores.iter_mut().find(|old| old.measures_the_same(score)) {
            Some(old) => *old = score.clone(),
            None => card.scores.push(score.clone()),
        }
    }
    write_atomically(&dir.join("model.json"), &card.to_json())
}

/// Reads what a model is, without its weights.
///
/// # Errors
/// When there is no readable `model.json` in `dir`.
pub fn card(dir: &Path) -> Result<Card> {
    let path = dir.join("model.json");
    let json = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Card::from_json(&json).with_context(|| format!("cannot read {}", path.display()))
}

/// Loads the model in `dir` onto `device`, and checks it.
///
/// # Errors
/// When a file is missing, or the model is damaged, of a newer format, or computes something else on this device.
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
    let file = &card.weights.file;
    ensure!(Path::new(file).file_name() == Some(file.as_ref()), "{}: '{file}' is not a file name", context());
    pollster::block_on(Bundle::load(&json, &read(file)?, device)).with_context(context)
}

/// The folders of the models that `paths` mean, or else of those that come with Bastion.
///
/// # Errors
/// As [`dir_of`], or when none is given and there are none here.
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

/// Loads the models that `paths` mean, or else the two that come with Bastion.
///
/// # Errors
/// As [`load`] and [`dirs_or_shipped`].
pub fn load_all(paths: &[PathBuf], device: &Device) -> Result<Vec<Bundle>> {
    dirs_or_shipped(paths)?.iter().map(|dir| load(dir, device)).collect()
}

/// A class that a model holds possible.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Guess {
    pub index: usize,
    pub wnid: String,
    pub name: String,
    /// 0 to 1.
    pub probability: f32,
}

/// What a model makes of each picture: its `count` likeliest classes, best first.
///
/// # Errors
/// When the device fails, or computes something that is not a number.
pub fn classify(bundle: &Bundle, pictures: &[Picture], count: usize, device: &Device) -> Result<Vec<Vec<Guess>>> {
    let classes = &bundle.card.classes;
    let mut all = Vec::with_capacity(pictures.len());
    for batch in pictures.chunks(BATCH) {
        let logits = read(bundle.model.forward(pictures_to_tensor(batch, device)))?;
        ensure!(logits.iter().all(|logit| logit.is_finite()), "the device computed something that is not a number");
        for row in logits.chunks_exact(classes.len()) {
            let probabilities = softmax(row);
            let guess = |index: usize| Guess {
                index,
                wnid: classes[index].wnid.clone(),
                name: classes[index].name.clone(),
                probability: probabilities[index],
            };
            all.push(top_k(&probabilities, count).into_iter().map(guess).collect());
        }
    }
    Ok(all)
}

/// The values of a tensor, read from the device.
///
/// # Errors
/// When the device fails.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = pollster::block_on(tensor.into_data_async()).context("the device failed")?;
    data.try_into_vec().map_err(|error| anyhow::anyhow!("the device gave another type of numbers: {error:?}"))
}

/// The class that `text` means: its wnid, its index, or one of its names, in any case.
///
/// # Errors
/// When no class is meant, with those that come near, or more than one.
pub fn find_class(card: &Card, text: &str) -> Result<usize> {
    let classes = &card.classes;
    let wanted = text.trim().to_lowercase();
    if let Some(index) = classes.iter().position(|class| class.wnid == wanted) {
        return Ok(index);
    }
    if let Ok(index) = wanted.parse::<usize>()
        && index < classes.len()
    {
        return Ok(index);
    }
    let matching = |matches: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let named = |index: &usize| classes[*index].name.split(',').any(|name| matches(&name.trim().to_lowercase()));
        (0..classes.len()).filter(named).collect()
    };
    let problem = match matching(&|name| name == wanted).as_slice() {
        [index] => return Ok(*index),
        [] => "is not a class",
        _ => "is the name of more than one class",
    };
    let near = matching(&|name| !wanted.is_empty() && name.contains(&wanted));
    let near: Vec<String> = near
        .iter()
        .take(5)
        .map(|&index| format!("{} ({})", classes[index].short_name(), classes[index].wnid))
        .collect();
    let hint = if near.is_empty() { String::new() } else { format!("; perhaps {}", near.join(", ")) };
    let last = classes.len().saturating_sub(1);
    let how = format!("give a wnid such as {}, a name or an index from 0 to {last}", classes[0].wnid);
    Err(UsageError(format!("'{text}' {problem} of the model {}: {how}{hint}", card.name)).into())
}

#[cfg(test)]
pub(crate) mod tests {
    use shared::bundle::{Class, Description, Precision, Recipe};
    use shared::model::{Architecture, WideResNetConfig};
    use tempfile::TempDir;

    use super::*;

    /// The two files of a small random network of five classes.
    fn exported(name: &str, seed: u64, device: &Device) -> (Vec<u8>, Vec<u8>) {
        let architecture = Architecture::WideResNet(WideResNetConfig { depth: 10, width: 1, strides: [2, 2, 2] });
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

    /// A small random network of five classes.
    pub(crate) fn bundle(name: &str, seed: u64, device: &Device) -> Bundle {
        let (json, weights) = exported(name, seed, device);
        pollster::block_on(Bundle::load(&json, &weights, device)).unwrap()
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

    #[test]
    fn guesses_are_sorted_probabilities_for_any_number_of_pictures() {
        let device = Device::flex();
        let bundle = bundle("small", 4, &device);
        let pictures: Vec<Picture> =
            (0..BATCH + 3).map(|i| Picture::from_rgb8(vec![i as u8 * 3; 64 * 64 * 3]).unwrap()).collect();
        let all = classify(&bundle, &pictures, 10, &device).unwrap();
        assert_eq!(all.len(), pictures.len());
        for guesses in &all {
            assert_eq!(guesses.len(), 5);
            assert!(guesses.is_sorted_by(|a, b| a.probability >= b.probability));
            assert!((guesses.iter().map(|guess| guess.probability).sum::<f32>() - 1.0).abs() < 1e-5);
        }
        // Whatever batch it is in, a picture is the same.
        let last = classify(&bundle, &pictures[BATCH + 2..], 10, &device).unwrap();
        assert!((last[0][0].probability - all[BATCH + 2][0].probability).abs() < 1e-5);
    }
}
