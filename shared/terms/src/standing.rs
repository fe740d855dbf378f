//! How a picture compares with untouched pictures that no network and no detector was trained on.

use serde::{Deserialize, Serialize};

use crate::attack::in_255ths;
use crate::detection::{Adaptive, DetectorCard, DetectorKind, RATES};

/// Attacks of which the area under the curve is printed, with their names in print.
const ATTACKS: [(&str, &str); 3] = [("fgsm", "FGSM"), ("bim-5", "BIM-5"), ("pgd-50", "PGD-50")];

/// Scores of a picture beside those of untouched held-out pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Share of untouched pictures whose answer has no larger probability, 0 to 1; none if that was not calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less_probable: Option<f64>,
    /// Share of untouched pictures with at least as high an energy (Liu et al., 2020, arXiv 2010.03759), 0 to 1; none likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub higher_energy: Option<f64>,
    /// Result of the first detector with weights; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<DetectorFacts>,
}

/// Result of a detector for a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorFacts {
    /// The detector in print.
    pub detector: String,
    /// Share of untouched pictures with at least as high a score, 0 to 1.
    pub share_above: f64,
    /// Result of an attacker who knows the detector, in words.
    pub adaptive: String,
}

impl Standing {
    /// Returns what the scores of a picture say, one for each detector of a network.
    pub fn of<'a>(scored: impl IntoIterator<Item = (&'a DetectorCard, f32)>) -> Self {
        let mut standing = Self::default();
        // A score that is no number says nothing.
        for (card, score) in scored.into_iter().filter(|(_, score)| score.is_finite()) {
            let share_above = card.calibration.share_above(score);
            match card.kind {
                DetectorKind::MaxSoftmax => standing.less_probable = Some(share_above),
                DetectorKind::Energy => standing.higher_energy = Some(share_above),
                kind if kind.has_weights() && standing.detector.is_none() => {
                    let (detector, adaptive) = (kind.label().into(), card.adaptive_in_words());
                    standing.detector = Some(DetectorFacts { detector, share_above, adaptive });
                }
                _ => {}
            }
        }
        standing
    }

    /// Returns a note for a picture that may show none of a network's classes, with its rate of false alarms; none for a picture whose
    /// energy more than 5% of the pictures of these classes reach.
    pub fn none_of(&self, classes: usize) -> Option<String> {
        let share = self.higher_energy.filter(|share| *share <= RATES[1])?;
        Some(format!(
            "This picture may show none of the {classes} classes: {} pictures of these classes have as high an energy.",
            of_100(share)
        ))
    }

    /// Returns what an attacker who knows the detector left of it, in a sentence with a space before it; nothing without a detector.
    pub fn adaptive(&self) -> String {
        self.detector.as_ref().map_or(String::new(), |facts| format!(" Of that detector: {}.", facts.adaptive))
    }

    /// Returns the shares in sentences, each with a space before it; `subject` is `the picture` or `the attacked picture`.
    pub fn in_words(&self, subject: &str) -> String {
        let mut text = String::new();
        if let Some(share) = self.less_probable {
            text += &format!(" Of untouched pictures, {} have an answer of no larger probability.", of_100(share));
        }
        let Some(DetectorFacts { detector, share_above, .. }) = &self.detector else { return text };
        text += &match *share_above <= RATES[1] {
            true => format!(
                " By the {detector} {subject} resembles attacked ones; {} untouched pictures do as much, which would be false alarms.",
                of_100(*share_above)
            ),
            false => format!(
                " By the {detector} {subject} resembles attacked ones no more than {} untouched pictures do.",
                of_100(*share_above)
            ),
        };
        text
    }
}

impl DetectorCard {
    /// Returns the areas under the curve at 8/255 that were measured, and what an attacker who knows the detector left of it.
    pub fn figures_in_words(&self) -> String {
        let sets = self.figures.iter().flat_map(|figures| &figures.sets);
        let areas = ATTACKS.iter().filter_map(|(attack, name)| {
            let at = |radius: &str| sets.clone().find(|row| row.set == format!("{attack} at {radius}"));
            let (strong, weak) = (at("8/255")?, at("4/255")?);
            let seen = if strong.seen { ", trained on" } else { "" };
            Some(format!("{name} {:.1} ({:.1}){seen}", 100.0 * strong.auc?.value, 100.0 * weak.auc?.value))
        });
        let areas: Vec<String> = areas.collect();
        match areas.as_slice() {
            [] => self.adaptive_in_words(),
            areas => {
                format!("area under the curve at 8/255 (4/255): {}; {}", areas.join("; "), self.adaptive_in_words())
            }
        }
    }

    /// Returns what an attacker who knows the detector left of it, at the smallest radius that was measured; or that this was not
    /// measured, or is not to be believed.
    pub fn adaptive_in_words(&self) -> String {
        let figures = self.figures.iter();
        let smallest = figures.clone().flat_map(|figures| &figures.adaptive);
        let Some(adaptive) = smallest.min_by(|one, other| one.epsilon.total_cmp(&other.epsilon)) else {
            return "not measured against an attacker who knows it".into();
        };
        if figures.flat_map(|figures| &figures.checks).any(|check| check.passed == Some(false)) {
            return "its figures against an attacker who knows it failed a check".into();
        }
        let (Adaptive { epsilon, rate, .. }, evaded) = (adaptive, adaptive.evaded());
        if evaded.of == 0 {
            return "no picture was answered rightly without an alarm, so that there was nothing to attack".into();
        }
        format!(
            "an attacker who knows it evaded it on {} of {} pictures, at {} and {}% false alarms",
            evaded.hits,
            evaded.of,
            in_255ths(*epsilon),
            (1e5 * rate).round() / 1e3
        )
    }
}

