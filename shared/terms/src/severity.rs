use serde::{Deserialize, Serialize};

/// Severity of a corruption: 1 (mild) to 5 (strong), the benchmark's five levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Severity(u8);

impl Severity {
    /// All severities, mildest first.
    pub const ALL: [Self; 5] = [Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// Makes a severity from its number.
    ///
    /// # Errors
    ///
    /// [`SeverityError`] for a number outside 1 to 5.
    pub fn new(severity: u8) -> Result<Self, SeverityError> {
        if (1..=5).contains(&severity) { Ok(Self(severity)) } else { Err(SeverityError(severity)) }
    }

    /// Returns the number, 1 to 5.
    pub fn get(self) -> u8 {
        self.0
    }

    /// Returns the parameter of this severity out of `parameters`, which are for 1 to 5.
    pub fn pick<T: Copy>(self, parameters: [T; 5]) -> T {
        parameters[usize::from(self.0) - 1]
    }
}

impl TryFrom<u8> for Severity {
    type Error = SeverityError;

    fn try_from(severity: u8) -> Result<Self, SeverityError> {
        Self::new(severity)
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> Self {
        severity.0
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A number that is no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("severity {0} is out of range: take 1 (mild) to 5 (strong)")]
pub struct SeverityError(pub u8);
