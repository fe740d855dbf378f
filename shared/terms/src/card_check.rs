//! Whether the values of a card can be: everything that a card says is shown, and no measurement gives more right than images.

use crate::card::{Card, CardError};
use crate::detection::{Auc, DetectorCard};
use crate::excerpt;
use crate::explanation::MapCheck;
use crate::metrics::Proportion;
use crate::score::Score;

/// Most letters of a short name: of a network, a recipe, a class's id.
const NAME: usize = 255;
/// Most letters of the names of a class, or of a line of a check.
const LINE: usize = 1000;
/// Most passes of a detector by dropout: each is a pass of the network.
const PASSES: usize = 64;
/// Largest score of a detector.
const SCORE: f32 = 1e6;
/// Most scores, or checks.
const ROWS: usize = 10_000;

/// Checks the values of a card.
///
/// # Errors
///
/// [`CardError::Impossible`] that names the first value that cannot be.
pub(crate) fn check(card: &Card) -> Result<(), CardError> {
    let is_scale = |value: &f32| value.is_finite() && *value > 0.0;
    short("the name of the network", &card.name, NAME)?;
    short("the name of the recipe", &card.recipe.name, NAME)?;
    that(card.mean.iter().all(|mean| mean.is_finite()), || "the mean of the pictures is no number".into())?;
    that(card.std.iter().all(is_scale), || "the standard deviation of the pictures is not above 0".into())?;
    let mut probe = card.probe.logits.iter().chain(&card.probe.input_gradient_sums);
    that(probe.all(|value| value.is_finite()), || "a value of its self-test is no number".into())?;
    for class in &card.classes {
        short("the id of a class", &class.wnid, NAME)?;
        short("the name of a class", &class.name, LINE)?;
    }
    that(card.scores.len() <= ROWS, || format!("there are {} scores", card.scores.len()))?;
    card.scores.iter().try_for_each(score)?;
    for (place, one) in card.detectors.iter().enumerate() {
        detector(one)?;
        let twice = card.detectors[..place].iter().any(|other| other.kind == one.kind);
        that(!twice, || format!("the detector '{}' is there twice", one.kind))?;
    }
    that(card.explanations.len() <= NAME, || format!("there are {} checks of maps", card.explanations.len()))?;
    card.explanations.iter().try_for_each(explanation)?;
    let Some(checks) = &card.checks else { return Ok(()) };
    that(checks.epsilon.is_finite() && checks.images > 0, || "its checks are of no images, or of no epsilon".into())?;
    that(checks.items.len() <= ROWS, || format!("there are {} checks", checks.items.len()))?;
    that(checks.loss_curve.iter().all(|loss| loss.is_finite()), || "a loss in its checks is no number".into())?;
    for item in &checks.items {
        [&item.name, &item.figure, &item.limit]
            .into_iter()
            .try_for_each(|text| short("a line of a check", text, LINE))?;
    }
    Ok(())
}

fn explanation(check: &MapCheck) -> Result<(), CardError> {
    short("the name of a method", &check.method, NAME)?;
    let numbers = check.above_gaussian.is_finite()
        && check.interval.is_none_or(|interval| interval.is_finite() && interval >= 0.0);
    that(numbers && check.images > 0, || "a check of maps is of no images, or has figures that are no numbers".into())
}

