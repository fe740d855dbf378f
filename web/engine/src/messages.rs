//! Messages to the visitor about a network that cannot be used: which, why, and what can be done.

use std::fmt::Display;

use protocol::download::DownloadError;
use protocol::text;

/// Says that the list has no such network; an empty name stands for a second network where only one is listed.
pub(crate) fn unknown(network: &str) -> String {
    match network {
        "" => "models/index.json lists one network only. Another one to compare it with is made by `bastion export`; then \
               the page is built again."
            .into(),
        name => format!("There is no network called {name}."),
    }
}

/// Says that an attack is to go by the gradients of a network that is not there.
pub(crate) const NO_SOURCE: &str =
    "The network whose gradients are to be used is not loaded. Have each network attacked through its own.";

/// Says that a network's files are here and wrong.
pub(crate) fn unusable(network: &str, error: &impl Display) -> String {
    text::sentence(&format!("The {network} network cannot be used: {error}"))
}

/// Says that a file of a network's folder did not come.
pub(crate) fn missing(network: &str, file: &str, error: &DownloadError) -> String {
    let advice = match error {
        DownloadError::Status(500..) => "Try again in a while.",
        DownloadError::Status(_) => {
            "Whoever serves this page: put a model there with `bastion export`, and build the page again."
        }
        DownloadError::WebPage => {
            "Perhaps this network asks for a login first, or the file is not on the server. Try again."
        }
        _ => "Check the connection and try again.",
    };
    format!("The {network} network could not be fetched (models/{network}/{file}): {error}. {advice}")
}

/// Not even the CPU passes the self-test: then hardly the CPU is to blame. `reason` is a sentence's end.
pub(crate) fn fails_on_cpu(network: &str, reason: &str) -> String {
    format!(
        "The {network} network cannot be used: {reason} This is the CPU, so model.json is not of these weights or was \
         changed. Export the model again."
    )
}

/// Says that a network's weights do not fit into memory.
pub(crate) fn too_large(network: &str, bytes: u64) -> String {
    format!(
        "The {network} network cannot be used: its weights are {}, for which the browser gives no memory. Close other \
         pages and try again.",
        text::bytes(bytes)
    )
}

/// Says that the list of networks has something else in it than names of folders.
pub(crate) fn no_folder_name(name: &str) -> String {
    format!("models/index.json lists “{name}”, which is no name of a folder: letters, digits and - _ . make one.")
}
