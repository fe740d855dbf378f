//! What the networks' cards say, in the page's words.

use js_sys::Reflect;
use shared::attack::{AttackConfig, AttackKind};
use shared::bundle::{Card, ImageSet, Score};
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use web::protocol::{AttackLine, Catalogue, ClassLabel, EpsilonUnit, ModelInfo, PictureSet, Proportion, ScoreLine};

/// A network, as far as it can be told of.
#[derive(Clone, Copy)]
pub(crate) struct Described<'a> {
    pub(crate) card: &'a Card,
    /// How many numbers it has learned.
    pub(crate) parameters: Option<u64>,
}

/// What is to be told of both networks, standard first; `kept` if the browser keeps both networks' files.
///
/// # Errors
///
/// If they do not know the same classes: then their answers cannot be compared.
pub(crate) fn catalogue(networks: [Described; 2], kept: bool) -> Result<Catalogue, String> {
    let [standard, hardened] = networks;
    if standard.card.classes != hardened.card.classes {
        return Err("The two networks do not know the same classes, so they cannot be compared. Export both from the \
                    same data."
            .into());
    }
    let classes = standard.card.classes.iter();
    Ok(Catalogue {
        classes: classes.map(|class| ClassLabel { wnid: class.wnid.clone(), name: class.name.clone() }).collect(),
        models: networks.map(model_info),
        resources: loaded_addresses(),
        kept,
    })
}

fn model_info(Described { card, parameters }: Described) -> ModelInfo {
    ModelInfo {
        name: card.name.clone(),
        architecture: card.architecture.name(),
        parameters,
        weights_bytes: card.weights.bytes,
        weights_sha256: card.weights.sha256.clone(),
        precision: card.weights.precision.to_string(),
        recipe: card.recipe.name.clone(),
        commands: card.recipe.commands.clone(),
        data_sha256: card.data_sha256.clone(),
        classes: card.classes.len(),
        mean: card.mean,
        std: card.std,
        scores: card.scores.iter().map(score_line).collect(),
    }
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
        top5: proportion(score.top5),
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
}
