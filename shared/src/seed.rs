//! Derives seeds from seeds.

/// The use of the numbers that are drawn from a seed. Two purposes draw independent numbers from one seed, unless they share a
/// number below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The order of the training pictures in an epoch.
    Order,
    /// The crops and flips of a training step.
    Crops,
    /// The perturbation of a picture.
    Perturbation,
    /// A later random start of an attack.
    Restart,
    /// The target class of an image.
    Target,
    /// The random starts of a batch in evaluation.
    BatchStarts,
    /// The random starts of a batch of a crafted set.
    CraftedStarts,
    /// The corruption of an image.
    Corruption,
    /// The random start of an image that is attacked until it is fooled.
    ImageStart,
    /// The random starts of an attack during training.
    LiveStarts,
    /// The classes of a subset.
    SubsetClasses,
    /// The training pictures of a subset.
    SubsetTraining,
    /// The validation pictures of a subset.
    SubsetValidation,
    /// A query of Square.
    Query,
    /// A mask of dropout.
    Dropout,
    /// What is random in an explanation: noise, weights, an order.
    Explanation,
}

impl Purpose {
    /// Returns the number that a seed is mixed with. The number never changes, so that resumed runs draw the same again.
    const fn number(self) -> u64 {
        match self {
            Self::Order => 1,
            Self::Crops => 2,
            Self::Perturbation => 3,
            Self::Restart => 4,
            Self::Target => 5,
            Self::BatchStarts => 6,
            Self::CraftedStarts => 7,
            Self::Corruption => 8,
            Self::ImageStart | Self::LiveStarts | Self::SubsetClasses => 9,
            Self::SubsetTraining => 10,
            Self::SubsetValidation => 11,
            Self::Query => 12,
            Self::Dropout => 13,
            Self::Explanation => 14,
        }
    }
}

/// Derives from `seed` the seed of part `n`; neighbouring parts have unrelated seeds.
///
/// The value is a fixed function of its arguments, so draws from it are the same in every run.
pub fn derive(seed: u64, n: u64, purpose: Purpose) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ n.wrapping_add(1).wrapping_mul(0xBF58_476D_1CE4_E5B9)
        ^ purpose.number().wrapping_mul(0x94D0_49BB_1331_11EB)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn seeds_of_different_parts_differ() {
        let purposes = [Purpose::Order, Purpose::Crops, Purpose::Perturbation, Purpose::Restart];
        let all: HashSet<u64> = (0..8)
            .flat_map(|seed| (0..1000).flat_map(move |n| purposes.map(|purpose| derive(seed, n, purpose))))
            .collect();
        assert_eq!(all.len(), 8 * 1000 * 4);
    }

    /// Shipped figures, golden files and resumed runs depend on these numbers.
    #[test]
    fn what_is_drawn_never_changes() {
        assert_eq!(derive(0, 0, Purpose::Order), 0xBF58_476D_1CE4_E5B9 ^ 0x94D0_49BB_1331_11EB);
        let numbers = [
            Purpose::Order,
            Purpose::Crops,
            Purpose::Perturbation,
            Purpose::Restart,
            Purpose::Target,
            Purpose::BatchStarts,
            Purpose::CraftedStarts,
            Purpose::Corruption,
            Purpose::ImageStart,
            Purpose::LiveStarts,
            Purpose::SubsetClasses,
            Purpose::SubsetTraining,
            Purpose::SubsetValidation,
            Purpose::Query,
            Purpose::Dropout,
            Purpose::Explanation,
        ]
        .map(Purpose::number);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 10, 11, 12, 13, 14]);
    }
}
