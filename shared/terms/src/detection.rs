//! Detectors of attacked pictures: what a card says of them, and how well a score tells attacked pictures from others.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::card::{CheckItem, Part};
use crate::metrics::Proportion;

/// A detector of attacked pictures, by what its score is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetectorKind {
    /// A network of its own with three classes, untouched, FGSM and BIM (Ravishanker et al., the paper).
    Network,
    /// A small convolutional head on the maps of the middle stage, with four classes.
    Maps,
    /// Mahalanobis distances of the pooled maps of each stage to the nearest class (Lee et al., 2018, arXiv 1807.03888).
    Mahalanobis,
    /// Mean, deviation and maximum of each channel of each stage, and one linear layer.
    Statistics,
    /// Entropy of the mean prediction under dropout (Gal and Ghahramani, 2016, arXiv 1506.02142).
    PredictiveEntropy,
    /// Mutual information of prediction and dropout mask (Smith and Gal, 2018, arXiv 1803.08533).
    MutualInformation,
    /// Share of dropout masks that do not give the commonest answer.
    VariationRatio,
    /// Minus the log of the sum of the exponentials of the logits (Liu et al., 2020, arXiv 2010.03759).
    Energy,
    /// One minus the largest probability.
    MaxSoftmax,
}

impl DetectorKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Network,
        Self::Maps,
        Self::Mahalanobis,
        Self::Statistics,
        Self::PredictiveEntropy,
        Self::MutualInformation,
        Self::VariationRatio,
        Self::Energy,
        Self::MaxSoftmax,
    ];

    /// Returns the name in files and on the command line: `mahalanobis`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Maps => "maps",
            Self::Mahalanobis => "mahalanobis",
            Self::Statistics => "statistics",
            Self::PredictiveEntropy => "predictive-entropy",
            Self::MutualInformation => "mutual-information",
            Self::VariationRatio => "variation-ratio",
            Self::Energy => "energy",
            Self::MaxSoftmax => "max-softmax",
        }
    }

    /// Returns the kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the kind in print: `Mahalanobis distances`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Network => "network of three classes (the paper's)",
            Self::Maps => "head on the middle stage",
            Self::Mahalanobis => "Mahalanobis distances",
            Self::Statistics => "channel statistics",
            Self::PredictiveEntropy => "predictive entropy (dropout)",
            Self::MutualInformation => "mutual information (dropout)",
            Self::VariationRatio => "variation ratio (dropout)",
            Self::Energy => "energy",
            Self::MaxSoftmax => "max softmax",
        }
    }

    /// Returns whether the score is computed from several passes under dropout masks.
    pub fn is_dropout(self) -> bool {
        matches!(self, Self::PredictiveEntropy | Self::MutualInformation | Self::VariationRatio)
    }

    /// Returns whether the detector has weights of its own.
    pub fn has_weights(self) -> bool {
        matches!(self, Self::Network | Self::Maps | Self::Mahalanobis | Self::Statistics)
    }
}

impl Display for DetectorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What `model.json` says of a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorCard {
    /// What the score is computed from.
    pub kind: DetectorKind,
    /// File of the weights, beside `model.json`; none for a kind without weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Part>,
    /// Passes under dropout masks; 0 for other kinds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passes: usize,
    /// Share of channels that a dropout mask removes after each stage; 0 for other kinds.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub dropout: f32,
    /// Tails of the measure that the score is computed from; none where the score is the measure itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tails: Option<Tails>,
    /// What the weights were fitted on, in words: `8000 training images; fgsm at 2/255, 4/255`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trained_on: String,
    /// Names of the attacks that the weights were fitted on: `bim-5`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_attacks: Vec<String>,
    /// Scores of untouched images that neither the network nor the detector was trained on.
    pub calibration: Calibration,
    /// How well the detector tells attacked images (`bastion detector evaluate --save`); none if that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<DetectorFigures>,
}

