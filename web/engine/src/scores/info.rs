//! What a network's card says, in the words of the page.

use protocol::Proportion;

/// What a network's card says of it.
#[derive(Clone, PartialEq, Debug)]
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
#[derive(Clone, PartialEq, Debug)]
pub struct Checks {
    /// Radius of the attacks in 255ths, where an item names no other.
    pub epsilon_255: f32,
    /// Validation pictures that were looked at.
    pub pictures: usize,
    /// The items, in the order of the report.
    pub items: Vec<CheckLine>,
}

/// One question about the scores.
#[derive(Clone, PartialEq, Eq, Debug)]
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

/// One measured accuracy.
#[derive(Clone, PartialEq, Debug)]
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PictureSet {
    /// The validation pictures as they are.
    Clean,
    /// The same, augmented.
    Augmented,
    /// The same, corrupted.
    Corrupted,
}

/// An attack under which an accuracy was measured.
#[derive(Clone, PartialEq, Debug)]
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EpsilonUnit {
    /// 255ths of a channel's range.
    Levels,
    /// Standard deviations of the training pictures, a channel each.
    Deviations,
}
