//! What the attack does, and the button that begins it.

mod disturb;
mod more;
mod target;

use leptos::html;
use leptos::prelude::*;

use super::browser::Store;
use super::focus::{focus, has_focus};
pub(super) use disturb::Disturbances;
use more::More;
use target::Target;

use crate::state::{Change, Event, State, Verdict, Work};
use crate::text;
use protocol::{AttackKind, Guess, Settings, Slot};

/// Attack, epsilon, steps, target; start and stop.
#[component]
pub(super) fn Controls() -> impl IntoView {
    let store = expect_context::<Store>();
    let can_attack = store.read(State::can_attack);
    let attacking = store.read(|state| state.work() == Work::Attacking);
    let hint = store.read(State::hint);
    let again = store.read(State::again_words);
    let (attack_button, cancel_button) = (NodeRef::<html::Button>::new(), NodeRef::<html::Button>::new());
    Effect::new(move |_| {
        // It is switched off, under the finger of who has just pressed it or waited there.
        if !attacking.get() && has_focus(cancel_button) {
            focus(attack_button);
        }
    });
    view! {
        <section class="panel controls" aria-labelledby="controls-title">
            <h2 id="controls-title"><span class="step">"2"</span>"Attack it"</h2>
            <Kind/>
            <Epsilon/>
            <div class="go">
                <button
                    type="button"
                    class="primary"
                    node_ref=attack_button
                    data-testid="attack-button"
                    disabled=move || !can_attack.get()
                    on:click=move |_| store.dispatch(Event::Attack)
                >
                    "Attack both networks"
                </button>
                <button
                    type="button"
                    node_ref=cancel_button
                    data-testid="cancel-button"
                    aria-keyshortcuts="Escape"
                    disabled=move || !attacking.get()
                    on:click=move |_| store.dispatch(Event::Cancel)
                >
                    "Cancel"
                </button>
            </div>
            <div class="said">
                <p class="hint" data-testid="hint">{hint}</p>
                // Always there, and read out when it changes: nobody pressed a button.
                <p class="again" role="status" data-testid="attacked-again">{again}</p>
            </div>
            <Outcome/>
            // What most visitors leave as it is: below the button, which so is seen at once.
            <Steps/>
            <Target/>
            <More/>
        </section>
    }
}

/// Both answers beside the button, with the way to their columns. Its lines are there from the start, so that nothing jumps.
#[component]
fn Outcome() -> impl IntoView {
    let store = expect_context::<Store>();
    let lines = Slot::ALL.map(|network| {
        let title = store.read(move |state| state.title(network));
        let verdict = store.read(move |state| state.verdict(network).map_or("", Verdict::name));
        let interim = store.read(move |state| state.columns[network.index()].is_interim());
        let seen = store.read(move |state| !state.columns[network.index()].clean.is_empty());
        let chip = store.read(move |state| state.chip(network));
        let answer = store.read(move |state| {
            let column = &state.columns[network.index()];
            let before = column.clean.first()?;
            let now = column.step().and_then(|step| step.top.first());
            let adverb = match now {
                None => "says",
                Some(now) if now.class == before.class => "still",
                Some(_) => "now",
            };
            let Guess { class, share } = *now.unwrap_or(before);
            Some(format!("{adverb} {}, {}", state.class_name(class), text::percent(share.into())))
        });
        view! {
            // There is nothing to go to before a picture is classified.
            <a href=move || seen.get().then(|| format!("#title-{}", network.name()))>
                <span class="which">{title}</span>
                <span class="chip" data-verdict=verdict data-interim=move || interim.get().to_string()>{chip}</span>
                <span class="what">{answer}</span>
            </a>
        }
    });
    view! { <div class="outcome">{lines.into_iter().collect_view()}</div> }
}

