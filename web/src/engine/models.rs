//! The two networks: their files fetched or taken from the cache, checked, and loaded to the device.

use burn::prelude::Device;
use js_sys::Reflect;
use shared::bundle::{Bundle, BundleError, Card};
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use super::cache::Shelf;
use super::clock::breathe;
use super::download::{self, FetchError, Freshness};
use super::report::post;
use web::protocol::{Catalogue, ClassLabel, Download, ModelInfo, Proportion, Reply, ScoreLine, Slot};

/// Why a network cannot be used.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The device computes it wrongly or not at all; how, in the end of a sentence.
    Device(String),
    /// Its files are wrong.
    Bundle(String),
}

/// A network's files.
pub(crate) struct Files {
    card_json: Vec<u8>,
    weights: Vec<u8>,
}

/// Fetches the files of the network of `slot` from `base`, which ends with a slash.
///
/// # Errors
///
/// A text for the visitor, if they do not come or are not what the card says.
pub(crate) async fn fetch(slot: Slot, base: &str) -> Result<Files, String> {
    let shelf = Shelf::open().await;
    let shelf = shelf.as_ref();
    let folder = format!("{base}models/{}/", slot.name());
    let card_json =
        fetch_card(&format!("{folder}model.json"), shelf).await.map_err(|error| missing(slot, "model.json", &error))?;
    let card = Card::from_json(&card_json).map_err(|error| unusable(slot, &error))?;
    let weights = fetch_weights(slot, &folder, &card, shelf).await?;
    Ok(Files { card_json, weights })
}

/// Loads a network to the device and checks that it computes there what it should.
///
/// # Errors
///
/// [`LoadError`], with a text for the visitor.
pub(crate) async fn load(slot: Slot, files: &Files, device: &Device) -> Result<Bundle, LoadError> {
    post(&Reply::SelfTest(slot));
    // Loading computes without a pause; the page should hear first what it waits for.
    breathe().await;
    Bundle::load(&files.card_json, &files.weights, device).await.map_err(|error| match error {
        BundleError::ProbeDiffers { what, difference, .. } => {
            LoadError::Device(format!("in the self-test its {what} were off by {:.2}%.", 100.0 * difference))
        }
        BundleError::Device(reason) => LoadError::Device(format!("it failed during the self-test ({reason}).")),
        error => LoadError::Bundle(unusable(slot, &error)),
    })
}

/// The card is small and says which weights are current: the server's if it answers, else the one kept.
async fn fetch_card(address: &str, shelf: Option<&Shelf>) -> Result<Vec<u8>, FetchError> {
    match download::get(address, Freshness::Revalidate, |_| {}).await {
        Ok(json) => {
            if let Some(shelf) = shelf {
                shelf.put(address, &json).await;
            }
            Ok(json)
        }
        Err(error @ FetchError::Status { .. }) => Err(error),
        Err(error) => match shelf {
            Some(shelf) => shelf.get(address).await.ok_or(error),
            None => Err(error),
        },
    }
}

/// The weights that the card describes: kept ones, else the server's. A copy with another hash is thrown away and fetched
/// again, once.
async fn fetch_weights(slot: Slot, folder: &str, card: &Card, shelf: Option<&Shelf>) -> Result<Vec<u8>, String> {
    let total = card.weights.bytes;
    let tell = |received: u64, cached: bool| post(&Reply::Download(Download { slot, received, total, cached }));
    tell(0, false);

    let address = format!("{folder}{}", card.weights.file);
    let kept_as = format!("{address}?sha256={}", card.weights.sha256);
    if let Some(shelf) = shelf {
        match shelf.get(&kept_as).await {
            Some(weights) if card.weights.check(&weights).is_ok() => {
                tell(total, true);
                return Ok(weights);
            }
            Some(_) => shelf.forget(&kept_as, None).await,
            None => {}
        }
    }

    let mut freshness = Freshness::Default;
    loop {
        let mut told = 0;
        let weights = download::get(&address, freshness, |received| {
            // A message for every hundredth is enough for a bar.
            if received >= told + total / 100 {
                told = received;
                tell(received.min(total), false);
            }
        })
        .await
        .map_err(|error| missing(slot, &card.weights.file, &error))?;
        match card.weights.check(&weights) {
            Ok(()) => {
                tell(total, false);
                if let Some(shelf) = shelf {
                    shelf.put(&kept_as, &weights).await;
                    shelf.forget(&address, Some(&kept_as)).await;
                }
                return Ok(weights);
            }
            // Perhaps an older copy in the browser's HTTP cache.
            Err(_) if freshness != Freshness::Reload => freshness = Freshness::Reload,
            Err(error) => return Err(unusable(slot, &error)),
        }
    }
}

/// What to say when not even the CPU passes the self-test: then hardly the CPU is to blame. `reason` is a sentence's end.
pub(crate) fn fails_on_cpu(slot: Slot, reason: &str) -> String {
    format!(
        "The {} network cannot be used: {reason} This is the CPU, so model.json is not of these weights or was changed. \
         Export the model again.",
        slot.name()
    )
}

fn unusable(slot: Slot, error: &BundleError) -> String {
    format!("The {} network cannot be used: {error}.", slot.name())
}

fn missing(slot: Slot, file: &str, error: &FetchError) -> String {
    let advice = match error {
        FetchError::Status { .. } => {
            "Whoever serves this page: put a model there with `bastion export`, and build the page again."
        }
        FetchError::Unreachable(_) | FetchError::BrokeOff(_) => "Check the connection and reload the page.",
    };
    let name = slot.name();
    format!("The {name} network could not be fetched (models/{name}/{file}): {error}. {advice}")
}

/// What both networks' cards say, for the page.
///
/// # Errors
///
/// If they do not know the same classes: then their answers cannot be compared.
pub(crate) fn catalogue(cards: [&Card; 2]) -> Result<Catalogue, String> {
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
    })
}

fn model_info(card: &Card) -> ModelInfo {
    let scores = card.scores.iter().map(|score| {
        let what = match &score.attack {
            None => "clean".to_owned(),
            Some(attack) => {
                let steps = attack.steps_total();
                let steps = if steps > 1 { format!("-{steps}") } else { String::new() };
                format!("{}{steps} at {}", attack.kind.label(), in_255ths(attack.epsilon))
            }
        };
        ScoreLine {
            what,
            top1: proportion(score.top1),
            top1_interval: score.top1_interval,
            top5: proportion(score.top5),
        }
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

/// `4/255`, or a decimal where it is no whole number of 255ths.
fn in_255ths(epsilon: f32) -> String {
    let levels = epsilon * 255.0;
    if (levels - levels.round()).abs() < 1e-3 { format!("{levels:.0}/255") } else { format!("{epsilon:.4}") }
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
    fn epsilon_as_people_write_it() {
        assert_eq!(in_255ths(4.0 / 255.0), "4/255");
        assert_eq!(in_255ths(0.2), "51/255");
        assert_eq!(in_255ths(0.0137), "0.0137");
    }
}
