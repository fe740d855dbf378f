//! How many pictures a step has.

use std::fmt::{self, Display};
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of pictures, or as many as fit into the memory: then [`super::fit`] finds the number before a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    Auto,
    Pictures(usize),
}

const AUTO: &str = "auto";
const EXPECTED: &str = "a number of pictures, or \"auto\"";

impl BatchSize {
    /// The number, if it is known.
    pub fn pictures(self) -> Option<usize> {
        match self {
            Self::Auto => None,
            Self::Pictures(pictures) => Some(pictures),
        }
    }

    /// The number.
    ///
    /// # Errors
    /// When it has not been found yet.
    pub fn number(self) -> Result<usize> {
        self.pictures().context("batch-size auto is to be replaced by a number before a run begins")
    }
}

impl Display for BatchSize {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str(AUTO),
            Self::Pictures(pictures) => write!(formatter, "{pictures}"),
        }
    }
}

impl FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            AUTO => Ok(Self::Auto),
            number => number.parse().map(Self::Pictures).map_err(|_| format!("it takes {EXPECTED}")),
        }
    }
}

/// A number in files as well, and not a text of one.
impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str(AUTO),
            Self::Pictures(pictures) => pictures.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyForm;

        impl Visitor<'_> for AnyForm {
            type Value = BatchSize;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str(EXPECTED)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<BatchSize, E> {
                usize::try_from(number).map(BatchSize::Pictures).map_err(E::custom)
            }

            // TOML knows signed numbers alone.
            fn visit_i64<E: Error>(self, number: i64) -> Result<BatchSize, E> {
                usize::try_from(number).map(BatchSize::Pictures).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<BatchSize, E> {
                if text == AUTO { Ok(BatchSize::Auto) } else { Err(E::custom(format!("batch-size takes {EXPECTED}"))) }
            }
        }

        deserializer.deserialize_any(AnyForm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_one_and_auto_a_word() {
        for (text, json, size) in [("auto", "\"auto\"", BatchSize::Auto), ("64", "64", BatchSize::Pictures(64))] {
            assert_eq!(text.parse(), Ok(size));
            assert_eq!(size.to_string(), text);
            assert_eq!(serde_json::to_string(&size).unwrap(), json);
            assert_eq!(serde_json::from_str::<BatchSize>(json).unwrap(), size);
        }
        assert!("all".parse::<BatchSize>().unwrap_err().contains("\"auto\""));
        assert!(
            serde_json::from_str::<BatchSize>("-3").is_err() && serde_json::from_str::<BatchSize>("\"64\"").is_err()
        );
        assert!(BatchSize::Auto.number().is_err());
    }
}
