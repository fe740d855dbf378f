//! What computes, how far it is, and the switch that changes it.

use leptos::prelude::*;
use wasm_bindgen::JsValue;
use web_sys::Url;

use super::BACKEND_PARAMETER;
use super::store::Store;
use crate::protocol::{Backend, BackendChoice, Download, Slot};
use crate::state::{Event, Phase, State};
use crate::text;

/// Name, engine status, backend and its switch.
#[component]
pub(super) fn Header() -> impl IntoView {
    let store = expect_context::<Store>();
    let phase = store.read(|state| state.phase.clone());
    let work = store.read(State::work);
    let weights = store.read(|state| {
        let cached = state.downloads.iter().flatten().all(|download| download.cached);
        (state.phase == Phase::Ready).then_some(if cached { "cache" } else { "network" })
    });
    view! {
        <header class="top">
            <div class="brand">
                <img src="icons/icon.svg" alt="" width="36" height="36"/>
                <div>
                    <h1>"Bastion"</h1>
                    <p>"An image classifier, under attack in your browser"</p>
                </div>
            </div>
            <div
                class="engine"
                data-testid="engine-status"
                data-state=move || phase.with(Phase::name)
                data-work=move || work.get().name()
                data-weights=weights
            >
                <div class="engine-line">
                    <Badge/>
                    <Switch/>
                </div>
                // Read out when it changes: that the CPU took over, above all.
                <p class="reason" role="status" data-testid="backend-reason">{store.read(State::backend_reason)}</p>
            </div>
        </header>
    }
}

#[component]
fn Badge() -> impl IntoView {
    let store = expect_context::<Store>();
    let name = store.read(|state| match &state.backend {
        None => "",
        Some(report) if report.backend == Backend::WebGpu => "webgpu",
        Some(_) => "cpu",
    });
    let software = store.read(|state| state.backend.as_ref().is_some_and(|report| report.software).to_string());
    let fallback = store.read(|state| state.fallback.is_some().to_string());
    let words = store.read(badge_words);
    let busy = store.read(|state| !matches!(state.phase, Phase::Ready | Phase::Asking | Phase::Failed(_)));
    view! {
        <span
            class="badge"
            class:busy=busy
            data-testid="backend-badge"
            data-backend=name
            data-software=software
            data-fallback=fallback
        >
            {words}
        </span>
    }
}

fn badge_words(state: &State) -> String {
    let backend = match &state.backend {
        Some(report) if report.backend == Backend::WebGpu && report.software => "WebGPU (software)",
        Some(report) if report.backend == Backend::WebGpu => "WebGPU",
        Some(_) => "CPU",
        None => "Engine",
    };
    let doing = match &state.phase {
        Phase::Starting => "starting",
        Phase::OpeningDevice => "looking for a device",
        Phase::Asking => "waiting for you",
        Phase::Downloading => "loading networks",
        Phase::SelfTesting(_) => "self-test",
        Phase::Ready => "ready",
        Phase::Failed(_) => "failed",
    };
    format!("{backend}: {doing}")
}

#[component]
fn Switch() -> impl IntoView {
    let store = expect_context::<Store>();
    let choose = move |event: leptos::ev::Event| {
        let Some(choice) = BackendChoice::from_name(&event_target_value(&event)) else {
            return;
        };
        remember(choice);
        store.dispatch(Event::Choose(choice));
    };
    let choice = store.read(|state| state.choice);
    let options = BackendChoice::ALL.map(|option| {
        let label = match option {
            BackendChoice::Auto => "Automatic",
            BackendChoice::WebGpu => "WebGPU",
            BackendChoice::Cpu => "CPU",
        };
        view! { <option value=option.name() prop:selected=move || choice.get() == option>{label}</option> }
    });
    view! {
        <label class="switch">
            <span>"Compute with"</span>
            <select data-testid="backend-select" on:change=choose>
                {options.into_iter().collect_view()}
            </select>
        </label>
    }
}

