//! Numbers, settings and networks in words, as the page shows them.

use protocol::text::capitalised;
pub use protocol::text::{bytes, percent};
use protocol::{Offer, Radius, Settings};
use terms::attack::{AttackKind, Norm};
use terms::corruption::Corruption;

/// `48 ms`, `3.1 s`.
pub fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// Writes epsilon, in L-infinity as a fraction and as a decimal: `8/255 = 0.031`, `L2 0.50`.
pub fn epsilon(radius: Radius) -> String {
    match radius.norm {
        Norm::Linf => format!("{} = {:.3}", radius.short(), f64::from(radius.in_pixel_units())),
        Norm::L2 | Norm::L0 => radius.short(),
    }
}

/// Returns what a network is, before it is here: `Standard: WRN-10-3, f16, 1.4 MB, 27.1% clean`.
pub fn offer(offer: &Offer) -> String {
    let clean = offer.clean.map(|clean| format!(", {:.1}% clean", 100.0 * clean.value())).unwrap_or_default();
    let Offer { title, architecture, precision, weights_bytes, .. } = offer;
    format!("{title}: {architecture}, {precision}, {}{clean}", bytes(*weights_bytes))
}

/// `BIM, 10 steps, epsilon 8/255`; `FGSM, epsilon 8/255`.
pub fn attack(settings: &Settings) -> String {
    format!("{}, epsilon {}", attack_without_epsilon(settings), settings.radius().short())
}

/// `BIM, 10 steps`; `FGSM`.
pub fn attack_without_epsilon(settings: &Settings) -> String {
    let steps = match settings.kind.takes_steps() {
        true => format!(", {}", steps(settings.steps, settings.steps)),
        false => String::new(),
    };
    format!("{}{steps}", attack_label(settings.kind))
}

/// Returns what a sweep with these settings found of the smallest epsilon that changes the answer, or leads to the class named `target`, in a
/// sentence; `found` is in units of the attack's norm.
pub fn smallest_change(settings: &Settings, target: Option<&str>, found: Option<u16>) -> String {
    let norm = settings.norm();
    let crafted = if settings.crafted_on.is_some() { ", crafted on one network for both" } else { "" };
    let attack = format!("{}{crafted}", attack_without_epsilon(settings));
    let goal = target.map_or("to change the answer".into(), |class| format!("to lead to {class}"));
    match found {
        Some(0) => format!("No attack is needed {goal}."),
        Some(units) => {
            let radius = Radius { norm, units }.short();
            format!("The smallest epsilon found {goal} is {radius} ({attack}).")
        }
        None => {
            let largest = Radius { norm, units: Radius::largest(norm) }.short();
            format!("No epsilon up to {largest} was found {goal} ({attack}).")
        }
    }
}

/// `BIM`, `Noise`: an attack's name at the beginning of a line.
pub fn attack_label(kind: AttackKind) -> String {
    capitalised(kind.label())
}

/// The corruptions that the page offers, as the menu calls them: one of each of the benchmark's four kinds, and those that
/// people know.
pub const CORRUPTIONS: [(Corruption, &str); 7] = [
    (Corruption::GaussianNoise, "Sensor noise"),
    (Corruption::DefocusBlur, "Out of focus"),
    (Corruption::MotionBlur, "Motion blur"),
    (Corruption::Snow, "Snow"),
    (Corruption::Fog, "Fog"),
    (Corruption::Pixelate, "Pixelation"),
    (Corruption::JpegCompression, "JPEG artefacts"),
];

/// Returns the corruption of the benchmark's name, if the page offers it.
pub fn corruption(name: &str) -> Option<Corruption> {
    CORRUPTIONS.into_iter().map(|(kind, _)| kind).find(|kind| kind.name() == name)
}

/// Returns what the picture of a change is, amplified so many times.
pub fn perturbation(gain: Option<u8>) -> String {
    match gain {
        Some(gain) if gain > 1 => format!("Perturbation, amplified {gain} times"),
        _ => "Perturbation".into(),
    }
}

/// `10 steps`, `1 step`, or `3 of 10 steps`.
pub fn steps(done: u32, total: u32) -> String {
    let steps = if total == 1 { "step" } else { "steps" };
    if done == total { format!("{done} {steps}") } else { format!("{done} of {total} {steps}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    use protocol::{Slot, Training};
    use terms::metrics::Proportion;

    #[test]
    fn times_have_two_digits() {
        assert_eq!([duration(4.26), duration(48.2), duration(3_120.0)], ["4.3 ms", "48 ms", "3.1 s"]);
    }

    #[test]
    fn a_network_is_described_before_it_is_here() {
        let mut wide = Offer {
            title: "Wide".into(),
            architecture: "wide_resnet50_2".into(),
            precision: "q8".into(),
            weights_bytes: 70_100_000,
            kept_bytes: 0,
            clean: Some(Proportion { hits: 6512, of: 10_000 }),
            training: Training::Unknown,
            class_set: 0,
        };
        assert_eq!(offer(&wide), "Wide: wide_resnet50_2, q8, 70.1 MB, 65.1% clean");
        wide.clean = None;
        assert_eq!(offer(&wide), "Wide: wide_resnet50_2, q8, 70.1 MB");
    }

    #[test]
    fn steps_are_counted_in_full() {
        assert_eq!(
            [steps(1, 1), steps(10, 10), steps(3, 10), steps(1, 10)],
            ["1 step", "10 steps", "3 of 10 steps", "1 of 10 steps"]
        );
    }

    #[test]
    fn attacks_and_their_perturbations_in_words() {
        let bim = Settings { kind: AttackKind::Bim, epsilon_255: 3, steps: 10, ..Settings::default() };
        assert_eq!(attack(&bim), "BIM, 10 steps, epsilon 3/255");
        assert_eq!(attack(&Settings { kind: AttackKind::Fgsm, ..bim }), "FGSM, epsilon 3/255");
        assert_eq!(attack(&Settings { kind: AttackKind::Pgd, steps: 1, ..bim }), "PGD, 1 step, epsilon 3/255");
        assert_eq!(perturbation(Some(31)), "Perturbation, amplified 31 times");
        assert_eq!([perturbation(Some(1)), perturbation(None)], ["Perturbation", "Perturbation"]);
    }

    #[test]
    fn a_change_that_was_not_found_is_not_called_impossible() {
        let settings = Settings::default();
        let words = |found| smallest_change(&settings, None, found);
        assert!(words(Some(3)).starts_with("The smallest epsilon found to change the answer is 3/255 ("));
        assert!(words(None).starts_with("No epsilon up to 32/255 was found to change the answer ("));
        assert_eq!(words(Some(0)), "No attack is needed to change the answer.");
        let elsewhere = Settings { crafted_on: Some(Slot::Left), kind: AttackKind::PgdL2, ..settings };
        let words = smallest_change(&elsewhere, Some("orange"), Some(125));
        assert!(words.starts_with("The smallest epsilon found to lead to orange is L2 1.25 ("), "{words}");
        assert!(words.contains("crafted on one network"), "{words}");
    }

    #[test]
    fn epsilon_in_both_notations() {
        assert_eq!(epsilon(Radius::linf(8)), "8/255 = 0.031");
        assert_eq!(epsilon(Radius::linf(0)), "0/255 = 0.000");
        assert_eq!(epsilon(Radius { norm: Norm::L2, units: 125 }), "L2 1.25");
    }
}
