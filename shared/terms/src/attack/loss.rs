use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The loss that an attack makes as large as it can, on logits `z` of an image with label `y` (towards a target class of the user's:
/// as small).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross entropy.
    #[default]
    CrossEntropy,
    /// The largest other logit minus the label's: `max_{i != y} z_i - z_y` (Carlini and Wagner, 2016, arXiv 1608.04644). Its
    /// gradient does not fade where the network is sure.
    Margin,
    /// The logit of a class minus the label's, for one of the likeliest other classes after the other. With many classes it is the
    /// strong one.
    TargetedMargin,
    /// Difference of logits ratio, untargeted (Croce and Hein, 2020, arXiv 2003.01690, equation 6): the margin divided by
    /// `z_p1 - z_p3`, where `p` sorts the logits downwards, so that the scale of the logits does not matter.
    Dlr,
    /// Difference of logits ratio towards one of the likeliest other classes after the other (equation 7): `z_t - z_y` divided by
    /// `z_p1 - (z_p3 + z_p4) / 2`.
    TargetedDlr,
}

impl Loss {
    /// All losses.
    pub const ALL: [Self; 5] = [Self::CrossEntropy, Self::Margin, Self::TargetedMargin, Self::Dlr, Self::TargetedDlr];

    /// Number of the likeliest other classes that an attack with a targeted loss leads to, one after the other: AutoAttack's.
    pub const TARGETS: usize = 9;

    /// Returns the name behind an attack's on the command line: `dlr` in `apgd-dlr`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "ce",
            Self::Margin => "margin",
            Self::TargetedMargin => "margin-t",
            Self::Dlr => "dlr",
            // As the authors name the attack.
            Self::TargetedDlr => "t",
        }
    }

    /// Returns whether the attack leads to other classes, one after the other.
    pub fn is_targeted(self) -> bool {
        matches!(self, Self::TargetedMargin | Self::TargetedDlr)
    }
}

impl Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that no loss has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no loss '{name}': take {}", Loss::ALL.map(Loss::name).join(", "))]
pub struct UnknownLoss {
    /// The name that was given.
    pub name: String,
}

impl FromStr for Loss {
    type Err = UnknownLoss;

    fn from_str(name: &str) -> Result<Self, UnknownLoss> {
        Self::ALL.into_iter().find(|loss| loss.name() == name).ok_or_else(|| UnknownLoss { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for loss in Loss::ALL {
            assert_eq!(loss.to_string().parse(), Ok(loss));
        }
        assert!("hinge".parse::<Loss>().unwrap_err().to_string().contains("take ce, margin"));
    }
}
