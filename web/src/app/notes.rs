//! What the visitor is told: what this is, how to read it, and what is kept.

use leptos::prelude::*;

use super::store::Store;
use crate::protocol::{Slot, Training};
use crate::state::State;

/// What this page is, in three sentences.
#[component]
pub(super) fn Intro() -> impl IntoView {
    let store = expect_context::<Store>();
    let learned = store.read(|state| match Slot::ALL.map(|slot| state.training(slot)) {
        [Training::Ordinary, Training::Attacked] => {
            ": one learned from ordinary pictures, the other from attacked ones as well"
        }
        [Training::Attacked, Training::Ordinary] => {
            ": one learned from attacked pictures as well, the other from ordinary ones only"
        }
        _ => "",
    });
    view! {
        <section class="intro">
            <p class="lead">
                "Two neural networks look at the same picture" {learned}
                ". Change every pixel by an amount you would hardly notice, in the direction that hurts each network "
                "most, and see whose answer lasts."
            </p>
            <p class="private">
                <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
                    <path
                        d="M4 7V5a4 4 0 0 1 8 0v2h.5A1.5 1.5 0 0 1 14 8.5v5a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 2 13.5v-5A1.5 1.5 0 0 1 3.5 7H4Zm1.5 0h5V5a2.5 2.5 0 0 0-5 0v2Z"
                        fill="currentColor"
                    ></path>
                </svg>
                "Everything is computed on this device. Your picture never leaves it."
            </p>
        </section>
    }
}

/// How to read the two columns.
#[component]
pub(super) fn Reading() -> impl IntoView {
    let store = expect_context::<Store>();
    let trained = store.read(|state| {
        let small = if state.are_small() { "are small, and " } else { "" };
        // The shipped ones know 200; until they are here, nobody counts.
        let classes = if state.classes.is_empty() { 200 } else { state.classes.len() };
        format!(" Both networks {small}were trained on 64 × 64 pictures of {classes} classes.")
    });
    view! {
        <section class="panel reading" aria-labelledby="reading-title">
            <h2 id="reading-title">"How to read this"</h2>
            <ul>
                <li>
                    <strong>"Held, fooled, or wrong already."</strong>
                    " What a sample shows is known: a network that was right held if it still is, and was fooled if it no "
                    "longer is. One that was wrong before any attack cannot be fooled; whether its answer changed is said all "
                    "the same. What your own picture shows is not known, so an answer is only kept or changed. The answer to the "
                    "clean picture is in bold, one chosen as the goal is marked “target”. “So far” means that not all steps were "
                    "taken."
                </li>
                <li>
                    <strong>"What is shown is what is scored."</strong>
                    " The attacked picture is rounded to 8 bits a channel, no channel differs by more than epsilon, and the "
                    "answers are to exactly these pixels."
                </li>
                <li>
                    <strong>"The control."</strong>
                    " Random noise moves every channel by epsilon too, up or down by the toss of a coin. A network that shrugs it off "
                    "and falls to the attack is not confused by noise but by direction."
                </li>
                <li>
                    <strong>"Not a promise."</strong>
                    {trained}
                    " Hardening costs clean accuracy and does not stop every attack; "
                    <a href="#scores-title">"the scores"</a>
                    " say how far it goes."
                </li>
            </ul>
        </section>
    }
}

/// Whether the next visit needs a network.
#[component]
pub(super) fn Footer() -> impl IntoView {
    let store = expect_context::<Store>();
    let kept = store.read(State::kept_offline);
    let words = move || {
        if kept.get() {
            "Kept in this browser: the next visit works without a network."
        } else {
            "Not kept for visits without a network yet."
        }
    };
    // Only who knows where it is can see it: Cargo.toml's `repository`, if it names one.
    let source = option_env!("CARGO_PKG_REPOSITORY").filter(|address| !address.is_empty()).map(|address| {
        view! {
            <a href=address>"Bastion is open source"</a>
            ". "
        }
    });
    view! {
        <footer>
            <p data-testid="offline-status" data-state=move || if kept.get() { "kept" } else { "not-kept" }>{words}</p>
            <p>
                {source}
                "Attacks: FGSM (Goodfellow et al., 2014), BIM (Kurakin et al., 2016), PGD (Madry et al., 2017)."
            </p>
        </footer>
    }
}
