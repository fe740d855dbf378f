//! Downloads that report each piece.

use web_sys::{AbortController, RequestCache, RequestInit};

use protocol::download::{DownloadError, Limits, download};
use protocol::js::describe;

/// How the browser's HTTP cache may take part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Freshness {
    /// As the server's headers say.
    Default,
    /// Ask the server whether the cached copy is current.
    Revalidate {
        /// Whether there is a copy that stands in for a server which does not answer: then the server gets less time.
        kept: bool,
    },
    /// Straight from the server.
    Reload,
}

/// Where files come from.
pub(crate) trait Source {
    /// Appends a file to `bytes`, which are as before if it does not come. `progress` is given how many bytes of it are here, after
    /// each piece.
    ///
    /// # Errors
    ///
    /// [`DownloadError`] says whether the network, the server or the connection failed.
    async fn get(
        &self,
        address: &str,
        freshness: Freshness,
        bytes: &mut Vec<u8>,
        progress: impl FnMut(u64),
    ) -> Result<(), DownloadError>;
}

/// The server that the page came from.
pub(crate) struct Server;

/// Time that a server may be silent while a kept copy could stand in for its answer.
const PATIENCE_WITH_COPY_S: u32 = 4;

impl Source for Server {
    async fn get(
        &self,
        address: &str,
        freshness: Freshness,
        bytes: &mut Vec<u8>,
        progress: impl FnMut(u64),
    ) -> Result<(), DownloadError> {
        let connection = AbortController::new().map_err(|error| DownloadError::Unreachable(describe(&error)))?;
        let options = RequestInit::new();
        options.set_cache(match freshness {
            Freshness::Default => RequestCache::Default,
            Freshness::Revalidate { .. } => RequestCache::NoCache,
            Freshness::Reload => RequestCache::Reload,
        });
        let mut limits = Limits::default();
        if freshness == (Freshness::Revalidate { kept: true }) {
            limits.patience_s = PATIENCE_WITH_COPY_S;
        }
        download(address, &options, &connection, limits, bytes, progress).await
    }
}
