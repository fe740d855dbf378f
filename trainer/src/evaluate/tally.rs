use anyhow::Result;
use shared::attack::Goal;
use shared::bundle::{Bundle, Score};
use shared::metrics::{Proportion, median, rank};

use super::batch::Shown;
use super::pursuit::Fate;
use super::{Batch, Trial, logits};

/// The k of accuracy@k.
const K: [usize; 8] = [1, 2, 3, 5, 10, 20, 50, 100];

/// What became of the images in one trial of one network.
#[derive(Default)]
pub struct Tally {
    /// Rank of the true class for each image.
    ranks: Vec<usize>,
    /// Whether the target came first, for each image of a targeted attack.
    on_target: Vec<bool>,
    linf: Vec<f32>,
    l2: Vec<f32>,
}

impl Tally {
    /// Shows a network what `trial` made of the images of `batch`.
    ///
    /// # Errors
    /// When the device fails, or computes something that is not a number.
    pub fn add(&mut self, batch: &Batch, shown: &Shown, trial: &Trial, bundle: &Bundle) -> Result<()> {
        for &(linf, l2) in &shown.distances {
            self.linf.push(linf);
            self.l2.push(l2);
        }
        let rows = logits(bundle, shown.images.clone())?;
        self.ranks.extend(rows.iter().zip(&batch.labels).map(|(row, &label)| rank(row, label)));
        if trial.attack.as_ref().is_some_and(|attack| attack.goal == Goal::Targeted) {
            self.on_target.extend(rows.iter().zip(&batch.targets).map(|(row, &target)| rank(row, target) == 0));
        }
        Ok(())
    }

    /// Of images that were attacked until they were fooled, each as it was then.
    pub fn of(fates: &[Fate], goal: Goal) -> Self {
        let distances = || fates.iter().filter_map(|fate| fate.distance);
        Self {
            ranks: fates.iter().map(|fate| fate.rank).collect(),
            on_target: fates.iter().filter(|_| goal == Goal::Targeted).map(|fate| fate.on_target).collect(),
            linf: distances().map(|(linf, _)| linf).collect(),
            l2: distances().map(|(_, l2)| l2).collect(),
        }
    }

    /// The score, without what others know: where the images are from. `clean` is the same network's tally of the clean
    /// images.
    pub fn score(&self, trial: &Trial, clean: &Self) -> Score {
        let attack = trial.attack.as_ref();
        Score {
            set: trial.set,
            attack: attack.map(|attack| attack.config.clone()),
            goal: attack.map_or(Goal::Untargeted, |attack| attack.goal),
            restarts: attack.map_or(1, |attack| attack.restarts),
            until_fooled: trial.chase().is_some(),
            crafted_on: None,
            crafted_sha256: None,
            top1: self.at(1),
            top1_interval: self.at(1).wilson_interval(),
            top5: self.at(5),
            hits_at: K.iter().map(|&k| [k, self.at(k).hits]).collect(),
            success: attack.map(|attack| match attack.goal {
                Goal::Untargeted => self.fooled(clean),
                Goal::Targeted => {
                    Proportion { hits: self.on_target.iter().filter(|&&hit| hit).count(), of: self.on_target.len() }
                }
            }),
            median_linf: attack.and_then(|_| median(&self.linf)),
            median_l2: attack.and_then(|_| median(&self.l2)),
        }
    }

    fn at(&self, k: usize) -> Proportion {
        Proportion { hits: self.ranks.iter().filter(|&&rank| rank < k).count(), of: self.ranks.len() }
    }

    /// Of the images that were right, those that no longer are.
    fn fooled(&self, clean: &Self) -> Proportion {
        let were_right = clean.ranks.iter().zip(&self.ranks).filter(|(before, _)| **before == 0);
        Proportion { hits: were_right.filter(|(_, after)| **after > 0).count(), of: clean.at(1).hits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::attack::AttackConfig;

    #[test]
    fn success_counts_only_images_that_were_right_before() {
        let clean = Tally { ranks: vec![0, 0, 3, 0], ..Tally::default() };
        let l2 = vec![1.0, 2.0, 3.0, 4.0];
        let after = Tally { ranks: vec![0, 2, 0, 7], linf: vec![0.1; 4], l2, ..Tally::default() };
        let trial = Trial::attack(AttackConfig::fgsm(0.1), Some(1));
        let score = after.score(&trial, &clean);
        assert_eq!(score.top1, Proportion { hits: 2, of: 4 });
        assert_eq!(score.success, Some(Proportion { hits: 2, of: 3 }));
        assert_eq!(score.median_l2, Some(2.5));
        assert_eq!(score.hits_at[..4], [[1, 2], [2, 2], [3, 3], [5, 3]]);
    }

    #[test]
    fn a_targeted_attack_succeeds_where_the_target_comes_first() {
        let after = Tally { ranks: vec![1, 0], on_target: vec![true, false], ..Tally::default() };
        let mut trial = Trial::attack(AttackConfig::fgsm(0.1), None);
        trial.attack.as_mut().unwrap().goal = Goal::Targeted;
        let score = after.score(&trial, &Tally::default());
        assert_eq!(score.success, Some(Proportion { hits: 1, of: 2 }));
    }
}
