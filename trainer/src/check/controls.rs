//! Controls: attacks without a network's own gradients must do less damage than attacks with them.

use std::rc::Rc;

use anyhow::Result;
use shared::metrics::Proportion;

use super::Finding;
use super::chance::{FEWEST, Pairs, a_point_of, count, exceeds};
use super::checked_model::{CheckPlan, CheckedModel, QUERIES, TrialOutcome};
use crate::evaluate::Trial;

/// Images for which a random search of the ball may find something worse than what the gradients found: an attack that is right nearly
/// everywhere is beaten on one or the other image.
const FOUND_AT_RANDOM: f64 = 0.05;

/// Compares the white-box attack with noise: as large a change in a random direction.
pub fn noise(_: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    Ok(judge_noise(&outcomes[0].right, &outcomes[1].right))
}

/// Fails unless the attack is stronger than noise beyond chance: an attack as weak as noise is none.
fn judge_noise(noise: &[bool], white_box: &[bool]) -> Finding {
    let pairs = Pairs::of(noise, white_box);
    if pairs.first_only > pairs.second_only && pairs.total() < FEWEST {
        return Finding::skipped(format!("not measurable: noise and white-box differ on {} images", pairs.total()));
    }
    let figure = format!("noise leaves {} right, white-box {}", count(noise), count(white_box));
    Finding::new(pairs.first_leaves_more(), figure, "more, beyond chance")
}

/// Compares the white-box attack with images crafted on each of the other networks.
pub fn transfer(model: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    let names = sources(&model.plan).map(|source| model.subject.networks[source].0.as_str());
    let transfers: Vec<_> = names.zip(outcomes[1..].iter().map(|outcome| outcome.right.clone())).collect();
    Ok(judge_transfer(&transfers, &outcomes[0].right))
}

/// Returns the white-box attack, and then the one through the gradients of each other network.
pub fn transfer_trials(plan: &CheckPlan) -> Vec<Trial> {
    let from = sources(plan).map(|source| plan.pgd_to_the_last_step(Some(source)));
    std::iter::once(plan.white_box()).chain(from).collect()
}

/// Returns the places of the other networks.
fn sources(plan: &CheckPlan) -> impl Iterator<Item = usize> + use<> {
    let index = plan.index;
    (0..plan.networks).filter(move |&source| source != index)
}

/// `transfers` are names of the networks that images were crafted on, and for each image whether it is classified correctly.
fn judge_transfer(transfers: &[(&str, Vec<bool>)], white_box: &[bool]) -> Finding {
    if transfers.is_empty() {
        return Finding::skipped("not measurable: there is no other network; name one more with --model");
    }
    let stronger = transfers.iter().any(|(_, right)| Pairs::of(white_box, right).first_leaves_more());
    let counts: Vec<String> = transfers.iter().map(|(name, right)| format!("from {name} {}", count(right))).collect();
    let figure = format!("{} right, white-box {}", counts.join(", "), count(white_box));
    Finding::new(!stronger, figure, "no fewer, beyond chance")
}

/// Compares the white-box attack with Square, which uses logits only, no gradients.
pub fn random_search(_: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    // A fooled image is left alone, so its loss is no measure of how far gradients lead; its loss after the last step is.
    let white_box = TrialOutcome { loss: outcomes[1].loss.clone(), ..(*outcomes[0]).clone() };
    Ok(judge_random_search(&outcomes[2], &white_box))
}

/// Compares the losses of all images, classified correctly or not, and the images left right.
fn judge_random_search(search: &TrialOutcome, white_box: &TrialOutcome) -> Finding {
    let worse = search.loss.iter().zip(&white_box.loss).filter(|(search, white_box)| search > white_box).count();
    let share = Proportion { hits: worse, of: search.loss.len() };
    let missed = white_box.right.iter().zip(&search.right).filter(|&(&left, &by_search)| left && !by_search).count();
    let figure = format!(
        "a larger loss on {worse} of {}; {QUERIES} squares fool {missed} of the {} that white-box leaves right",
        share.of,
        count(&white_box.right),
    );
    let sound = !exceeds(share, FOUND_AT_RANDOM) && (missed as f64) < a_point_of(share.of);
    Finding::new(sound, figure, format!("on 5%, within the interval; below 1 point or {FEWEST} images"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict::{Fail, Pass, Skipped};

    fn right(count: usize) -> Vec<bool> {
        (0..200).map(|index| index < count).collect()
    }

    #[test]
    fn an_attack_like_noise_fails() {
        assert_eq!(judge_noise(&right(50), &right(10)).verdict, Pass);
        assert_eq!(judge_noise(&right(50), &right(50)).verdict, Fail);
        assert_eq!(judge_noise(&right(48), &right(50)).verdict, Fail);
        // The difference is within chance, but in the right direction.
        assert_eq!(judge_noise(&right(50), &right(47)).verdict, Skipped);
    }

    #[test]
    fn transfer_that_leads_further_fails_whatever_network_it_is_from() {
        let judge = |transfers: &[usize]| {
            let transfers: Vec<_> = transfers.iter().map(|&count| ("other", right(count))).collect();
            judge_transfer(&transfers, &right(10)).verdict
        };
        assert_eq!((judge(&[40]), judge(&[10]), judge(&[8])), (Pass, Pass, Pass));
        assert_eq!((judge(&[2]), judge(&[40, 0])), (Fail, Fail));
        assert_eq!(judge(&[]), Skipped);
    }

    #[test]
    fn worse_images_found_at_random_fail_though_accuracies_agree() {
        let outcome = |high: usize| TrialOutcome {
            right: right(0),
            loss: (0..200).map(|index| if index < high { 3.0 } else { 1.0 }).collect(),
            ..TrialOutcome::default()
        };
        let white_box = TrialOutcome { loss: vec![2.0; 200], ..outcome(0) };
        let judge = |high| judge_random_search(&outcome(high), &white_box).verdict;
        assert_eq!((judge(0), judge(10), judge(40)), (Pass, Pass, Fail));
        let left = |count| TrialOutcome { right: right(count), ..outcome(0) };
        let judge = |search, white_box| {
            judge_random_search(&left(search), &TrialOutcome { loss: vec![2.0; 200], ..left(white_box) }).verdict
        };
        assert_eq!((judge(40, 20), judge(17, 20), judge(16, 20)), (Pass, Pass, Fail));
    }
}
