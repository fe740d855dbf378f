//! A button that starts long work of the engine, and the one that ends it.

use leptos::html;
use leptos::prelude::*;

use crate::app::browser::Store;
use crate::app::focus::{focus, has_focus};
use crate::app::follow::follow;
use crate::state::{Event, State, Work};

/// Shows both buttons; the second only while the work goes on. `name` begins their test ids.
#[component]
pub(super) fn Job(
    name: &'static str,
    work: Work,
    /// Words on the first button: at rest, and while the work goes on.
    words: [&'static str; 2],
    can_start: fn(&State) -> bool,
    start: Event,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let can_start = store.read(can_start);
    let working = store.read(move |state| state.work() == work);
    let (start_button, cancel_button) = (NodeRef::<html::Button>::new(), NodeRef::<html::Button>::new());
    Effect::new(move |_| {
        // The button disappears; if the keyboard was on it, the focus would be lost.
        if !working.get() && has_focus(cancel_button) {
            focus(start_button);
        }
    });
    view! {
        <div class="go">
            <button
                type="button"
                data-testid=format!("{name}-button")
                node_ref=start_button
                aria-disabled=follow(move || (!can_start.get()).to_string())
                on:click=move |_| store.dispatch(start.clone())
            >
                {follow(move || words[usize::from(working.get())])}
            </button>
            <button
                type="button"
                class="plain"
                node_ref=cancel_button
                hidden=follow(move || !working.get())
                data-testid=format!("{name}-cancel")
                on:click=move |_| store.dispatch(Event::Cancel)
            >
                "Cancel"
            </button>
        </div>
    }
}
