//! Measures detectors: scores of untouched, attacked and harmlessly changed images.

use anyhow::{Result, ensure};
use burn::prelude::*;
use shared::bundle::Bundle;
use shared::detect::{Auc, Confusion, Detection, Detector, DetectorCard, DetectorFigures, RATES, middle};
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::Proportion;

use super::pictures::load;
use super::sets::ImagesOf;
use crate::data::Split;
use crate::error::Stopped;
use crate::evaluate::BATCH;
use crate::models::read;
use crate::progress::{Progress, Stop, Unit};

/// What detectors and network gave for a set of images, row by row.
#[derive(Clone, Debug, Default)]
struct Measured {
    /// Scores of each detector.
    scores: Vec<Vec<f32>>,
    /// Kinds that each detector with classes gave; empty for others.
    kinds: Vec<Vec<usize>>,
    /// Whether the network's answer was right.
    right: Vec<bool>,
    /// Numbers of the images among those measured.
    numbers: Vec<usize>,
}

/// A network with its detectors, and the images to measure them on.
pub struct Measurement<'a> {
    /// The network.
    pub own: &'a Bundle,
    /// Another network, whose attacks are shown too.
    pub other: Option<&'a Bundle>,
    /// The detectors.
    pub detectors: &'a [(DetectorCard, Detector)],
    /// The validation pictures.
    pub split: &'a Split,
    /// Numbers of those that are measured.
    pub indices: &'a [usize],
    /// Photographs that must raise no alarm; none without them.
    pub photos: Option<&'a Split>,
    /// Plain device.
    pub device: &'a Device,
}

impl Measurement<'_> {
    /// Measures all detectors on all sets. Returns the figures of each detector, without adaptive attacks.
    ///
    /// # Errors
    /// When the device fails, an attack cannot be run, or a stop was requested.
    pub fn run(&self, progress: &Progress, stop: &Stop) -> Result<Vec<DetectorFigures>> {
        let sets = ImagesOf::all(self.other.is_some());
        let passes = |of: usize| {
            let of_sets: u64 = sets.iter().map(|set| of.div_ceil(set.one_of) as u64 * set.passes()).sum();
            of_sets + of as u64
        };
        let total = self.indices.chunks(BATCH).map(|batch| passes(batch.len())).sum();
        let task = progress.start("Measuring detectors", Some(total), Unit::Passes);
        let mut untouched = self.empty();
        let mut measured = vec![self.empty(); sets.len()];
        for (number, indices) in self.indices.chunks(BATCH).enumerate() {
            let pictures = indices.iter().map(|&index| Picture::from_rgb8(self.split.image(index).to_vec()));
            let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
            let images = pictures_to_tensor(&pictures, self.device);
            let labels: Vec<usize> = indices.iter().map(|&index| self.split.label(index)).collect();
            self.look(&mut untouched, images.clone(), &labels, number * BATCH)?;
            task.advance(indices.len() as u64);
            for (set, measured) in sets.iter().zip(&mut measured) {
                ensure!(!stop.requested(), Stopped("Stopped; nothing was saved".into()));
                let count = indices.len().div_ceil(set.one_of);
                let targets: Vec<i64> = labels[..count].iter().map(|&label| label as i64).collect();
                let targets = Tensor::from_data(TensorData::new(targets, [count]), self.device);
                let some = images.clone().narrow(0, 0, count);
                let made = set.make((&pictures[..count], &some), &targets, (self.own, self.other), number * BATCH)?;
                self.look(measured, made, &labels[..count], number * BATCH)?;
                task.advance(count as u64 * set.passes());
            }
        }
        let photos = self.photos.map(|photos| self.photographs(photos)).transpose()?;
        let figures = |place| {
            let mut figures = self.figures(place, &untouched, &sets, &measured);
            figures.sets.extend(photos.as_ref().map(|photos| self.harmless("photographs", place, photos, &untouched)));
            figures
        };
        Ok((0..self.detectors.len()).map(figures).collect())
    }

    fn photographs(&self, photos: &Split) -> Result<Measured> {
        let mut measured = self.empty();
        let indices: Vec<usize> = (0..photos.len()).collect();
        for batch in indices.chunks(BATCH) {
            let labels: Vec<usize> = batch.iter().map(|&index| photos.label(index)).collect();
            self.look(&mut measured, load(photos, batch, self.device)?, &labels, batch[0])?;
        }
        Ok(measured)
    }

    fn harmless(&self, name: &str, place: usize, measured: &Measured, untouched: &Measured) -> Detection {
        let scores = &measured.scores[place];
        Detection {
            set: name.into(),
            attacked: false,
            seen: false,
            auc: Auc::new(scores, &untouched.scores[place]),
            alarms: self.alarms(place, scores),
            of_changed: None,
        }
    }

    /// Returns how many scores are above the thresholds of a detector.
    fn alarms(&self, place: usize, scores: &[f32]) -> [Proportion; 2] {
        let (card, _) = &self.detectors[place];
        RATES.map(|rate| {
            let threshold = card.calibration.threshold(rate);
            Proportion { hits: scores.iter().filter(|score| **score > threshold).count(), of: scores.len() }
        })
    }

    fn empty(&self) -> Measured {
        let lists = vec![vec![]; self.detectors.len()];
        Measured { scores: lists, kinds: vec![vec![]; self.detectors.len()], ..Measured::default() }
    }

    fn look(&self, into: &mut Measured, images: Tensor<4>, labels: &[usize], first: usize) -> Result<()> {
        let model = &self.own.model;
        let stages = model.stages(images.clone());
        for (place, (_, detector)) in self.detectors.iter().enumerate() {
            into.scores[place].extend(read(detector.score(model, images.clone(), &stages))?);
            let kinds = match detector {
                Detector::Network(network, _) => Some(network.forward(images.clone())),
                Detector::Maps(head) => Some(head.forward(stages.maps[middle(stages.maps.len())].clone())),
                _ => None,
            };
            if let Some(kinds) = kinds {
                let [count, _] = kinds.dims();
                let kinds = read::<1>(kinds.argmax(1).float().reshape([count]))?;
                into.kinds[place].extend(kinds.into_iter().map(|kind| kind as usize));
            }
        }
        let answers = read::<1>(stages.logits.argmax(1).float().reshape([labels.len()]))?;
        into.right.extend(answers.iter().zip(labels).map(|(answer, label)| *answer as usize == *label));
        into.numbers.extend(first..first + labels.len());
        Ok(())
    }

    fn figures(&self, place: usize, untouched: &Measured, sets: &[ImagesOf], measured: &[Measured]) -> DetectorFigures {
        let (card, detector) = &self.detectors[place];
        let others = &untouched.scores[place];
        let alarms = |scores: &[f32]| self.alarms(place, scores);
        let row = |(set, measured): (&ImagesOf, &Measured)| {
            let scores = &measured.scores[place];
            let changed: Vec<f32> = (0..scores.len())
                .filter(|&row| untouched.right[measured.numbers[row]] && !measured.right[row])
                .map(|row| scores[row])
                .collect();
            Detection {
                set: set.name.clone(),
                attacked: set.is_attacked(),
                // With another number of steps an attack is no other attack.
                seen: card.trained_attacks.iter().any(|attack| kind_of(attack) == kind_of(&set.attack)),
                auc: Auc::new(scores, others),
                alarms: alarms(scores),
                of_changed: set.is_attacked().then(|| (Auc::new(&changed, others), alarms(&changed))),
            }
        };
        let first = Detection { auc: None, ..self.harmless("untouched", place, untouched, untouched) };
        let rows = sets.iter().zip(measured).map(row);
        DetectorFigures {
            images: self.indices.len(),
            sets: std::iter::once(first).chain(rows).collect(),
            confusion: confusion(detector, place, untouched, sets, measured),
            ..DetectorFigures::default()
        }
    }
}

