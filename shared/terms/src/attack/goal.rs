use serde::{Deserialize, Serialize};

use crate::metrics::rank;

/// Direction in which an attack moves the prediction, relative to the labels given to the attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Away from these labels: the true ones, or the model's own prediction where the truth is unknown (eq. 3 of the
    /// paper, which also avoids label leaking).
    Untargeted,
    /// Towards these labels.
    Targeted,
}

impl Goal {
    /// Returns whether logits reach the goal, for the `label` that the attack leads away from or towards. The label's
    /// logit counts as lower than an equal one, as in [`rank`].
    pub fn is_reached(self, logits: &[f32], label: usize) -> bool {
        (rank(logits, label) == 0) == (self == Self::Targeted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_counts_against_the_label() {
        let (held, tied, lost) = ([3.0, 1.0], [1.0, 1.0], [0.0, 1.0]);
        let reached = |goal: Goal| [held, tied, lost].map(|logits| goal.is_reached(&logits, 0));
        assert_eq!(reached(Goal::Untargeted), [false, true, true]);
        assert_eq!(reached(Goal::Targeted), [true, false, false]);
    }
}
