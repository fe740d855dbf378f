//! What is inside of the networks: evidence, detectors, and the feature maps that an attack changes. The engine draws it.

use leptos::ev::MouseEvent;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::job::Job;
use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::state::{Event, State, Work};
use crate::text;
use protocol::Slot;
use terms::detection::DetectorKind;

/// Shows the button that looks into the networks, and what was found.
#[component]
pub(super) fn Inside() -> impl IntoView {
    view! {
        <section class="panel lab-panel inside" aria-labelledby="inside-title">
            <h3 id="inside-title">"Inside"</h3>
            <p class="hint">
                "Where the evidence for an answer is, which maps an attack changes, and what detectors of attacks say, of the pictures above.
                “Fool both” attacks a network and its detector together, and shows what came of that instead. The paper's own detector told
                normal, FGSM and BIM pictures apart in 33% of cases, which is chance. What an attacker who knows a detector leaves of it
                stands beside each."
            </p>
            <Job
                name="look"
                work=Work::Looking
                words=["Look inside", "Looking…"]
                can_start=State::can_look
                start=Event::Look(None)
            />
            <div class="insights">{Slot::ALL.map(|network| view! { <OneInside network/> }).collect_view()}</div>
        </section>
    }
}

/// Shows what is inside of one network.
#[component]
fn OneInside(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let name = network.name();
    let title = store.read(move |state| state.title(network));
    let can_look = store.read(State::can_look);
    let found = store.read(move |state| state.columns[network.index()].insight.clone());
    let is_empty = move || found.with(Option::is_none);
    let html = move || found.with(|found| found.as_ref().map_or_else(String::new, |insight| insight.html.clone()));
    // Result of the sweep of the same picture.
    let smallest = store.read(move |state| {
        let found = state.sweep.curves[network.index()].smallest?;
        let target = state.sweep.settings.target.map(|class| state.class_name(class));
        Some(text::smallest_change(&state.sweep.settings, target.as_deref(), found))
    });
    let place = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        let Some(place) = place.get() else { return };
        found.track();
        let off = (!can_look.get()).to_string();
        for button in buttons(&place) {
            // An element takes any attribute with a valid name.
            let _ = button.set_attribute("aria-disabled", &off);
        }
    });
    let evade = move |event: MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        // A browser that translates the page puts elements of its own into the button.
        let button = target.and_then(|target| target.closest(&format!("[{EVADE}]")).ok()?);
        let kind = button.and_then(|button| button.get_attribute(EVADE));
        if let Some(kind) = kind.as_deref().and_then(DetectorKind::named) {
            store.dispatch(Event::Look(Some(kind)));
        }
    };
    view! {
        <section
            aria-label=title
            data-testid=format!("inside-{name}")
            data-found=follow(move || (!is_empty()).to_string())
            hidden=follow(is_empty)
        >
            <h4>{title}</h4>
            <p data-testid=format!("smallest-words-{name}") hidden=follow(move || smallest.with(Option::is_none))>{smallest}</p>
            <div class="insight" node_ref=place inner_html=follow(html) on:click=evade></div>
        </section>
    }
}

/// Attribute of the buttons that attack a network and a detector together, which names the detector.
const EVADE: &str = "data-evade";

fn buttons(place: &Element) -> impl Iterator<Item = Element> {
    let found = place.query_selector_all("button").ok();
    let count = found.as_ref().map_or(0, web_sys::NodeList::length);
    (0..count).filter_map(move |number| found.as_ref()?.get(number)?.dyn_into().ok())
}