/// Returns a share as so many of 100; calibrations know steps of half a percent.
pub fn of_100(share: f64) -> String {
    match 100.0 * share {
        of_100 if of_100 < 0.25 => "fewer than 0.5 of 100".into(),
        of_100 if of_100 < 10.0 => format!("{of_100:.1} of 100"),
        of_100 => format!("{of_100:.0} of 100"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::CheckItem;
    use crate::detection::{Auc, Calibration, Detection, DetectorFigures};
    use crate::metrics::Proportion;

    fn card(kind: DetectorKind) -> DetectorCard {
        DetectorCard {
            kind,
            weights: None,
            passes: 0,
            dropout: 0.0,
            tails: None,
            trained_on: String::new(),
            trained_attacks: vec![],
            calibration: Calibration::new((0..=1000u16).map(|n| f32::from(n) / 1000.0).collect()),
            figures: None,
        }
    }

    #[test]
    fn shares_are_those_of_each_kind_of_score() {
        let kinds = [DetectorKind::Maps, DetectorKind::Statistics, DetectorKind::Energy, DetectorKind::MaxSoftmax];
        let cards = kinds.map(card);
        let standing = Standing::of(cards.iter().zip([0.99, 0.5, 0.97, 0.2]));
        let near = |share: Option<f64>, expected: f64| share.is_some_and(|share| (share - expected).abs() < 1e-4);
        assert!(near(standing.less_probable, 0.8) && near(standing.higher_energy, 0.03), "{standing:?}");
        let detector = standing.detector.as_ref().unwrap();
        assert!(
            detector.detector == "head on the middle stage" && near(Some(detector.share_above), 0.01),
            "{detector:?}"
        );
        assert_eq!(
            standing.in_words("the picture"),
            " Of untouched pictures, 80 of 100 have an answer of no larger probability. By the head on the middle stage the picture \
             resembles attacked ones; 1.0 of 100 untouched pictures do as much, which would be false \
             alarms."
        );
        assert_eq!(standing.adaptive(), " Of that detector: not measured against an attacker who knows it.");
        assert_eq!(
            standing.none_of(200).unwrap(),
            "This picture may show none of the 200 classes: 3.0 of 100 pictures of these classes have as high an energy."
        );
    }

    #[test]
    fn what_is_usual_raises_no_note() {
        let standing = Standing::of([(&card(DetectorKind::Maps), 0.4), (&card(DetectorKind::Energy), 0.9)]);
        assert_eq!(standing.none_of(200), None);
        assert!(
            standing.in_words("the attacked picture").contains("no more than 60 of 100 untouched pictures do"),
            "{standing:?}"
        );
        assert_eq!(Standing::default().in_words("the picture"), "");
        assert_eq!(Standing::default().none_of(200), None);
        assert_eq!(Standing::of([(&card(DetectorKind::Maps), f32::NAN)]), Standing::default());
    }

    #[test]
    fn figures_without_an_attacker_never_stand_alone() {
        let mut card = card(DetectorKind::Maps);
        assert_eq!(card.figures_in_words(), "not measured against an attacker who knows it");
        let none = Proportion { hits: 0, of: 10 };
        let row = |set: &str, scores: &[f32]| Detection {
            set: set.into(),
            attacked: true,
            seen: true,
            auc: Auc::new(scores, &[0.0, 1.5]),
            alarms: [none; 2],
            of_changed: None,
        };
        let sets = vec![row("bim-5 at 8/255", &[1.0, 2.0]), row("bim-5 at 4/255", &[1.0])];
        let adaptive = Adaptive {
            epsilon: 4.0 / 255.0,
            rate: 0.05,
            steps: 100,
            starts: 1,
            defended: Proportion { hits: 8, of: 10 },
            left: vec![("orthogonal".into(), 1)],
        };
        let figures = DetectorFigures { images: 10, sets, adaptive: vec![adaptive], ..Default::default() };
        card.figures = Some(figures);
        assert_eq!(
            card.figures_in_words(),
            "area under the curve at 8/255 (4/255): BIM-5 75.0 (50.0), trained on; an attacker who knows it evaded it on 7 of 8 pictures, at 4/255 and 5% false alarms"
        );
        let check = CheckItem { name: "a".into(), figure: String::new(), limit: String::new(), passed: Some(false) };
        card.figures.as_mut().unwrap().checks.push(check);
        assert!(card.figures_in_words().ends_with("failed a check"));
    }

    #[test]
    fn shares_are_of_100_pictures() {
        let words = [0.0, 0.012, 0.5, 1.0].map(of_100);
        assert_eq!(words, ["fewer than 0.5 of 100", "1.2 of 100", "50 of 100", "100 of 100"]);
    }
}
