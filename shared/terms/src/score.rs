//! Measured accuracies, each with its images, its attack and its counts.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::attack::{AttackConfig, AttackKind, Goal, Loss, ensemble};
use crate::corruption::{Corruption, Severity};
use crate::metrics::Proportion;

/// Images that an accuracy was measured on, before any attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSet {
    /// The validation images as they are.
    #[default]
    Validation,
    /// The validation images, each perturbed as its number decides (`shared::perturb`).
    Augmented,
    /// Photographs that are of no data set, their centre squares (`bastion evaluate --photos`).
    Photos,
    /// The validation images with a common corruption (`shared::corrupt`).
    Corrupted {
        /// Kind of the corruption.
        corruption: Corruption,
        /// Severity, 1 to 5.
        severity: Severity,
    },
}

/// Writes `clean`, `augmented`, `photographs` or `fog 3`.
impl Display for ImageSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validation => formatter.write_str("clean"),
            Self::Augmented => formatter.write_str("augmented"),
            Self::Photos => formatter.write_str("photographs"),
            Self::Corrupted { corruption, severity } => {
                write!(formatter, "{} {}", corruption.name().replace('_', " "), severity.get())
            }
        }
    }
}

/// A measured accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Images before the attack.
    pub set: ImageSet,
    /// Attack on each image; none for images that were not attacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<AttackConfig>,
    /// Attacks on the images that the one before has left, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<AttackConfig>,
    /// Images still right before the first attack and after each one, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<usize>,
    /// Goal of the attack: away from the true class, or towards a random other class.
    #[serde(default = "untargeted", skip_serializing_if = "is_untargeted")]
    pub goal: Goal,
    /// Number of random starts of the attack; the worst counts for each image.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub restarts: usize,
    /// Whether each image was attacked until it was first fooled, at any step of any start, so that the images left withstood
    /// all of them: the worst case, as in AutoAttack. Otherwise the images after the last step count (of several starts the
    /// worst), as in the paper.
    ///
    /// A fooled image counts in the other fields as it was at that step. No further step moves such an image, so `top5` and
    /// `hits_at` beyond 1 are more than a full attack would leave; images misclassified without the attack are not attacked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_fooled: bool,
    /// Name of the network whose gradients crafted the images (transfer, the paper's protocol); none for the scored network's
    /// own gradients (white-box).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crafted_on: Option<String>,
    /// SHA-256 of the crafted set, whose images were saved in 8 bits (`bastion craft`); none for images that were crafted for
    /// this measurement and not rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crafted_sha256: Option<String>,
    /// Images whose label came first.
    pub top1: Proportion,
    /// Wilson's 95% interval of top-1.
    pub top1_interval: [f64; 2],
    /// Images whose label was among the first five.
    pub top5: Proportion,
    /// Images whose label was among the first k: `[k, images]`, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hits_at: Vec<[usize; 2]>,
    /// Success of the attack. Untargeted: the images misclassified, of those classified correctly without the attack. Targeted:
    /// the images classified as the target, of those that were not without the attack (of all images in cards of earlier versions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Proportion>,
    /// Median L-infinity distance of the attacked images from the originals, in pixel units; with `until_fooled`, of the images
    /// that were attacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_linf: Option<f32>,
    /// Median Euclidean distance of the same images, in pixel units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_l2: Option<f32>,
    /// The smallest changes that fool, of an attack that looks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest: Option<SmallestChanges>,
    /// Images that withstood an attack which met no gradient but zero: that they did says nothing about the network.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub no_gradient: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The smallest changes that fool a network, as an attack found them: an upper bound on what there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmallestChanges {
    /// Median length of the change in L2, pixel units, over the images that were not at the attack's goal before; none where it is more
    /// than epsilon, since fewer than half of them were fooled within epsilon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f32>,
    /// Images right if no change may be longer than a radius, ascending to epsilon. Empty with a targeted attack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub right_within: Vec<Right>,
}

/// Number of images that are right within a radius.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Right {
    /// Length in L2, pixel units.
    pub radius: f32,
    /// Images that no shorter change was found for.
    pub hits: usize,
}

impl SmallestChanges {
    /// Returns the median in words, `L2 0.31` or `more than L2 5`, for an attack of radius `epsilon`.
    pub fn median_in_words(&self, epsilon: f32) -> String {
        match self.median {
            Some(median) => format!("L2 {median:.3}"),
            None => format!("more than L2 {epsilon}"),
        }
    }
}

fn untargeted() -> Goal {
    Goal::Untargeted
}

fn is_untargeted(goal: &Goal) -> bool {
    *goal == Goal::Untargeted
}

fn one() -> usize {
    1
}

fn is_one(restarts: &usize) -> bool {
    *restarts == 1
}

impl Score {
    /// Returns whether `other` measures the same images and attack on as many images. A set that was crafted again in the same
    /// way counts as the same, and so does an attack that stops earlier at the images that it has fooled.
    pub fn measures_the_same(&self, other: &Self) -> bool {
        let source = |score: &Self| (score.crafted_on.clone(), score.crafted_sha256.is_some());
        let what = |score: &Self| {
            let attacks = (score.attack.clone(), score.then.clone());
            (score.set, attacks, score.goal, score.restarts, source(score), score.top1.of)
        };
        what(self) == what(other)
    }
}

