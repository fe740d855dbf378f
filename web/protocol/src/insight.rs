//! What is computed inside of a network on the way to its answer, for one picture before and after an attack.

use serde::{Deserialize, Serialize};

/// What a network computed of a picture, and of the same picture after an attack, as the engine wrote it out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Insight {
    /// HTML for the page: sentences, the evidence over the pictures, the detectors' scores, feature maps. Nothing in it runs; a button
    /// `data-evade` stands for an attack on the network and the detector that the attribute names.
    pub html: String,
    /// Sentences and scores as a JSON object over several lines, for the report of a run.
    pub json: String,
}
