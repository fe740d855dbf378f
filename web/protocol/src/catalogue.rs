//! What the engine is made of: its backend, its networks, and how far their download is.

use serde::{Deserialize, Serialize};
use terms::card::Class;
use terms::metrics::Proportion;

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

impl Backend {
    /// Returns the name in addresses and attributes, which is that of the choice for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::WebGpu => "webgpu",
        }
    }
}

/// What computes, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BackendReport {
    /// What computes.
    pub backend: Backend,
    /// The adapter's name, where the browser gives it.
    pub adapter: Option<String>,
    /// Whether the adapter is emulated on the CPU.
    pub software: bool,
    /// Why this one, in a sentence.
    pub reason: String,
    /// How quick each backend is, where the choice was between two.
    pub measured: Option<Measured>,
}

/// How long both backends take to look at a picture, measured on this device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The adapter's name, where the browser gives it; another one has to be measured anew.
    pub adapter: Option<String>,
    /// Milliseconds of a forward pass on WebGPU.
    pub webgpu_ms: f64,
    /// The same on the CPU.
    pub cpu_ms: f64,
}

impl Measured {
    /// Returns the quicker backend.
    pub fn quicker(&self) -> Backend {
        if self.webgpu_ms <= self.cpu_ms { Backend::WebGpu } else { Backend::Cpu }
    }
}

/// Folders of two networks below `models/`, left and right.
pub type Pair = [String; 2];

/// A network that the server lists.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its folder below `models/`.
    pub folder: String,
    /// What its card says; why it cannot be used, in a sentence, if there is no such card.
    pub offer: Result<Offer, String>,
}

/// What a card says of a network before its weights are here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// What the page calls it; no two are called the same.
    pub title: String,
    /// `WRN-16-4`, say.
    pub architecture: String,
    /// Number format of the weights: `f16`.
    pub precision: String,
    /// Size of its weights.
    pub weights_bytes: u64,
    /// Bytes of them that this browser keeps.
    pub kept_bytes: u64,
    /// Share of unchanged pictures that it knew, if that was measured.
    pub clean: Option<Proportion>,
    /// What it was trained on.
    pub training: Training,
    /// Networks of the same number know the same classes.
    pub class_set: usize,
}

/// What a network was trained on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Training {
    /// Ordinary pictures only.
    Ordinary,
    /// Pictures with made-up weather and the like as well.
    Perturbed,
    /// Attacked pictures as well.
    Attacked,
    /// The card does not say.
    Unknown,
}

/// How far a download is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Download {
    /// The network's place.
    pub slot: Slot,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes there will be.
    pub total: u64,
    /// Whether all of them came from this browser's cache.
    pub cached: bool,
}

/// What the engine can do once its networks are loaded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Catalogue {
    /// The classes that the networks know, in the order of their answers.
    pub classes: Vec<Class>,
    /// The networks, left and right, of which at least one is loaded; why the other is not, in sentences.
    pub models: [Result<LoadedModel, String>; 2],
    /// What they scored and what their cards say, as HTML without a script: written where the cards are read, so that the page's
    /// program, which visitors wait for, need not know how.
    pub scores: String,
    /// Addresses that the engine loaded and will need again without a network.
    pub resources: Vec<String>,
    /// Whether the browser keeps the networks' files for a visit without a network.
    pub kept: bool,
}

/// What the page knows of a network that is loaded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LoadedModel {
    /// What the page calls it.
    pub title: String,
    /// `WRN-16-4`, say.
    pub architecture: String,
    /// Hash of its weights.
    pub weights_sha256: String,
}