/// How well a detector tells attacked images from others, and what an attacker who knows the detector leaves of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DetectorFigures {
    /// Number of validation images, spread over all classes.
    pub images: usize,
    /// A row for each set of images.
    pub sets: Vec<Detection>,
    /// True and detected kinds, of a detector with classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// Attacks on network and detector together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adaptive: Vec<Adaptive>,
    /// Checks of those attacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckItem>,
}

impl DetectorFigures {
    /// Returns the figures that a card carries, which is fetched with the network: those without an attack, and those at 4/255 and 8/255.
    /// The others stand in the report.
    #[must_use]
    pub fn in_short(mut self) -> Self {
        let is_kept = |set: &str| {
            ["untouched", "photographs"].contains(&set) || set.ends_with(" 4/255") || set.ends_with(" 8/255")
        };
        self.sets.retain(|row| is_kept(&row.set));
        self
    }
}

/// True and detected kinds of images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Names of the kinds.
    pub kinds: Vec<String>,
    /// `counts[true kind][detected kind]`, in images.
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Returns the mean of the kinds' shares of rightly detected images; chance is one in as many as there are kinds. A kind without
    /// images does not count.
    pub fn balanced_accuracy(&self) -> f64 {
        let of_kind = |(kind, row): (usize, &Vec<usize>)| {
            let all: usize = row.iter().sum();
            (all > 0).then(|| row.get(kind).copied().unwrap_or(0) as f64 / all as f64)
        };
        let shares: Vec<f64> = self.counts.iter().enumerate().filter_map(of_kind).collect();
        shares.iter().sum::<f64>() / shares.len().max(1) as f64
    }
}

/// What attacks on network and detector together leave: the worst case of each image over all attacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    /// Radius in L-infinity, pixel units.
    pub epsilon: f32,
    /// False-alarm rate of the threshold that must be evaded.
    pub rate: f64,
    /// Steps of each attack.
    pub steps: usize,
    /// Random starts of each attack.
    pub starts: usize,
    /// Images attacked: right and without an alarm before, of those that were looked at.
    pub defended: Proportion,
    /// Images of `defended` that none of the attacks in the list before, nor this one, brought to a wrong answer without an alarm:
    /// name of the attack, images.
    pub left: Vec<(String, usize)>,
}

impl Adaptive {
    /// Returns the images that are still defended after all attacks, of all that were looked at.
    pub fn withstood(&self) -> Proportion {
        Proportion { hits: self.left.last().map_or(self.defended.hits, |(_, left)| *left), of: self.defended.of }
    }

    /// Returns the images brought to a wrong answer without an alarm, of those that were defended before.
    pub fn evaded(&self) -> Proportion {
        Proportion { hits: self.defended.hits.saturating_sub(self.withstood().hits), of: self.defended.hits }
    }
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

fn is_nothing(value: &f32) -> bool {
    *value == 0.0
}

/// Scores of untouched images, from which thresholds are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Number of the images.
    pub images: usize,
    /// Quantiles of their scores: `quantiles[i]` is the `i / (n - 1)` quantile of `n`, so the first is the smallest score, the last the
    /// largest. A score above all but 1% of them has a false-alarm rate of 1%.
    pub quantiles: Vec<f32>,
}

/// Quantiles of a measure over untouched images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tails {
    /// 2.5% quantile; none where it is the smallest measure of all, as of a measure that often is 0: then no small measure is unusual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f32>,
    /// Median.
    pub median: f32,
    /// 97.5% quantile.
    pub high: f32,
}

/// Number of quantiles of a calibration: steps of half a percent.
pub const QUANTILES: usize = 201;

impl Calibration {
    /// Measures a calibration from the scores of untouched images.
    ///
    /// # Panics
    ///
    /// If there is no score.
    pub fn new(mut scores: Vec<f32>) -> Self {
        assert!(!scores.is_empty(), "a calibration is of scores");
        scores.sort_unstable_by(f32::total_cmp);
        let quantiles = (0..QUANTILES).map(|i| quantile(&scores, i as f64 / (QUANTILES - 1) as f64)).collect();
        Self { images: scores.len(), quantiles }
    }