/// Puts the choice into the page's address, so that it outlives a reload.
fn remember(choice: BackendChoice) {
    let address = window().location().href().and_then(|address| Url::new(&address));
    let Ok(address) = address else {
        return;
    };
    match choice {
        BackendChoice::Auto => address.search_params().delete(BACKEND_PARAMETER),
        choice => address.search_params().set(BACKEND_PARAMETER, choice.name()),
    }
    if let Ok(history) = window().history() {
        // Where the address may not be changed, the choice holds until the reload.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address.href()));
    }
}

/// How the networks are coming along; gone once they are ready, or will not come.
#[component]
pub(super) fn Loading() -> impl IntoView {
    let store = expect_context::<Store>();
    let over = store.read(|state| !state.is_starting());
    let doing = store.read(|state| match &state.phase {
        Phase::Starting => "The first visit takes longest; later ones come from this browser’s cache.".into(),
        Phase::OpeningDevice => "Looking for something to compute with.".into(),
        Phase::Asking => "A large network is not downloaded before you say so: see below.".into(),
        Phase::Downloading => "Loading the two networks.".into(),
        Phase::SelfTesting(slot) => {
            format!("Checking that this device computes the network {} as it should.", state.title(*slot))
        }
        Phase::Ready | Phase::Failed(_) => String::new(),
    });
    view! {
        <p class="visually-hidden" role="status">{doing}</p>
        <section class="loading panel" hidden=over aria-label="Loading">
            <p aria-hidden="true">{doing}</p>
            <EngineBar/>
            {Slot::ALL.map(|slot| view! { <Bar network=slot/> }).into_iter().collect_view()}
        </section>
    }
}

/// Why there is no engine, once it is clear that there will be none.
#[component]
pub(super) fn Failure() -> impl IntoView {
    let store = expect_context::<Store>();
    let failed = store.read(|state| match &state.phase {
        Phase::Failed(why) => Some(why.clone()),
        _ => None,
    });
    let can_retry = store.read(State::can_retry);
    let retry = move || {
        let again = move |_| store.dispatch(Event::GoOn);
        can_retry.get().then(|| {
            view! { <button type="button" data-testid="engine-retry" on:click=again>"Try again"</button> }
        })
    };
    let panel = move |why: String| {
        view! {
            <div class="failure panel">
                <h2>{if can_retry.get() { "The networks cannot be loaded" } else { "The engine cannot start" }}</h2>
                <p data-testid="engine-error">{why}</p>
                {retry}
            </div>
        }
    };
    // The region is always there, as with the alert.
    view! { <div class="failure-region" role="alert">{move || failed.get().map(panel)}</div> }
}

/// The engine's program, of which the browser tells no more than that it has come.
#[component]
fn EngineBar() -> impl IntoView {
    let store = expect_context::<Store>();
    let loaded = store.read(|state| state.phase != Phase::Starting);
    // A bar without a value moves to and fro.
    let bar = move || {
        if loaded.get() {
            view! { <progress id="download-engine" max="1" value="1"></progress> }.into_any()
        } else {
            view! { <progress id="download-engine"></progress> }.into_any()
        }
    };
    view! {
        <div class="download">
            <label for="download-engine">"Engine"</label>
            {bar}
            <span class="amount">{move || if loaded.get() { "loaded" } else { "loading" }}</span>
        </div>
    }
}

/// One network's download.
#[component]
fn Bar(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let download = store.read(move |state| state.downloads[network.index()]);
    let received = move || download.get().map_or(0, |download| download.received);
    let total = move || download.get().map_or(1, |download| download.total.max(1));
    let id = format!("download-{}", network.name());
    let title = store.read(move |state| state.title(network));
    view! {
        <div class="download">
            <label for=id.clone()>{move || format!("{} network", title.get())}</label>
            <progress
                id=id
                max=move || total().to_string()
                prop:value=move || received() as f64
                data-testid=format!("progress-{}", network.name())
                data-received=move || received().to_string()
                data-total=move || download.get().map_or(0, |download| download.total).to_string()
            ></progress>
            <span class="amount">{move || download.get().map_or_else(|| "waiting".into(), amount)}</span>
        </div>
    }
}

pub(super) fn amount(download: Download) -> String {
    let total = text::bytes(download.total);
    match download.received {
        _ if download.cached => format!("{total}, kept from an earlier visit"),
        received if received == download.total => total,
        received => format!("{} of {total}", text::bytes(received)),
    }
}
