//! Visits without a network: the service worker keeps the page, the engine keeps the networks.

use js_sys::{Array, Object, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageEvent, ServiceWorkerContainer, ServiceWorkerRegistration};

use super::store::Store;
use crate::state::Event;

/// The script is written by hand, and says why.
const SCRIPT: &str = "./sw.js";

/// The engine's program, under the names that Trunk gives it. The page cannot see a worker load its parts.
const ENGINE: [&str; 3] = ["engine_loader.js", "engine.js", "engine_bg.wasm"];

/// Installs the service worker and listens for what it has kept. Does nothing where there is none to be had.
pub(super) fn listen(store: Store) {
    let Some(container) = container() else {
        return;
    };
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        if Reflect::get(&event.data(), &"kept".into()).is_ok_and(|kept| kept.is_truthy()) {
            store.dispatch(Event::KeptOffline);
        }
    });
    container.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // The page listens as long as it is open.
    on_message.forget();
    spawn_local(async move {
        if let Err(error) = JsFuture::from(container.register(SCRIPT)).await {
            leptos::logging::warn!("the page cannot be kept for visits without a network: {error:?}");
        }
    });
}

/// Asks the service worker to keep what the page and the engine have loaded. On a first visit it was not there to see it.
pub(super) fn keep(loaded_by_engine: Vec<String>) {
    spawn_local(async move {
        // Without a service worker there is nobody to ask.
        let _ = ask(loaded_by_engine).await;
    });
}

async fn ask(loaded_by_engine: Vec<String>) -> Option<()> {
    let ready = container()?.ready().ok()?;
    let registration: ServiceWorkerRegistration = JsFuture::from(ready).await.ok()?.unchecked_into();
    let addresses = Array::new();
    for address in loaded_by_engine.into_iter().chain(loaded_by_page()) {
        addresses.push(&address.into());
    }
    let message = Object::new();
    Reflect::set(&message, &"keep".into(), &addresses).ok()?;
    registration.active()?.post_message(&message).ok()
}

/// The page itself and all that it loaded.
fn loaded_by_page() -> Vec<String> {
    let mut addresses: Vec<String> = document().base_uri().ok().flatten().into_iter().collect();
    addresses.extend(ENGINE.map(str::to_owned));
    if let Some(performance) = window().performance() {
        let entries = performance.get_entries_by_type("resource");
        let name = |entry: JsValue| Reflect::get(&entry, &"name".into()).ok()?.as_string();
        addresses.extend(entries.iter().filter_map(name));
    }
    addresses
}

/// Where service workers are managed; missing on pages that are neither `https` nor local.
fn container() -> Option<ServiceWorkerContainer> {
    let container = Reflect::get(&window().navigator(), &"serviceWorker".into()).ok()?;
    container.dyn_into().ok()
}
