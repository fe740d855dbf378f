//! Downloads that report each piece.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, ReadableStreamDefaultReader, Request, RequestCache, RequestInit, Response, WorkerGlobalScope,
};

use protocol::js::describe;

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    /// No server answered.
    #[error("the network does not answer ({0})")]
    Unreachable(String),
    /// A server answered, but not with the file.
    #[error("the server answered {status}{hint}", hint = if *.status == 404 { ": the file is not there" } else { "" })]
    Status {
        /// HTTP status.
        status: u16,
    },
    /// The answer broke off.
    #[error("the download broke off ({0})")]
    BrokeOff(String),
}

/// How the browser's HTTP cache may take part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Freshness {
    /// As the server's headers say.
    Default,
    /// Ask the server whether the cached copy is current.
    Revalidate,
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

impl Source for Server {
    async fn get(
        &self,
        address: &str,
        freshness: Freshness,
        bytes: &mut Vec<u8>,
        mut progress: impl FnMut(u64),
    ) -> Result<(), DownloadError> {
        let unreachable = |error: JsValue| DownloadError::Unreachable(describe(&error));
        let connection = Connection(AbortController::new().map_err(unreachable)?);
        let response = respond(address, freshness, &connection).await.map_err(unreachable)?;
        if !response.ok() {
            return Err(DownloadError::Status { status: response.status() });
        }
        let start = bytes.len();
        let read = read(&response, bytes, &mut progress).await;
        read.map_err(|error| {
            bytes.truncate(start);
            DownloadError::BrokeOff(describe(&error))
        })
    }
}

/// Ends a download when it is dropped before it is done.
struct Connection(AbortController);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn respond(address: &str, freshness: Freshness, connection: &Connection) -> Result<Response, JsValue> {
    let options = RequestInit::new();
    options.set_signal(Some(&connection.0.signal()));
    options.set_cache(match freshness {
        Freshness::Default => RequestCache::Default,
        Freshness::Revalidate => RequestCache::NoCache,
        Freshness::Reload => RequestCache::Reload,
    });
    let request = Request::new_with_str_and_init(address, &options)?;
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(JsFuture::from(scope.fetch_with_request(&request)).await?.unchecked_into())
}

/// Appends a response's body to `bytes`.
async fn read(response: &Response, bytes: &mut Vec<u8>, progress: &mut impl FnMut(u64)) -> Result<(), JsValue> {
    let Some(body) = response.body() else {
        return Ok(());
    };
    let before = bytes.len();
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            return Ok(());
        }
        let piece: Uint8Array = Reflect::get(&piece, &"value".into())?.dyn_into()?;
        let start = bytes.len();
        bytes.resize(start + piece.length() as usize, 0);
        piece.copy_to(&mut bytes[start..]);
        progress((bytes.len() - before) as u64);
    }
}
