//! The settings that most visitors leave as they are.

use leptos::prelude::*;

use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::app::slider::Slider;
use crate::state::{Change, Event};
use protocol::{Radius, Settings, Slot};

/// Whose gradients, how long a step, when to stop, where to begin.
#[component]
pub(super) fn More() -> impl IntoView {
    view! {
        <details class="more-settings" data-testid="more-settings">
            <summary>"More settings"</summary>
            <Source/>
            <StepSize/>
            <StopAtSuccess/>
            <Seed/>
        </details>
    }
}

/// White-box, or crafted on one network and shown to both.
#[component]
fn Source() -> impl IntoView {
    let store = expect_context::<Store>();
    let source = store.read(|state| state.attack.settings.crafted_on);
    let titles = store.read(|state| Slot::ALL.map(|slot| state.title(slot)));
    let choose = move |event: leptos::ev::Event| {
        let value = event_target_value(&event);
        let slot = Slot::ALL.into_iter().find(|slot| slot.name() == value);
        store.dispatch(Event::Set(Change::CraftedOn(slot)));
    };
    let options = Slot::ALL.map(|slot| {
        let words = move || titles.with(|titles| format!("Craft on {}, show to both (transfer)", titles[slot.index()]));
        view! { <option value=slot.name() prop:selected=follow(move || source.get() == Some(slot))>{follow(words)}</option> }
    });
    view! {
        <div class="field">
            <label for="source">
                "Gradients" <a class="more" href="#transfer" aria-label="What transfer and white-box mean">"?"</a>
            </label>
            <select id="source" data-testid="crafted-on" on:change=choose>
                <option value="" prop:selected=follow(move || source.get().is_none())>"Each network’s own (white-box)"</option>
                {options.into_iter().collect_view()}
            </select>
        </div>
    }
}

#[component]
fn StepSize() -> impl IntoView {
    let store = expect_context::<Store>();
    let settings = store.read(|state| state.attack.settings);
    let chosen = move || settings.get().step_size_tenths;
    let unused = move || !settings.get().kind.takes_step_size();
    let words = move || {
        let size = settings.with(Settings::step_size_units);
        match (unused(), chosen()) {
            (true, _) if settings.get().kind.takes_steps() => "its own".into(),
            (true, _) => "none".into(),
            (false, None) => format!("{}, as is usual", Radius::length(settings.get().norm(), size)),
            (false, Some(_)) => Radius::length(settings.get().norm(), size),
        }
    };
    let tenths = move || (10.0 * settings.with(Settings::step_size_units)).round().max(1.0) as i32;
    view! {
        <Slider
            label="Step size"
            id="step-size"
            min=1
            max=Signal::derive(move || settings.get().max_step_size_tenths().into())
            value=Signal::derive(tenths)
            words=Signal::derive(words)
            off=Signal::derive(unused)
            // Both ends are an u16's.
            on_input=move |value| store.dispatch(Event::Set(Change::StepSize(Some(value as u16))))
        />
        <button
            type="button"
            class="plain"
            data-testid="step-size-auto"
            aria-disabled=follow(move || chosen().is_none().to_string())
            on:click=move |_| store.dispatch(Event::Set(Change::StepSize(None)))
        >
            "Usual step size"
        </button>
    }
}

#[component]
fn StopAtSuccess() -> impl IntoView {
    let store = expect_context::<Store>();
    let stops = store.read(|state| state.attack.settings.stop_at_success);
    view! {
        <label class="check">
            <input
                type="checkbox"
                data-testid="stop-at-success"
                prop:checked=stops
                on:change=move |event| store.dispatch(Event::Set(Change::StopAtSuccess(event_target_checked(&event))))
            />
            <span>"Stop at the first success"</span>
        </label>
    }
}

/// Another random start, for what begins at random.
#[component]
fn Seed() -> impl IntoView {
    let store = expect_context::<Store>();
    let seed = store.read(|state| state.attack.settings.seed);
    let unused = store.read(|state| !state.attack.settings.kind.is_random());
    view! {
        <div class="pair seed" hidden=unused>
            <span>{follow(move || format!("Random start {}", seed.get()))}</span>
            <button
                type="button"
                data-testid="another-start"
                on:click=move |_| store.dispatch(Event::Set(Change::Seed(seed.get_untracked().wrapping_add(1))))
            >
                "Another one"
            </button>
        </div>
    }
}
