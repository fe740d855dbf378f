//! To the clipboard, and to the visitor's downloads.

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, ClipboardItem, HtmlAnchorElement, HtmlCanvasElement, Url};

use protocol::js;

/// Returns this page's address with another query.
pub(crate) fn address_with(query: &str) -> String {
    let location = window().location();
    let place = location.origin().unwrap_or_default() + &location.pathname().unwrap_or_default();
    if query.is_empty() { place } else { format!("{place}?{query}") }
}

/// Copies a text.
///
/// # Errors
///
/// Why the browser does not let it.
pub(crate) async fn text(text: &str) -> Result<(), String> {
    let clipboard = clipboard()?;
    JsFuture::from(clipboard.write_text(text)).await.map(|_| ()).map_err(|error| js::describe(&error))
}

/// Copies a canvas as a PNG picture.
///
/// # Errors
///
/// Why the browser does not let it.
pub(crate) async fn canvas(canvas: &HtmlCanvasElement) -> Result<(), String> {
    let clipboard = clipboard()?;
    let words = |error: JsValue| js::describe(&error);
    // Safari takes a picture only as a promise of one that was made while the visitor pressed the button.
    let picture = png(canvas);
    let content = Object::new();
    Reflect::set(&content, &"image/png".into(), &picture).map_err(words)?;
    let item = ClipboardItem::new_with_record_from_str_to_blob_promise(&content).map_err(words)?;
    JsFuture::from(clipboard.write(&Array::of1(&item))).await.map(|_| ()).map_err(words)
}

/// Returns the clipboard, which browsers give to secure pages alone.
fn clipboard() -> Result<web_sys::Clipboard, String> {
    let navigator = window().navigator();
    match Reflect::get(&navigator, &"clipboard".into()) {
        Ok(clipboard) if clipboard.is_object() => Ok(clipboard.unchecked_into()),
        _ => Err("this browser gives the clipboard to pages over HTTPS only".into()),
    }
}

fn png(canvas: &HtmlCanvasElement) -> Promise {
    Promise::new(&mut |resolve, reject| {
        let refused = reject.clone();
        let made = Closure::once_into_js(move |blob: Option<Blob>| {
            // A promise that was settled already stays as it is.
            let _ = match blob {
                Some(blob) => resolve.call1(&JsValue::NULL, &blob),
                None => refused.call1(&JsValue::NULL, &"the picture is too large".into()),
            };
        });
        if let Err(error) = canvas.to_blob(made.unchecked_ref()) {
            let _ = reject.call1(&JsValue::NULL, &error);
        }
    })
}

/// Gives the visitor a file.
///
/// # Errors
///
/// Why the browser does not let it.
pub(crate) fn download(name: &str, media_type: &str, bytes: &[u8]) -> Result<(), String> {
    let words = |error: JsValue| js::describe(&error);
    let options = BlobPropertyBag::new();
    options.set_type(media_type);
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &options).map_err(words)?;
    let url = Url::create_object_url_with_blob(&blob).map_err(words)?;
    let anchor: HtmlAnchorElement = document().create_element("a").map_err(words)?.unchecked_into();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    // The download has begun, and keeps what it needs; but not every browser has read the address by now.
    gloo_timers::callback::Timeout::new(10_000, move || {
        let _ = Url::revoke_object_url(&url);
    })
    .forget();
    Ok(())
}
