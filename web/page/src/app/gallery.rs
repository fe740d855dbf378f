//! Choosing a picture, and what the networks see of it.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use super::browser::Store;
use super::camera::Camera;
use super::canvas::PixelCanvas;
use super::crop::{CropNotes, CropStage};
use super::focus::focus;
use super::link::LinkForm;
use crate::app::follow::follow;
use crate::state::{Event, Sample, State};

/// Gallery, file, camera, link; and the chosen picture.
#[component]
pub(super) fn Chooser() -> impl IntoView {
    let store = expect_context::<Store>();
    let camera_open = RwSignal::new(false);
    let camera_button = NodeRef::<html::Button>::new();
    let close_camera = move || {
        camera_open.set(false);
        // The button that closed it is gone.
        focus(camera_button);
    };
    let choose_file = move |event: leptos::ev::Event| {
        let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) else {
            return;
        };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            store.pick_file(file, None);
        }
        // So that choosing the same file again is a change again.
        input.set_value("");
    };
    view! {
        <section class="panel chooser" aria-labelledby="chooser-title">
            <h2 id="chooser-title"><span class="step">"1"</span>"Choose a picture"</h2>
            <Chosen/>
            <Gallery/>
            <div class="sources">
                <label class="button">
                    "Open a file…"
                    <input
                        class="visually-hidden"
                        type="file"
                        accept="image/*"
                        data-testid="file-input"
                        on:change=choose_file
                    />
                </label>
                <button
                    type="button"
                    node_ref=camera_button
                    data-testid="camera-open"
                    aria-expanded=follow(move || camera_open.get().to_string())
                    on:click=move |_| camera_open.update(|open| *open = !*open)
                >
                    "Camera"
                </button>
                <span class="hint">"or drop or paste one anywhere"</span>
            </div>
            <Show when=move || camera_open.get()>
                <Camera close=close_camera/>
            </Show>
            <LinkForm/>
            <p class="picture-private" data-testid="picture-private">
                "Your picture never leaves this device: this browser reads it, and both networks run in it."
            </p>
        </section>
    }
}

/// Shows the picture as it is in its file, and as the networks see it.
#[component]
fn Chosen() -> impl IntoView {
    let store = expect_context::<Store>();
    let pixels = store.read(|state| state.picture.shown.as_ref().map(|shown| shown.pixels.clone()));
    let title = store.read(|state| state.picture.shown.as_ref().map(|shown| shown.candidate.file.title.clone()));
    let facts = store.read(picture_facts);
    let opened = store.read(|state| state.picture.count);
    let pending = store.read(State::picture_pending);
    view! {
        <div
            class="chosen"
            data-testid="picture"
            data-picture=follow(move || opened.get().to_string())
            data-picture-title=title
            data-pending=follow(move || pending.get().to_string())
        >
            <figure>
                <CropStage/>
                <figcaption>"The picture"</figcaption>
            </figure>
            <span class="arrow" aria-hidden="true">"→"</span>
            <figure>
                <div class="square">
                    <PixelCanvas pixels testid="input-canvas" label="The picture at 64 by 64 pixels"/>
                </div>
                <figcaption>"What the networks see"</figcaption>
            </figure>
            <p class="facts">{facts}</p>
            <CropNotes/>
        </div>
    }
}

fn picture_facts(state: &State) -> String {
    let Some(shown) = &state.picture.shown else {
        return "The networks see 64 × 64 pixels: the centre square, scaled down.".into();
    };
    let mut facts = vec![shown.candidate.file.title.clone()];
    let (width, height) = shown.candidate.size;
    facts.push(format!("{width} × {height} pixels, seen at 64 × 64"));
    if let Some(label) = state.label() {
        facts.push(format!("labelled {}", state.class_name(label)));
    }
    if shown.is_detail() && shown.candidate.file.label.is_some() {
        facts.push("so small a part of it that it need not show what the whole does".into());
    }
    facts.extend(shown.candidate.file.source.clone());
    format!("{}.", facts.join("; "))
}

/// Shows the samples.
#[component]
fn Gallery() -> impl IntoView {
    let store = expect_context::<Store>();
    let samples = store.read(|state| state.samples.clone());
    let chosen = store.read(|state| state.picture.shown.as_ref().and_then(|shown| shown.candidate.file.sample));
    let thumbnail = move |(index, sample): (usize, Sample)| {
        let url = sample.url();
        let Sample { title, .. } = sample;
        let pressed = move || (chosen.get() == Some(index)).to_string();
        view! {
            <li>
                <button
                    type="button"
                    class="sample"
                    title=title
                    aria-pressed=follow(pressed)
                    data-testid=format!("sample-{index}")
                    on:click=move |_| store.dispatch(Event::SampleChosen(index))
                >
                    <img src=url alt=title.clone() width="56" height="56" loading="lazy" draggable="false"/>
                </button>
            </li>
        }
    };
    view! {
        <ul class="samples" data-testid="samples" aria-label="Samples">
            {follow(move || samples.get().into_iter().enumerate().map(thumbnail).collect_view())}
        </ul>
    }
}
