//! What the engine is made of: its backend, its networks, and how far their download is.

use serde::{Deserialize, Serialize};

use super::Slot;

/// What computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The CPU.
    Cpu,
    /// WebGPU.
    WebGpu,
}

/// What computes, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BackendReport {
    /// What computes.
    pub backend: Backend,
    /// The adapter's name, where the browser tells it.
    pub adapter: Option<String>,
    /// Whether the adapter is emulated on the CPU.
    pub software: bool,
    /// Why this one, in a sentence.
    pub reason: String,
}

/// How far a download is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Download {
    /// The network.
    pub slot: Slot,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes there will be.
    pub total: u64,
    /// Whether they came from this browser's cache.
    pub cached: bool,
}

/// What the engine can do once it is ready.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Catalogue {
    /// The classes that both networks know, in the order of their answers.
    pub classes: Vec<ClassLabel>,
    /// The networks, standard first.
    pub models: [ModelInfo; 2],
    /// Addresses that the engine loaded and will need again without a network.
    pub resources: Vec<String>,
    /// Whether the browser keeps the networks' files for a visit without a network.
    pub kept: bool,
}

/// A class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClassLabel {
    /// WordNet id.
    pub wnid: String,
    /// All its names, with commas between.
    pub name: String,
}

impl ClassLabel {
    /// The first of the names.
    pub fn short_name(&self) -> &str {
        self.name.split(',').next().unwrap_or(&self.name).trim()
    }
}

/// What a network's card says of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ModelInfo {
    /// `WRN-16-4`, say.
    pub architecture: String,
    /// Size of its weights.
    pub weights_bytes: u64,
    /// Name of the training recipe.
    pub recipe: String,
    /// What it scored.
    pub scores: Vec<ScoreLine>,
}

/// A proportion with the count it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proportion {
    /// Successes.
    pub hits: usize,
    /// Trials.
    pub of: usize,
}

impl Proportion {
    /// `hits / of`, 0 to 1; NaN of nothing.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }
}

/// One measured accuracy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ScoreLine {
    /// What was done to the pictures: `clean`, `BIM-5 at 4/255`.
    pub what: String,
    /// Pictures whose label came first.
    pub top1: Proportion,
    /// 95% interval of that.
    pub top1_interval: [f64; 2],
    /// Pictures whose label was among the first five.
    pub top5: Proportion,
}
