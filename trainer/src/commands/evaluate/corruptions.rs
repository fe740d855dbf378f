//! The values of `bastion evaluate --corruptions`.

use std::str::FromStr;

use shared::corrupt::{Corruption, UnknownCorruption};

/// A value of `--corruptions`: `all`, or a name.
#[derive(Clone, Debug)]
pub enum CorruptionChoice {
    /// All corruptions.
    All,
    /// One corruption.
    One(Corruption),
}

impl FromStr for CorruptionChoice {
    type Err = UnknownCorruption;

    fn from_str(text: &str) -> Result<Self, UnknownCorruption> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}
