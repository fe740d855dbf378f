//! Detectors of attacked pictures, and attacks that evade them.
//!
//! A detector gives each picture a score, larger where the picture resembles attacked ones more. A threshold is a quantile of the
//! scores of untouched pictures ([`Calibration`]).

pub mod dropout;
mod evade;
mod head;
mod mahalanobis;
mod statistics;

use std::ops::Range;

use burn::prelude::*;
use burn::tensor::activation::{log_softmax, softmax};

pub use dropout::McDropout;
pub use evade::{Evaded, Evasion, EvasionConfig, Strategy};
pub use head::{CLASSES, HARMLESS, MapHead};
pub use mahalanobis::Mahalanobis;
pub use statistics::Statistics;
pub use terms::detection::*;

use crate::bundle::{BundleError, Card, load_tensors, save_tensors};
use crate::model::{Architecture, BuildNetwork as _, Classifier, Stages};

/// Passes of a deployed detector by dropout.
pub const PASSES: usize = 16;
/// Seed of the masks of a deployed detector by dropout.
const MASKS: u64 = 0;
/// Classes of the paper's network: untouched, FGSM, BIM.
pub const NETWORK_CLASSES: usize = 3;

/// A detector of attacked pictures.
#[derive(Clone, Debug)]
pub enum Detector {
    /// A network of its own on the pictures, and the class that raises no alarm: 0, untouched, but for a router.
    Network(Box<Classifier>, usize),
    /// A head on the maps of the middle stage.
    Maps(Box<MapHead>),
    /// Distances at each stage.
    Mahalanobis(Mahalanobis),
    /// Statistics of each channel.
    Statistics(Statistics),
    /// A measure of passes under dropout masks; with tails, how far the measure is from the median in either direction.
    Dropout(DetectorKind, McDropout, Option<Tails>),
    /// A function of the logits.
    Logits(DetectorKind),
}

impl Detector {
    /// Builds a detector of a kind for a network, to be filled with weights where it has any. The paper's network has the architecture
    /// of the classifier.
    ///
    /// # Errors
    ///
    /// A text that names the value out of range.
    pub fn new(kind: DetectorKind, of: &DetectorOf<'_>, rate: f32, passes: usize) -> Result<Self, String> {
        let DetectorOf { architecture, classes, mean, std, device } = *of;
        let channels: Vec<usize> = architecture.stages().into_iter().map(|stage| stage.channels).collect();
        Ok(match kind {
            DetectorKind::Network => Self::Network(Box::new(architecture.init(NETWORK_CLASSES, mean, std, device)?), 0),
            DetectorKind::Maps => Self::Maps(Box::new(MapHead::new(channels[middle(channels.len())], device))),
            DetectorKind::Mahalanobis => Self::Mahalanobis(Mahalanobis::new(&channels, classes, device)),
            DetectorKind::Statistics => Self::Statistics(Statistics::new(&channels, device)),
            DetectorKind::PredictiveEntropy | DetectorKind::MutualInformation | DetectorKind::VariationRatio => {
                Self::Dropout(kind, McDropout { passes, rate, seed: MASKS }, None)
            }
            DetectorKind::Energy | DetectorKind::MaxSoftmax => Self::Logits(kind),
        })
    }

    /// Returns the scores of pictures that `model` has looked at: `[batch]`.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, 3, height, width]` in `[0, 1]`; `stages` is what `model` makes of them
    pub fn score(&self, model: &Classifier, images: Tensor<4>, stages: &Stages) -> Tensor<1> {
        self.score_of(model, images, stages, false)
    }

    /// Returns scores with a gradient wherever the images have one, as an attack needs: of the variation ratio a smooth stand-in.
    fn score_of(&self, model: &Classifier, images: Tensor<4>, stages: &Stages, smooth: bool) -> Tensor<1> {
        let [batch, _] = stages.logits.dims();
        match self {
            Self::Network(network, accepted) => log_odds(network.forward(images), *accepted..*accepted + 1),
            Self::Maps(head) => head.score(stages.maps[middle(stages.maps.len())].clone()),
            Self::Mahalanobis(distances) => distances.score(&stages.maps),
            Self::Statistics(statistics) => statistics.score(&stages.maps),
            Self::Dropout(kind, dropout, tails) => {
                let measure = dropout.ask(model, images).measure(*kind, smooth);
                // `new` takes no other kind.
                let measure = measure.unwrap_or_else(|| Tensor::zeros([batch], &stages.logits.device()));
                match tails {
                    Some(tails) => dropout::from_median(measure, *tails),
                    None => measure,
                }
            }
            Self::Logits(DetectorKind::Energy) => log_sum(stages.logits.clone()).neg(),
            Self::Logits(_) => {
                let largest = softmax(stages.logits.clone(), 1).max_dim(1);
                largest.reshape([batch]).neg().add_scalar(1.0)
            }
        }
    }

    /// Returns the same detector under other dropout masks; a detector without masks as it is.
    #[must_use]
    pub fn with_masks(&self, seed: u64, passes: usize) -> Self {
        match self {
            Self::Dropout(kind, dropout, tails) => Self::Dropout(*kind, McDropout { seed, passes, ..*dropout }, *tails),
            other => other.clone(),
        }
    }

