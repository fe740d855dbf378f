//! Statistics that allow for chance. A limit counts as exceeded when the low end of Wilson's 95% interval is above it, and two
//! attacks on the same images are compared by the images on which they differ: those that both leave right, or both fool, are
//! no evidence of which is stronger.

use shared::metrics::Proportion;

/// The fewest images that chance does not explain when they all differ in one direction: Wilson's interval of 4 of 4 is the
/// first one wholly above a half.
pub const FEWEST: usize = 4;

/// Returns a point of accuracy of so many images, and at least [`FEWEST`]: a point of a few images is less than an image.
pub fn a_point_of(images: usize) -> f64 {
    (0.01 * images as f64).max(FEWEST as f64)
}

/// Returns whether `measured` is above `limit` by more than chance explains; false where nothing was measured.
pub fn exceeds(measured: Proportion, limit: f64) -> bool {
    measured.of > 0 && measured.wilson_interval()[0] > limit
}

/// The images on which two attacks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// Images left right by the first attack alone.
    pub first_only: usize,
    /// Images left right by the second attack alone.
    pub second_only: usize,
}

impl Pairs {
    /// Compares which images two attacks leave right, in the same order.
    pub fn of(first: &[bool], second: &[bool]) -> Self {
        let count = |first_is: bool| {
            first.iter().zip(second).filter(|&(&first, &second)| first != second && first == first_is).count()
        };
        Self { first_only: count(true), second_only: count(false) }
    }

    /// Returns whether the first attack leaves more images right than the second, by more than chance explains: a sign test.
    pub fn first_leaves_more(self) -> bool {
        exceeds(Proportion { hits: self.first_only, of: self.total() }, 0.5)
    }

    /// Returns the number of images on which the attacks differ.
    pub fn total(self) -> usize {
        self.first_only + self.second_only
    }
}

/// Formats the number of images that are right: `12 of 200`.
pub fn count(right: &[bool]) -> String {
    format!("{} of {}", right.iter().filter(|&&right| right).count(), right.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_agree_say_nothing() {
        let first = [vec![true; 500], vec![true, true, false]].concat();
        let second = [vec![true; 500], vec![false, false, true]].concat();
        let pairs = Pairs::of(&first, &second);
        assert_eq!(pairs, Pairs { first_only: 2, second_only: 1 });
        assert!(!pairs.first_leaves_more());
        assert!(!Pairs::of(&first, &first).first_leaves_more());
    }

    #[test]
    fn four_against_none_are_no_chance() {
        let more = |first_only, second_only| Pairs { first_only, second_only }.first_leaves_more();
        assert!(more(FEWEST, 0) && !more(FEWEST - 1, 0));
        assert!(more(30, 10) && !more(22, 18) && !more(10, 30));
    }

    #[test]
    fn a_limit_is_exceeded_when_the_whole_interval_is_above_it() {
        let of_200 = |hits| exceeds(Proportion { hits, of: 200 }, 0.05);
        assert!(!of_200(10) && !of_200(15) && of_200(20));
        assert!(!exceeds(Proportion { hits: 0, of: 0 }, 0.0));
    }
}
