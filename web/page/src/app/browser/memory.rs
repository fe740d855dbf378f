//! What this browser remembers of earlier visits, but for files. One that keeps nothing forgets it.

use js_sys::{Array, JSON};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Storage;

use super::worker::Program;
use protocol::{Measured, Pair};

/// Name of the measurement, with the engine that made it.
const MEASURED: &str = "bastion.measured";

/// Name of the two networks that the visitor chose.
const PAIR: &str = "bastion-networks";

/// Returns how quick both backends were when this engine measured them.
pub(crate) fn measured() -> Option<Measured> {
    let text = storage()?.get_item(MEASURED).ok().flatten()?;
    let fields: Array = JSON::parse(&text).ok()?.dyn_into().ok()?;
    let measured = Measured {
        adapter: fields.get(1).as_string(),
        webgpu_ms: fields.get(2).as_f64()?,
        cpu_ms: fields.get(3).as_f64()?,
    };
    (fields.get(0).as_string()? == engine()?).then_some(measured)
}

/// Keeps it for the next visit.
pub(crate) fn remember_measured(measured: &Measured) {
    let adapter = measured.adapter.as_deref().map_or(JsValue::NULL, JsValue::from);
    let Some(engine) = engine() else { return };
    let fields = Array::of4(&engine.into(), &adapter, &measured.webgpu_ms.into(), &measured.cpu_ms.into());
    if let (Some(storage), Ok(text)) = (storage(), JSON::stringify(&fields)) {
        // A browser that is full measures again.
        let _ = storage.set_item(MEASURED, &String::from(text));
    }
}

/// Returns the name of the engine that measured, which has a hash of the engine's program in it.
fn engine() -> Option<String> {
    Program::GpuEngine.files().map(|[loader, ..]| loader)
}

/// Has it measured again on the next visit.
pub(crate) fn forget_measured() {
    if let Some(storage) = storage() {
        // Where it cannot be removed, nothing was kept.
        let _ = storage.remove_item(MEASURED);
    }
}

/// Returns the pair that was wanted on the visit before.
pub(crate) fn pair() -> Option<Pair> {
    let pair = storage()?.get_item(PAIR).ok().flatten()?;
    // No folder's name has a slash.
    let (left, right) = pair.split_once('/')?;
    Some([left.to_owned(), right.to_owned()])
}

/// Has a pair wanted on the next visit too; none means the usual one. A browser that keeps nothing forgets it.
pub(crate) fn remember_pair(pair: Option<&Pair>) {
    if let Some(storage) = storage() {
        let _ = match pair {
            Some([left, right]) => storage.set_item(PAIR, &format!("{left}/{right}")),
            None => storage.remove_item(PAIR),
        };
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}
