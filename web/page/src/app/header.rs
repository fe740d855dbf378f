//! What computes, how far it is, and the switch that changes it.

use leptos::prelude::*;
use wasm_bindgen::JsValue;
use web_sys::Url;

use super::BACKEND_PARAMETER;
use super::browser::Store;
use super::downloads::DownloadBar;
use super::notes::Offline;
use crate::app::follow::follow;
use crate::state::{Event, Phase, State};
use crate::text;
use protocol::{Backend, BackendChoice, Slot};

/// Shows the engine's status: what computes and why, how far its downloads are or what it is capable of, and the switch.
#[component]
pub(super) fn Status() -> impl IntoView {
    let store = expect_context::<Store>();
    let phase = store.read(|state| state.engine.phase.clone());
    let work = store.read(State::work);
    let weights = store.read(|state| {
        let cached = state.engine.downloads.iter().flatten().all(|download| download.cached);
        (state.engine.phase == Phase::Ready).then_some(if cached { "cache" } else { "network" })
    });
    let starting = store.read(State::is_starting);
    let doing = store.read(doing_words);
    let reason = store.read(State::backend_reason);
    // One line of words at a time, so that nothing moves.
    let shown = store.read(|state| {
        let first = state.backend_reason().is_empty() || state.engine.phase == Phase::Asking;
        if first { doing_words(state) } else { String::new() }
    });
    let lines =
        move || if starting.get() { view! { <Downloads/> }.into_any() } else { view! { <Figures/> }.into_any() };
    view! {
        <section
            class="status panel"
            aria-label="Engine"
            data-testid="engine-status"
            data-state=follow(move || phase.with(Phase::name))
            data-work=follow(move || work.get().name())
            data-weights=weights
        >
            <div class="status-head">
                <Badge/>
                <p class="reason" aria-hidden="true">{shown}</p>
                // Read out when it changes: that the CPU took over, above all.
                <p class="reason" role="status" data-testid="backend-reason">{reason}</p>
                <p class="visually-hidden" role="status">{doing}</p>
            </div>
            {follow(lines)}
            <Switch/>
        </section>
    }
}

/// Returns what is being done until the engine is ready; empty from then on.
fn doing_words(state: &State) -> String {
    let total: u64 = state.engine.downloads.iter().flatten().map(|download| download.total).sum();
    match &state.engine.phase {
        Phase::Starting => {
            "Downloading and compiling the engine. Later visits take it from this browser’s cache.".into()
        }
        Phase::OpeningDevice => "Looking for something to compute with.".into(),
        Phase::Asking => "A large network is not downloaded before you say so: see below.".into(),
        Phase::Downloading if total > 0 => format!("Downloading the two networks, {} in all.", text::bytes(total)),
        Phase::Downloading => "Downloading the two networks.".into(),
        Phase::SelfTesting(slot) => {
            format!("Warming up: checking that this device computes the network {} as it should.", state.title(*slot))
        }
        Phase::Ready | Phase::Failed(_) => String::new(),
    }
}

#[component]
fn Badge() -> impl IntoView {
    let store = expect_context::<Store>();
    let name = store.read(|state| match &state.engine.backend {
        None => "",
        Some(report) if report.backend == Backend::WebGpu => "webgpu",
        Some(_) => "cpu",
    });
    let software = store.read(|state| state.engine.backend.as_ref().is_some_and(|report| report.software).to_string());
    let fallback = store.read(|state| state.engine.fallback.is_some().to_string());
    let words = store.read(badge_words);
    let busy = store.read(|state| !matches!(state.engine.phase, Phase::Ready | Phase::Asking | Phase::Failed(_)));
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
    let backend = match &state.engine.backend {
        Some(report) if report.backend == Backend::WebGpu && report.software => "WebGPU (software)",
        Some(report) if report.backend == Backend::WebGpu => "WebGPU",
        Some(_) => "CPU",
        None => "Engine",
    };
    let doing = match &state.engine.phase {
        Phase::Starting => "starting".into(),
        Phase::OpeningDevice => "looking for a device".into(),
        Phase::Asking => "waiting for you".into(),
        Phase::Downloading => match downloaded(state) {
            Some(share) => format!("loading networks, {}", text::percent(share)),
            None => "loading networks".into(),
        },
        Phase::SelfTesting(_) => "warming up".into(),
        Phase::Ready => "ready".into(),
        Phase::Failed(_) => "failed".into(),
    };
    format!("{backend}: {doing}")
}

