//! The room that the page takes in the browser, and a button that gives it back.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::browser::offline::{free_space, space_used};
use super::browser::{Store, memory};
use crate::app::follow::follow;
use crate::state::{Event, State};
use crate::text;
use protocol::text::sentence;

/// Says what is kept and frees it on request.
#[component]
pub(super) fn FreeSpace() -> impl IntoView {
    let store = expect_context::<Store>();
    let used = RwSignal::new(None);
    let busy = RwSignal::new(false);
    let outcome = RwSignal::new(String::new());
    let kept = store.read(State::kept_offline);
    let look = move || {
        spawn_local(async move {
            used.set(space_used().await);
        });
    };
    // Once more when page and networks are kept, which is when there is something to free.
    Effect::new(move || {
        kept.track();
        look();
    });
    let free = move |_| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        spawn_local(async move {
            outcome.set(match free_space().await {
                Ok(bytes) => {
                    memory::forget_measured();
                    store.dispatch(Event::PageForgotten);
                    format!(
                        "{} freed. The next visit downloads everything anew, and keeps it again.",
                        text::bytes(bytes)
                    )
                }
                Err(why) => sentence(&format!("The browser did not free the space: {why}")),
            });
            busy.set(false);
            look();
        });
    };
    let amount = move || used.get().filter(|bytes| *bytes > 0).map(|bytes| format!(" ({})", text::bytes(bytes)));
    view! {
        <p>
            <button type="button" class="plain" data-testid="free-space" disabled=busy on:click=free>
                "Free the space this page takes" {follow(amount)}
            </button>
            " "
            <span role="status" data-testid="space-freed">
                {outcome}
            </span>
        </p>
    }
}
