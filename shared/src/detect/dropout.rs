//! Monte-Carlo dropout: several passes under masks that remove channels, and what their answers say together.

use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::{log_softmax, softmax};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{DetectorKind, Tails};
use crate::model::Classifier;
use crate::seed::{Purpose, derive};

/// Keeps the logarithm of a probability finite.
const TINY: f32 = 1e-12;
/// Measure below which f32 has rounding alone.
const ROUNDING: f32 = 1e-6;
/// Smallest distance of a tail from the median, in logarithms.
const NARROW: f32 = 1e-3;

/// Passes under masks that are the same for all pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McDropout {
    /// Number of passes.
    pub passes: usize,
    /// Share of channels that a mask removes after each stage, in `[0, 1)`.
    pub rate: f32,
    /// Seed of the masks.
    pub seed: u64,
}

/// Answers of several passes.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Logits of each pass, `[batch, classes]` each.
    logits: Vec<Tensor<2>>,
}

impl McDropout {
    /// Asks `model` about `images` once for each pass.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]`
    pub fn ask(&self, model: &Classifier, images: Tensor<4>) -> Answers {
        let pass = |pass: usize| {
            let rng = &mut StdRng::seed_from_u64(derive(self.seed, pass as u64, Purpose::Dropout));
            model.forward_by_stages(images.clone(), &mut |_, maps| {
                let [_, channels, ..] = maps.dims();
                drop_channels(maps, [1, channels], self.rate, rng)
            })
        };
        Answers { logits: (0..self.passes.max(1)).map(pass).collect() }
    }
}

/// Removes channels with probability `rate`, and divides the others by what is left of them on average, `1 - rate`. `rows` and
/// channels say how many decisions are drawn: one row for all pictures, or one for each.
pub fn drop_channels(maps: Tensor<4>, [rows, channels]: [usize; 2], rate: f32, rng: &mut StdRng) -> Tensor<4> {
    if rate <= 0.0 {
        return maps;
    }
    let kept = 1.0 / (1.0 - rate);
    let mask = (0..rows * channels).map(|_| if rng.random::<f32>() < rate { 0.0 } else { kept }).collect();
    let mask = Tensor::<4>::from_data(TensorData::new::<f32, _>(mask, [rows, channels, 1, 1]), &maps.device());
    let dtype = maps.dtype();
    maps.mul(mask.cast(dtype))
}

impl Answers {
    /// Returns the answers of at least one pass: logits, `[batch, classes]` each.
    pub fn new(logits: Vec<Tensor<2>>) -> Self {
        Self { logits }
    }

    /// Returns the probabilities of each pass: `[passes, batch, classes]`.
    fn probabilities(&self) -> Tensor<3> {
        Tensor::stack(self.logits.iter().map(|logits| softmax(logits.clone(), 1)).collect(), 0)
    }

    /// Returns the mean prediction: `[batch, classes]`.
    pub fn mean(&self) -> Tensor<2> {
        let probabilities = self.probabilities();
        let [_, batch, classes] = probabilities.dims();
        probabilities.mean_dim(0).reshape([batch, classes])
    }

    /// Returns the entropy of the mean prediction, in nats: `[batch]`.
    pub fn predictive_entropy(&self) -> Tensor<1> {
        let mean = self.mean();
        let [batch, _] = mean.dims();
        mean.clone().mul(mean.clamp_min(TINY).log()).sum_dim(1).neg().reshape([batch])
    }

    /// Returns the mutual information of prediction and mask, in nats: the entropy of the mean less the mean entropy, `[batch]`.
    pub fn mutual_information(&self) -> Tensor<1> {
        let entropy = |logits: &Tensor<2>| {
            let [batch, _] = logits.dims();
            let log = log_softmax(logits.clone(), 1);
            log.clone().exp().mul(log).sum_dim(1).neg().reshape([batch])
        };
        let mean_entropy: Tensor<1> = Tensor::stack::<2>(self.logits.iter().map(entropy).collect(), 0)
            .mean_dim(0)
            .reshape([self.logits[0].dims()[0]]);
        self.predictive_entropy().sub(mean_entropy)
    }

    /// Returns the share of passes that do not give the commonest answer: `[batch]`. It has no gradient.
    pub fn variation_ratio(&self) -> Tensor<1> {
        let [batch, classes] = self.logits[0].dims();
        let votes = self.logits.iter().map(|logits| {
            let answer = logits.clone().argmax(1).expand([batch, classes]);
            let all = Tensor::<1, Int>::arange(0..classes as i64, &logits.device()).reshape([1, classes]);
            all.expand([batch, classes]).equal(answer).float()
        });
        let commonest = Tensor::stack::<3>(votes.collect(), 0).mean_dim(0).reshape([batch, classes]).max_dim(1);
        commonest.reshape([batch]).neg().add_scalar(1.0)
    }

