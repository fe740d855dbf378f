//! A deployable model: `model.json` (the card) and `model.safetensors` (the weights), both loadable from bytes.
//!
//! Loading a bundle returns a network that computes the same as when it was exported, or an error that says what is wrong:
//! the hash of the weights is checked, then every tensor, then the golden probe on the device at hand.

mod error;
mod probe;
mod quantize;
mod weights;

use burn::prelude::*;

pub use error::BundleError;
pub use probe::probe_image;
pub use terms::card::{
    Card, CardError, CheckItem, Checks, Class, FORMAT_VERSION, Part, Precision, Probe, Recipe, Weights, share_in_words,
};
pub use terms::score::{ImageSet, Right, Score, SmallestChanges};
pub(crate) use weights::{load_tensors, save_tensors};
pub use weights::{load_weights, save_weights};

use crate::model::{Architecture, BuildNetwork as _, Classifier};

/// A model whose files and computations were checked.
#[derive(Debug)]
pub struct Bundle {
    /// Card of the model.
    pub card: Card,
    /// Network, on the plain device that the bundle was loaded to.
    pub model: Classifier,
}

/// Description of a model for export, besides its weights.
#[derive(Clone, Debug)]
pub struct Description {
    /// Short name: `standard`, `hardened`.
    pub name: String,
    /// Architecture of the network.
    pub architecture: Architecture,
    /// Classes in the order of the logits.
    pub classes: Vec<Class>,
    /// Mean of the training pictures, RGB in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation of the training pictures, RGB in `[0, 1]`.
    pub std: [f32; 3],
    /// Recipe of the training.
    pub recipe: Recipe,
    /// SHA-256 of the training data.
    pub data_sha256: String,
    /// Measured accuracies.
    pub scores: Vec<Score>,
}

impl Bundle {
    /// Loads and checks a model.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if the card cannot be read or is of a newer format, if size or hash of the weights differ from the
    /// card's, if a tensor is missing, left over or misshapen, or if the network's results on `device` differ from those of
    /// the export.
    pub async fn load(card: &[u8], weights: &[u8], device: &Device) -> Result<Self, BundleError> {
        let card = Card::from_json(card)?;
        card.weights.check(weights)?;
        let mut model = build(&card, device)?;
        load_weights(&mut model, weights)?;
        let model = model.valid();
        probe::check(&card.probe, &model, device).await?;
        Ok(Self { card, model })
    }

    /// Makes the two files of a model: `model.json` and `model.safetensors`.
    ///
    /// The probe is computed with the weights as they will be read back, in `precision`, on the CPU, which every other device
    /// must agree with; then the files are loaded and checked on `device`.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if the weights cannot be written or do not load back.
    pub async fn export(
        model: &Classifier,
        description: Description,
        precision: Precision,
        device: &Device,
    ) -> Result<(Vec<u8>, Vec<u8>), BundleError> {
        let weights = save_weights(model, precision)?;
        let Description { name, architecture, classes, mean, std, recipe, data_sha256, scores } = description;
        let mut card = Card {
            format_version: FORMAT_VERSION,
            name,
            architecture,
            classes,
            mean,
            std,
            recipe,
            data_sha256,
            scores,
            checks: None,
            detectors: vec![],
            explanations: vec![],
            cost: None,
            weights: Weights::describe("model.safetensors", precision, &weights),
            probe: Probe::default(),
        };
        let cpu = Device::flex();
        let mut shipped = build(&card, &cpu)?;
        load_weights(&mut shipped, &weights)?;
        card.probe = probe::measure(&shipped.valid(), &cpu).await?;
        let json = card.to_json();
        Self::load(&json, &weights, device).await?;
        Ok((json, weights))
    }
}

/// Builds the network that a card describes, with weights that are yet to be loaded.
fn build(card: &Card, device: &Device) -> Result<Classifier, BundleError> {
    card.architecture.init(card.classes.len(), card.mean, card.std, device).map_err(BundleError::Architecture)
}

#[cfg(test)]
mod tests;
