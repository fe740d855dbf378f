//! What a set of attacked pictures says of itself.

use serde::{Deserialize, Serialize};
use shared::attack::AttackConfig;

/// How a set of attacked pictures was crafted from a clean one.
///
/// The training pictures lead away from what the source network sees in them (eq. 3 of the paper, which also avoids label
/// leaking), the validation pictures from their true class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crafted {
    /// Name of the network whose gradients were used.
    pub source: String,
    /// SHA-256 of its weights' file.
    pub weights_sha256: String,
    /// That of the clean data set.
    pub data_sha256: String,
    pub attack: AttackConfig,
}
