//! What the networks' cards say, in the page's words.

use js_sys::Reflect;
use shared::bundle::{Card, ImageSet, Score};
use shared::metrics::Proportion;
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use crate::scores::{self, Network};
use protocol::text::capitalised;
use protocol::{Catalogue, Listed, LoadedModel, Offer, Training};

/// Describes the networks before any is loaded: their folders and cards, or why there is no card, and the bytes of the
/// weights that are kept.
pub(crate) fn listed(networks: &[(&str, Result<&Card, String>)], kept_bytes: &[u64]) -> Vec<Listed> {
    let cards: Vec<&Card> = networks.iter().filter_map(|(_, card)| card.as_ref().ok().copied()).collect();
    let offer = |folder: &str, card: &Card, kept_bytes: u64| Offer {
        title: title(folder, card, &cards),
        architecture: card.architecture.name(),
        precision: card.weights.precision.to_string(),
        weights_bytes: card.weights.bytes,
        kept_bytes,
        clean: clean_score(card),
        training: training(card),
        class_set: cards.iter().position(|other| other.classes == card.classes).unwrap_or_default(),
    };
    let networks = networks.iter().zip(kept_bytes);
    networks
        .map(|((folder, card), kept_bytes)| Listed {
            folder: (*folder).to_owned(),
            offer: card.as_ref().map(|card| offer(folder, card, *kept_bytes)).map_err(Clone::clone),
        })
        .collect()
}

/// Returns what the page calls a network: its name with a capital; and its folder, if another one would be called the same.
pub(crate) fn title(folder: &str, card: &Card, all: &[&Card]) -> String {
    let name = capitalised(&card.name);
    let namesakes = all.iter().filter(|other| capitalised(&other.name) == name).count();
    // A name that ends with a bracket might be another network's, with its folder.
    if namesakes > 1 || name.is_empty() || name.ends_with(')') { format!("{name} ({folder})") } else { name }
}

/// Returns what a network scored on the validation pictures as they are.
fn clean_score(card: &Card) -> Option<Proportion> {
    let is_clean = |score: &&Score| score.attack.is_none() && matches!(score.set, ImageSet::Validation);
    card.scores.iter().find(is_clean).map(|score| score.top1)
}

/// Returns what the pictures of a network's batches were.
fn training(card: &Card) -> Training {
    let mix = scores::mix(card);
    let any = |is: fn(&str) -> bool| mix.iter().any(|share| is(share));
    match mix.is_empty() {
        true => Training::Unknown,
        false if any(|share| !matches!(share, "normal" | "augmented")) => Training::Attacked,
        false if any(|share| share == "augmented") => Training::Perturbed,
        false => Training::Ordinary,
    }
}

