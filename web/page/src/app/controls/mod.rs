//! What the attack does, and the button that begins it.

mod disturb;
mod more;
mod target;

use leptos::html;
use leptos::prelude::*;

use super::browser::Store;
use super::focus::{focus, has_focus};
use super::slider::Slider;
use crate::app::follow::follow;
pub(super) use disturb::Disturbances;
use more::More;
use target::Target;

use crate::state::{Change, Event, State, Verdict, Work};
use crate::text;
use protocol::{Guess, Radius, Settings, Slot};
use terms::attack::{self, AttackKind, Norm};

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
        // The button is switched off; if the keyboard was on it, the focus would be lost.
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
                    disabled=follow(move || !can_attack.get())
                    on:click=move |_| store.dispatch(Event::Attack)
                >
                    "Attack both networks"
                </button>
                <button
                    type="button"
                    node_ref=cancel_button
                    data-testid="cancel-button"
                    aria-keyshortcuts="Escape"
                    disabled=follow(move || !attacking.get())
                    on:click=move |_| store.dispatch(Event::Cancel)
                >
                    "Cancel"
                </button>
            </div>
            <div class="said">
                <p class="hint" data-testid="hint">{hint}</p>
                // Always there, so that screen readers read out an attack that no button began.
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

/// Shows both answers beside the button, with the way to their columns. Its lines are there from the start, so that nothing
/// jumps.
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
            <a href=follow(move || seen.get().then(|| format!("#title-{}", network.name())))>
                <span class="which">{title}</span>
                <span class="chip" data-verdict=verdict data-interim=follow(move || interim.get().to_string())>{chip}</span>
                <span class="what">{answer}</span>
            </a>
        }
    });
    view! { <div class="outcome">{lines.into_iter().collect_view()}</div> }
}

/// The menu of attacks, and what the chosen one does. The texts stand in the page's HTML, which keeps the program small.
#[component]
fn Kind() -> impl IntoView {
    let store = expect_context::<Store>();
    let kind = store.read(|state| state.attack.settings.kind);
    let choose = move |event: leptos::ev::Event| {
        if let Ok(choice) = event_target_value(&event).parse() {
            store.dispatch(Event::Set(Change::Kind(choice)));
        }
    };
    let option = move |choice: AttackKind| {
        let chosen = follow(move || kind.get() == choice);
        view! { <option value=choice.name() prop:selected=chosen>{text::attack_label(choice)}</option> }
    };
    let groups = AttackKind::ALL.chunk_by(|one, next| one.group() == next.group()).map(|attacks| {
        let options = attacks.iter().copied().map(option).collect_view();
        view! { <optgroup label=attacks[0].group()>{options}</optgroup> }
    });
    let words = move |which: &str| {
        let element = document().get_element_by_id(&format!("words-{}", kind.get().name()));
        element.and_then(|element| element.get_attribute(which)).unwrap_or_default()
    };
    view! {
        <div class="field">
            <label for="attack-kind">"Attack"</label>
            <select id="attack-kind" data-testid="attack-kind" on:change=choose>
                {groups.collect_view()}
            </select>
            <p class="hint" data-testid="attack-words">{follow(move || words("data-summary"))}</p>
            <p class="formula">
                <span>{follow(move || words("data-formula"))}</span>
                <a class="more" href=follow(move || format!("#{}", kind.get().name()))>{follow(move || words("data-source"))}</a>
            </p>
        </div>
    }
}

#[component]
fn Epsilon() -> impl IntoView {
    let store = expect_context::<Store>();
    let radius = store.read(|state| state.attack.settings.radius());
    view! {
        <Slider
            label=Signal::derive(move || match radius.get().norm {
                Norm::Linf => "Epsilon, the largest change of a pixel".to_owned(),
                Norm::L2 => "Epsilon, the length of the change in L2".to_owned(),
                Norm::L0 => "Epsilon, the number of pixels that change".to_owned(),
            })
            id="epsilon-slider"
            testid="epsilon"
            min=0
            max=Signal::derive(move || Radius::largest(radius.get().norm).into())
            value=Signal::derive(move || radius.get().units.into())
            words=Signal::derive(move || text::epsilon(radius.get()))
            // Both ends are an u16's.
            on_input=move |value| store.dispatch(Event::Set(Change::Epsilon(value as u16)))
        />
    }
}

#[component]
fn Steps() -> impl IntoView {
    let store = expect_context::<Store>();
    let steps = store.read(|state| state.attack.settings.steps);
    let kind = store.read(|state| state.attack.settings.kind);
    let words = move || match kind.get().properties().steps {
        attack::Steps::Always(0) => "none".to_owned(),
        attack::Steps::Always(count) => format!("always {count}"),
        attack::Steps::Chosen(_) => steps.get().to_string(),
    };
    view! {
        <Slider
            label="Steps"
            id="steps"
            min=1
            max=Settings::MAX_STEPS as i32
            value=Signal::derive(move || steps.get() as i32)
            words=Signal::derive(words)
            off=Signal::derive(move || !kind.get().takes_steps())
            // It is 1 or more.
            on_input=move |value| store.dispatch(Event::Set(Change::Steps(value as u32)))
        />
    }
}
