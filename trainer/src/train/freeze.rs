//! Freezing of the backbone of a pretrained network.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The frozen part of a network. It has no gradients, and its batch norm keeps its initial statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", expecting = "freeze takes \"none\", \"backbone\" or a number of epochs")]
pub enum Freeze {
    /// The whole network is trained.
    None,
    /// Only the head is trained.
    Backbone,
    /// Only the head is trained for so many epochs, then the whole network. In files a number, not a text.
    #[serde(untagged)]
    Epochs(usize),
}

impl Freeze {
    /// Returns the number of steps, from the first one on, in which the backbone is frozen.
    pub fn steps(self, steps_per_epoch: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Backbone => usize::MAX,
            Self::Epochs(epochs) => epochs.saturating_mul(steps_per_epoch),
        }
    }
}

impl Display for Freeze {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("none"),
            Self::Backbone => formatter.write_str("backbone"),
            Self::Epochs(epochs) => write!(formatter, "{epochs}"),
        }
    }
}

impl FromStr for Freeze {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "backbone" => Ok(Self::Backbone),
            number => number
                .parse()
                .map(Self::Epochs)
                .map_err(|_| "it takes \"none\", \"backbone\" or a number of epochs".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words_and_epochs_a_number() {
        for (text, json, freeze, steps) in [
            ("none", "\"none\"", Freeze::None, 0),
            ("backbone", "\"backbone\"", Freeze::Backbone, usize::MAX),
            ("3", "3", Freeze::Epochs(3), 30),
        ] {
            assert_eq!(text.parse(), Ok(freeze));
            assert_eq!(freeze.to_string(), text);
            assert_eq!(serde_json::to_string(&freeze).unwrap(), json);
            assert_eq!(serde_json::from_str::<Freeze>(json).unwrap(), freeze);
            assert_eq!(freeze.steps(10), steps);
        }
        assert!("head".parse::<Freeze>().unwrap_err().contains("\"backbone\""));
        assert!(serde_json::from_str::<Freeze>("-3").is_err() && serde_json::from_str::<Freeze>("\"3\"").is_err());
    }
}
