//! Epsilon as people write it: `8/255`, or a decimal.

use std::fmt::{self, Display};
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::bundle::Card;

/// What `--epsilon-space` takes: what a radius is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EpsilonSpace {
    /// Pixels from 0 to 1
    Pixel,
    /// Pixels divided by the standard deviation of their channel, as networks see them; the paper's 0.2 is of this kind
    Normalized,
}

impl EpsilonSpace {
    /// What a radius for the network of `card` is multiplied with to be in pixel units, RGB.
    pub fn scale(self, card: &Card) -> [f32; 3] {
        match self {
            Self::Pixel => [1.0; 3],
            Self::Normalized => card.std,
        }
    }
}

/// Radius of the L-infinity ball in pixel units, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Epsilon(f32);

impl Epsilon {
    /// # Errors
    /// When `value` is not from 0 to 1.
    pub fn new(value: f32) -> Result<Self, String> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(format!("{value} is not from 0 to 1")) }
    }

    /// In pixel units, 0 to 1.
    pub fn value(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Epsilon {
    type Error = String;

    fn try_from(value: f32) -> Result<Self, String> {
        Self::new(value)
    }
}

impl From<Epsilon> for f32 {
    fn from(epsilon: Epsilon) -> Self {
        epsilon.0
    }
}

impl FromStr for Epsilon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f32>().map_err(|_| format!("'{text}' is not a number"));
        let value = match text.split_once('/') {
            Some((above, below)) => number(above)? / number(below)?,
            None => number(text)?,
        };
        Self::new(value).map_err(|error| {
            // Steps of 8 bits are what people mean who write 8.
            let hint =
                if (1.0..=255.0).contains(&value) { format!(" (did you mean {value}/255?)") } else { String::new() };
            format!("{error}: write it as 8/255 or as a decimal such as 0.03{hint}")
        })
    }
}

impl Display for Epsilon {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        // Two places, without the zeros that say nothing: 8/255, 7.65/255.
        let steps = format!("{:.2}", self.0 * 255.0);
        let steps = steps.trim_end_matches('0').trim_end_matches('.');
        write!(formatter, "{steps}/255 ({:.4})", self.0)
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
        for text in ["", "8", "-0.1", "300/255", "1/0", "0/0", "nan", "8/255/2", "eight"] {
            assert!(text.parse::<Epsilon>().is_err(), "{text}");
        }
        let message = "8".parse::<Epsilon>().unwrap_err();
        assert!(message.contains("did you mean 8/255?"), "{message}");
    }

    #[test]
    fn both_forms_are_shown() {
        assert_eq!("8/255".parse::<Epsilon>().unwrap().to_string(), "8/255 (0.0314)");
        assert_eq!("0.03".parse::<Epsilon>().unwrap().to_string(), "7.65/255 (0.0300)");
        assert_eq!("0".parse::<Epsilon>().unwrap().to_string(), "0/255 (0.0000)");
    }
}
