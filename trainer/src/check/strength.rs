//! Checks that stronger attacks fool more images. All attacks get the same images, so two attacks are compared by the number of
//! images on which they differ, and in which direction.

use std::rc::Rc;

use anyhow::Result;
use shared::attack::in_255ths;
use shared::metrics::Proportion;

use super::Finding;
use super::chance::{FEWEST, Pairs, a_point_of, count, exceeds};
use super::checked_model::{CheckPlan, CheckedModel, TrialOutcome};
use crate::evaluate::Trial;

/// Radius at which an attack may change an image into nearly any other: all images can become the same grey. Pixel units.
pub const LARGEST: f32 = 0.5;
/// Radii whose accuracies are compared, as multiples of epsilon.
const LADDER: [f32; 3] = [0.5, 1.0, 2.0];
/// Largest share of the images left by cross entropy that margin losses may fool: of an adversarially trained network a fifth to a
/// third, and nearly all where the logits are so far apart that cross entropy has no gradient.
const MARGINS_FIND: f64 = 0.5;
/// Largest share of the images classified correctly that FGSM may leave right and PGD does not. Under catastrophic overfitting
/// it is nearly all of them; for a network that was never hardened some, since its loss is curved.
const OVERFITTED: f64 = 1.0 / 3.0;

/// Compares BIM with FGSM: several steps must fool as many images as one.
pub fn iterated(_: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    Ok(judge_iterated(&outcomes[0].right, &outcomes[1].right))
}

fn judge_iterated(fgsm: &[bool], bim: &[bool]) -> Finding {
    let pairs = Pairs::of(bim, fgsm);
    let figure = format!("BIM leaves {} right, FGSM {}", count(bim), count(fgsm));
    Finding::new(!pairs.first_leaves_more(), figure, "no more, beyond chance")
}

/// Compares accuracies at growing radii: a larger ball holds the smaller one, so accuracy must not rise.
pub fn larger_epsilon(model: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let radii = radii(&model.plan);
    let rights = |outcomes: &[Rc<TrialOutcome>]| outcomes.iter().map(|outcome| outcome.right.clone()).collect();
    let (bim, pgd) = outcomes.split_at(radii.len());
    Ok(judge_larger_epsilon(&radii, &[("BIM", rights(bim)), ("PGD", rights(pgd))]))
}

/// Returns BIM at each radius, and then PGD.
pub fn ladder(plan: &CheckPlan) -> Vec<Trial> {
    let radii = radii(plan);
    radii.iter().map(|&epsilon| plan.bim(epsilon)).chain(radii.iter().map(|&epsilon| plan.pgd(epsilon, 1))).collect()
}

/// Returns the radii whose accuracies are compared, ascending, pixel units.
fn radii(plan: &CheckPlan) -> [f32; LADDER.len()] {
    LADDER.map(|factor| (factor * plan.epsilon).min(1.0))
}

/// `attacks` are, for each of `radii` (ascending), whether each image is left right.
fn judge_larger_epsilon(radii: &[f32], attacks: &[(&str, Vec<Vec<bool>>)]) -> Finding {
    let rises = |(_, rights): &(&str, Vec<Vec<bool>>)| {
        rights.windows(2).any(|pair| Pairs::of(&pair[1], &pair[0]).first_leaves_more())
    };
    let counted = |(name, rights): &(&str, Vec<Vec<bool>>)| {
        let counts: Vec<String> =
            rights.iter().map(|right| right.iter().filter(|&&right| right).count().to_string()).collect();
        format!("{name} {}", counts.join(", "))
    };
    let radii: Vec<String> = radii.iter().map(|&radius| in_255ths(radius)).collect();
    let counted: Vec<String> = attacks.iter().map(counted).collect();
    let figure = format!("{} right at {}", counted.join("; "), radii.join(", "));
    Finding::new(!attacks.iter().any(rises), figure, "no rise, beyond chance")
}

/// Compares the usual steps with twice as many: an attack that has converged gets no further.
pub fn more_steps(_: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    Ok(judge_more_steps(&outcomes[0].right, &outcomes[1].right))
}