/// Returns the name of an attack without its number of steps: `pgd` of `pgd-50`.
fn kind_of(attack: &str) -> &str {
    attack.trim_end_matches(|letter: char| letter.is_ascii_digit()).trim_end_matches('-')
}

/// Counts true and detected kinds: of the paper's network over untouched, FGSM and BIM images; of the head over untouched and harmlessly
/// changed ones, and the two kinds of attacks, at 8/255.
fn confusion(
    detector: &Detector,
    place: usize,
    untouched: &Measured,
    sets: &[ImagesOf],
    measured: &[Measured],
) -> Option<Confusion> {
    let rows: &[(&str, &[&str])] = match detector {
        Detector::Network(..) => &[("untouched", &[]), ("FGSM", &["fgsm at 8/255"]), ("BIM", &["bim-5 at 8/255"])],
        Detector::Maps(_) => &[
            ("untouched", &[]),
            ("changed", &["uniform noise at 8/255", "noise of signs at 8/255", "the seven perturbations"]),
            ("one step", &["fgsm at 8/255"]),
            ("iterative", &["bim-5 at 8/255", "pgd-50 at 8/255"]),
        ],
        _ => return None,
    };
    let count = |names: &[&str]| {
        let mut counts = vec![0; rows.len()];
        let of_sets = sets.iter().zip(measured).filter(|(set, _)| names.contains(&set.name.as_str()));
        let all: Vec<&Measured> = match names.is_empty() {
            true => vec![untouched],
            false => of_sets.map(|(_, measured)| measured).collect(),
        };
        for kind in all.iter().flat_map(|measured| &measured.kinds[place]) {
            if let Some(count) = counts.get_mut(*kind) {
                *count += 1;
            }
        }
        counts
    };
    Some(Confusion {
        kinds: rows.iter().map(|(kind, _)| (*kind).to_string()).collect(),
        counts: rows.iter().map(|(_, names)| count(names)).collect(),
    })
}
