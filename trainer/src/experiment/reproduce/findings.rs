//! What was measured, and how it stands to the paper's conclusions.

use shared::metrics::Proportion;

use super::paper::{Cell, Claim, published};
use super::plan::MODELS;
use crate::evaluate::report::ModelReport;
use crate::experiment::document::percent;

/// Returns the measured top-1 accuracy of a cell; none if it was not measured. `models` are in the order of [`MODELS`], their
/// scores in that of [`Column::ALL`](super::paper::Column::ALL).
pub fn measured(models: &[ModelReport], (model, column): Cell) -> Option<Proportion> {
    let row = MODELS.iter().position(|name| *name == model)?;
    Some(models.get(row)?.scores.get(column as usize)?.top1)
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimVerdict {
    Holds,
    /// The intervals overlap: the images are too few, or the difference too small.
    Undecided,
    Reversed,
}

impl ClaimVerdict {
    /// Returns its words for a table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Holds => "yes",
            Self::Undecided => "no clear difference",
            Self::Reversed => "the other way round",
        }
    }

    /// Returns whether the first accuracy is above the second, by more than their 95% intervals.
    fn of(above: Proportion, below: Proportion) -> Self {
        let ([above_low, above_high], [below_low, below_high]) = (above.wilson_interval(), below.wilson_interval());
        if above_low > below_high {
            Self::Holds
        } else if above_high < below_low {
            Self::Reversed
        } else {
            Self::Undecided
        }
    }
}

/// Returns how `claim` stands, and its row of a table: the claim, the paper's figures, those measured, the verdict. None where
/// one of its cells was not measured.
pub fn finding(claim: &Claim, models: &[ModelReport]) -> Option<(ClaimVerdict, Vec<String>)> {
    let (above, below) = (measured(models, claim.above)?, measured(models, claim.below)?);
    let name = |(model, column): Cell| format!("{model} model, {} set", column.label());
    let paper = match (published(claim.above), published(claim.below)) {
        (Some(above), Some(below)) => format!("{above:.4} > {below:.4}"),
        _ => "not measured".into(),
    };
    let verdict = ClaimVerdict::of(above, below);
    let words = format!("{} above {}", name(claim.above), name(claim.below));
    let here = format!("{} and {}", percent(above), percent(below));
    Some((verdict, vec![words, paper, here, verdict.label().into()]))
}

#[cfg(test)]
mod tests {
    use super::super::paper::Column;
    use super::*;

    #[test]
    fn a_claim_holds_when_the_intervals_are_apart() {
        let of = |hits| Proportion { hits, of: 1000 };
        assert_eq!(ClaimVerdict::of(of(500), of(400)), ClaimVerdict::Holds);
        assert_eq!(ClaimVerdict::of(of(400), of(500)), ClaimVerdict::Reversed);
        assert_eq!(ClaimVerdict::of(of(420), of(400)), ClaimVerdict::Undecided);
        let few = [5, 4].map(|hits| Proportion { hits, of: 10 });
        assert_eq!(ClaimVerdict::of(few[0], few[1]), ClaimVerdict::Undecided);
    }

    #[test]
    fn what_was_not_measured_gives_no_finding() {
        let claim = Claim { above: ("hardened", Column::Fgsm), below: ("fgsm", Column::Fgsm) };
        assert!(finding(&claim, &[]).is_none());
    }
}
