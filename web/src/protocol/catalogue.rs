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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BackendReport {
    /// What computes.
    pub backend: Backend,
    /// The adapter's name, where the browser tells it.
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
    /// The adapter's name, where the browser tells it; another one has to be measured anew.
    pub adapter: Option<String>,
    /// Milliseconds of a forward pass on WebGPU.
    pub webgpu_ms: f64,
    /// The same on the CPU.
    pub cpu_ms: f64,
}

impl Measured {
    /// The quicker one.
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

/// What a network was trained on, as far as its recipe's name tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Training {
    /// Ordinary pictures only.
    Ordinary,
    /// Pictures with made-up weather and the like as well.
    Perturbed,
    /// Attacked pictures as well.
    Attacked,
    /// A recipe of one's own.
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

/// What the engine can do once both networks are loaded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Catalogue {
    /// The classes that both networks know, in the order of their answers.
    pub classes: Vec<ClassLabel>,
    /// The networks, left and right.
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
    /// What the page calls it.
    pub title: String,
    /// Its own name: `standard`. Scores name the network that crafted their pictures by it.
    pub name: String,
    /// `WRN-16-4`, say.
    pub architecture: String,
    /// Numbers that training learned.
    pub parameters: u64,
    /// Multiplications with addition that one 64x64 picture takes.
    pub macs: u64,
    /// Size of its weights.
    pub weights_bytes: u64,
    /// Hash of them.
    pub weights_sha256: String,
    /// Number format of the weights: `f16`.
    pub precision: String,
    /// Name of the training recipe.
    pub recipe: String,
    /// What its batches were made of: names of equal shares, `augmented`, `n-fgsm`.
    pub mix: Vec<String>,
    /// The commands that made it, in order.
    pub commands: Vec<String>,
    /// Hash of the data it was trained on.
    pub data_sha256: String,
    /// Number of classes it knows.
    pub classes: usize,
    /// Mean of the training pictures, RGB in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation of the training pictures, RGB in `[0, 1]`.
    pub std: [f32; 3],
    /// What it scored.
    pub scores: Vec<ScoreLine>,
    /// Whether these scores can be believed; none if nobody has checked.
    pub checks: Option<Checks>,
}

/// What `bastion check` found of a network's scores.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Checks {
    /// Radius of the attacks in 255ths, where an item names no other.
    pub epsilon_255: f32,
    /// Validation pictures that were looked at.
    pub pictures: usize,
    /// The items, in the order of the report.
    pub items: Vec<CheckLine>,
}

/// One question about the scores.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckLine {
    /// What must hold.
    pub name: String,
    /// What was measured, or why it could not be.
    pub figure: String,
    /// What the figure must keep to; empty if it was not measured.
    pub limit: String,
    /// None if it was not measured.
    pub passed: Option<bool>,
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
    /// What was done to the pictures, but not through whose gradients: `clean`, `BIM-5 at 4/255`.
    pub what: String,
    /// Which pictures, before any attack.
    pub pictures: PictureSet,
    /// The attack on each of them, if there was one.
    pub attack: Option<AttackLine>,
    /// Name of the network whose gradients crafted the pictures (transfer); none if the scored one's own did.
    pub crafted_on: Option<String>,
    /// Pictures whose label came first.
    pub top1: Proportion,
    /// 95% interval of that.
    pub top1_interval: [f64; 2],
    /// Pictures whose label was among the first five; none where each was attacked only until it was no longer the first.
    pub top5: Option<Proportion>,
}

/// Which pictures an accuracy was measured on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureSet {
    /// The validation pictures as they are.
    Clean,
    /// The same, augmented.
    Augmented,
    /// The same, corrupted.
    Corrupted,
}

/// An attack under which an accuracy was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttackLine {
    /// All of it but its radius: `BIM-5`; `PGD-50, targeted, 10 restarts`.
    pub family: String,
    /// Its place among the attacks, weakest first.
    pub rank: usize,
    /// Gradient steps.
    pub steps: usize,
    /// The radius, in `unit`.
    pub epsilon: f32,
    /// What the radius is measured in.
    pub unit: EpsilonUnit,
    /// Whether it is noise, which asks no network's gradients.
    pub is_control: bool,
}

/// What an epsilon is measured in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EpsilonUnit {
    /// 255ths of a channel's range.
    Levels,
    /// Standard deviations of the training pictures, a channel each.
    Deviations,
}