    /// Returns the same detector with a score of both tails: attacked pictures may be unusually certain, too. A detector without masks
    /// stays as it is.
    #[must_use]
    pub fn with_tails(self, tails: Tails) -> Self {
        match self {
            Self::Dropout(kind, dropout, _) => Self::Dropout(kind, dropout, Some(tails)),
            other => other,
        }
    }

    /// Returns the same weights, ready to differentiate with respect to the pictures.
    #[must_use]
    fn for_input_gradient(&self) -> Self {
        match self {
            Self::Network(network, accepted) => Self::Network(Box::new(network.for_input_gradient()), *accepted),
            Self::Maps(head) => Self::Maps(Box::new(MapHead::clone(head).train().freeze())),
            Self::Mahalanobis(distances) => Self::Mahalanobis(distances.clone().train().freeze()),
            Self::Statistics(statistics) => Self::Statistics(statistics.clone().train().freeze()),
            Self::Dropout(..) | Self::Logits(_) => self.clone(),
        }
    }

    /// Writes the weights as a safetensors file; none for a detector without weights.
    ///
    /// # Errors
    ///
    /// [`BundleError::Tensors`] if the weights cannot be read from the device.
    pub fn save(&self) -> Result<Option<Vec<u8>>, BundleError> {
        match self {
            Self::Network(network, _) => save_tensors(network.as_ref()).map(Some),
            Self::Maps(head) => save_tensors(head.as_ref()).map(Some),
            Self::Mahalanobis(distances) => save_tensors(distances).map(Some),
            Self::Statistics(statistics) => save_tensors(statistics).map(Some),
            Self::Dropout(..) | Self::Logits(_) => Ok(None),
        }
    }

    /// Fills the detector with the weights of a file of [`Self::save`].
    ///
    /// # Errors
    ///
    /// [`BundleError::Tensors`] if the file is damaged, or a tensor is missing, left over or misshapen.
    pub fn load(self, file: &[u8]) -> Result<Self, BundleError> {
        Ok(match self {
            Self::Network(mut network, accepted) => {
                load_tensors(network.as_mut(), file)?;
                Self::Network(Box::new(network.valid()), accepted)
            }
            Self::Maps(mut head) => {
                load_tensors(head.as_mut(), file)?;
                Self::Maps(Box::new(head.valid()))
            }
            Self::Mahalanobis(mut distances) => {
                load_tensors(&mut distances, file)?;
                Self::Mahalanobis(distances.valid())
            }
            Self::Statistics(mut statistics) => {
                load_tensors(&mut statistics, file)?;
                Self::Statistics(statistics.valid())
            }
            other => other,
        })
    }
}

/// Builds the detector that a card describes, for the network of `card`, and fills it with its weights, the content of the file that
/// [`DetectorCard::weights`] names.
///
/// # Errors
///
/// [`BundleError`] if the file is missing, is not the one described, or does not fit the network.
pub fn load_detector(
    card: &Card,
    detector: &DetectorCard,
    weights: Option<&[u8]>,
    device: &Device,
) -> Result<Detector, BundleError> {
    let of = DetectorOf {
        architecture: &card.architecture,
        classes: card.classes.len(),
        mean: card.mean,
        std: card.std,
        device,
    };
    let built = Detector::new(detector.kind, &of, detector.dropout, detector.passes);
    let mut built = built.map_err(BundleError::Architecture)?;
    if let Some(tails) = detector.tails {
        built = built.with_tails(tails);
    }
    match (&detector.weights, weights) {
        (None, _) => Ok(built),
        (Some(part), Some(content)) => {
            part.check(content)?;
            built.load(content)
        }
        (Some(part), None) => Err(BundleError::Tensors(format!("{} is missing", part.file))),
    }
}

/// The network that a detector is for, and where the detector computes.
#[derive(Clone, Copy, Debug)]
pub struct DetectorOf<'a> {
    /// Architecture of the network.
    pub architecture: &'a Architecture,
    /// Number of its classes.
    pub classes: usize,
    /// Mean of its training pictures, RGB in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation of its training pictures.
    pub std: [f32; 3],
    /// Plain device.
    pub device: &'a Device,
}

/// Returns the number of the middle stage of so many.
pub fn middle(stages: usize) -> usize {
    stages.saturating_sub(1) / 2
}

/// Returns the mean of each channel over its places: `[batch, channels, height, width]` to `[batch, channels]`.
pub fn pooled(maps: Tensor<4>) -> Tensor<2> {
    let [batch, channels, ..] = maps.dims();
    maps.flatten::<3>(2, 3).mean_dim(2).reshape([batch, channels])
}

/// Returns the log of the sum of exponentials of each row: `[batch, classes]` to `[batch]`.
fn log_sum(logits: Tensor<2>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    // log p of any class is its logit less the log of the sum.
    let first = logits.clone().slice([0..batch, 0..1]);
    let log = log_softmax(logits, 1).slice([0..batch, 0..1]);
    first.sub(log).reshape([batch])
}

/// Returns the log odds of all other classes against those of the range `accepted`: `[batch, classes]` to `[batch]`.
fn log_odds(logits: Tensor<2>, accepted: Range<usize>) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    let of = |range: Range<usize>| logits.clone().slice([0..batch, range]);
    let others = [0..accepted.start, accepted.end..classes].into_iter().filter(|range| !range.is_empty());
    let others = Tensor::cat(others.map(&of).collect(), 1);
    log_sum(others).sub(log_sum(of(accepted)))
}

#[cfg(test)]
mod tests;
