//! What this browser remembers of earlier visits, but for files. One that keeps nothing forgets it.

use leptos::prelude::window;
use web_sys::Storage;

use crate::protocol::Measured;

/// Name of what was measured.
const MEASURED: &str = "bastion.measured";

/// How quick both backends were when they were measured.
pub(super) fn measured() -> Option<Measured> {
    serde_json::from_str(&storage()?.get_item(MEASURED).ok().flatten()?).ok()
}

/// Keeps it for the next visit.
pub(super) fn remember_measured(measured: &Measured) {
    if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(measured)) {
        // A browser that is full measures again.
        let _ = storage.set_item(MEASURED, &text);
    }
}

pub(super) fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}
