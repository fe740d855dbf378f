//! Visits without a network: the service worker keeps the page, the engine keeps the networks.

use js_sys::{Array, Function, Object, Promise, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageEvent, ServiceWorkerContainer, ServiceWorkerRegistration, StorageEstimate, StorageManager};

use super::worker::Program;
use protocol::js::describe;

/// The service worker, which is written by hand; the reason is at its top.
const SCRIPT: &str = "./sw.js";

/// How the names of this page's caches begin: that of the service worker and that of the engine.
const CACHES: &str = "bastion-";

/// What an installed page needs and an open one does not load by itself; see `static/manifest.webmanifest`.
const INSTALLED: [&str; 4] = ["manifest.webmanifest", "icons/icon.svg", "icons/icon-192.png", "icons/icon-512.png"];

/// Installs the service worker and calls `on_kept` whenever the service worker has kept the page, and whenever this or another
/// open page has had it removed. Does nothing where there is no service worker to be had.
pub(crate) fn listen(on_kept: impl Fn(bool) + 'static) {
    let Some(container) = container() else {
        return;
    };
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        if let Some(kept) = Reflect::get(&event.data(), &"kept".into()).ok().and_then(|kept| kept.as_bool()) {
            on_kept(kept);
        }
    });
    container.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // It is called as long as the page is open.
    on_message.forget();
    spawn_local(async move {
        if let Err(error) = JsFuture::from(container.register(SCRIPT)).await {
            leptos::logging::warn!("the page cannot be kept for visits without a network: {error:?}");
        }
    });
}

/// Asks the service worker to keep what the page and its workers have loaded. On a first visit it was not there to see it. The
/// engine for the CPU is kept wherever the page is: an adapter may fail on a visit without a network.
pub(crate) fn keep(loaded_by_engine: Vec<String>, uses_adapter: bool) {
    spawn_local(async move {
        // Without a service worker nothing is kept.
        let _ = ask(loaded_by_engine, uses_adapter).await;
    });
}

async fn ask(loaded_by_engine: Vec<String>, uses_adapter: bool) -> Option<()> {
    let ready = container()?.ready().ok()?;
    let registration: ServiceWorkerRegistration = JsFuture::from(ready).await.ok()?.unchecked_into();
    let (required, optional): (Vec<String>, Vec<String>) =
        loaded_by_engine.into_iter().chain(loaded_by_page()).partition(|address| is_program(address));
    let programs = [Program::Decoder, Program::CpuEngine].into_iter().chain(uses_adapter.then_some(Program::GpuEngine));
    let programs = programs.filter_map(Program::files).flatten();
    // The next visit may use the adapter again.
    let spared = Program::GpuEngine.files().into_iter().flatten();
    let required = page().into_iter().chain(programs).chain(required);
    let optional = optional.into_iter().chain(INSTALLED.map(str::to_owned));
    let keep = Object::new();
    Reflect::set(&keep, &"required".into(), &array(required)).ok()?;
    Reflect::set(&keep, &"optional".into(), &array(optional)).ok()?;
    Reflect::set(&keep, &"spared".into(), &array(spared)).ok()?;
    let message = Object::new();
    Reflect::set(&message, &"keep".into(), &keep).ok()?;
    registration.active()?.post_message(&message).ok()
}

/// Removes all that this page keeps in the browser, page and networks, and returns how many bytes that was. The open page works
/// on; the next visit loads everything anew, and keeps it again. index.html does it, since a page whose program does not start
/// needs it too.
///
/// # Errors
/// Says why the browser did not remove it.
pub(crate) async fn free_space() -> Result<u64, String> {
    let words = |error: JsValue| describe(&error);
    let bastion = Reflect::get(&window(), &"bastion".into()).map_err(words)?;
    let forget: Function = Reflect::get(&bastion, &"forget".into()).and_then(JsCast::dyn_into).map_err(words)?;
    let removal: Promise = forget.call1(&bastion, &CACHES.into()).and_then(JsCast::dyn_into).map_err(words)?;
    // A number of bytes, which is whole and far below 2^53.
    Ok(JsFuture::from(removal).await.map_err(words)?.as_f64().unwrap_or_default() as u64)
}

/// Returns the bytes that this site keeps in the browser, as the browser estimates them.
pub(crate) async fn space_used() -> Option<u64> {
    let storage: StorageManager = property(&window().navigator(), "storage")?;
    let estimate: Promise = storage.estimate().ok()?.unchecked_into();
    let estimate: StorageEstimate = JsFuture::from(estimate).await.ok()?.unchecked_into();
    // A number of bytes, which is whole and far below 2^53.
    estimate.get_usage().map(|bytes| bytes as u64)
}

/// Returns the address of the folder that the page was served from, with a slash at its end.
pub(crate) fn page_folder() -> Option<String> {
    let page = page()?;
    page.rfind('/').map(|end| page[..=end].to_owned())
}

/// Returns the page itself, whatever its query says.
fn page() -> Option<String> {
    let address = document().base_uri().ok().flatten()?;
    address.split(['?', '#']).next().map(str::to_owned)
}

/// Returns all that the page loaded. It cannot see a worker load its parts.
fn loaded_by_page() -> Vec<String> {
    let Some(performance) = window().performance() else {
        return Vec::new();
    };
    let entries = performance.get_entries_by_type("resource");
    let name = |entry: JsValue| Reflect::get(&entry, &"name".into()).ok()?.as_string();
    entries.iter().filter_map(name).collect()
}

/// Tells whether the page needs what is at an address to start. What else there is, pictures and lists of them, need not be there, as
/// on this visit.
fn is_program(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    [".js", ".wasm", ".css"].iter().any(|ending| path.ends_with(ending))
}

fn array(addresses: impl IntoIterator<Item = String>) -> Array {
    addresses.into_iter().map(JsValue::from).collect()
}

/// Returns where service workers are managed; missing on pages that are neither `https` nor local.
fn container() -> Option<ServiceWorkerContainer> {
    property(&window().navigator(), "serviceWorker")
}

/// Returns a property of this type, where the browser has it.
pub(super) fn property<T: JsCast>(object: &JsValue, name: &str) -> Option<T> {
    Reflect::get(object, &name.into()).ok()?.dyn_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_styles_are_needed_pictures_are_not() {
        for address in ["http://a/app-1_bg.wasm", "http://a/engine.js?x=1", "http://a/base-2.css#x"] {
            assert!(is_program(address), "{address}");
        }
        for address in ["http://a/samples/local/index.json", "http://a/icons/icon.svg", "http://a/x.png?a.js"] {
            assert!(!is_program(address), "{address}");
        }
    }
}
