//! The results of an evaluation as data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::bundle::Score;

use crate::data::{Crafted, CraftedVal};

/// The scores of all networks, as `--json` prints them and `scores.json` holds them.
#[derive(Serialize, Deserialize)]
pub struct Report {
    /// sha256 of the data set, hexadecimal.
    pub data_sha256: String,
    /// Number of validation images used.
    pub images: usize,
    /// The networks, in the order given.
    pub models: Vec<ModelReport>,
    /// The crafted sets that were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crafted: Vec<CraftedReport>,
}

/// A crafted set whose images were shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CraftedReport {
    /// Folder of the set.
    pub dir: PathBuf,
    /// sha256 of the set, hexadecimal.
    pub sha256: String,
    /// Network and attack that the set was crafted with.
    #[serde(flatten)]
    pub made: Crafted,
}

impl From<&CraftedVal> for CraftedReport {
    fn from(set: &CraftedVal) -> Self {
        Self { dir: set.dir.clone(), sha256: set.sha256.clone(), made: set.made.clone() }
    }
}

/// The scores of one network.
#[derive(Serialize, Deserialize)]
pub struct ModelReport {
    /// Folder of the network.
    pub dir: PathBuf,
    /// Name of the network.
    pub name: String,
    /// sha256 of the weights, hexadecimal.
    pub weights_sha256: String,
    /// Scores, in the same order for every network.
    pub scores: Vec<Score>,
    /// Seconds that each score took: of several attacks one after the other, each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seconds: Vec<Vec<f64>>,
}

#[cfg(test)]
pub(super) mod tests {
    use shared::attack::{AttackConfig, Goal};
    use shared::bundle::ImageSet;
    use shared::metrics::Proportion;

    use super::*;

    pub(crate) fn score(attack: Option<AttackConfig>, hits: usize) -> Score {
        let top1 = Proportion { hits, of: 100 };
        Score {
            set: ImageSet::Validation,
            attack,
            then: vec![],
            left: vec![],
            goal: Goal::Untargeted,
            restarts: 1,
            until_fooled: false,
            crafted_on: None,
            crafted_sha256: None,
            top1,
            top1_interval: top1.wilson_interval(),
            top5: top1,
            hits_at: vec![[1, hits], [5, hits + 5]],
            success: None,
            median_linf: None,
            median_l2: None,
            smallest: None,
            no_gradient: 0,
        }
    }

    pub(crate) fn report() -> Report {
        let bim = |epsilon_255: f32| Some(AttackConfig::bim(epsilon_255 / 255.0, 5));
        let scores = vec![score(None, 60), score(bim(4.0), 20), score(bim(8.0), 10)];
        let model = |name: &str| ModelReport {
            dir: "runs/a".into(),
            name: name.into(),
            weights_sha256: "ab".into(),
            scores: scores.clone(),
            seconds: vec![],
        };
        Report {
            data_sha256: "cd".into(),
            images: 100,
            models: vec![model("standard"), model("hard, \"ened\"")],
            crafted: vec![],
        }
    }
}
