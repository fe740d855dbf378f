//! The page: what is seen and touched. Nothing computes here; the engine does.

mod browser;
mod camera;
mod canvas;
mod column;
mod controls;
mod crop;
mod downloads;
mod dropped;
mod focus;
mod follow;
mod gallery;
mod header;
mod lab;
mod link;
mod networks;
mod notes;
mod sheet;
mod slider;
mod space;

use leptos::portal::Portal;
use leptos::prelude::*;
use leptos::{ev, html, mount::mount_to};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlInputElement, UrlSearchParams};

use crate::state::{Column, Event, Link, Progress, State};
use browser::{Store, memory, offline};
use column::NetworkColumn;
use controls::{Controls, Disturbances};
use dropped::accept_dropped_and_pasted;
use focus::focus;
use follow::follow;
use gallery::Chooser;
use header::{Failure, Status};
use lab::{Lab, ViewSettings};
use link::Links;
use networks::Unusable;
use notes::Colophon;
use protocol::{BackendChoice, Slot};

/// Name of the choice of backend in the page's address.
const BACKEND_PARAMETER: &str = "backend";

/// Shows the page and starts its engine.
pub fn start() {
    console_error_panic_hook::set_once();
    // What stands there until now is the page's outline.
    let place = element("app");
    place.set_text_content(None);
    mount_to(place.unchecked_into(), App).forget();
}

/// Returns an element of index.html; the page's body, should it be missing there.
fn element(id: &str) -> Element {
    let found = document().get_element_by_id(id);
    found.unwrap_or_else(|| document().body().expect("a page has a body").into())
}

#[component]
fn App() -> impl IntoView {
    let store = Store::new(page_in_address());
    provide_context(store);
    provide_context(ViewSettings::new());
    store.begin();
    offline::listen(move |kept| store.dispatch(if kept { Event::PageKept } else { Event::PageForgotten }));
    stop_on_escape(store);
    show_scores(store);
    let links = Links::new(store);
    provide_context(links);
    let dragging = accept_dropped_and_pasted(store, links);
    let top = NodeRef::<html::Div>::new();
    view! {
        <div class="app" node_ref=top tabindex="-1">
            <Status/>
            <Alert top/>
            <Failure/>
            <div class="workbench">
                <Chooser/>
                <Controls/>
                <Disturbances/>
            </div>
            <div class="columns" id="comparison">
                <NetworkColumn network=Slot::Left/>
                <NetworkColumn network=Slot::Right/>
            </div>
            <Unusable/>
            <Announcement/>
            <Lab/>
        </div>
        <Portal mount=element("colophon")>
            <Colophon/>
        </Portal>
        <div class="drop-hint" class:shown=follow(move || dragging.get()) aria-hidden="true">"Drop the picture"</div>
    }
}

/// Shows the last thing that went wrong.
#[component]
fn Alert(
    /// Where the keyboard goes once the alert is dismissed.
    top: NodeRef<html::Div>,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let alert = store.read(|state| state.alert.clone());
    let dismiss = move |_| {
        store.dispatch(Event::Dismiss);
        focus(top);
    };
    // The region is always there: a live region that appears together with its text is not read out everywhere.
    view! {
        <div class="alert-region" role="alert">
            {move || {
                alert
                    .get()
                    .map(|message| {
                        view! {
                            <div class="alert">
                                <p data-testid="alert">{message}</p>
                                <button
                                    type="button"
                                    class="plain"
                                    data-testid="alert-dismiss"
                                    on:click=dismiss
                                >
                                    "Dismiss"
                                </button>
                            </div>
                        }
                    })
            }}
        </div>
    }
}

/// Shows both verdicts in words, for screen readers.
#[component]
fn Announcement() -> impl IntoView {
    let store = expect_context::<Store>();
    let verdicts = store.read(|state| {
        let stopped = state.columns.iter().any(|column| column.progress == Progress::Stopped);
        let is_done = |column: &Column| matches!(column.progress, Progress::Done | Progress::Empty);
        let done = state.columns.iter().all(is_done);
        if done || stopped { Slot::ALL.map(|slot| spoken_verdict(state, slot)).join(" ") } else { String::new() }
    });
    view! { <p class="visually-hidden" role="status" aria-live="polite">{verdicts}</p> }
}

fn spoken_verdict(state: &State, slot: Slot) -> String {
    let moment = state.columns[slot.index()].moment();
    let (Some(verdict), Some(words)) = (state.verdict(slot), state.verdict_words(slot)) else {
        return String::new();
    };
    format!("{} network: {}. {words}", state.title(slot), verdict.chip(moment))
}

/// Shows what the networks scored, as the engine has written it: below what index.html has to read, which so stays where it is.
fn show_scores(store: Store) {
    let scores = store.read(|state| state.scores.clone());
    let top5 = || Some(document().get_element_by_id("scores-top5")?.unchecked_into::<HtmlInputElement>());
    Effect::new(move |_| {
        let Some(place) = document().get_element_by_id("results") else { return };
        // What the visitor ticked outlives the networks being loaded again.
        let ticked = top5().is_some_and(|it| it.checked());
        place.set_inner_html(&scores.get());
        if let Some(it) = top5() {
            it.set_checked(ticked);
        }
    });
}

/// Escape stops the attack under way, wherever the keyboard is.
fn stop_on_escape(store: Store) {
    let handle = window_event_listener(ev::keydown, move |event| {
        // What has taken the key already, an open menu for one, keeps it.
        if event.key() == "Escape" && !event.default_prevented() {
            store.dispatch(Event::Cancel);
        }
    });
    on_cleanup(move || handle.remove());
}

/// Returns the page as its address asks for it: the backend, and what a link restores.
fn page_in_address() -> State {
    let query = window().location().search().unwrap_or_default();
    let parameters = UrlSearchParams::new_with_str(&query).ok();
    let get = |name: &str| parameters.as_ref().and_then(|parameters| parameters.get(name));
    let choice = get(BACKEND_PARAMETER).and_then(|name| BackendChoice::from_name(&name)).unwrap_or_default();
    let page = State::new(choice).served_from(offline::page_folder().unwrap_or_default(), memory::measured());
    page.remembering(memory::pair()).following(Link::read(get))
}