fn detector(detector: &DetectorCard) -> Result<(), CardError> {
    let wrong = |what: &str| format!("the detector '{}' has {what}", detector.kind);
    let DetectorCard { weights, passes, dropout, tails, trained_on, trained_attacks, calibration, figures, .. } =
        detector;
    let is_beside = |file: &str| !file.is_empty() && !file.contains(['/', '\\']) && !file.starts_with('.');
    that(weights.as_ref().is_none_or(|part| is_beside(&part.file)), || wrong("weights in a file of no name"))?;
    that(weights.is_some() == detector.kind.has_weights(), || wrong("weights where there are none, or none"))?;
    let has_passes = if detector.kind.is_dropout() { (1..=PASSES).contains(passes) } else { *passes == 0 };
    let tails_are_sorted = tails.is_none_or(|tails| {
        let all = [tails.low.unwrap_or(tails.median), tails.median, tails.high];
        all.is_sorted() && all.iter().all(|value| value.abs() <= SCORE)
    });
    that(tails_are_sorted && (tails.is_none() || detector.kind.is_dropout()), || wrong("tails that cannot be"))?;
    that(has_passes && (0.0..1.0).contains(dropout), || wrong("dropout that cannot be"))?;
    trained_attacks
        .iter()
        .chain([trained_on])
        .try_for_each(|text| short("what a detector was trained on", text, LINE))?;
    let quantiles = &calibration.quantiles;
    let rises = quantiles.is_sorted() && quantiles.iter().all(|quantile| quantile.abs() <= SCORE);
    that(rises && (2..=ROWS).contains(&quantiles.len()) && calibration.images > 0, || wrong("no calibration"))?;
    let Some(figures) = figures else { return Ok(()) };
    let is_part = |part: &Proportion| part.hits <= part.of;
    that(figures.sets.len() <= ROWS && figures.adaptive.len() <= ROWS, || wrong("too many figures"))?;
    for set in &figures.sets {
        short("a set of a detector", &set.set, LINE)?;
        let (areas, alarms) =
            set.of_changed.map_or(([set.auc, None], vec![]), |(auc, alarms)| ([set.auc, auc], alarms.to_vec()));
        let is_share = |value: &f64| (0.0..=1.0).contains(value);
        let is_area = |auc: &Auc| is_share(&auc.value) && auc.interval.iter().all(is_share);
        that(areas.iter().flatten().all(is_area), || wrong("an area that cannot be"))?;
        that(set.alarms.iter().chain(&alarms).all(is_part), || wrong("more alarms than images"))?;
    }
    for adaptive in &figures.adaptive {
        let numbers = adaptive.epsilon.is_finite() && (0.0..=1.0).contains(&adaptive.rate);
        let falls = !adaptive.left.is_empty()
            && adaptive.left.iter().all(|(_, left)| *left <= adaptive.defended.hits)
            && adaptive.left.is_sorted_by(|one, next| one.1 >= next.1);
        adaptive.left.iter().try_for_each(|(name, _)| short("an attack on a detector", name, LINE))?;
        that(numbers && falls && is_part(&adaptive.defended), || wrong("an adaptive attack that cannot be"))?;
    }
    if let Some(confusion) = &figures.confusion {
        let kinds = confusion.kinds.len();
        confusion.kinds.iter().try_for_each(|kind| short("a kind of images", kind, LINE))?;
        let is_square = confusion.counts.len() == kinds && confusion.counts.iter().all(|row| row.len() == kinds);
        that(kinds <= NAME && is_square, || wrong("a confusion matrix that is not square"))?;
    }
    for item in &figures.checks {
        [&item.name, &item.figure, &item.limit]
            .into_iter()
            .try_for_each(|text| short("a line of a check", text, LINE))?;
    }
    Ok(())
}

fn score(score: &Score) -> Result<(), CardError> {
    // Long names of networks in it are cut for the message alone.
    let name = || score.to_string().chars().take(NAME).collect::<String>();
    let wrong = |what: &str| format!("the score '{}' has {what}", name());
    for share in [score.top1, score.top5].into_iter().chain(score.success.filter(|success| *success != NONE)) {
        let Proportion { hits, of } = share;
        that(of > 0 && hits <= of, || wrong(&format!("{hits} of {of} images")))?;
    }
    that(score.top1.of == score.top5.of && score.top1.hits <= score.top5.hits, || {
        wrong(&format!("{} right at once, and {} of the first five", score.top1.hits, score.top5.hits))
    })?;
    let [low, high] = score.top1_interval;
    that((0.0..=1.0).contains(&low) && (low..=1.0).contains(&high), || {
        wrong(&format!("an interval of {low} to {high}"))
    })?;
    let mut before = [0, 0];
    for &[k, hits] in &score.hits_at {
        that(k > before[0] && hits >= before[1] && hits <= score.top1.of, || wrong(&format!("{hits} right in {k}")))?;
        before = [k, hits];
    }
    let is_length = |length: Option<f32>| length.is_none_or(|length| length.is_finite() && length >= 0.0);
    that(is_length(score.median_linf) && is_length(score.median_l2), || wrong("a distance that is none"))?;
    if let Some(smallest) = &score.smallest {
        that(is_length(smallest.median), || wrong("a smallest change of no length"))?;
        let mut before = (0.0, score.top1.of);
        for right in &smallest.right_within {
            let falls = right.radius.is_finite() && right.radius > before.0 && right.hits <= before.1;
            that(falls, || wrong(&format!("{} right within {}", right.hits, right.radius)))?;
            before = (right.radius, right.hits);
        }
    }
    that(score.restarts > 0, || wrong("no starts"))?;
    for attack in score.attack.iter().chain(&score.then) {
        attack.validate().map_err(|error| {
            CardError::Impossible(wrong(&format!("an attack that cannot be: {}", excerpt(&error.to_string()))))
        })?;
    }
    short("the name of a network in a score", score.crafted_on.as_deref().unwrap_or_default(), NAME)
}

/// The success of an attack that no image was left for, as earlier versions wrote it.
const NONE: Proportion = Proportion { hits: 0, of: 0 };

fn short(what: &str, text: &str, most: usize) -> Result<(), CardError> {
    let letters = text.chars().count();
    that(letters <= most, || format!("{what} has {letters} letters, and {most} is the limit"))
}

