//! An attack step by step: the scrubber, and how the loss rises.

use leptos::prelude::*;

use super::plot::{Legend, Plot};
use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::app::slider::Slider;
use crate::lines::Lines;
use crate::state::{Event, State};
use crate::text;
use protocol::{Slot, Step};

/// Chooses the step that both columns show.
#[component]
pub(super) fn Steps() -> impl IntoView {
    let store = expect_context::<Store>();
    let last = store.read(State::last_step);
    let shown = store.read(State::step_shown);
    let any = store.read(|state| state.columns.iter().any(|column| column.steps.len() > 1));
    let loss = store.read(|state| lines(state, |step| step.loss.into(), false));
    let share = store.read(|state| lines(state, |step| step.own_share.into(), true));
    let rows = Slot::ALL.map(|slot| {
        let title = store.read(move |state| state.title(slot));
        let words = store.read(move |state| step_words(state, slot));
        view! {
            <div>
                <dt>{title}</dt>
                <dd data-testid=format!("step-{}", slot.name())>{words}</dd>
            </div>
        }
    });
    let of = move || format!("{} of {}", shown.get(), last.get());
    let mark = Signal::derive(move || any.get().then(|| f64::from(shown.get())));
    view! {
        <section class="panel lab-panel" aria-labelledby="steps-title">
            <h3 id="steps-title">"Step by step"</h3>
            <p class="hint">
                "BIM and PGD climb the loss in small steps. Move the slider to see picture, perturbation and answers above after each
                of them; 0 is where the attack began."
            </p>
            <Slider
                label="After step"
                id="scrubber"
                min=0
                max=Signal::derive(move || last.get().max(1) as i32)
                value=Signal::derive(move || shown.get() as i32)
                words=Signal::derive(of)
                off=Signal::derive(move || !any.get())
                // It is 0 or more.
                on_input=move |step| store.dispatch(Event::Scrub(Some(step as u32)))
            />
            <dl class="facts stacked">{rows.into_iter().collect_view()}</dl>
            // Noise takes no step, and before an attack there is none.
            <div class="plots" hidden=follow(move || !any.get())>
                <Legend/>
                <figure>
                    <figcaption>"Loss (cross entropy, nats)"</figcaption>
                    <Plot lines=loss label="Loss after each step, for both networks" axis="step" mark testid="loss-plot"/>
                </figure>
                <figure>
                    <figcaption>"Probability of the first answer"</figcaption>
                    <Plot
                        lines=share
                        label="Probability of the answer before the attack, after each step, for both networks"
                        axis="step"
                        mark
                        testid="share-plot"
                    />
                </figure>
            </div>
        </section>
    }
}

fn lines(state: &State, value: impl Fn(&Step) -> f64, percent: bool) -> Lines {
    let line = |slot: Slot| {
        let points = state.columns[slot.index()].steps.iter();
        points.map(|step| [f64::from(step.done), value(step)]).collect::<Vec<_>>()
    };
    let lines: Vec<Vec<[f64; 2]>> = Slot::ALL.map(line).into();
    let highest = lines.iter().flatten().map(|point| point[1]).fold(0.0, f64::max);
    let y_end = if percent { 1.0 } else { highest.ceil().max(1.0) };
    Lines { x_range: [0.0, f64::from(state.last_step().max(1))], y_end, percent, lines }
}

/// `goldfish, 61%; loss 0.49`.
fn step_words(state: &State, slot: Slot) -> String {
    let column = &state.columns[slot.index()];
    let Some((step, best)) = column.step().and_then(|step| Some((step, step.top.first()?))) else {
        return "–".into();
    };
    let (name, share) = (state.class_name(best.class), text::percent(best.share.into()));
    format!("{name}, {share}; loss {:.2}", step.loss)
}
