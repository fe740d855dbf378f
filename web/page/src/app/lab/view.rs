//! How the change of a picture is shown.

use leptos::prelude::*;

use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::app::slider::Slider;
use crate::pictures::{Drawing, MAX_GAIN, usual_gain};
use protocol::Radius;

/// How the change is drawn, on the whole page. A handle: copies are the same settings.
#[derive(Clone, Copy)]
pub(in super::super) struct ViewSettings {
    /// What the visitor chose; none follows epsilon.
    gain: RwSignal<Option<u8>>,
    drawing: RwSignal<Drawing>,
}

impl ViewSettings {
    /// Returns the usual settings.
    pub(in super::super) fn new() -> Self {
        Self { gain: RwSignal::new(None), drawing: RwSignal::new(Drawing::default()) }
    }

    /// Returns how many times a change is amplified, that an attack of `radius` made.
    pub(in super::super) fn gain(self, radius: Radius) -> u8 {
        self.gain.get().unwrap_or_else(|| usual_gain(radius.drawn_change_255()))
    }

    /// Returns how the change is drawn.
    pub(in super::super) fn drawing(self) -> Drawing {
        self.drawing.get()
    }
}

/// Shows the settings.
#[component]
pub(in super::super) fn Viewing() -> impl IntoView {
    let store = expect_context::<Store>();
    let settings = expect_context::<ViewSettings>();
    let epsilon = store.read(|state| state.attack.latest.radius());
    let gain = move || settings.gain(epsilon.get());
    let drawings = [(Drawing::Channels, "channels", "Colours"), (Drawing::Signed, "signed", "Lighter or darker")];
    let choices = drawings.map(|(drawing, name, label)| {
        view! {
            <label>
                <input
                    type="radio"
                    name="drawing"
                    value=name
                    prop:checked=follow(move || settings.drawing.get() == drawing)
                    data-testid=format!("drawing-{name}")
                    on:change=move |_| settings.drawing.set(drawing)
                />
                <span>{label}</span>
            </label>
        }
    });
    view! {
        <section class="panel lab-panel" aria-labelledby="view-title">
            <h3 id="view-title">"See the change"</h3>
            <Slider
                label="Amplify"
                id="gain"
                min=1
                max=i32::from(MAX_GAIN)
                value=Signal::derive(move || gain().into())
                words=Signal::derive(move || format!("{} times", gain()))
                // Both ends are an u8's.
                on_input=move |gain| settings.gain.set(Some(gain as u8))
            />
            <button
                type="button"
                class="plain"
                data-testid="gain-auto"
                aria-disabled=follow(move || settings.gain.get().is_none().to_string())
                on:click=move |_| settings.gain.set(None)
            >
                "Follow epsilon"
            </button>
            <fieldset class="segmented">
                <legend>"Draw it as"</legend>
                <div class="segments">{choices.into_iter().collect_view()}</div>
                <p class="hint">
                    {move || match settings.drawing.get() {
                        Drawing::Channels => "Red, green and blue around mid-grey: grey is no change.",
                        Drawing::Signed => "Orange where the picture became lighter, blue where darker; white is no change.",
                    }}
                </p>
            </fieldset>
        </section>
    }
}