fn judge_more_steps(once: &[bool], twice: &[bool]) -> Finding {
    let figure = format!("{:+.2} points: {} right, then {}", points(once, twice), count(once), count(twice));
    below_a_point(once, twice, figure)
}

/// Compares cross entropy with the margin losses, on what cross entropy left.
pub fn margins(_: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    Ok(judge_margins(&outcomes[0].right, &outcomes[1].right))
}

fn judge_margins(cross_entropy: &[bool], margins: &[bool]) -> Finding {
    let found = Proportion {
        hits: cross_entropy.iter().zip(margins).filter(|&(&left, &by_margins)| left && !by_margins).count(),
        of: cross_entropy.iter().filter(|&&left| left).count(),
    };
    let figure = format!(
        "cross entropy leaves {} right, the margins then {}: {:+.2} points",
        count(cross_entropy),
        count(margins),
        points(cross_entropy, margins)
    );
    Finding::new(!exceeds(found, MARGINS_FIND), figure, "half of what is left, within the interval")
}

/// Returns the change of accuracy from `before` to `after`, in percentage points.
fn points(before: &[bool], after: &[bool]) -> f64 {
    let right = |right: &[bool]| right.iter().filter(|&&right| right).count() as f64;
    100.0 * (right(after) - right(before)) / before.len() as f64
}

/// Passes if accuracies differ by less than a point.
fn below_a_point(before: &[bool], after: &[bool], figure: String) -> Finding {
    let moved = (points(before, after) / 100.0 * before.len() as f64).abs().round();
    Finding::new(moved < a_point_of(before.len()), figure, format!("below 1 point or {FEWEST} images"))
}

/// Compares the worst case over all steps with the last step: it must leave no more images right.
pub fn until_fooled(_: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    Ok(judge_until_fooled(&outcomes[0].right, &outcomes[1].right))
}

/// The two attacks have different random starts, so images may differ by chance.
fn judge_until_fooled(until_fooled: &[bool], last_step: &[bool]) -> Finding {
    let pairs = Pairs::of(until_fooled, last_step);
    let figure = format!("until fooled leaves {} right, the last step {}", count(until_fooled), count(last_step));
    Finding::new(!pairs.first_leaves_more(), figure, "no more, beyond chance")
}

/// Checks that accuracy is at chance in a ball that holds almost all images.
pub fn unbounded(model: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    Ok(judge_unbounded(outcomes[0].correct(), model.classes()))
}

impl CheckPlan {
    /// Returns the white-box attack of radius [`LARGEST`]. It begins at the image itself: a random start in so large a ball
    /// would fool most networks, and hide that the gradients do not.
    pub fn unbounded(&self) -> Trial {
        let mut trial = self.bim(LARGEST);
        if let (Some(attack), Some(usual)) = (&mut trial.attack, self.white_box().attack) {
            attack.config.steps = usual.config.steps;
            // PGD's step size: all steps together reach over the whole ball.
            attack.config.step_size = Some(2.5 * LARGEST / usual.config.steps as f32);
        }
        trial
    }
}

fn judge_unbounded(right: Proportion, classes: usize) -> Finding {
    let figure = format!("{} of {} right", right.hits, right.of);
    Finding::new(!exceeds(right, 1.0 / classes as f64), figure, format!("1 in {classes}, within the interval"))
}

/// Counts the images that one step does not fool and many steps do.
pub fn overfitting(_: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    Ok(judge_overfitting(&outcomes[0].right, &outcomes[1].right, &outcomes[2].right))
}