    /// Returns a smooth form of the variation ratio, for gradients: one minus the largest mean probability, `[batch]`.
    fn smooth_variation(&self) -> Tensor<1> {
        let mean = self.mean();
        let [batch, _] = mean.dims();
        mean.max_dim(1).reshape([batch]).neg().add_scalar(1.0)
    }

    /// Returns the measure of a kind of detector, `[batch]`; none for a kind that is no dropout. `smooth` takes a stand-in that has
    /// a gradient where the measure has none.
    pub fn measure(&self, kind: DetectorKind, smooth: bool) -> Option<Tensor<1>> {
        Some(match kind {
            DetectorKind::PredictiveEntropy => self.predictive_entropy(),
            DetectorKind::MutualInformation => self.mutual_information(),
            DetectorKind::VariationRatio if smooth => self.smooth_variation(),
            DetectorKind::VariationRatio => self.variation_ratio(),
            _ => return None,
        })
    }
}

/// Returns how far measures lie from the median in either direction, in units of the distance of that direction's tail: `[batch]`. The
/// logarithm keeps differences near 0, where attacked pictures that a network is certain of lie.
pub(super) fn from_median(measures: Tensor<1>, tails: Tails) -> Tensor<1> {
    let log = |measure: f32| (measure.max(0.0) + ROUNDING).ln();
    let median = log(tails.median);
    // Mutual information of rounded numbers may lie a little below 0; a gradient is left there.
    let apart = measures.clamp_min(-0.5 * ROUNDING).add_scalar(ROUNDING).log().sub_scalar(median);
    let above = apart.clone().div_scalar((log(tails.high) - median).max(NARROW));
    match tails.low {
        Some(low) => above.max_pair(apart.neg().div_scalar((median - log(low)).max(NARROW))),
        None => above,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Calibration;
    use crate::device::read;

    fn answers(passes: &[&[[f32; 3]]]) -> Answers {
        let device = Device::flex();
        let tensor = |rows: &&[[f32; 3]]| {
            let values: Vec<f32> = rows.iter().flatten().map(|p: &f32| p.ln()).collect();
            Tensor::from_data(TensorData::new(values, [rows.len(), 3]), &device)
        };
        Answers { logits: passes.iter().map(tensor).collect() }
    }

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        pollster::block_on(read(tensor)).unwrap()
    }

    #[test]
    fn measures_tell_doubt_that_all_passes_share_from_doubt_between_them() {
        // The first picture: each pass is undecided in the same way. The second: each is almost certain, of another class.
        let even = [0.499, 0.499, 0.002];
        let answers = answers(&[&[even, [0.998, 0.001, 0.001]], &[even, [0.001, 0.998, 0.001]]]);
        let (entropy, information) = (values(answers.predictive_entropy()), values(answers.mutual_information()));
        assert!((entropy[0] - 0.7061).abs() < 1e-3 && (entropy[1] - 0.7004).abs() < 1e-3, "{entropy:?}");
        assert!(information[0].abs() < 1e-5 && information[1] > 0.68, "{information:?}");
        assert_eq!(values(answers.variation_ratio()), [0.0, 0.5]);
    }

    #[test]
    fn what_is_unusually_certain_is_as_far_from_the_median_as_what_is_unusually_uncertain() {
        let device = Device::flex();
        let tails = Tails { low: Some(0.001), median: 0.1, high: 1.0 };
        let measures = [0.0, 0.001, 0.1, 1.0, 3.0];
        let scores = values(from_median(Tensor::from_data(measures, &device), tails));
        // ln(0.1 / 1e-6) / ln(0.1 / 0.001) of the first.
        let expected = [2.5, 1.0, 0.0, 1.0, 1.477];
        assert!(scores.iter().zip(expected).all(|(score, expected)| (score - expected).abs() < 1e-2), "{scores:?}");
        // Of a measure that often is 0, nothing small is unusual, wherever the median is.
        for median in [0.0, 0.125] {
            let quantiles = vec![0.0, 0.0, median, 0.5, 0.5];
            let tails = Calibration { images: 5, quantiles }.tails();
            assert_eq!(tails, Tails { low: None, median, high: 0.5 });
            let scores = values(from_median(Tensor::from_data([0.0, 0.25, 0.5], &device), tails));
            assert!(scores[0] <= 0.0 && scores[1] < 1.0 && (scores[2] - 1.0).abs() < 1e-3, "{scores:?}");
        }
    }

    #[test]
    fn masks_depend_on_the_seed_alone_and_keep_the_mean() {
        let device = Device::flex();
        let ones = Tensor::<4>::ones([2, 4000, 1, 1], &device);
        let drop = |seed| {
            let rng = &mut StdRng::seed_from_u64(seed);
            pollster::block_on(read(drop_channels(ones.clone(), [1, 4000], 0.25, rng))).unwrap()
        };
        let once = drop(1);
        assert_eq!(once, drop(1));
        assert_ne!(once, drop(2));
        assert_eq!(once[..4000], once[4000..], "one row for all pictures");
        let mean = once.iter().sum::<f32>() / 8000.0;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
    }
}