#[component]
fn Kind() -> impl IntoView {
    let store = expect_context::<Store>();
    let kind = store.read(|state| state.attack.settings.kind);
    let choices = AttackKind::ALL.map(|choice| {
        let (label, name) = (choice.label(), choice.name());
        view! {
            <label>
                <input
                    type="radio"
                    name="attack-kind"
                    value=name
                    prop:checked=move || kind.get() == choice
                    data-testid=format!("attack-kind-{name}")
                    on:change=move |_| store.dispatch(Event::Set(Change::Kind(choice)))
                />
                <span>{label}</span>
            </label>
        }
    });
    // What it does, its formula, and where it comes from.
    let what = move || match kind.get() {
        AttackKind::Fgsm => (
            "Fast gradient sign method: one step, every pixel by epsilon.",
            "x′ = x + ε · sign ∇ₓ loss",
            "#fgsm",
            "Goodfellow et al., 2014",
        ),
        AttackKind::Bim => (
            "Basic iterative method: many small steps, never further than epsilon.",
            "xₙ₊₁ = clip(xₙ + α · sign ∇ₓ loss), α = ε/4",
            "#bim",
            "Kurakin et al., 2016",
        ),
        AttackKind::Pgd => (
            "Projected gradient descent: BIM from a random start within epsilon.",
            "x₀ = x + U(−ε, ε), α = 2.5 ε/steps",
            "#pgd",
            "Madry et al., 2017",
        ),
        AttackKind::Noise => (
            "The control: every value up or down by epsilon, by the toss of a coin. It asks no network.",
            "x′ = x ± ε",
            "#noise",
            "why it matters",
        ),
    };
    view! {
        <fieldset class="segmented">
            <legend>"Attack"</legend>
            <div class="segments">{choices.into_iter().collect_view()}</div>
            <p class="hint" data-testid="attack-words">{move || what().0}</p>
            <p class="formula">
                <span>{move || what().1}</span>
                <a class="more" href=move || what().2>{move || what().3}</a>
            </p>
        </fieldset>
    }
}

#[component]
fn Epsilon() -> impl IntoView {
    let store = expect_context::<Store>();
    let epsilon = store.read(|state| state.attack.settings.epsilon_255);
    let slide = move |event: leptos::ev::Event| {
        if let Ok(k) = event_target_value(&event).parse() {
            store.dispatch(Event::Set(Change::Epsilon(k)));
        }
    };
    view! {
        <div class="slider">
            <label for="epsilon-slider">"Epsilon, the largest change of a pixel"</label>
            <output for="epsilon-slider">{move || text::epsilon(epsilon.get())}</output>
            <input
                id="epsilon-slider"
                type="range"
                min="0"
                max=Settings::MAX_EPSILON_255.to_string()
                step="1"
                prop:value=move || epsilon.get().to_string()
                aria-valuetext=move || text::epsilon(epsilon.get())
                data-testid="epsilon"
                on:input=slide
            />
        </div>
    }
}

#[component]
fn Steps() -> impl IntoView {
    let store = expect_context::<Store>();
    let steps = store.read(|state| state.attack.settings.steps);
    let fixed = store.read(|state| match state.attack.settings.kind {
        AttackKind::Fgsm => Some("always 1"),
        AttackKind::Noise => Some("none"),
        AttackKind::Bim | AttackKind::Pgd => None,
    });
    let one_step = move || fixed.get().is_some();
    let slide = move |event: leptos::ev::Event| {
        if let Ok(count) = event_target_value(&event).parse() {
            store.dispatch(Event::Set(Change::Steps(count)));
        }
    };
    view! {
        <div class="slider" class:off=one_step>
            <label for="steps">"Steps"</label>
            <output for="steps">
                {move || fixed.get().map_or_else(|| steps.get().to_string(), str::to_owned)}
            </output>
            <input
                id="steps"
                type="range"
                min="1"
                max=Settings::MAX_STEPS.to_string()
                step="1"
                prop:value=move || steps.get().to_string()
                disabled=one_step
                data-testid="steps"
                on:input=slide
            />
        </div>
    }
}
