//! What this browser remembers of earlier visits, but for files. One that keeps nothing forgets it.

use leptos::prelude::window;
use web_sys::Storage;

use super::worker::BUILD;
use crate::protocol::Measured;

/// Name of what was measured, and by which build.
const MEASURED: &str = "bastion.measured";

/// How quick both backends were when this build measured them.
pub(super) fn measured() -> Option<Measured> {
    let text = storage()?.get_item(MEASURED).ok().flatten()?;
    let (build, measured): (String, Measured) = serde_json::from_str(&text).ok()?;
    (build == BUILD).then_some(measured)
}

/// Keeps it for the next visit.
pub(super) fn remember_measured(measured: &Measured) {
    if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(&(BUILD, measured))) {
        // A browser that is full measures again.
        let _ = storage.set_item(MEASURED, &text);
    }
}

/// Has it measured again on the next visit.
pub(super) fn forget_measured() {
    if let Some(storage) = storage() {
        // Where it cannot be removed, nothing was kept.
        let _ = storage.remove_item(MEASURED);
    }
}

pub(super) fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}
