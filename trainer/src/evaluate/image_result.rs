use serde::{Deserialize, Deserializer, Serialize};
use shared::metrics::{cross_entropy, rank};

/// The result of one image in one trial of one network. What is usual is not written to files of results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageResult {
    /// Rank of the true class; 0 is the first.
    pub rank: usize,
    /// Whether the target class, which a targeted attack leads to, came first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub on_target: bool,
    /// Cross entropy to the true class, in nats.
    pub loss: f32,
    /// Change by the attack; `None` without an attack, or if the image was at its goal before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Number of the attack that fooled the image, of several one after the other; `None` if none did, or if nothing was
    /// followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fooled_by: Option<usize>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Reads a number, and `null`, which JSON has for what is none.
fn number_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f32::NAN))
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The change of an image by an attack.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The largest change of a value, pixel units.
    #[serde(deserialize_with = "number_or_none")]
    pub linf: f32,
    /// The Euclidean length of the change, pixel units.
    #[serde(deserialize_with = "number_or_none")]
    pub l2: f32,
    /// Number of changed pixels.
    pub pixels: usize,
    /// Values of the attacked image below 0 or above 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outside: usize,
    /// Values of the attacked image that are not finite.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_finite: usize,
    /// Whether the attack, and all before it, met no gradient other than zero.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_gradient: bool,
}

impl Change {
    /// Returns a change of the given sizes that led to the values `attacked` along some gradient.
    pub fn new(linf: f32, l2: f32, pixels: usize, attacked: &[f32]) -> Self {
        let outside = attacked.iter().filter(|value| value.is_finite() && !(0.0..=1.0).contains(*value)).count();
        let not_finite = attacked.iter().filter(|value| !value.is_finite()).count();
        Self { linf, l2, pixels, outside, not_finite, no_gradient: false }
    }
}

impl ImageResult {
    /// Returns the result of an image of the class `label`, for which a network gave `logits`; `target` is the target
    /// class.
    pub fn new(logits: &[f32], label: usize, target: usize, change: Option<Change>) -> Self {
        Self {
            rank: rank(logits, label),
            on_target: rank(logits, target) == 0,
            loss: cross_entropy(logits, label) as f32,
            change,
            fooled_by: None,
        }
    }

    /// Returns whether the image was attacked until it is fooled, and has held.
    pub fn has_held(&self) -> bool {
        self.change.is_some() && self.fooled_by.is_none()
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
