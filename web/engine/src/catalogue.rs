//! What the networks' cards say, in the page's words.

use js_sys::Reflect;
use serde_json::Value;
use shared::attack::{AttackConfig, AttackKind};
use shared::bundle::{self, Card, CheckItem, ImageSet, Score};
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use crate::scores::{self, AttackLine, CheckLine, Checks, EpsilonUnit, ModelInfo, PictureSet, ScoreLine};
use protocol::{Catalogue, ClassLabel, Listed, LoadedModel, Offer, Proportion, SIDE, Training};

/// What is told of the networks before any is loaded: their folders and cards, or why there is no card, and the bytes of the
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
        training: training(&card.recipe.name),
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

/// What the page calls a network: its name with a capital; and its folder, if another one would be called the same.
pub(crate) fn title(folder: &str, card: &Card, all: &[&Card]) -> String {
    let name = capitalised(&card.name);
    let namesakes = all.iter().filter(|other| capitalised(&other.name) == name).count();
    // A name that ends with a bracket might be another network's, with its folder.
    if namesakes > 1 || name.is_empty() || name.ends_with(')') { format!("{name} ({folder})") } else { name }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What it scored on the validation pictures as they are.
fn clean_score(card: &Card) -> Option<Proportion> {
    let is_clean = |score: &&Score| score.attack.is_none() && matches!(score.set, ImageSet::Validation);
    card.scores.iter().find(is_clean).map(|score| proportion(score.top1))
}

/// The names are those of `trainer/recipes`.
fn training(recipe: &str) -> Training {
    match recipe {
        "normal" => Training::Ordinary,
        "augmented" => Training::Perturbed,
        "fgsm" | "bim" | "hardened" | "hardened-live" => Training::Attacked,
        name if name.starts_with("adversarial-") => Training::Attacked,
        _ => Training::Unknown,
    }
}

/// What is to be told of both networks, left and right, whose classes are the same; `kept` if the browser keeps both networks'
/// files.
pub(crate) fn catalogue(networks: [(&Card, String); 2], kept: bool) -> Catalogue {
    let classes = networks[0].0.classes.iter();
    let classes = classes.map(|class| ClassLabel { wnid: class.wnid.clone(), name: class.name.clone() }).collect();
    let models = networks.map(|(card, title)| model_info(card, title));
    Catalogue {
        classes,
        scores: scores::draw(models.each_ref()),
        models: models.map(|ModelInfo { title, architecture, weights_sha256, .. }| LoadedModel {
            title,
            architecture,
            weights_sha256,
        }),
        resources: loaded_addresses(),
        kept,
    }
}

/// Of a network that was built, whose architecture is sound.
fn model_info(card: &Card, title: String) -> ModelInfo {
    let cost = card.architecture.cost(card.classes.len(), SIDE as usize);
    ModelInfo {
        title,
        name: card.name.clone(),
        architecture: card.architecture.name(),
        parameters: cost.parameters,
        macs: cost.macs,
        weights_bytes: card.weights.bytes,
        weights_sha256: card.weights.sha256.clone(),
        precision: card.weights.precision.to_string(),
        recipe: card.recipe.name.clone(),
        mix: mix(&card.recipe.config),
        commands: card.recipe.commands.clone(),
        data_sha256: card.data_sha256.clone(),
        classes: card.classes.len(),
        mean: card.mean,
        std: card.std,
        scores: card.scores.iter().map(score_line).collect(),
        checks: card.checks.as_ref().map(checks),
    }
}

/// The shares that a recipe's settings name.
fn mix(config: &Value) -> Vec<String> {
    let names = config["mix"].as_array().into_iter().flatten();
    names.filter_map(|name| Some(name.as_str()?.to_owned())).collect()
}

fn checks(found: &bundle::Checks) -> Checks {
    let line = |item: &CheckItem| CheckLine {
        name: item.name.clone(),
        figure: item.figure.clone(),
        limit: item.limit.clone(),
        passed: item.passed,
    };
    Checks { epsilon_255: found.epsilon * 255.0, pictures: found.images, items: found.items.iter().map(line).collect() }
}

fn score_line(score: &Score) -> ScoreLine {
    // Whose gradients it was is told apart from what was done.
    let what = Score { crafted_on: None, ..score.clone() }.to_string();
    ScoreLine {
        attack: score.attack.as_ref().map(|attack| attack_line(attack, &what)),
        what,
        pictures: match score.set {
            ImageSet::Validation => PictureSet::Clean,
            ImageSet::Augmented => PictureSet::Augmented,
            ImageSet::Corrupted { .. } => PictureSet::Corrupted,
        },
        crafted_on: score.crafted_on.clone(),
        top1: proportion(score.top1),
        top1_interval: score.top1_interval,
        top5: (!score.until_fooled).then(|| proportion(score.top5)),
    }
}

/// `what` names the whole measurement, in which the attack is `BIM-5 at 4/255`.
fn attack_line(attack: &AttackConfig, what: &str) -> AttackLine {
    let with_radius = attack.to_string();
    let name = with_radius.split_once(" at ").map_or(with_radius.as_str(), |(name, _)| name);
    let (epsilon, unit) = match attack.channel_scale == [1.0; 3] {
        true => (attack.epsilon * 255.0, EpsilonUnit::Levels),
        false => (attack.epsilon, EpsilonUnit::Deviations),
    };
    AttackLine {
        family: what.replacen(&with_radius, name, 1),
        rank: AttackKind::ALL.iter().position(|kind| *kind == attack.kind).unwrap_or(AttackKind::ALL.len()),
        steps: attack.steps_total(),
        epsilon,
        unit,
        is_control: attack.kind == AttackKind::Noise,
    }
}

fn proportion(measured: shared::metrics::Proportion) -> Proportion {
    Proportion { hits: measured.hits, of: measured.of }
}

/// The addresses that this worker loaded: its own program among them, which the page cannot see.
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

    #[test]
    fn a_score_is_told_with_its_radius_apart_from_its_family() {
        let json = r#"{"set": "augmented", "attack": {"kind": "pgd", "epsilon": 0.03137255, "steps": 50, "step_size": null,
            "seed": 0}, "restarts": 10, "crafted_on": "standard", "top1": {"hits": 1, "of": 4},
            "top1_interval": [0.0456, 0.6994], "top5": {"hits": 2, "of": 4}}"#;
        let line = score_line(&serde_json::from_str(json).unwrap());
        assert_eq!(line.what, "augmented, PGD-50 at 8/255, 10 restarts");
        assert_eq!((line.pictures, line.crafted_on.as_deref()), (PictureSet::Augmented, Some("standard")));
        let attack = line.attack.unwrap();
        assert_eq!(attack.family, "augmented, PGD-50, 10 restarts");
        assert!((attack.epsilon - 8.0).abs() < 1e-4, "{}", attack.epsilon);
        assert_eq!((attack.steps, attack.unit, attack.is_control), (50, EpsilonUnit::Levels, false));
    }

    #[test]
    fn the_paper_measures_epsilon_in_deviations_and_noise_is_a_control() {
        let paper = AttackConfig { channel_scale: [0.277, 0.269, 0.282], ..AttackConfig::bim(0.2, 5) };
        let line = attack_line(&paper, &paper.to_string());
        assert_eq!((line.family.as_str(), line.epsilon, line.unit), ("BIM-5", 0.2, EpsilonUnit::Deviations));
        let noise = AttackConfig::noise(4.0 / 255.0, 0);
        assert!(attack_line(&noise, &noise.to_string()).is_control);
    }

    fn card(name: &str, recipe: &str) -> Card {
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
            recipe: Recipe { name: recipe.into(), config: json!({ "mix": ["augmented", "pgd"] }), ..Recipe::default() },
            data_sha256: String::new(),
            scores: vec![serde_json::from_str(clean).unwrap()],
            checks: None,
            cost: None,
            probe: Probe::default(),
            classes: (0..200).map(class).collect(),
        }
    }

    #[test]
    fn networks_are_told_of_before_they_are_loaded() {
        let (standard, hardened) = (card("standard", "normal"), card("hardened", "adversarial-n-fgsm"));
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
    fn no_two_networks_are_called_the_same() {
        let named = |name: &str| card(name, "normal");
        let cards = ["wide", "Wide", "rx", "r18", "x (f)", "x", "x"].map(named);
        let networks: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].into_iter().zip(cards.iter().map(Ok)).collect();
        let listed = listed(&networks, &[0; 7]);
        let titles: Vec<&str> = listed.iter().map(|network| network.offer.as_ref().unwrap().title.as_str()).collect();
        assert_eq!(titles, ["Wide (a)", "Wide (b)", "Rx", "R18", "X (f) (e)", "X (f)", "X (g)"]);
    }

    #[test]
    fn the_card_says_what_a_picture_costs() {
        let info = model_info(&card("standard", "normal"), "Standard".into());
        assert_eq!(info.parameters, 713_944);
        assert_eq!(info.mix, ["augmented", "pgd"]);
        assert!((1_000_000..1_000_000_000).contains(&info.macs), "{}", info.macs);
    }
}
