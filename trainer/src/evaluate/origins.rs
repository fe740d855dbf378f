//! Names what scores are measured on besides the network: another network, a crafted set.

use shared::bundle::Score;

use super::image_result::ImageResult;
use super::{Trial, tally};
use crate::data::Crafted;

/// Networks and crafted sets of an evaluation, as scores name them.
pub struct Origins<'a> {
    /// Name of each network, and the deviation that the network normalises by.
    pub networks: Vec<(&'a str, [f32; 3])>,
    /// Origin of each crafted set, and its SHA-256.
    pub crafted: Vec<(&'a Crafted, &'a str)>,
}

impl Origins<'_> {
    /// Returns the score of the results of a network in `trial`, given its results on the clean images.
    pub(crate) fn score(&self, trial: &Trial, network: usize, results: &[ImageResult], clean: &[ImageResult]) -> Score {
        let source = trial.attack.as_ref().and_then(|attack| attack.crafted_on);
        let (crafted_on, crafted_sha256) = match trial.crafted.map(|place| self.crafted[place]) {
            // Noise uses no network's gradients.
            Some((made, sha256)) => {
                ((!made.attack.kind.is_control()).then(|| made.source.clone()), Some(sha256.into()))
            }
            None => (source.map(|source| self.networks[source].0.to_owned()), None),
        };
        let trial = trial.on(self.networks[source.unwrap_or(network)].1);
        Score { crafted_on, crafted_sha256, ..tally::score(&trial, results, clean) }
    }
}
