//! Downloads, told piece by piece.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Request, RequestCache, RequestInit, Response, WorkerGlobalScope};

use super::files::Source;
use web::js::describe;

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
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

/// The server that the page came from.
pub(crate) struct Server;

impl Source for Server {
    async fn get(
        &self,
        address: &str,
        freshness: Freshness,
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<u8>, FetchError> {
        let response = respond(address, freshness).await.map_err(|error| FetchError::Unreachable(describe(&error)))?;
        if !response.ok() {
            return Err(FetchError::Status { status: response.status() });
        }
        read(&response, &mut progress).await.map_err(|error| FetchError::BrokeOff(describe(&error)))
    }
}

async fn respond(address: &str, freshness: Freshness) -> Result<Response, JsValue> {
    let options = RequestInit::new();
    options.set_cache(match freshness {
        Freshness::Default => RequestCache::Default,
        Freshness::Revalidate => RequestCache::NoCache,
        Freshness::Reload => RequestCache::Reload,
    });
    let request = Request::new_with_str_and_init(address, &options)?;
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    Ok(JsFuture::from(scope.fetch_with_request(&request)).await?.unchecked_into())
}

async fn read(response: &Response, progress: &mut impl FnMut(u64)) -> Result<Vec<u8>, JsValue> {
    let mut bytes = Vec::new();
    let Some(body) = response.body() else {
        return Ok(bytes);
    };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            return Ok(bytes);
        }
        let piece: Uint8Array = Reflect::get(&piece, &"value".into())?.dyn_into()?;
        let start = bytes.len();
        bytes.resize(start + piece.length() as usize, 0);
        piece.copy_to(&mut bytes[start..]);
        progress(bytes.len() as u64);
    }
}
