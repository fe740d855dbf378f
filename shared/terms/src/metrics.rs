//! Metrics, computed on values that were read back from the device.

/// Two-sided 95% quantile of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// Returns the softmax of one row of logits.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.iter().map(|l| (l - max).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.into_iter().map(|e| e / sum).collect()
}

/// Returns the cross entropy of one row of logits to `label`, in nats, from 0: from the logits, since a probability that has
/// become 0 would give infinity, and in double precision, since near 0 a single one cannot tell losses apart.
///
/// # Panics
///
/// If there is no logit of `label`.
pub fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
    sum.ln() - f64::from(logits[label] - max)
}

/// Returns the indices of the `k` largest scores, best first; of equal scores the lower index first. NaN counts as the lowest.
pub fn top_k(scores: &[f32], k: usize) -> Vec<usize> {
    let key = |i: usize| if scores[i].is_nan() { f32::NEG_INFINITY } else { scores[i] };
    let mut indices: Vec<usize> = (0..scores.len()).collect();
    indices.sort_by(|&a, &b| key(b).total_cmp(&key(a)).then(a.cmp(&b)));
    indices.truncate(k);
    indices
}

/// Returns the rank of `label` among the scores: 0 for the best. Ties go against the label, so a network with constant
/// logits scores nothing, and so does a network whose logits are NaN.
pub fn rank(scores: &[f32], label: usize) -> usize {
    let own = scores[label];
    if own.is_nan() {
        return scores.len() - 1;
    }
    scores.iter().enumerate().filter(|&(i, &s)| i != label && (s >= own || s.is_nan())).count()
}

/// A proportion with the count it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Proportion {
    /// Successes.
    pub hits: usize,
    /// Trials.
    pub of: usize,
}

impl Proportion {
    /// Returns `hits / of`, 0 to 1; NaN where `of` is 0.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// Returns Wilson's 95% score interval (Wilson, 1927); `[0, 1]` where `of` is 0.
    pub fn wilson_interval(self) -> [f64; 2] {
        wilson_interval(self.hits, self.of, Z_95)
    }
}

impl std::fmt::Display for Proportion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = self.wilson_interval();
        write!(f, "{:.2}% [{:.2}, {:.2}] of {}", 100.0 * self.value(), 100.0 * low, 100.0 * high, self.of)
    }
}

/// Returns Wilson's score interval for `hits` of `of` at the normal quantile `z`; `[0, 1]` where `of` is 0.
pub fn wilson_interval(hits: usize, of: usize, z: f64) -> [f64; 2] {
    if of == 0 {
        return [0.0, 1.0];
    }
    let n = of as f64;
    let p = hits as f64 / n;
    let center = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    [((center - half) / scale).max(0.0), ((center + half) / scale).min(1.0)]
}

/// Returns the L-infinity distance: the largest absolute difference.
pub fn linf_distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Returns the Euclidean distance.
pub fn l2_distance(a: &[f32], b: &[f32]) -> f32 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    sum.sqrt() as f32
}

/// Returns the number of pixels that differ in any channel, of two images `[3, height, width]`.
pub fn l0_distance(a: &[f32], b: &[f32]) -> usize {
    let pixels = a.len() / 3;
    let differs = |pixel: usize| (0..3).any(|channel| a[channel * pixels + pixel] != b[channel * pixels + pixel]);
    (0..pixels).filter(|pixel| differs(*pixel)).count()
}

/// Returns the median, the mean of the two middle values of an even number; `None` of no values.
pub fn median(values: &[f32]) -> Option<f32> {
    let mut values = values.to_vec();
    values.sort_by(f32::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_sums_to_one_and_survives_large_logits() {
        let p = softmax(&[1000.0, 999.0, -1000.0]);
        assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((p[0] / p[1] - std::f32::consts::E).abs() < 1e-4);
    }

    #[test]
    fn losses_are_told_apart_where_the_network_is_sure() {
        assert!((cross_entropy(&[0.0; 4], 2) - 4f64.ln()).abs() < 1e-12);
        let (sure, surer) = (cross_entropy(&[30.0, 0.0], 0), cross_entropy(&[31.0, 0.0], 0));
        assert!(sure > surer && surer > 0.0, "{sure} {surer}");
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn top_k_is_ordered_and_puts_nan_last() {
        assert_eq!(top_k(&[0.1, f32::NAN, 0.5, 0.3, 0.5], 4), [2, 4, 3, 0]);
    }

    #[test]
    fn a_constant_or_broken_network_scores_nothing() {
        assert_eq!([0, 2].map(|label| rank(&[1.0; 3], label)), [2, 2]);
        assert_eq!([0, 2].map(|label| rank(&[f32::NAN; 3], label)), [2, 2]);
    }

    #[test]
    fn a_rank_counts_the_larger_scores() {
        assert_eq!([0, 1, 2].map(|label| rank(&[0.0, 1.0, 2.0], label)), [2, 1, 0]);
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe (1998), table I: 81 of 263 and 0 of 20, at 95%.
        let [low, high] = Proportion { hits: 81, of: 263 }.wilson_interval();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let [low, high] = Proportion { hits: 0, of: 20 }.wilson_interval();
        assert!(low.abs() < 1e-12 && (high - 0.1611).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn distances_and_median() {
        assert_eq!(linf_distance(&[0.0, 1.0], &[3.0, -4.0]), 5.0);
        assert!((l2_distance(&[0.0, 0.0], &[3.0, -4.0]) - 5.0).abs() < 1e-6);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
