//! What may happen to a picture in the real world, before anyone attacks it: the paper's seven perturbations, and a corruption.

use leptos::prelude::*;

use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::app::slider::Slider;
use crate::state::Event;
use crate::text;
use protocol::{Control, Disturbance, Value};

/// Shows the sliders.
#[component]
pub(in super::super) fn Disturbances() -> impl IntoView {
    let store = expect_context::<Store>();
    let none = store.read(|state| state.picture.disturbance.is_none());
    view! {
        <details class="panel disturb" data-testid="disturb" data-disturbed=follow(move || (!none.get()).to_string())>
            <summary>
                <span class="summary-title">"Disturb it like the real world"</span>
                <span class="hint">
                    {move || {
                        if none.get() { "Nothing disturbs the picture." } else { "The networks see the picture disturbed." }
                    }}
                </span>
            </summary>
            <p class="hint">
                "The paper’s perturbations and some corruptions of Tiny-ImageNet-C, alone or before an attack. “What the networks see”,
                beside your picture, is what both networks get."
            </p>
            <div class="sliders">
                {controls(|control| matches!(control, Control::Slider { .. })).map(|value| view! { <Slide value/> }).collect_view()}
            </div>
            <div class="checks">
                {controls(|control| matches!(control, Control::CheckBox)).map(|value| view! { <Check value/> }).collect_view()}
            </div>
            <CorruptionChoice/>
            <button
                type="button"
                data-testid="disturb-reset"
                aria-disabled=follow(move || none.get().to_string())
                on:click=move |_| store.dispatch(Event::Disturb(Disturbance::default()))
            >
                "Undo all"
            </button>
        </details>
    }
}

/// Changes a part of the disturbance.
fn change(store: Store, part: impl FnOnce(&mut Disturbance)) {
    let mut disturbance = store.peek(|state| state.picture.disturbance);
    part(&mut disturbance);
    store.dispatch(Event::Disturb(disturbance));
}

/// Returns the values that are set in one way.
fn controls(is: fn(Control) -> bool) -> impl Iterator<Item = Value> {
    Disturbance::VALUES.into_iter().filter(move |value| is(value.control))
}

/// Shows a slider for one value.
#[component]
fn Slide(value: Value) -> impl IntoView {
    let store = expect_context::<Store>();
    let (Control::Slider { range: [min, max], unit }, label) = (value.control, value.label) else { return None };
    let number = store.read(move |state| i32::from(value.get(&state.picture.disturbance)));
    let words = store.read(move |state| format!("{}{unit}", value.get(&state.picture.disturbance)));
    Some(view! {
        <Slider
            label
            id=format!("disturb-{}", value.id)
            min=min.into()
            max=i32::from(max)
            value=number
            words
            on_input=move |number| change(store, |disturbance| value.set(disturbance, number))
        />
    })
}

/// Shows a check box for a perturbation without a strength.
#[component]
fn Check(value: Value) -> impl IntoView {
    let store = expect_context::<Store>();
    let checked = store.read(move |state| value.get(&state.picture.disturbance) == 1);
    view! {
        <label class="check">
            <input
                type="checkbox"
                data-testid=format!("disturb-{}", value.id)
                prop:checked=checked
                on:change=move |event| {
                    let checked = event_target_checked(&event);
                    change(store, |disturbance| value.set(disturbance, checked.into()));
                }
            />
            <span>{value.label}</span>
        </label>
    }
}

#[component]
fn CorruptionChoice() -> impl IntoView {
    let store = expect_context::<Store>();
    let chosen = store.read(|state| state.picture.disturbance.corruption);
    let none = move || chosen.get().is_none();
    let choose = move |event: leptos::ev::Event| {
        let kind = text::corruption(&event_target_value(&event));
        change(store, |disturbance| disturbance.corruption = kind);
    };
    let options = text::CORRUPTIONS.map(|(kind, label)| {
        view! { <option value=kind.name() prop:selected=follow(move || chosen.get() == Some(kind))>{label}</option> }
    });
    view! {
        <div class="field">
            <label for="corruption">"Corruption"</label>
            <select id="corruption" data-testid="corruption" on:change=choose>
                <option value="" prop:selected=follow(none)>"None"</option>
                {options.into_iter().collect_view()}
            </select>
        </div>
        <div hidden=follow(none)>
            <Slide value=Disturbance::SEVERITY/>
        </div>
    }
}