    /// Returns the score that a share `rate` of the untouched images lies above, `rate` in `[0, 1]`.
    pub fn threshold(&self, rate: f64) -> f32 {
        quantile(&self.quantiles, 1.0 - rate)
    }

    /// Returns the tails of the scores.
    pub fn tails(&self) -> Tails {
        let [low, median, high] = [0.025, 0.5, 0.975].map(|share| quantile(&self.quantiles, share));
        let smallest = self.quantiles.first().copied().unwrap_or(low);
        Tails { low: (low > smallest).then_some(low), median, high }
    }

    /// Returns the share of untouched images with a score of at least `score`; of a score that is no number, 0, which is an alarm.
    pub fn share_above(&self, score: f32) -> f64 {
        if score.is_nan() {
            return 0.0;
        }
        let below = self.quantiles.partition_point(|quantile| *quantile < score);
        let steps = (self.quantiles.len() - 1).max(1) as f64;
        match below {
            0 => 1.0,
            _ if below == self.quantiles.len() => 0.0,
            _ => {
                let (low, high) = (self.quantiles[below - 1], self.quantiles[below]);
                let part = if high > low { f64::from((score - low) / (high - low)) } else { 0.0 };
                1.0 - (below as f64 - 1.0 + part) / steps
            }
        }
    }
}

/// Returns the quantile `share` in `[0, 1]` of sorted values, linear between neighbours as NumPy's.
fn quantile(sorted: &[f32], share: f64) -> f32 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract() as f32);
    let next = sorted[(low + 1).min(sorted.len() - 1)];
    sorted[low] + part * (next - sorted[low])
}

/// How well scores tell attacked images from others: the area under the receiver operating characteristic. The interval takes the two sets
/// for independent; where they are of the same pictures, it is too wide rather than too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Auc {
    /// Probability that an attacked image has a higher score than another; ties count half. 0.5 is chance.
    pub value: f64,
    /// 95% interval by DeLong's variance (DeLong et al., 1988, Biometrics 44, 837), cut to `[0, 1]`.
    pub interval: [f64; 2],
}

impl Auc {
    /// Measures the area for the scores of attacked images against those of others.
    ///
    /// Returns `None` if either is empty.
    pub fn new(attacked: &[f32], others: &[f32]) -> Option<Self> {
        if attacked.is_empty() || others.is_empty() {
            return None;
        }
        // The share of the other set that a score beats, for each score: DeLong's structural components.
        let components = |scores: &[f32], others: &[f32]| -> Vec<f64> {
            let mut sorted = others.to_vec();
            sorted.sort_unstable_by(f32::total_cmp);
            let beaten = |score: &f32| {
                let below = sorted.partition_point(|other| other < score);
                let upto = sorted.partition_point(|other| other <= score);
                (below as f64 + 0.5 * (upto - below) as f64) / sorted.len() as f64
            };
            scores.iter().map(beaten).collect()
        };
        let of_attacked = components(attacked, others);
        let of_others = components(others, attacked);
        let value = of_attacked.iter().sum::<f64>() / of_attacked.len() as f64;
        let variance = |components: &[f64]| {
            let mean = components.iter().sum::<f64>() / components.len() as f64;
            let squares: f64 = components.iter().map(|one| (one - mean).powi(2)).sum();
            squares / ((components.len() as f64 - 1.0).max(1.0) * components.len() as f64)
        };
        let half = 1.959_964 * (variance(&of_attacked) + variance(&of_others)).sqrt();
        Some(Self { value, interval: [(value - half).max(0.0), (value + half).min(1.0)] })
    }
}

/// Figures of a detector on one set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// The set in words: `bim-5 at 4/255`, `noise at 8/255`, `fog 3`.
    pub set: String,
    /// Whether the images are attacked, so that an alarm is right.
    pub attacked: bool,
    /// Whether the detector was fitted on this attack, at some radius.
    pub seen: bool,
    /// Area under the curve against the untouched images.
    pub auc: Option<Auc>,
    /// Images with an alarm at a false-alarm rate of 1% and of 5%.
    pub alarms: [Proportion; 2],
    /// The area and the alarms over the images alone whose answer the attack changed from right to wrong; none for images that are
    /// not attacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_changed: Option<(Option<Auc>, [Proportion; 2])>,
}

