//! Radii of attacks as users write them: `8/255`, or a decimal.

use std::fmt::{self, Display};
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::attack::{DEFAULT_EPSILON_255, Norm, PAPER_EPSILON_STD, ThreatModel, in_255ths};
use shared::bundle::Card;

/// The values of `--epsilon-space`: the units that a radius is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EpsilonSpace {
    /// Pixels from 0 to 1
    Pixel,
    /// Pixels divided by the standard deviation of their channel, as networks see them; the paper's 0.2 is of this kind
    Normalized,
}

impl EpsilonSpace {
    /// Returns the factors that convert a radius for the network of `card` to pixel units, RGB.
    pub fn scale(self, card: &Card) -> [f32; 3] {
        match self {
            Self::Pixel => [1.0; 3],
            Self::Normalized => card.std,
        }
    }
}

/// Radius of the L-infinity ball in pixel units, 0 to 1. In files a text, `"8/255"`, or a number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Epsilon(f32);

/// The two forms of a radius in a file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a radius such as \"8/255\" or 0.03")]
enum Written {
    Text(String),
    Number(f32),
}

impl Epsilon {
    /// Creates a radius of `value` in pixel units.
    ///
    /// # Errors
    /// When `value` is not from 0 to 1.
    pub fn new(value: f32) -> Result<Self, String> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(format!("{value} is not from 0 to 1")) }
    }

    /// Returns the radius in pixel units, 0 to 1.
    pub fn value(self) -> f32 {
        self.0
    }
}

/// Returns a length in pixel units in 255ths, with two places but without trailing zeros: `8`, `7.65`.
fn levels(length: f32) -> String {
    let levels = format!("{:.2}", length * 255.0);
    levels.trim_end_matches('0').trim_end_matches('.').into()
}

/// Returns a length in pixel units both ways: `8/255 (0.0314)`.
pub fn in_levels(length: f32) -> String {
    format!("{}/255 ({length:.4})", levels(length))
}

/// Returns the radius of an attack for the name of a file: `eps8` and `eps7.65` in 255ths, in L2 `eps0.5` in pixel units, in L0 `eps3` in
/// pixels.
pub fn in_file_name(threat: &ThreatModel) -> String {
    match threat.norm {
        Norm::Linf => format!("eps{}", levels(threat.epsilon)),
        Norm::L2 | Norm::L0 => format!("eps{}", threat.epsilon),
    }
}

/// A length as it was typed, `8/255` or a decimal, before its norm is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radius(f32);

impl Radius {
    /// Returns `length` as if it had been typed.
    pub fn new(length: f32) -> Self {
        Self(length)
    }

    /// Returns the radius of attacks in `norm` where none is typed: in the normalised space of L-infinity the paper's.
    pub fn usual(norm: Norm, space: EpsilonSpace) -> Self {
        match (norm, space) {
            (Norm::Linf, EpsilonSpace::Normalized) => Self(PAPER_EPSILON_STD),
            (norm, _) => Self(norm.default_epsilon()),
        }
    }

    /// Returns the number as a radius, or the length of a step, in `norm`.
    ///
    /// # Errors
    /// When the number is out of the norm's range.
    pub fn in_norm(self, norm: Norm) -> Result<f32, String> {
        match norm {
            Norm::Linf => Epsilon::new(self.0).map(Epsilon::value).map_err(|error| {
                // A user who writes 8 means steps of 8 bits.
                let in_levels = (1.0..=255.0).contains(&self.0);
                let hint = if in_levels { format!(" (did you mean {}/255?)", self.0) } else { String::new() };
                format!("{error}: write it as 8/255 or as a decimal such as 0.03{hint}")
            }),
            Norm::L2 | Norm::L0 => match ThreatModel::new(norm, self.0).validate() {
                Ok(()) => Ok(self.0),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

impl FromStr for Radius {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f32>().map_err(|_| format!("'{text}' is not a number"));
        Ok(Self(match text.split_once('/') {
            Some((above, below)) => number(above)? / number(below)?,
            None => number(text)?,
        }))
    }
}

/// The default is [`DEFAULT_EPSILON_255`].
impl Default for Epsilon {
    fn default() -> Self {
        Self(f32::from(DEFAULT_EPSILON_255) / 255.0)
    }
}

impl TryFrom<Written> for Epsilon {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Text(text) => text.parse(),
            Written::Number(value) => Self::new(value),
        }
    }
}

impl From<Epsilon> for String {
    fn from(epsilon: Epsilon) -> Self {
        let text = in_255ths(epsilon.0);
        // A radius must survive writing and reading without loss.
        if text.parse() == Ok(epsilon) { text } else { epsilon.0.to_string() }
    }
}

impl FromStr for Epsilon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<Radius>()?.in_norm(Norm::Linf).map(Self)
    }
}

impl Display for Epsilon {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&in_levels(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_and_decimals_are_read() {
        for (text, value) in
            [("8/255", 8.0 / 255.0), ("0.03", 0.03), ("0", 0.0), ("1", 1.0), (" 2 / 255 ", 2.0 / 255.0)]
        {
            assert_eq!(text.parse::<Epsilon>().map(Epsilon::value), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_radius_is_refused() {
        for text in ["", "8", "-1", "-8/255", "-0.1", "300/255", "1/0", "0/0", "nan", "8/255/2", "eight"] {
            assert!(text.parse::<Epsilon>().is_err(), "{text}");
        }
        let message = "8".parse::<Epsilon>().unwrap_err();
        assert!(message.contains("did you mean 8/255?"), "{message}");
    }

    #[test]
    fn files_hold_texts_or_numbers_and_lose_nothing() {
        for value in [0.0, 4.0 / 255.0, 0.03, 0.123_456_78] {
            let epsilon = Epsilon::new(value).unwrap();
            let json = serde_json::to_string(&epsilon).unwrap();
            assert_eq!(serde_json::from_str::<Epsilon>(&json).unwrap(), epsilon, "{json}");
        }
        assert_eq!(serde_json::from_str::<Epsilon>("0.03").unwrap().value(), 0.03);
        assert_eq!(serde_json::to_string(&Epsilon::new(8.0 / 255.0).unwrap()).unwrap(), "\"8/255\"");
        assert!(serde_json::from_str::<Epsilon>("8").is_err());
    }

    #[test]
    fn both_forms_are_shown() {
        assert_eq!("8/255".parse::<Epsilon>().unwrap().to_string(), "8/255 (0.0314)");
        assert_eq!("0.03".parse::<Epsilon>().unwrap().to_string(), "7.65/255 (0.0300)");
        assert_eq!("0".parse::<Epsilon>().unwrap().to_string(), "0/255 (0.0000)");
        let of_file = |text: &str| in_file_name(&ThreatModel::linf(text.parse::<Epsilon>().unwrap().value()));
        assert_eq!((of_file("8/255"), of_file("0.03")), ("eps8".into(), "eps7.65".into()));
        assert_eq!(in_file_name(&ThreatModel::l2(0.5)), "eps0.5");
    }
}