fn judge_overfitting(clean: &[bool], fgsm: &[bool], pgd: &[bool]) -> Finding {
    let escaped = clean.iter().zip(fgsm).zip(pgd).filter(|&((&clean, &fgsm), &pgd)| clean && fgsm && !pgd).count();
    let share = Proportion { hits: escaped, of: clean.iter().filter(|&&right| right).count() };
    let figure = format!(
        "FGSM leaves {} right, PGD {}: {escaped} of {} seen rightly escape FGSM alone",
        count(fgsm),
        count(pgd),
        share.of
    );
    Finding::new(!exceeds(share, OVERFITTED), figure, "a third, within the interval")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict::{Fail, Pass};

    /// Returns 200 images of which the first `count` are right.
    fn right(count: usize) -> Vec<bool> {
        (0..200).map(|index| index < count).collect()
    }

    #[test]
    fn steps_that_go_astray_fail() {
        assert_eq!(judge_iterated(&right(20), &right(10)).verdict, Pass);
        assert_eq!(judge_iterated(&right(20), &right(23)).verdict, Pass);
        assert_eq!(judge_iterated(&right(20), &right(40)).verdict, Fail);
    }

    #[test]
    fn accuracy_that_rises_with_epsilon_fails_for_either_attack() {
        let judge = |bim: [usize; 3], pgd: [usize; 3]| {
            let attacks = [("BIM", bim.map(right).to_vec()), ("PGD", pgd.map(right).to_vec())];
            judge_larger_epsilon(&[2.0 / 255.0, 4.0 / 255.0, 8.0 / 255.0], &attacks)
        };
        let finding = judge([40, 20, 3], [38, 20, 1]);
        assert_eq!(finding.verdict, Pass);
        assert_eq!(finding.figure, "BIM 40, 20, 3; PGD 38, 20, 1 right at 2/255, 4/255, 8/255");
        assert_eq!(judge([40, 20, 22], [38, 20, 1]).verdict, Pass);
        assert_eq!(judge([40, 20, 30], [38, 20, 1]).verdict, Fail);
        assert_eq!(judge([40, 20, 3], [20, 38, 1]).verdict, Fail);
    }

    #[test]
    fn an_attack_that_gets_further_with_more_steps_fails() {
        assert_eq!(judge_more_steps(&right(20), &right(17)).verdict, Pass);
        assert_eq!(judge_more_steps(&right(20), &right(16)).verdict, Fail);
        let of_10_000 = |count: usize| (0..10_000).map(|index| index < count).collect::<Vec<_>>();
        assert_eq!(judge_more_steps(&of_10_000(2000), &of_10_000(1901)).verdict, Pass);
        assert_eq!(judge_more_steps(&of_10_000(2000), &of_10_000(1900)).verdict, Fail);
        assert_eq!(judge_more_steps(&of_10_000(1900), &of_10_000(2000)).verdict, Fail);
    }

    #[test]
    fn margins_that_fool_most_of_what_cross_entropy_leaves_fail() {
        let finding = judge_margins(&right(24), &right(17));
        assert_eq!(finding.verdict, Pass);
        assert!(finding.figure.ends_with("the margins then 17 of 200: -3.50 points"), "{}", finding.figure);
        assert_eq!(judge_margins(&right(24), &right(11)).verdict, Pass, "half of so few may be chance");
        assert_eq!(judge_margins(&right(24), &right(4)).verdict, Fail);
        assert_eq!(judge_margins(&right(0), &right(0)).verdict, Pass);
    }

    #[test]
    fn an_attack_until_fooled_that_lets_images_go_fails() {
        assert_eq!(judge_until_fooled(&right(15), &right(20)).verdict, Pass);
        assert_eq!(judge_until_fooled(&right(23), &right(20)).verdict, Pass);
        let finding = judge_until_fooled(&right(30), &right(20));
        assert_eq!(finding.verdict, Fail);
        assert_eq!(finding.figure, "until fooled leaves 30 of 200 right, the last step 20 of 200");
    }

    #[test]
    fn accuracy_left_in_a_ball_that_holds_everything_fails() {
        let judge = |hits| judge_unbounded(Proportion { hits, of: 200 }, 200).verdict;
        assert_eq!((judge(0), judge(1), judge(3)), (Pass, Pass, Fail));
    }

    #[test]
    fn a_network_that_escapes_single_steps_alone_fails() {
        // As in the public logs of Tiny ImageNet runs that collapsed: FGSM 42.7%, PGD 0%.
        assert_eq!(judge_overfitting(&right(95), &right(85), &right(0)).verdict, Fail);
        assert_eq!(judge_overfitting(&right(95), &right(40), &right(30)).verdict, Pass);
        assert_eq!(judge_overfitting(&right(54), &right(5), &right(0)).verdict, Pass);
    }
}
