use shared::attack::Goal;
use shared::bundle::{Right, Score, SmallestChanges};
use shared::metrics::{Proportion, median};

use super::Trial;
use super::image_result::ImageResult;

/// Values of k in accuracy@k.
const K: [usize; 8] = [1, 2, 3, 5, 10, 20, 50, 100];

/// Radii in L2 that the images right within are counted at, pixel units.
const RADII: [f32; 7] = [0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0];

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
        smallest: smallest(trial, results, clean),
        no_gradient: attack.map_or(0, |attack| no_gradient(attack.goal, results, clean)),
    }
}

/// Counts the images that withstood an attack which met no gradient but zero.
fn no_gradient(goal: Goal, results: &[ImageResult], clean: &[ImageResult]) -> usize {
    let met_none = |after: &&&ImageResult| after.change.is_some_and(|change| change.no_gradient);
    begun(goal, results, clean).iter().filter(|after| !reached(goal, after)).filter(met_none).count()
}

/// Counts the images whose true class is among the first `k`.
fn at(results: &[ImageResult], k: usize) -> Proportion {
    Proportion { hits: results.iter().filter(|result| result.rank < k).count(), of: results.len() }
}

/// Counts, of the images that an attack had something to do with, those that it led to its goal: away from the true class that
/// the network saw before, or to a target that the network did not see before. `None` where there were no such images.
fn success(goal: Goal, results: &[ImageResult], clean: &[ImageResult]) -> Option<Proportion> {
    let begun = begun(goal, results, clean);
    let hits = begun.iter().filter(|after| reached(goal, after)).count();
    (!begun.is_empty()).then_some(Proportion { hits, of: begun.len() })
}

/// Returns the results of the images that an attack had something to do with.
fn begun<'a>(goal: Goal, results: &'a [ImageResult], clean: &[ImageResult]) -> Vec<&'a ImageResult> {
    let begins = |before: &ImageResult| match goal {
        Goal::Untargeted => before.rank == 0,
        Goal::Targeted => !before.on_target,
    };
    clean.iter().zip(results).filter(|(before, _)| begins(before)).map(|(_, after)| after).collect()
}

fn reached(goal: Goal, after: &ImageResult) -> bool {
    match goal {
        Goal::Untargeted => after.rank > 0,
        Goal::Targeted => after.on_target,
    }
}

/// Returns the smallest changes that an attack found which looks for them through the network's own gradients; `None` for other
/// attacks, in units other than pixels, and where no image was left for it.
fn smallest(trial: &Trial, results: &[ImageResult], clean: &[ImageResult]) -> Option<SmallestChanges> {
    let own = trial.crafted.is_none() && trial.attack.as_ref().is_some_and(|attack| attack.crafted_on.is_none());
    let attack = trial.attack.as_ref().filter(|_| own)?;
    let config = &attack.config;
    if !(config.kind.seeks_smallest() && config.threat().is_in_pixel_units()) {
        return None;
    }
    let length = |after: &&ImageResult| match reached(attack.goal, after) {
        // The ball is epsilon large, and f32 rounds.
        true => after.change.map_or(0.0, |change| change.l2.min(config.epsilon)),
        false => f32::INFINITY,
    };
    let lengths: Vec<f32> = begun(attack.goal, results, clean).iter().map(length).collect();
    let radii = RADII.into_iter().filter(|radius| *radius < config.epsilon).chain([config.epsilon]);
    let right = |radius: f32| Right { radius, hits: lengths.iter().filter(|length| **length > radius).count() };
    let right_within = if attack.goal == Goal::Untargeted { radii.map(right).collect() } else { vec![] };
    let median = median(&lengths)?;
    Some(SmallestChanges { median: median.is_finite().then_some(median), right_within })
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
    use shared::attack::{AttackConfig, AttackKind};

    use super::super::image_result::Change;
    use super::*;

    fn result(rank: usize, on_target: bool, change: Option<(f32, f32)>) -> ImageResult {
        let change = change.map(|(linf, l2)| Change::new(linf, l2, 1, &[]));
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

    #[test]
    fn the_smallest_change_is_the_median_of_what_was_right_and_no_number_where_most_hold() {
        let clean = [0, 0, 3, 0, 0].map(|rank| result(rank, false, None));
        let after = |ranks: [usize; 5]| {
            let lengths = [0.2, 0.4, 0.1, 0.7, 0.5];
            std::array::from_fn::<_, 5, _>(|image| result(ranks[image], false, Some((0.1, lengths[image]))))
        };
        let trial = Trial::until_fooled(AttackConfig::new(AttackKind::Ddn, 0.5, 100));
        let smallest = |ranks| score(&trial, &after(ranks), &clean).smallest.unwrap();
        // Of four that were right the third longest holds: the median is between the second and the third.
        let found = smallest([1, 2, 3, 0, 4]);
        assert!((found.median.unwrap() - 0.45).abs() < 1e-6, "{found:?}");
        let within: Vec<_> = found.right_within.iter().map(|right| (right.radius, right.hits)).collect();
        assert_eq!(within, [(0.1, 4), (0.25, 3), (0.5, 1)]);
        let most_hold = smallest([1, 0, 3, 0, 0]);
        assert_eq!((most_hold.median, most_hold.median_in_words(0.5)), (None, "more than L2 0.5".into()));
        assert_eq!(score(&Trial::until_fooled(AttackConfig::pgd_l2(0.5, 1, 0)), &clean, &clean).smallest, None);
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
