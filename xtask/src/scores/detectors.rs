//! The README's table of detectors: how well they tell attacked images, beside what an attacker who knows them leaves.

use terms::card::Card;
use terms::detection::{Adaptive, DetectorCard, DetectorFigures, DetectorKind};
use terms::metrics::Proportion;

use super::{NO_VALUE, grouped};

/// Sets with an area under the curve, and their columns.
const ATTACKS: [(&str, &str); 3] = [("fgsm", "FGSM"), ("bim-5", "BIM-5"), ("pgd-50", "PGD-50")];
/// Radius of the adaptive attacks, pixel units.
const RADIUS: f32 = 4.0 / 255.0;
/// Area under the curve of published detectors on Tiny ImageNet, without an attacker who knows them (10.1155/2022/5501035, Table 4).
const PUBLISHED: &str = "85 to 94 for FGSM, 88 to 92 for BIM, 85 to 89 for PGD";

/// Returns the table of the detectors with figures, and the sentences that explain it; an empty text without figures.
pub(super) fn table(cards: &[Card]) -> String {
    let measured = |card: &Card| -> Vec<(String, DetectorKind, DetectorFigures)> {
        let of = |detector: &DetectorCard| Some((card.name.clone(), detector.kind, detector.figures.clone()?));
        card.detectors.iter().filter_map(of).collect()
    };
    let all: Vec<_> = cards.iter().flat_map(measured).collect();
    let Some((_, _, first)) = all.first() else { return String::new() };
    let attacked = all.iter().flat_map(|(.., figures)| &figures.adaptive).find(|one| is_of_radius(one));
    let in_words = |one: &Adaptive| {
        format!(
            ", on those of {} images that were right and raised no alarm at {}% false alarms: attacks of {} steps, worst case by image",
            one.defended.of,
            (1e5 * one.rate).round() / 1e3,
            one.steps
        )
    };
    let mut text = String::from("\n| detector | network | ");
    for (_, name) in ATTACKS {
        text += &format!("{name} | ");
    }
    text += "alarms on noise | fooled without an alarm at 4/255 |\n|---|---|---|---|---|---|---|\n";
    for (network, kind, figures) in &all {
        let areas = ATTACKS.map(|(set, _)| area(figures, set));
        let noise = figures.sets.iter().find(|row| row.set == "noise of signs at 8/255");
        let noise = noise.map_or(NO_VALUE.into(), |row| format!("{:.1}%", 100.0 * row.alarms[1].value()));
        text += &format!("| {} | {network} | {} | {noise} | {} |\n", kind.label(), areas.join(" | "), evaded(figures));
    }
    text += &format!(
        "\nDetectors of attacks, on {} validation images: area under the curve in percent at 8/255 (and 4/255), 50 is chance, and alarms on \
         noise of signs at 8/255 at a threshold with 5% false alarms. These figures are of attackers who do not know the detector; published \
         ones of other networks on Tiny ImageNet, at other radii, are {PUBLISHED}. The last column is of an attacker who knows network and \
         detector{}.\n",
        grouped(first.images),
        attacked.map_or(String::new(), in_words)
    );
    text
}

/// Formats the areas of an attack at 8/255 and 4/255.
fn area(figures: &DetectorFigures, attack: &str) -> String {
    let at = |radius: &str| figures.sets.iter().find(|row| row.set == format!("{attack} at {radius}"))?.auc;
    let percent = |radius: &str| at(radius).map_or(NO_VALUE.into(), |auc| format!("{:.1}", 100.0 * auc.value));
    format!("{} ({})", percent("8/255"), percent("4/255"))
}

fn is_of_radius(adaptive: &Adaptive) -> bool {
    (adaptive.epsilon - RADIUS).abs() < 1e-6
}

/// Formats the images that the adaptive attacker fooled without an alarm.
fn evaded(figures: &DetectorFigures) -> String {
    let Some(adaptive) = figures.adaptive.iter().find(|one| is_of_radius(one)) else {
        return NO_VALUE.into();
    };
    if figures.checks.iter().any(|check| check.passed == Some(false)) {
        return "a check failed".into();
    }
    let Proportion { hits, of } = adaptive.evaded();
    let [low, high] = adaptive.evaded().wilson_interval().map(|bound| 100.0 * bound);
    format!("{hits} of {of} [{low:.0}%, {high:.0}%]")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_cards;

    #[test]
    fn a_detector_stands_beside_what_its_attacker_leaves() {
        let part = |hits: u32| json!({ "hits": hits, "of": 100 });
        let row = |set: &str, value: f64| {
            json!({ "set": set, "attacked": true, "seen": false, "auc": { "value": value, "interval": [value, value] },
                "alarms": [part(1), part(7)] })
        };
        let adaptive = json!({ "epsilon": 0.015686275, "rate": 0.05, "steps": 100, "starts": 1,
            "defended": { "hits": 40, "of": 100 }, "left": [["orthogonal", 1]] });
        let figures = json!({ "images": 1000, "adaptive": [adaptive],
            "sets": [row("fgsm at 8/255", 0.967), row("fgsm at 4/255", 0.79), row("noise of signs at 8/255", 0.5)] });
        let detector =
            json!({ "kind": "energy", "calibration": { "images": 2, "quantiles": [0.0, 1.0] }, "figures": figures });
        let card = |detectors: serde_json::Value| {
            Card::from_json(test_cards::card("standard", &json!({ "detectors": detectors })).as_bytes()).unwrap()
        };
        let text = table(&[card(json!([detector]))]);
        let line = "| energy | standard | 96.7 (79.0) | – (–) | – (–) | 7.0% | 39 of 40 [87%, 100%] |";
        assert!(text.lines().any(|found| found == line), "{text}");
        assert!(
            text.contains("on 1,000 validation images")
                && text.contains("those of 100 images that were right and raised no alarm at 5% false alarms"),
            "{text}"
        );
        assert_eq!(table(&[card(json!([]))]), "");
    }
}