/// False-alarm rates that thresholds are taken at.
pub const RATES: [f64; 2] = [0.01, 0.05];

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: of the six pairs 4 are in order and one is a tie. The variances of the components are 1/12 over 3 and 1/18 over 2.
    #[test]
    fn the_area_and_its_interval_are_those_of_delong() {
        let auc = Auc::new(&[3.0, 1.0, 2.0], &[0.0, 2.0]).unwrap();
        assert!((auc.value - 4.5 / 6.0).abs() < 1e-12);
        let of_attacked: [f64; 3] = [1.0, 0.5, 0.75];
        let of_others: [f64; 2] = [1.0, 0.5];
        let mean = 0.75;
        let variance = of_attacked.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 2.0 / 3.0
            + of_others.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 1.0 / 2.0;
        assert!((auc.interval[0] - (0.75 - 1.959_964 * variance.sqrt())).abs() < 1e-9);
        assert!(auc.interval[1] <= 1.0);
        assert_eq!(Auc::new(&[], &[1.0]), None);
    }

    #[test]
    fn a_card_carries_two_radii() {
        let row = |set: &str| Detection {
            set: set.into(),
            attacked: false,
            seen: false,
            auc: None,
            alarms: [Proportion { hits: 0, of: 1 }; 2],
            of_changed: None,
        };
        let names =
            ["untouched", "fgsm at 1/255", "fgsm at 4/255", "pgd-l2-50 at L2 0.5", "noise of signs at 8/255", "fog 3"];
        let figures = DetectorFigures { sets: names.map(row).to_vec(), ..DetectorFigures::default() };
        let kept: Vec<String> = figures.in_short().sets.into_iter().map(|row| row.set).collect();
        assert_eq!(kept, ["untouched", "fgsm at 4/255", "noise of signs at 8/255"]);
    }

    #[test]
    fn scores_that_tell_nothing_have_an_area_of_a_half() {
        assert!((Auc::new(&[1.0; 5], &[1.0; 7]).unwrap().value - 0.5).abs() < 1e-12);
        assert!((Auc::new(&[2.0; 5], &[1.0; 7]).unwrap().value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_threshold_gives_the_rate_that_it_was_asked_for() {
        let scores: Vec<f32> = (0..2000).map(|n| n as f32).rev().collect();
        let calibration = Calibration::new(scores.clone());
        for rate in [0.01, 0.05, 0.5] {
            let threshold = calibration.threshold(rate);
            let alarms = scores.iter().filter(|score| **score > threshold).count();
            assert!((alarms as f64 / 2000.0 - rate).abs() < 0.001, "{rate}: {alarms}");
            assert!((calibration.share_above(threshold) - rate).abs() < 0.001);
        }
        assert!((calibration.share_above(-1.0), calibration.share_above(2000.0)) == (1.0, 0.0));
    }

    #[test]
    fn what_attacks_leave_is_of_the_images_that_were_defended() {
        let left = vec![("sum".into(), 10), ("orthogonal".into(), 4)];
        let defended = Proportion { hits: 30, of: 50 };
        let adaptive = Adaptive { epsilon: 0.1, rate: 0.01, steps: 1, starts: 1, defended, left };
        assert_eq!(adaptive.withstood(), Proportion { hits: 4, of: 50 });
        assert_eq!(adaptive.evaded(), Proportion { hits: 26, of: 30 });
    }

    #[test]
    fn a_balanced_accuracy_counts_kinds_alike() {
        let kinds = ["a", "b", "c"].map(String::from).to_vec();
        let confusion = Confusion { kinds, counts: vec![vec![90, 10, 0], vec![1, 1, 0], vec![0, 0, 0]] };
        assert!((confusion.balanced_accuracy() - 0.7).abs() < 1e-12);
    }

    #[test]
    fn a_name_leads_back_to_its_kind() {
        for kind in DetectorKind::ALL {
            assert_eq!(DetectorKind::named(kind.name()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
