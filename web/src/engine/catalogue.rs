//! What the networks' cards say, in the page's words.

use js_sys::Reflect;
use shared::bundle::Card;
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use web::protocol::{Catalogue, ClassLabel, ModelInfo, Proportion, ScoreLine};

/// What both cards say, standard network first; `kept` if both networks' files are.
///
/// # Errors
///
/// If they do not know the same classes: then their answers cannot be compared.
pub(crate) fn catalogue(cards: [&Card; 2], kept: bool) -> Result<Catalogue, String> {
    if cards[0].classes != cards[1].classes {
        return Err("The two networks do not know the same classes, so they cannot be compared. Export both from the \
                    same data."
            .into());
    }
    let classes = cards[0].classes.iter();
    Ok(Catalogue {
        classes: classes.map(|class| ClassLabel { wnid: class.wnid.clone(), name: class.name.clone() }).collect(),
        models: cards.map(model_info),
        resources: loaded_addresses(),
        kept,
    })
}

fn model_info(card: &Card) -> ModelInfo {
    let scores = card.scores.iter().map(|score| ScoreLine {
        what: score.attack.as_ref().map_or_else(|| "clean".to_owned(), ToString::to_string),
        top1: proportion(score.top1),
        top1_interval: score.top1_interval,
        top5: proportion(score.top5),
    });
    ModelInfo {
        architecture: card.architecture.name(),
        weights_bytes: card.weights.bytes,
        recipe: card.recipe.name.clone(),
        scores: scores.collect(),
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
