//! Bars of downloads.

use leptos::prelude::*;

use super::follow::follow;
use crate::state::Bar;

/// Shows how far a download is. A bar without a value moves to and fro.
#[component]
pub(super) fn DownloadBar(
    /// The element's id and its `data-testid`.
    id: String,
    /// What is downloaded.
    #[prop(into)]
    label: Signal<String>,
    /// How far it is.
    bar: Memo<Bar>,
) -> impl IntoView {
    let received = move || bar.with(|bar| bar.received);
    let total = move || bar.with(|bar| bar.total.to_string());
    view! {
        <div class="download">
            <label for=id.clone()>{label}</label>
            <progress
                id=id.clone()
                max=follow(total)
                value=follow(move || received().map(|bytes| bytes.to_string()))
                data-testid=id
                data-received=follow(move || received().unwrap_or_default().to_string())
                data-total=follow(total)
            ></progress>
            // The bar says it too, and is not read out at each step.
            <span class="amount" aria-hidden="true">{follow(move || bar.with(|bar| bar.words.clone()))}</span>
        </div>
    }
}
