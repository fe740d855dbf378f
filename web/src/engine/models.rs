//! The two networks, loaded to the device and checked there.

use burn::prelude::Device;
use shared::bundle::{Bundle, BundleError};

use super::cache::CacheShelf;
use super::clock::breathe;
use super::complaint;
use super::download::Server;
use super::files::{Files, Library};
use super::report::post;
use web::protocol::{Reply, Slot};

/// Why a network cannot be used.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The device computes it wrongly or not at all; how, in the end of a sentence.
    Device(String),
    /// Its files are wrong.
    Bundle(String),
}

/// Fetches the files of both networks from `base`, which ends with a slash.
///
/// # Errors
///
/// A text for the visitor, if they do not come or are not what the card says.
pub(crate) async fn fetch(base: &str) -> Result<[Files; 2], String> {
    let shelf = CacheShelf::open().await;
    let fetch = async |slot: Slot| {
        let folder = format!("{base}models/{}/", slot.name());
        let library = Library { slot, folder, server: &Server, shelf: shelf.as_ref() };
        library.fetch(&|download| post(&Reply::Download(download))).await
    };
    Ok([fetch(Slot::Standard).await?, fetch(Slot::Hardened).await?])
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
        error => LoadError::Bundle(complaint::unusable(slot, &error)),
    })
}
