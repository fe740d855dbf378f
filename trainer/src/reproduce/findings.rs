//! What was measured, and how it stands to the paper's conclusions.

use shared::bundle::Score;
use shared::metrics::Proportion;

use super::paper::{Cell, Claim, Column, published};
use super::plan::MODELS;

/// Top-1 accuracies: models as in [`MODELS`], columns as in [`Column::ALL`].
pub struct Results<'a> {
    /// One list a model, in the order of the columns.
    pub scores: &'a [Vec<Score>],
}

impl Results<'_> {
    pub fn get(&self, (model, column): Cell) -> Option<Proportion> {
        let row = MODELS.iter().position(|name| *name == model)?;
        let place = Column::ALL.iter().position(|other| *other == column)?;
        Some(self.scores.get(row)?.get(place)?.top1)
    }
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    /// The intervals overlap: the images are too few, or the difference too small.
    Undecided,
    Reversed,
}

impl Verdict {
    pub fn label(self) -> &'static str {
        match self {
            Self::Holds => "yes",
            Self::Undecided => "no clear difference",
            Self::Reversed => "the other way round",
        }
    }
}

/// A claim of the paper beside what was measured.
pub struct Finding {
    /// `hardened on FGSM above fgsm on FGSM`.
    pub claim: String,
    /// `.4768 > .4045`, or that the paper did not measure it.
    pub paper: String,
    /// `12.3% [...] and 4.5% [...]`.
    pub here: String,
    pub verdict: Verdict,
}

/// `claim` beside `results`; none where they lack one of its cells.
pub fn finding(claim: &Claim, results: &Results) -> Option<Finding> {
    let (above, below) = (results.get(claim.above)?, results.get(claim.below)?);
    let name = |(model, column): Cell| format!("{model} model, {} set", column.label());
    let paper = match (published(claim.above.0, claim.above.1), published(claim.below.0, claim.below.1)) {
        (Some(above), Some(below)) => format!("{above:.4} > {below:.4}"),
        _ => "not measured".into(),
    };
    Some(Finding {
        claim: format!("{} above {}", name(claim.above), name(claim.below)),
        paper,
        here: format!("{} and {}", percent(above), percent(below)),
        verdict: verdict(above, below),
    })
}

/// Whether the first is above the second, by more than their 95% intervals.
fn verdict(above: Proportion, below: Proportion) -> Verdict {
    let ([above_low, above_high], [below_low, below_high]) = (above.wilson_interval(), below.wilson_interval());
    if above_low > below_high {
        Verdict::Holds
    } else if above_high < below_low {
        Verdict::Reversed
    } else {
        Verdict::Undecided
    }
}

/// `12.30% [10.10, 14.90]`.
pub fn percent(measured: Proportion) -> String {
    let [low, high] = measured.wilson_interval().map(|bound| 100.0 * bound);
    format!("{:.2}% [{low:.2}, {high:.2}]", 100.0 * measured.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_when_the_intervals_are_apart() {
        let of = |hits| Proportion { hits, of: 1000 };
        assert_eq!(verdict(of(500), of(400)), Verdict::Holds);
        assert_eq!(verdict(of(400), of(500)), Verdict::Reversed);
        assert_eq!(verdict(of(420), of(400)), Verdict::Undecided);
        assert_eq!(verdict(Proportion { hits: 5, of: 10 }, Proportion { hits: 4, of: 10 }), Verdict::Undecided);
    }

    #[test]
    fn what_was_not_measured_gives_no_finding() {
        let claim = Claim { above: ("hardened", Column::Fgsm), below: ("fgsm", Column::Fgsm) };
        assert!(finding(&claim, &Results { scores: &[] }).is_none());
    }
}
