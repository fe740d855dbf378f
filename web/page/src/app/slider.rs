//! A slider with its label, and its value in words beside it.

use leptos::prelude::*;

use super::follow::follow;

/// Shows a slider over whole numbers.
#[component]
pub(super) fn Slider(
    /// What it sets.
    #[prop(into)]
    label: Signal<String>,
    /// The input's id.
    #[prop(into)]
    id: String,
    /// The input's `data-testid`, if it is not the id.
    #[prop(optional)]
    testid: Option<&'static str>,
    /// The lowest value.
    min: i32,
    /// The highest one.
    #[prop(into)]
    max: Signal<i32>,
    /// The value.
    #[prop(into)]
    value: Signal<i32>,
    /// The value in words.
    #[prop(into)]
    words: Signal<String>,
    /// Whether there is nothing to set.
    #[prop(into, optional)]
    off: Signal<bool>,
    /// Called with a value that the visitor chose, within both ends.
    #[prop(into)]
    on_input: Callback<i32>,
) -> impl IntoView {
    let slide = move |event: leptos::ev::Event| {
        if let Ok(value) = event_target_value(&event).parse::<i32>() {
            on_input.run(value.clamp(min, max.get_untracked().max(min)));
        }
    };
    let testid = testid.map_or_else(|| id.clone(), str::to_owned);
    view! {
        <div class="slider" class:off=off>
            <label for=id.clone()>{label}</label>
            <output for=id.clone()>{words}</output>
            <input
                id=id
                type="range"
                min=min.to_string()
                max=follow(move || max.get().to_string())
                step="1"
                prop:value=follow(move || value.get().to_string())
                aria-valuetext=words
                disabled=off
                data-testid=testid
                on:input=slide
            />
        </div>
    }
}
