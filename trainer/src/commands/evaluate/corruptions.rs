//! What `bastion evaluate --corruptions` takes.

use std::str::FromStr;

use shared::corrupt::{Corruption, UnknownCorruption};

/// What `--corruptions` takes: `all`, or a name.
#[derive(Clone, Debug)]
pub enum CorruptionChoice {
    /// All there are.
    All,
    /// This one.
    One(Corruption),
}

impl FromStr for CorruptionChoice {
    type Err = UnknownCorruption;

    fn from_str(text: &str) -> Result<Self, UnknownCorruption> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}
