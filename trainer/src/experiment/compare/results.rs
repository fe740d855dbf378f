//! What a comparison found, as `compare.json` holds it.

use anyhow::{Result, ensure};
use serde::Serialize;
use shared::metrics::Proportion;
use toml::Table;

use crate::memory::Memory;

/// What `compare.json` holds.
#[derive(Clone, Debug, Serialize)]
pub struct ComparisonReport {
    /// The command that began it.
    pub command: String,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// Classes of the data set.
    pub classes: usize,
    /// Training pictures of the data set.
    pub train_images: usize,
    /// Validation images used.
    pub images: usize,
    /// Whether the networks began with weights that know ImageNet.
    pub pretrained: bool,
    /// Side of the pictures that multiplications are counted for.
    pub side: usize,
    /// The networks, in the order in which they were named.
    pub networks: Vec<ComparedNetwork>,
}

impl ComparisonReport {
    /// # Errors
    /// When networks were left out.
    pub fn check_complete(&self) -> Result<()> {
        let missing = self.networks.iter().filter(|network| network.done.is_none());
        let names: Vec<&str> = missing.map(|network| network.arch.as_str()).collect();
        ensure!(
            names.is_empty(),
            "{} of {} networks are missing ({}): saying the same again tries them once more; a smaller --batch-size is for \
             another --out",
            names.len(),
            self.networks.len(),
            names.join(", ")
        );
        Ok(())
    }
}

/// An architecture.
#[derive(Clone, Debug, Serialize)]
pub struct ComparedNetwork {
    /// Its name on the command line.
    pub arch: String,
    /// Weights that are trained.
    pub parameters: u64,
    /// Multiply-accumulate operations of a forward pass of one picture.
    pub macs: u64,
    /// SHA-256 of the pretrained weights it began with, if it did.
    pub weights_sha256: Option<String>,
    /// The settings of training that apply to it.
    pub settings: Table,
    /// None, if its training or its measuring did not end well.
    pub done: Option<NetworkResult>,
    /// Why there is nothing more.
    pub failure: Option<String>,
}

/// What was measured of a trained network.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkResult {
    /// Top-1 accuracy.
    pub top1: Proportion,
    /// Wilson's 95% interval of it.
    pub top1_interval: [f64; 2],
    /// Top-5 accuracy.
    pub top5: Proportion,
    /// Images a second in training, validations and checkpoints included.
    pub training_images_per_second: f64,
    /// Images a second in inference.
    pub inference_images_per_second: f64,
    /// Bytes at the peak of training.
    pub peak: Memory,
    /// Steps of training.
    pub steps: usize,
    /// Time of training.
    pub seconds: f64,
    /// What computed the inference.
    pub device: String,
}
