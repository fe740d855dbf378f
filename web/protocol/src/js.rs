//! What page and engine both need of JavaScript.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// Returns what a thrown value says: an error's message, else the value itself.
pub fn describe(thrown: &JsValue) -> String {
    let message = Reflect::get(thrown, &"message".into()).ok().and_then(|message| message.as_string());
    message.filter(|message| !message.is_empty()).unwrap_or_else(|| format!("{thrown:?}"))
}
