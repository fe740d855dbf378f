//! What is computed inside of a network on the way to its answer, for one picture before and after an attack.

use serde::{Deserialize, Serialize};
use terms::detection::DetectorKind;

/// What a network computed of a picture, and of the same picture after an attack.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Insight {
    /// The picture.
    pub before: View,
    /// The attacked picture; none without an attack.
    pub after: Option<View>,
    /// What the colours of the evidence mean, in words; empty where there is none.
    pub colours: String,
    /// Feature maps of each stage before and after the attack; empty without one.
    pub stages: Vec<StageMaps>,
    /// What was measured, in sentences.
    pub words: String,
    /// The attack on network and detector together that made the attacked picture, with its settings; none for the attack of the page.
    pub evasion: Option<String>,
    /// A note for a picture that may show none of the network's classes; none for others.
    pub none_of: Option<String>,
}

/// What a network computed of one picture.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct View {
    /// The picture under the evidence of its cells, drawn: red for, blue against. None for a network whose evidence is not known
    /// cell by cell.
    pub evidence: Option<Drawing>,
    /// The detectors' scores.
    pub gauges: Vec<Gauge>,
}

/// A detector's score of a picture.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Gauge {
    /// The detector.
    pub kind: DetectorKind,
    /// Share of untouched images with a score at least as high, 0 to 1: the rate of false alarms if this picture raised one.
    pub share_above: f64,
    /// How well the detector tells attacked images, and what an attacker who knows it left of it, in words.
    pub note: String,
}

/// Maps of the channels of a stage that an attack changed most.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StageMaps {
    /// Name of the stage: `layer2`.
    pub name: String,
    /// Length of the change of all maps as a share of the length of the maps before; none where all maps were 0.
    pub change: Option<f32>,
    /// Numbers of the channels that are drawn, from 0.
    pub channels: Vec<u16>,
    /// The channels side by side: in the first row before the attack, in the second after it, in the third the change.
    pub drawing: Drawing,
}

/// A picture of any size as a canvas takes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawing {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Rows from the top, RGBA: `[height, width, 4]`.
    #[serde(with = "serde_bytes")]
    pub rgba: Vec<u8>,
}

impl std::fmt::Debug for Drawing {
    /// Leaves out the pixels.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Drawing({} x {})", self.width, self.height)
    }
}
