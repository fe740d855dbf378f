//! The mix of a batch: equal shares of pictures, each with its own augmentation or attack.

use std::ops::Range;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::attack::AttackKind;

/// A share of the batch, by the augmentation or attack of its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// Randomly cropped and mirrored
    Normal,
    /// The paper's seven perturbations
    Augmented,
    /// The same pictures from a set crafted by FGSM (--crafted)
    CraftedFgsm,
    /// The same pictures from a set crafted by BIM (--crafted)
    CraftedBim,
    /// FGSM against the network as it is, away from what it sees
    Fgsm,
    /// BIM against the network as it is, away from what it sees
    Bim,
    /// One step of FGSM from a random start, away from the true class (Wong et al., 2020)
    FgsmRs,
    /// One step of FGSM from strong noise, not projected, away from the true class (de Jorge et al., 2022)
    NFgsm,
    /// PGD, away from the true class (Madry et al., 2017)
    Pgd,
}

/// The origin of the pictures of a share.
enum Source {
    /// The training set.
    Training,
    /// A set crafted by this attack.
    Crafted(AttackKind),
    /// An attack while training, of one step or of more.
    Live { single_step: bool },
}

impl Share {
    fn source(self) -> Source {
        match self {
            Self::Normal | Self::Augmented => Source::Training,
            Self::CraftedFgsm => Source::Crafted(AttackKind::Fgsm),
            Self::CraftedBim => Source::Crafted(AttackKind::Bim),
            Self::Fgsm | Self::FgsmRs | Self::NFgsm => Source::Live { single_step: true },
            Self::Bim | Self::Pgd => Source::Live { single_step: false },
        }
    }

    /// Returns the attack of the crafted set that the pictures are taken from, if any.
    pub fn crafted_by(self) -> Option<AttackKind> {
        match self.source() {
            Source::Crafted(kind) => Some(kind),
            Source::Training | Source::Live { .. } => None,
        }
    }

    /// Returns whether the pictures are attacked while training.
    pub fn is_live(self) -> bool {
        matches!(self.source(), Source::Live { .. })
    }

    /// Returns whether the attack takes a single step, which networks can learn to fool instead of to withstand.
    pub fn is_single_step(self) -> bool {
        matches!(self.source(), Source::Live { single_step: true })
    }
}

/// A share and its rows in the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion {
    pub share: Share,
    pub rows: Range<usize>,
}

/// Returns the portions of the rows `part` of a batch of `batch_size` pictures: the shares in their order, in sizes that
/// differ by one at most. Rows are counted from the beginning of `part`.
pub fn portions(mix: &[Share], batch_size: usize, part: Range<usize>) -> Vec<Portion> {
    let edge = |index: usize| (index * batch_size / mix.len()).clamp(part.start, part.end) - part.start;
    let portion = |(index, &share)| Portion { share, rows: edge(index)..edge(index + 1) };
    mix.iter().enumerate().map(portion).filter(|portion| !portion.rows.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(mix: &[Share], batch_size: usize, part: Range<usize>) -> Vec<(Share, Range<usize>)> {
        portions(mix, batch_size, part).into_iter().map(|portion| (portion.share, portion.rows)).collect()
    }

    #[test]
    fn shares_are_equal_and_fill_the_batch() {
        use Share::{Augmented, Bim, Fgsm, Normal};
        let mix = [Normal, Augmented, Fgsm, Bim];
        assert_eq!(sizes(&mix, 10, 0..10), [(Normal, 0..2), (Augmented, 2..5), (Fgsm, 5..7), (Bim, 7..10)]);
        assert_eq!(sizes(&[Normal], 3, 0..3), [(Normal, 0..3)]);
    }

    #[test]
    fn the_page_has_words_for_every_share() {
        for share in Share::value_variants() {
            let name = share.to_possible_value().unwrap();
            assert!(shared::bundle::share_in_words(name.get_name()).is_some(), "{share:?}");
        }
    }

    #[test]
    fn parts_of_a_batch_make_up_the_whole() {
        use Share::{Bim, Normal};
        assert_eq!(sizes(&[Normal, Normal, Bim], 9, 0..5), [(Normal, 0..3), (Normal, 3..5)]);
        assert_eq!(sizes(&[Normal, Normal, Bim], 9, 5..9), [(Normal, 0..1), (Bim, 1..4)]);
    }
}
