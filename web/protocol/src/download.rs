//! Downloads that come to an end: a server that is silent for too long is given up.

use std::cell::Cell;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, Request, RequestInit, Response};

use crate::js::describe;

/// Why a file did not come, as the end of a sentence without a full stop.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum DownloadError {
    /// No server answered.
    #[error("the network does not answer ({0})")]
    Unreachable(String),
    /// A server answered, but not with the file: the HTTP status.
    #[error("the server answered {0}{hint}", hint = if *.0 == 404 { ": the file is not there" } else { "" })]
    Status(u16),
    /// A host's page for missing files, or that of a network which asks for a login first.
    #[error("the server sent a web page in its place")]
    WebPage,
    /// Nothing came for so many seconds.
    #[error("the server sent nothing for {0} seconds")]
    Silent(u32),
    /// It is larger than what is taken, in bytes.
    #[error("it is larger than {}", crate::text::bytes(*.0))]
    TooLarge(u64),
    /// The answer broke off.
    #[error("the download broke off ({0})")]
    BrokeOff(String),
    /// The connection was ended on this side.
    #[error("it was stopped")]
    Stopped,
}

/// What a download may take and bring.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time that the server may send nothing.
    pub patience_s: u32,
    /// The largest file, in bytes.
    pub most_bytes: u64,
    /// Whether a web page may be what was asked for.
    pub web_page: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { patience_s: 15, most_bytes: u64::MAX, web_page: false }
    }
}

/// Appends the file at an address to `bytes`, which are as before if it does not come. `progress` is given how many bytes of it
/// are here, after each piece. `connection` ends the download, as does dropping the future.
///
/// # Errors
/// Says whether the network, the server or the connection failed.
pub async fn download(
    address: &str,
    options: &RequestInit,
    connection: &AbortController,
    limits: Limits,
    bytes: &mut Vec<u8>,
    progress: impl FnMut(u64),
) -> Result<(), DownloadError> {
    let watch = Watch { connection, silent: Rc::default(), patience_s: limits.patience_s };
    let start = bytes.len();
    let outcome = get(address, options, &watch, limits, bytes, progress).await.map_err(|error| watch.or(error));
    if outcome.is_err() {
        bytes.truncate(start);
    }
    outcome
}

async fn get(
    address: &str,
    options: &RequestInit,
    watch: &Watch<'_>,
    limits: Limits,
    bytes: &mut Vec<u8>,
    mut progress: impl FnMut(u64),
) -> Result<(), DownloadError> {
    let unreachable = |error: JsValue| DownloadError::Unreachable(describe(&error));
    let broke_off = |error: JsValue| DownloadError::BrokeOff(describe(&error));
    options.set_signal(Some(&watch.connection.signal()));
    let response = watch.wait(fetch(address, options).map_err(unreachable)?).await.map_err(unreachable)?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(DownloadError::Status(response.status()));
    }
    let header = |name: &str| response.headers().get(name).ok().flatten().unwrap_or_default();
    if !limits.web_page && header("content-type").contains("html") {
        return Err(DownloadError::WebPage);
    }
    let too_large = DownloadError::TooLarge(limits.most_bytes);
    if header("content-length").parse().is_ok_and(|length: u64| length > limits.most_bytes) {
        return Err(too_large);
    }
    let Some(body) = response.body() else { return Ok(()) };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let before = bytes.len();
    loop {
        let piece = watch.wait(reader.read()).await.map_err(broke_off)?;
        if Reflect::get(&piece, &"done".into()).map_err(broke_off)?.is_truthy() {
            break;
        }
        let piece: Uint8Array = Reflect::get(&piece, &"value".into()).and_then(JsCast::dyn_into).map_err(broke_off)?;
        let start = bytes.len();
        // What a server says of the length need not be true.
        if (start - before) as u64 + u64::from(piece.length()) > limits.most_bytes {
            return Err(too_large);
        }
        bytes.resize(start + piece.length() as usize, 0);
        piece.copy_to(&mut bytes[start..]);
        progress((bytes.len() - before) as u64);
    }
    if !limits.web_page && is_web_page(&bytes[before..]) { Err(DownloadError::WebPage) } else { Ok(()) }
}

/// Returns a request under way, in a page or in a worker.
fn fetch(address: &str, options: &RequestInit) -> Result<Promise, JsValue> {
    let global = js_sys::global();
    let fetch: Function = Reflect::get(&global, &"fetch".into())?.dyn_into()?;
    fetch.call1(&global, Request::new_with_str_and_init(address, options)?.as_ref())?.dyn_into()
}

/// Tells whether a file is a web page, whatever its name says.
pub fn is_web_page(file: &[u8]) -> bool {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file).trim_ascii_start();
    let begins = |tag: &[u8]| file.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    [&b"<!doctype html"[..], b"<html"].into_iter().any(begins)
}

/// Ends a connection that is silent for too long, or whose download is dropped.
struct Watch<'a> {
    connection: &'a AbortController,
    silent: Rc<Cell<bool>>,
    patience_s: u32,
}

impl Watch<'_> {
    /// Waits for an answer, as long as it may take.
    async fn wait(&self, answer: Promise) -> Result<JsValue, JsValue> {
        let (connection, silent) = (self.connection.clone(), Rc::clone(&self.silent));
        let _timer = Timeout::new(self.patience_s * 1000, move || {
            silent.set(true);
            connection.abort();
        });
        JsFuture::from(answer).await
    }

    /// Returns why the connection ended.
    fn or(&self, error: DownloadError) -> DownloadError {
        match (self.silent.get(), self.connection.signal().aborted()) {
            (true, _) => DownloadError::Silent(self.patience_s),
            (false, true) => DownloadError::Stopped,
            (false, false) => error,
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_page_is_known_by_its_beginning() {
        for page in ["<!DOCTYPE html>", "\u{feff}\n <html lang=\"en\">", "<!doctype HTML PUBLIC"] {
            assert!(is_web_page(page.as_bytes()), "{page}");
        }
        for file in ["", "{\"models\": []}", "<svg>", "<!", "<\0\0\0\0\0\0\0{\"a\":1}"] {
            assert!(!is_web_page(file.as_bytes()), "{file}");
        }
    }

    #[test]
    fn errors_end_a_sentence() {
        let said = |error: DownloadError| error.to_string();
        assert_eq!(said(DownloadError::Silent(15)), "the server sent nothing for 15 seconds");
        assert_eq!(said(DownloadError::Status(404)), "the server answered 404: the file is not there");
        assert_eq!(said(DownloadError::Status(503)), "the server answered 503");
        assert!(said(DownloadError::WebPage).contains("a web page in its place"));
    }
}