/// Describes the networks, left and right, whose classes are the same, or says why one is not there; `kept` if the browser keeps
/// the files of those that are.
pub(crate) fn catalogue(networks: [Result<Network<'_>, String>; 2], kept: bool) -> Catalogue {
    let there = networks.each_ref().map(|network| network.as_ref().ok().copied());
    Catalogue {
        classes: there.iter().flatten().next().map(|network| network.card.classes.clone()).unwrap_or_default(),
        scores: scores::draw(there),
        models: networks.map(|network| {
            network.map(|Network { title, card }| LoadedModel {
                title: title.to_owned(),
                architecture: card.architecture.name(),
                weights_sha256: card.weights.sha256.clone(),
            })
        }),
        resources: loaded_addresses(),
        kept,
    }
}

/// Returns the addresses that this worker loaded: its own program among them, which the page cannot see.
fn loaded_addresses() -> Vec<String> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let Some(performance) = scope.performance() else {
        return Vec::new();
    };
    let entries = performance.get_entries_by_type("resource");
    entries.iter().filter_map(|entry| Reflect::get(&entry, &"name".into()).ok()?.as_string()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::bundle::{Class, Probe, Recipe};
    use shared::model::{Architecture, WideResNetConfig};

    use super::*;

    fn card(name: &str, mix: &[&str]) -> Card {
        let weights = r#"{"file": "model.safetensors", "precision": "f16", "sha256": "809a", "bytes": 1439824}"#;
        let clean = r#"{"set": "validation", "top1": {"hits": 3, "of": 10000}, "top1_interval": [0, 0.001],
            "top5": {"hits": 9, "of": 10000}}"#;
        let class = |class| Class { wnid: format!("n{class:08}"), name: format!("class {class}") };
        Card {
            format_version: 2,
            name: name.into(),
            architecture: Architecture::WideResNet(WideResNetConfig::new(10, 3)),
            mean: [0.5; 3],
            std: [0.25; 3],
            weights: serde_json::from_str(weights).unwrap(),
            recipe: Recipe { config: json!({ "mix": mix }), ..Recipe::default() },
            data_sha256: String::new(),
            scores: vec![serde_json::from_str(clean).unwrap()],
            checks: None,
            detectors: vec![],
            explanations: vec![],
            cost: None,
            probe: Probe::default(),
            classes: (0..200).map(class).collect(),
        }
    }

    #[test]
    fn networks_are_told_of_before_they_are_loaded() {
        let (standard, hardened) = (card("standard", &["normal"]), card("hardened", &["augmented", "pgd"]));
        let mut small = Card { name: "wrn_10_1".into(), scores: Vec::new(), ..standard.clone() };
        small.classes.truncate(10);
        let cards = [
            ("standard", Ok(&standard)),
            ("hardened", Ok(&hardened)),
            ("gone", Err("It is gone.".to_owned())),
            ("small", Ok(&small)),
        ];
        let listed = listed(&cards, &[0, 7, 0, 0]);
        let offer = |place: usize| listed[place].offer.as_ref().unwrap();
        assert_eq!(
            [offer(0), offer(1), offer(3)].map(|offer| offer.title.as_str()),
            ["Standard", "Hardened", "Wrn_10_1"]
        );
        assert_eq!([offer(0).class_set, offer(1).class_set], [0, 0]);
        assert_ne!(offer(3).class_set, 0);
        assert_eq!([offer(0).training, offer(1).training], [Training::Ordinary, Training::Attacked]);
        assert_eq!((offer(0).architecture.as_str(), offer(0).precision.as_str()), ("WRN-10-3", "f16"));
        assert_eq!((offer(0).clean.unwrap().of, offer(3).clean), (10_000, None));
        assert_eq!(offer(1).kept_bytes, 7);
        assert_eq!(listed[2].offer, Err("It is gone.".into()));
    }

    #[test]
    fn the_mix_of_a_recipe_says_what_a_network_was_trained_on() {
        let of = |mix: &[&str]| training(&card("own", mix));
        assert_eq!([of(&[]), of(&["normal"])], [Training::Unknown, Training::Ordinary]);
        assert_eq!([of(&["normal", "augmented"]), of(&["crafted-bim"])], [Training::Perturbed, Training::Attacked]);
        let unknown = Card { recipe: Recipe::default(), ..card("own", &[]) };
        assert_eq!(training(&unknown), Training::Unknown);
    }

    #[test]
    fn no_two_networks_are_called_the_same() {
        let named = |name: &str| card(name, &["normal"]);
        let cards = ["wide", "Wide", "rx", "r18", "x (f)", "x", "x"].map(named);
        let networks: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].into_iter().zip(cards.iter().map(Ok)).collect();
        let listed = listed(&networks, &[0; 7]);
        let titles: Vec<&str> = listed.iter().map(|network| network.offer.as_ref().unwrap().title.as_str()).collect();
        assert_eq!(titles, ["Wide (a)", "Wide (b)", "Rx", "R18", "X (f) (e)", "X (f)", "X (g)"]);
    }
}
