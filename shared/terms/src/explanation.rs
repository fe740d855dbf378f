//! Whether maps of what speaks for a class can be believed, as a card says it.

use serde::{Deserialize, Serialize};

/// Name of the method whose maps are put into words: class activation maps, which add up to the logit.
pub const CAM: &str = "cam";

/// What `bastion explain --check` found of a method's maps on a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapCheck {
    /// Name of the method: `cam`, `grad-cam`.
    pub method: String,
    /// Number of validation images.
    pub images: usize,
    /// Whether the maps depend on the network: random weights leave nothing of them (Adebayo et al., 2018, arXiv 1810.03292).
    pub depends_on_network: bool,
    /// Area under the insertion curve less that under the deletion curve, less the same of a centred Gaussian: mean over the images
    /// (Petsiuk et al., 2018, arXiv 1806.07421).
    pub above_gaussian: f64,
    /// Half of the 95% interval of `above_gaussian`; none of one image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<f64>,
}

impl MapCheck {
    /// Returns whether the maps may be put into words: they depend on the network, and find more than the middle of a picture would, beyond
    /// chance.
    pub fn allows_words(&self) -> bool {
        self.depends_on_network && self.interval.is_some_and(|interval| self.above_gaussian > interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_need_a_map_that_depends_on_the_network_and_beats_its_control() {
        let check = MapCheck {
            method: CAM.into(),
            images: 100,
            depends_on_network: true,
            above_gaussian: 0.05,
            interval: Some(0.02),
        };
        assert!(check.allows_words());
        for other in [
            MapCheck { depends_on_network: false, ..check.clone() },
            MapCheck { above_gaussian: 0.01, ..check.clone() },
            MapCheck { interval: None, ..check },
        ] {
            assert!(!other.allows_words(), "{other:?}");
        }
    }
}
