//! A picture before and after an attack on the same spot: a curtain that is drawn aside, or the two in turn.

use leptos::prelude::*;

use super::super::canvas::PixelCanvas;
use crate::app::browser::Store;
use crate::app::follow::follow;
use protocol::Slot;

/// Before and after, one over the other.
#[component]
pub(in super::super) fn Compare(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let name = network.name();
    let before = store.read(|state| state.picture.shown.as_ref().map(|shown| shown.pixels.clone()));
    let after = store.read(move |state| state.columns[network.index()].step().map(|step| step.attacked.clone()));
    let (place, flickers) = (RwSignal::new(50_u32), RwSignal::new(false));
    let slide = move |event: leptos::ev::Event| {
        if let Ok(percent) = event_target_value(&event).parse() {
            place.set(percent);
        }
    };
    let id = format!("wipe-{name}");
    view! {
        <details class="compare" data-testid=format!("compare-{name}")>
            <summary>"Before and after, on one spot"</summary>
            <div
                class="stack"
                class:flickers=flickers
                data-testid=format!("stack-{name}")
                data-flickers=follow(move || flickers.get().to_string())
                style=follow(move || format!("--wipe: {}%", place.get()))
            >
                <PixelCanvas pixels=before testid=format!("wipe-before-{name}") label="The picture before the attack"/>
                <div class="curtain">
                    <PixelCanvas pixels=after testid=format!("wipe-after-{name}") label="The picture after the attack"/>
                </div>
            </div>
            <div class="slider">
                <label for=id.clone()>"Curtain"</label>
                <output for=id.clone()>{follow(move || format!("{}% before", place.get()))}</output>
                <input
                    id=id.clone()
                    type="range"
                    min="0"
                    max="100"
                    prop:value=follow(move || place.get().to_string())
                    disabled=flickers
                    data-testid=id
                    on:input=slide
                />
            </div>
            <label class="check">
                <input
                    type="checkbox"
                    data-testid=format!("flicker-{name}")
                    prop:checked=flickers
                    on:change=move |event| flickers.set(event_target_checked(&event))
                />
                <span>"Show them in turn, once a second"</span>
            </label>
        </details>
    }
}
