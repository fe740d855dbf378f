use shared::attack::Goal;
use shared::bundle::Score;
use shared::metrics::{Proportion, median};

use super::Trial;
use super::image_result::ImageResult;

/// Values of k in accuracy@k.
const K: [usize; 8] = [1, 2, 3, 5, 10, 20, 50, 100];

/// Returns the score of one network's results in `trial`, without the origin of the images (`crafted_on`, `crafted_sha256`).
/// `clean` are the same network's results on the clean images.
pub fn score(trial: &Trial, results: &[ImageResult], clean: &[ImageResult]) -> Score {
    let attack = trial.attack.as_ref();
    let (top1, top5) = (at(results, 1), at(results, 5));
    let changes = || results.iter().filter_map(|result| result.change);
    Score {
        set: trial.set,
        attack: attack.map(|attack| attack.config.clone()),
        then: attack.map(|attack| attack.then.clone()).unwrap_or_default(),
        left: attack
            .filter(|attack| !attack.then.is_empty())
            .map(|attack| left(results, clean, attack.then.len() + 1))
            .unwrap_or_default(),
        goal: attack.map_or(Goal::Untargeted, |attack| attack.goal),
        restarts: attack.map_or(1, |attack| attack.restarts),
        until_fooled: trial.attack_until_fooled().is_some(),
        crafted_on: None,
        crafted_sha256: None,
        top1,
        top1_interval: top1.wilson_interval(),
        top5,
        hits_at: K.iter().map(|&k| [k, at(results, k).hits]).collect(),
        success: attack.and_then(|attack| success(attack.goal, results, clean)),
        median_linf: attack.and_then(|_| median(&changes().map(|change| change.linf).collect::<Vec<_>>())),
        median_l2: attack.and_then(|_| median(&changes().map(|change| change.l2).collect::<Vec<_>>())),
    }
}

/// Counts the images whose true class is among the first `k`.
fn at(results: &[ImageResult], k: usize) -> Proportion {
    Proportion { hits: results.iter().filter(|result| result.rank < k).count(), of: results.len() }
}

/// Counts, of the images that an attack had something to do with, those that it led to its goal: away from the true class that
/// the network saw before, or to a target that the network did not see before. `None` where there were no such images.
fn success(goal: Goal, results: &[ImageResult], clean: &[ImageResult]) -> Option<Proportion> {
    let begins = |before: &ImageResult| match goal {
        Goal::Untargeted => before.rank == 0,
        Goal::Targeted => !before.on_target,
    };
    let reached = |after: &ImageResult| match goal {
        Goal::Untargeted => after.rank > 0,
        Goal::Targeted => after.on_target,
    };
    let (mut hits, mut of) = (0, 0);
    for (_, after) in clean.iter().zip(results).filter(|(before, _)| begins(before)) {
        of += 1;
        hits += usize::from(reached(after));
    }
    (of > 0).then_some(Proportion { hits, of })
}

/// Counts the images that were right before the first of so many attacks, and after each.
fn left(results: &[ImageResult], clean: &[ImageResult], attacks: usize) -> Vec<usize> {
    let right = at(clean, 1).hits;
    let fooled_by =
        |attack: usize| results.iter().filter(|result| result.fooled_by.is_some_and(|by| by <= attack)).count();
    std::iter::once(right).chain((0..attacks).map(|attack| right.saturating_sub(fooled_by(attack)))).collect()
}

#[cfg(test)]
mod tests {
    use shared::attack::AttackConfig;

    use super::super::image_result::Change;
    use super::*;

    fn result(rank: usize, on_target: bool, change: Option<(f32, f32)>) -> ImageResult {
        let change = change.map(|(linf, l2)| Change::new(linf, l2, &[]));
        ImageResult { rank, on_target, loss: 0.0, change, fooled_by: None }
    }

    #[test]
    fn success_counts_only_images_that_were_right_before() {
        let clean = [0, 0, 3, 0].map(|rank| result(rank, false, None));
        let after = [(0, 1.0), (2, 2.0), (0, 3.0), (7, 4.0)].map(|(rank, l2)| result(rank, false, Some((0.1, l2))));
        let trial = Trial::attack(AttackConfig::fgsm(0.1), Some(1));
        let score = score(&trial, &after, &clean);
        assert_eq!(score.top1, Proportion { hits: 2, of: 4 });
        assert_eq!(score.success, Some(Proportion { hits: 2, of: 3 }));
        assert_eq!(score.median_l2, Some(2.5));
        assert_eq!(score.hits_at[..4], [[1, 2], [2, 2], [3, 3], [5, 3]]);
    }

    /// An attack that may change nothing has no success, however many images are at their target by themselves.
    #[test]
    fn a_targeted_attack_succeeds_where_the_target_comes_first_and_did_not_before() {
        let mut trial = Trial::attack(AttackConfig::fgsm(0.0), None);
        trial.attack.as_mut().unwrap().goal = Goal::Targeted;
        let clean = [(1, true), (0, false), (2, false)].map(|(rank, on_target)| result(rank, on_target, None));
        assert_eq!(score(&trial, &clean, &clean).success, Some(Proportion { hits: 0, of: 2 }));
        let after = [(1, true), (1, true), (2, false)].map(|(rank, on_target)| result(rank, on_target, None));
        assert_eq!(score(&trial, &after, &clean).success, Some(Proportion { hits: 1, of: 2 }));
        assert_eq!(score(&trial, &after[..1], &clean[..1]).success, None);
    }
}
