//! What the page says of itself, beside what index.html says from the start.

use leptos::prelude::*;

use super::browser::Store;
use super::space::FreeSpace;
use crate::app::follow::follow;
use crate::state::State;

/// Shows whether the next visit needs a network.
#[component]
pub(super) fn Offline() -> impl IntoView {
    let store = expect_context::<Store>();
    let kept = store.read(State::kept_offline);
    let words = move || {
        if kept.get() {
            "kept here: the next visit needs no network"
        } else {
            "not kept yet: the next visit needs a network"
        }
    };
    view! {
        <span data-testid="offline-status" data-state=follow(move || if kept.get() { "kept" } else { "not-kept" })>{follow(words)}</span>
    }
}

/// Shows what is kept and where the page's source is, for the footer of index.html.
#[component]
pub(super) fn Colophon() -> impl IntoView {
    // Shown only where Cargo.toml names a `repository`.
    let source = option_env!("CARGO_PKG_REPOSITORY").filter(|address| !address.is_empty()).map(|address| {
        view! {
            <p>
                <a href=address>"Bastion is open source"</a>
                "."
            </p>
        }
    });
    view! {
        <FreeSpace/>
        {source}
    }
}
