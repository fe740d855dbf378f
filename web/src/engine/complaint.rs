//! What the visitor is told of a network that cannot be used: which, why, and what can be done.

use shared::bundle::BundleError;

use super::download::FetchError;
use web::protocol::Slot;

/// Its files are here and wrong.
pub(crate) fn unusable(slot: Slot, error: &BundleError) -> String {
    format!("The {} network cannot be used: {error}.", slot.name())
}

/// A file of its folder did not come.
pub(crate) fn missing(slot: Slot, file: &str, error: &FetchError) -> String {
    let advice = match error {
        FetchError::Status { status } if *status >= 500 => "Try again in a while.",
        FetchError::Status { .. } => {
            "Whoever serves this page: put a model there with `bastion export`, and build the page again."
        }
        FetchError::Unreachable(_) | FetchError::BrokeOff(_) => "Check the connection and reload the page.",
    };
    let name = slot.name();
    format!("The {name} network could not be fetched (models/{name}/{file}): {error}. {advice}")
}

/// Not even the CPU passes the self-test: then hardly the CPU is to blame. `reason` is a sentence's end.
pub(crate) fn fails_on_cpu(slot: Slot, reason: &str) -> String {
    format!(
        "The {} network cannot be used: {reason} This is the CPU, so model.json is not of these weights or was changed. \
         Export the model again.",
        slot.name()
    )
}
