//! The browser's graphics adapter, looked for before any program that could use the adapter is downloaded.

use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Boolean, Function, JsString, Object, Promise, Reflect};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use super::offline::property;
use protocol::Adapter;

/// Milliseconds after which a browser that does not answer is given up.
const PATIENCE_MS: u32 = 10_000;

/// Asks the browser for an adapter. Browsers hide WebGPU from pages that are neither `https` nor local.
pub(super) async fn look() -> Adapter {
    let Some(gpu) = property::<Object>(&window().navigator(), "gpu") else { return Adapter::NoWebGpu };
    let answer = request(&gpu).await.unwrap_or(JsValue::NULL);
    if answer.is_undefined() {
        return Adapter::Silent;
    }
    let Ok(adapter) = answer.dyn_into::<Object>() else { return Adapter::Missing };
    let info = property::<Object>(&adapter, "info").unwrap_or_default();
    let text = |name: &str| property::<JsString>(&info, name).map(String::from).filter(|text| !text.is_empty());
    let parts: Vec<String> = [text("vendor"), text("architecture")].into_iter().flatten().collect();
    // The property moved from the adapter to its information.
    let emulated = |object: &Object| property::<Boolean>(object, "isFallbackAdapter").is_some_and(|it| it.value_of());
    Adapter::Found {
        // Many browsers leave the description empty.
        name: text("description").or_else(|| (!parts.is_empty()).then(|| parts.join(" "))),
        software: emulated(&adapter) || emulated(&info),
    }
}

/// Returns the browser's answer, which is null where there is no adapter; undefined if no answer comes in time, and none if the
/// browser refuses to be asked.
async fn request(gpu: &Object) -> Option<JsValue> {
    let request: Function = property(gpu, "requestAdapter")?;
    // The engine asks in the same way: some machines have two adapters.
    let options = Object::new();
    Reflect::set(&options, &"powerPreference".into(), &"high-performance".into()).ok()?;
    let answer: Promise = request.call1(gpu, &options).ok()?.dyn_into().ok()?;
    let silence = future_to_promise(async {
        TimeoutFuture::new(PATIENCE_MS).await;
        Ok(JsValue::UNDEFINED)
    });
    JsFuture::from(Promise::race(&Array::of2(&answer, &silence))).await.ok()
}
