//! Detectors in a model's folder: files of weights beside `model.json`, which describes them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use burn::prelude::*;
use shared::bundle::{Card, Part};
use shared::detect::{Detector, DetectorCard, load_detector};

use crate::files::write_atomically;
use crate::models;
use crate::progress::Progress;

/// Loads the detectors of the model in `dir`, in the order of its card.
///
/// # Errors
/// When a file is missing or damaged, or does not fit the network.
pub fn load(dir: &Path, card: &Card, device: &Device) -> Result<Vec<(DetectorCard, Detector)>> {
    card.detectors.iter().map(|detector| load_one(dir, card, detector, device)).collect()
}

/// Loads those of the detectors that can be loaded, and warns of each other one.
pub fn load_usable(dir: &Path, card: &Card, device: &Device, progress: &Progress) -> Vec<(DetectorCard, Detector)> {
    let loaded = card.detectors.iter().map(|detector| load_one(dir, card, detector, device));
    loaded.filter_map(|one| one.inspect_err(|error| progress.warn(format!("{error:#}"))).ok()).collect()
}

fn load_one(dir: &Path, card: &Card, detector: &DetectorCard, device: &Device) -> Result<(DetectorCard, Detector)> {
    let load = || {
        let read = |part: &Part| {
            let path = dir.join(&part.file);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let content = detector.weights.as_ref().map(read).transpose()?;
        anyhow::Ok((detector.clone(), load_detector(card, detector, content.as_deref(), device)?))
    };
    load().with_context(|| {
        let (kind, dir) = (detector.kind, dir.display());
        format!("cannot load the detector {kind} in {dir} (bastion detector train makes it again)")
    })
}

/// Writes a detector beside the model in `dir`, in place of an earlier one of its kind. `card` describes it but for the file.
///
/// # Errors
/// When the weights cannot be read from the device, or a file cannot be written.
pub fn save(dir: &Path, detector: &Detector, mut card: DetectorCard) -> Result<()> {
    if let Some(content) = detector.save()? {
        let file = format!("detector-{}.safetensors", card.kind);
        write_atomically(&dir.join(&file), &content)?;
        card.weights = Some(Part::describe(file, &content));
    }
    update(dir, card)
}

/// Writes what `model.json` in `dir` says of a detector, in place of what it says of an earlier one of its kind.
///
/// # Errors
/// When `model.json` cannot be read or written.
pub fn update(dir: &Path, detector: DetectorCard) -> Result<()> {
    let mut card = models::card(dir)?;
    match card.detectors.iter_mut().find(|old| old.kind == detector.kind) {
        Some(old) => *old = detector,
        None => card.detectors.push(detector),
    }
    write_atomically(&dir.join("model.json"), &card.to_json())
}