impl Score {
    /// Returns whether this is a robust accuracy by PGD on cross entropy alone, which margin losses and AutoAttack bring down: the
    /// name of the score says so, lest it be taken for AutoAttack's.
    fn is_by_cross_entropy_alone(&self) -> bool {
        let is_pgd = |attack: &AttackConfig| {
            matches!(attack.kind, AttackKind::Pgd | AttackKind::PgdL2) && attack.loss == Loss::CrossEntropy
        };
        self.until_fooled
            && self.crafted_on.is_none()
            && self.then.is_empty()
            && self.attack.as_ref().is_some_and(is_pgd)
    }
}

/// Writes the measured images and attack: `clean`, `BIM-5 at 4/255`, `FGSM at 0.2 std from standard, saved`.
impl Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(attack) = &self.attack else { return self.set.fmt(formatter) };
        if self.set != ImageSet::Validation {
            write!(formatter, "{}, ", self.set)?;
        }
        formatter.write_str(&ensemble::name(attack, &self.then))?;
        if self.is_by_cross_entropy_alone() {
            formatter.write_str(", cross entropy alone")?;
        }
        if self.goal == Goal::Targeted {
            formatter.write_str(", targeted")?;
        }
        if self.restarts > 1 {
            write!(formatter, ", {} restarts", self.restarts)?;
        }
        if let Some(source) = &self.crafted_on {
            write!(formatter, " from {source}")?;
        }
        if self.crafted_sha256.is_some() {
            formatter.write_str(", saved")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score() -> Score {
        let top1 = Proportion { hits: 1, of: 4 };
        Score {
            set: ImageSet::Validation,
            attack: None,
            then: vec![],
            left: vec![],
            goal: Goal::Untargeted,
            restarts: 1,
            until_fooled: false,
            crafted_on: None,
            crafted_sha256: None,
            top1,
            top1_interval: top1.wilson_interval(),
            top5: top1,
            hits_at: vec![],
            success: None,
            median_linf: None,
            median_l2: None,
            smallest: None,
            no_gradient: 0,
        }
    }

    #[test]
    fn names_say_what_was_measured() {
        assert_eq!(score().to_string(), "clean");
        assert_eq!(Score { set: ImageSet::Augmented, ..score() }.to_string(), "augmented");
        let severity = Severity::new(3).unwrap();
        let fog = ImageSet::Corrupted { corruption: Corruption::MotionBlur, severity };
        assert_eq!(Score { set: fog, ..score() }.to_string(), "motion blur 3");
        let json = serde_json::to_string(&fog).unwrap();
        assert_eq!(serde_json::from_str::<ImageSet>(&json).unwrap(), fog, "{json}");
        let pgd = Score { attack: Some(AttackConfig::pgd(8.0 / 255.0, 50, 0)), ..score() };
        assert_eq!(pgd.to_string(), "PGD-50 at 8/255");
        let worst = Score { until_fooled: true, ..pgd.clone() };
        assert_eq!(worst.to_string(), "PGD-50 at 8/255, cross entropy alone");
        let margins = Score { then: ensemble::margins_after(&AttackConfig::pgd(8.0 / 255.0, 50, 0)), ..worst };
        assert_eq!(margins.to_string(), "PGD-50 at 8/255, then margin, margin-t");
        let more = Score { goal: Goal::Targeted, restarts: 10, crafted_on: Some("normal".into()), ..pgd };
        assert_eq!(more.to_string(), "PGD-50 at 8/255, targeted, 10 restarts from normal");
        let saved = Score { goal: Goal::Untargeted, restarts: 1, crafted_sha256: Some("ab".into()), ..more };
        assert_eq!(saved.to_string(), "PGD-50 at 8/255 from normal, saved");
    }

    #[test]
    fn what_is_usual_is_not_written_down_and_read_back() {
        let json = serde_json::to_string(&score()).unwrap();
        for name in ["goal", "restarts", "until", "crafted", "attack", "smallest"] {
            assert!(!json.contains(name), "{json}");
        }
        assert_eq!(serde_json::from_str::<Score>(&json).unwrap(), score());
        assert!(score().measures_the_same(&Score { top5: Proportion { hits: 2, of: 4 }, ..score() }));
        assert!(!score().measures_the_same(&Score { set: ImageSet::Augmented, ..score() }));
        assert!(score().measures_the_same(&Score { until_fooled: true, ..score() }));
        let of_fewer = Proportion { hits: 1, of: 3 };
        assert!(!score().measures_the_same(&Score { top1: of_fewer, ..score() }), "one does not replace the other");
        let saved = |sha256: &str| Score { crafted_sha256: Some(sha256.into()), ..score() };
        assert!(saved("ab").measures_the_same(&saved("cd")) && !saved("ab").measures_the_same(&score()));
    }
}
