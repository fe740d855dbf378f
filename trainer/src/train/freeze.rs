//! For how long the backbone of a pretrained network is left as it is.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What of a network is not trained. What is frozen has no gradients, and its batch norm keeps the statistics it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// All is trained.
    None,
    /// Only the head is trained.
    Backbone,
    /// Only the head for so many epochs, then all.
    Epochs(usize),
}

const EXPECTED: &str = "\"none\", \"backbone\" or a number of epochs";

impl Freeze {
    /// Steps from the first one on in which the backbone is frozen.
    pub fn steps(self, steps_per_epoch: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Backbone => usize::MAX,
            Self::Epochs(epochs) => epochs.saturating_mul(steps_per_epoch),
        }
    }
}

impl Display for Freeze {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
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
            number => number.parse().map(Self::Epochs).map_err(|_| format!("it takes {EXPECTED}")),
        }
    }
}

/// A number in files as well, and not a text of one.
impl Serialize for Freeze {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Epochs(epochs) => epochs.serialize(serializer),
            word => serializer.serialize_str(&word.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Freeze {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyForm;

        impl Visitor<'_> for AnyForm {
            type Value = Freeze;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str(EXPECTED)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Freeze, E> {
                usize::try_from(number).map(Freeze::Epochs).map_err(E::custom)
            }

            // TOML knows signed numbers alone.
            fn visit_i64<E: Error>(self, number: i64) -> Result<Freeze, E> {
                usize::try_from(number).map(Freeze::Epochs).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Freeze, E> {
                match text.parse() {
                    Ok(freeze @ (Freeze::None | Freeze::Backbone)) => Ok(freeze),
                    _ => Err(E::custom(format!("freeze takes {EXPECTED}"))),
                }
            }
        }

        deserializer.deserialize_any(AnyForm)
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