/// Share of the networks' bytes that are here, once it is known how many there will be.
fn downloaded(state: &State) -> Option<f64> {
    let [Some(left), Some(right)] = state.engine.downloads else { return None };
    let total = left.total + right.total;
    (total > 0).then(|| (left.received + right.received) as f64 / total as f64)
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
    let choice = store.read(|state| state.engine.choice);
    let options = BackendChoice::ALL.map(|option| {
        let label = match option {
            BackendChoice::Auto => "Automatic",
            BackendChoice::WebGpu => "WebGPU",
            BackendChoice::Cpu => "CPU",
        };
        view! { <option value=option.name() prop:selected=follow(move || choice.get() == option)>{label}</option> }
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

/// Shows how the engine and the networks are coming along.
#[component]
fn Downloads() -> impl IntoView {
    let store = expect_context::<Store>();
    let network = |slot: Slot| {
        let title = store.read(move |state| state.title(slot));
        let bar = store.read(move |state| state.network_bar(slot));
        view! { <DownloadBar id=format!("progress-{}", slot.name()) label=title bar/> }
    };
    view! {
        <div class="status-lines">
            <DownloadBar id="progress-engine".into() label="Engine".to_owned() bar=store.read(State::engine_bar)/>
            {Slot::ALL.map(network).into_iter().collect_view()}
        </div>
    }
}

/// Shows what the engine computes on, how fast it is, and whether the next visit needs a network.
#[component]
fn Figures() -> impl IntoView {
    let store = expect_context::<Store>();
    let device = store.read(|state| match &state.engine.backend {
        Some(report) => match (&report.adapter, report.backend) {
            (Some(adapter), _) => adapter.clone(),
            (None, Backend::WebGpu) => "a graphics card that the browser does not name".into(),
            (None, Backend::Cpu) => "this device’s processor".into(),
        },
        None => "–".into(),
    });
    let speed = store.read(|state| timing_words(state).unwrap_or_else(|| "measured with the first picture".into()));
    view! {
        <dl class="status-lines">
            <div>
                <dt>"Device"</dt>
                <dd data-testid="adapter">{device}</dd>
            </div>
            <div>
                <dt>"Speed"</dt>
                <dd data-testid="timing">{speed}</dd>
            </div>
            <div>
                <dt>"Offline"</dt>
                <dd><Offline/></dd>
            </div>
        </dl>
    }
}

/// `4.3 ms a forward pass, 12 ms an attack step`: of the slower of the two networks, as far as it was seen.
fn timing_words(state: &State) -> Option<String> {
    let slowest = |times: [Option<f64>; 2]| times.into_iter().flatten().reduce(f64::max);
    let forward = slowest(state.columns.each_ref().map(|column| column.clean_ms));
    let step = slowest(state.columns.each_ref().map(|column| {
        let last = column.steps.last().filter(|step| step.done > 0)?;
        Some(last.elapsed_ms / f64::from(last.done))
    }));
    let forward = forward.map(|ms| format!("{} a forward pass", text::duration(ms)));
    let step = step.map(|ms| format!("{} an attack step", text::duration(ms)));
    let said: Vec<String> = [forward, step].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// Shows why there is no engine, once it is clear that there will be none.
#[component]
pub(super) fn Failure() -> impl IntoView {
    let store = expect_context::<Store>();
    let failed = store.read(|state| match &state.engine.phase {
        Phase::Failed(why) => Some(why.clone()),
        _ => None,
    });
    let lacks_networks = store.read(State::lacks_networks);
    let again = move |_| store.dispatch(Event::GoOn);
    let panel = move |why: String| {
        view! {
            <div class="failure panel">
                <h2>{if lacks_networks.get() { "The networks cannot be loaded" } else { "The engine cannot start" }}</h2>
                <p data-testid="engine-error">{why}</p>
                <div class="sources">
                    <button type="button" data-testid="engine-retry" on:click=again>"Try again"</button>
                    // index.html reloads, without a kept copy of the page that may be of another build than the server's.
                    <button type="button" data-testid="engine-reload" data-reload="">"Reload the page"</button>
                </div>
            </div>
        }
    };
    // The region is always there, as with the alert.
    view! { <div class="failure-region" role="alert">{follow(move || failed.get().map(panel))}</div> }
}
