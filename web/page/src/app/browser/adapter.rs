//! The browser's graphics adapter, looked for before any program that could use the adapter is downloaded.

use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Function, Object, Promise, Reflect};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use protocol::Adapter;

/// Milliseconds after which a browser that does not answer has no adapter.
const PATIENCE_MS: u32 = 10_000;

/// Asks the browser for an adapter. It hides WebGPU from pages that are neither `https` nor local.
pub(super) async fn look() -> Adapter {
    let Some(gpu) = property(&window().navigator(), "gpu") else { return Adapter::NoWebGpu };
    let Some(adapter) = request(&gpu).await.filter(is_something) else { return Adapter::Missing };
    let info = property(&adapter, "info").unwrap_or(JsValue::NULL);
    let name = property(&info, "description").and_then(|name| name.as_string());
    Adapter::Found {
        name: name.filter(|name| !name.is_empty()),
        // The property moved from the adapter to its information.
        software: [info, adapter].iter().any(|it| property(it, "isFallbackAdapter").is_some_and(|it| it.is_truthy())),
    }
}

/// Returns what the browser answers; none if it refuses, or does not answer in time.
async fn request(gpu: &JsValue) -> Option<JsValue> {
    let request: Function = property(gpu, "requestAdapter")?.dyn_into().ok()?;
    // The one that the engine will ask for: some machines have two.
    let options = Object::new();
    Reflect::set(&options, &"powerPreference".into(), &"high-performance".into()).ok()?;
    let answer: Promise = request.call1(gpu, &options).ok()?.dyn_into().ok()?;
    let silence = future_to_promise(async {
        TimeoutFuture::new(PATIENCE_MS).await;
        Ok(JsValue::NULL)
    });
    JsFuture::from(Promise::race(&Array::of2(&answer, &silence))).await.ok()
}

/// Returns a property that is neither undefined nor null.
fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into()).ok().filter(is_something)
}

fn is_something(value: &JsValue) -> bool {
    !value.is_undefined() && !value.is_null()
}
