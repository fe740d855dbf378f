//! What `bastion evaluate` takes in lists.

use std::str::FromStr;

use shared::attack::AttackKind;
use shared::corrupt::{Corruption, UnknownCorruption};

/// What `--attack` takes: `none`, or an attack with or without its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttackChoice {
    /// No attack.
    None,
    /// This one.
    One(AttackKind, Option<u16>),
}

impl FromStr for AttackChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let (name, steps) = text.split_once('-').map_or((text, None), |(name, steps)| (name, Some(steps)));
        let kind = AttackKind::ALL.into_iter().find(|kind| kind.label().to_lowercase() == name);
        let kind = kind.ok_or("an attack is one of fgsm, bim, pgd, noise, or none")?;
        let Some(steps) = steps else { return Ok(Self::One(kind, None)) };
        if !kind.takes_steps() {
            return Err(format!("{name} has no steps: only bim and pgd take them, as in pgd-50"));
        }
        match steps.parse() {
            Ok(steps @ 1..=10_000) => Ok(Self::One(kind, Some(steps))),
            _ => Err(format!("{steps} is no number of steps: 1 to 10000, as in {name}-50")),
        }
    }
}

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
