use shared::metrics::{cross_entropy, rank};

/// The result of one image in one trial of one network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageResult {
    /// Rank of the true class; 0 is the first.
    pub rank: usize,
    /// Whether the target class, which a targeted attack leads to, came first.
    pub on_target: bool,
    /// Cross entropy to the true class, in nats.
    pub loss: f64,
    /// Change by the attack; `None` without an attack, or if the image was at its goal before.
    pub change: Option<Change>,
    /// Number of the attack that fooled the image, of several one after the other; `None` if none did, or there was one.
    pub fooled_by: Option<usize>,
}

/// The change of an image by an attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    /// The largest change of a value, pixel units.
    pub linf: f32,
    /// The Euclidean length of the change, pixel units.
    pub l2: f32,
    /// Number of changed pixels.
    pub pixels: usize,
    /// Values of the attacked image below 0 or above 1.
    pub outside: usize,
    /// Values of the attacked image that are not finite.
    pub not_finite: usize,
}

impl Change {
    /// Returns a change of the given sizes that led to the values `attacked`.
    pub fn new(linf: f32, l2: f32, pixels: usize, attacked: &[f32]) -> Self {
        let outside = attacked.iter().filter(|value| value.is_finite() && !(0.0..=1.0).contains(*value)).count();
        let not_finite = attacked.iter().filter(|value| !value.is_finite()).count();
        Self { linf, l2, pixels, outside, not_finite }
    }
}

impl ImageResult {
    /// Returns the result of an image of the class `label`, for which a network gave `logits`; `target` is the target
    /// class.
    pub fn new(logits: &[f32], label: usize, target: usize, change: Option<Change>) -> Self {
        Self {
            rank: rank(logits, label),
            on_target: rank(logits, target) == 0,
            loss: cross_entropy(logits, label),
            change,
            fooled_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::metrics::linf_distance;

    use super::*;

    #[test]
    fn a_change_that_leaves_the_range_or_is_no_number_is_seen() {
        let (before, after) = ([0.5, 0.5, 0.9, 0.5], [0.5, 0.4, 1.1, f32::NAN]);
        let change = Change::new(linf_distance(&before, &after), 0.0, 0, &after);
        assert!((change.linf - 0.2).abs() < 1e-6);
        assert_eq!((change.outside, change.not_finite), (1, 1));
    }
}