fn that(holds: bool, else_what: impl FnOnce() -> String) -> Result<(), CardError> {
    if holds { Ok(()) } else { Err(CardError::Impossible(else_what())) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Returns a card with two scores and a check.
    fn card() -> Value {
        json!({
            "format_version": 2, "name": "made",
            "architecture": {"family": "wide-resnet", "depth": 10, "width": 1, "strides": [2, 2, 2]},
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
            "weights": {"file": "model.safetensors", "precision": "f32", "sha256": "", "bytes": 0},
            "recipe": {"name": "normal", "commands": [], "config": null},
            "data_sha256": "",
            "scores": [
                {"set": "validation", "top1": {"hits": 5, "of": 10}, "top1_interval": [0.2, 0.8],
                 "top5": {"hits": 9, "of": 10}, "hits_at": [[1, 5], [2, 7]]},
                {"set": "validation", "top1": {"hits": 2, "of": 10}, "top1_interval": [0.1, 0.5],
                 "top5": {"hits": 9, "of": 10}, "success": {"hits": 3, "of": 5}, "median_linf": 0.01,
                 "smallest": {"median": 0.1, "right_within": [{"radius": 0.5, "hits": 3}, {"radius": 5.0, "hits": 2}]},
                 "attack": {"kind": "fgsm", "epsilon": 0.0157, "steps": 1, "seed": 0, "channel_scale": [1.0, 1.0, 1.0]}, "then": [],
                 "crafted_on": "other"}
            ],
            "checks": {"epsilon": 0.0157, "images": 10, "loss_curve": [1.0],
                       "items": [{"name": "a", "figure": "b", "limit": "c", "passed": true}]},
            "probe": {"logits": [], "input_gradient_sums": []},
            "classes": [{"wnid": "n1", "name": "goldfish"}]
        })
    }

    fn read(card: &Value) -> Result<Card, CardError> {
        Card::from_json(card.to_string().as_bytes())
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        assert_eq!(read(&card()).map(|_| ()), Ok(()));
        let long = "x".repeat(100_000);
        for (place, value, says) in [
            ("/name", json!(long), "the name of the network has 100000 letters"),
            ("/recipe/name", json!(long), "the name of the recipe has"),
            ("/classes/0/name", json!(long), "the name of a class has"),
            ("/std/1", json!(0.0), "standard deviation"),
            ("/mean/1", json!(1e39), "mean"),
            ("/probe/logits", json!([1e39]), "self-test is no number"),
            ("/probe/input_gradient_sums", json!([1.0, -1e39]), "self-test is no number"),
            ("/scores/0/top1", json!({"hits": 0, "of": 0}), "the score 'clean' has 0 of 0 images"),
            ("/scores/0/top1", json!({"hits": 99_999, "of": 10}), "99999 of 10 images"),
            ("/scores/0/top5", json!({"hits": 11, "of": 10}), "11 of 10 images"),
            ("/scores/0/top5", json!({"hits": 4, "of": 10}), "5 right at once, and 4"),
            ("/scores/0/top1_interval", json!([0.9, 0.1]), "an interval of 0.9 to 0.1"),
            ("/scores/0/top1_interval", json!([-7.0, 0.1]), "an interval"),
            ("/scores/0/hits_at", json!([[1, 5], [2, 11]]), "11 right in 2"),
            ("/scores/0/hits_at", json!([[2, 5], [1, 5]]), "5 right in 1"),
            ("/scores/1/success", json!({"hits": 6, "of": 5}), "6 of 5 images"),
            ("/scores/1/median_linf", json!(-1.0), "a distance that is none"),
            ("/scores/1/attack/epsilon", json!(17.0), "an attack that cannot be"),
            ("/scores/1/smallest/median", json!(-1.0), "a smallest change of no length"),
            ("/scores/1/smallest/right_within/0/hits", json!(11), "11 right within 0.5"),
            ("/scores/1/smallest/right_within/1/hits", json!(4), "4 right within 5"),
            ("/scores/1/smallest/right_within/1/radius", json!(0.5), "2 right within 0.5"),
            ("/scores/1/smallest/right_within/1/radius", json!(1e39), "2 right within inf"),
            (
                "/scores/1/then",
                json!([{"kind": "square", "epsilon": 17.0, "steps": 1, "seed": 0}]),
                "an attack that cannot be",
            ),
            ("/scores/1/attack/channel_scale", json!([1.0, 1e39, 1.0]), "an attack that cannot be"),
            ("/scores/1/crafted_on", json!(long), "the name of a network in a score has"),
            ("/checks/images", json!(0), "checks are of no images"),
            ("/checks/loss_curve", json!([1e39]), "a loss in its checks"),
            ("/checks/items/0/figure", json!(long), "a line of a check has"),
            ("", json!(long), "model.json cannot be read: invalid type: string"),
            ("/weights/precision", json!(long), "unknown variant"),
            ("/weights/file", json!(format!("/{long}")), "is not a file name"),
            ("/scores/1/attack/kind", json!(long), "model.json cannot be read"),
        ] {
            let mut card = card();
            *card.pointer_mut(place).unwrap() = value;
            let error = read(&card).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(says) && error.len() < 1000, "{place}: {error}");
        }
    }

    #[test]
    fn an_attack_that_nothing_was_left_for_is_no_mistake() {
        let mut card = card();
        card["scores"][1]["success"] = json!({"hits": 0, "of": 0});
        assert_eq!(read(&card).map(|_| ()), Ok(()));
    }
}
