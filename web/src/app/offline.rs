//! Visits without a network: the service worker keeps the page, the engine keeps the networks.

use js_sys::{Array, Object, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageEvent, ServiceWorkerContainer, ServiceWorkerRegistration};

use super::store::Store;
use super::worker::program;
use crate::state::Event;

/// The script is written by hand, and says why.
const SCRIPT: &str = "./sw.js";

/// Installs the service worker and listens for what it has kept. Does nothing where there is none to be had.
pub(super) fn listen(store: Store) {
    let Some(container) = container() else {
        return;
    };
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        if Reflect::get(&event.data(), &"kept".into()).is_ok_and(|kept| kept.is_truthy()) {
            store.dispatch(Event::PageKept);
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
    let (required, optional): (Vec<String>, Vec<String>) =
        loaded_by_engine.into_iter().chain(loaded_by_page()).partition(|address| is_program(address));
    let required = page().into_iter().chain(program()).chain(required);
    let keep = Object::new();
    Reflect::set(&keep, &"required".into(), &array(required)).ok()?;
    Reflect::set(&keep, &"optional".into(), &array(optional)).ok()?;
    let message = Object::new();
    Reflect::set(&message, &"keep".into(), &keep).ok()?;
    registration.active()?.post_message(&message).ok()
}

/// The page itself, whatever its query says.
fn page() -> Option<String> {
    let address = document().base_uri().ok().flatten()?;
    address.split(['?', '#']).next().map(str::to_owned)
}

/// All that the page loaded. It cannot see a worker load its parts.
fn loaded_by_page() -> Vec<String> {
    let Some(performance) = window().performance() else {
        return Vec::new();
    };
    let entries = performance.get_entries_by_type("resource");
    let name = |entry: JsValue| Reflect::get(&entry, &"name".into()).ok()?.as_string();
    entries.iter().filter_map(name).collect()
}

/// Whether the page does not start without it. What else there is, pictures and lists of them, need not be there, as on this
/// visit.
fn is_program(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    [".js", ".wasm", ".css"].iter().any(|ending| path.ends_with(ending))
}

fn array(addresses: impl IntoIterator<Item = String>) -> Array {
    addresses.into_iter().map(JsValue::from).collect()
}

/// Where service workers are managed; missing on pages that are neither `https` nor local.
fn container() -> Option<ServiceWorkerContainer> {
    let container = Reflect::get(&window().navigator(), &"serviceWorker".into()).ok()?;
    container.dyn_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_styles_are_needed_pictures_are_not() {
        for address in ["http://a/app-1_bg.wasm", "http://a/engine.js?v=1", "http://a/base-2.css#x"] {
            assert!(is_program(address), "{address}");
        }
        for address in ["http://a/samples/local/index.json", "http://a/icons/icon.svg", "http://a/x.png?a.js"] {
            assert!(!is_program(address), "{address}");
        }
    }
}
