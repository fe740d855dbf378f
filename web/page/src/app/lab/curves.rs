//! How this picture's answers fade as epsilon grows, and the smallest epsilon that changes them.

use leptos::prelude::*;

use super::job::Job;
use super::plot::{Legend, Plot};
use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::lines::Lines;
use crate::state::{Event, State, Work};
use crate::text;
use protocol::{Point, Radius, Slot};
use terms::attack::Norm;

/// Shows the curves and the button that makes them.
#[component]
pub(super) fn Curves() -> impl IntoView {
    let store = expect_context::<Store>();
    let share = store.read(|state| lines(state, |point| point.own_share.into(), true));
    let loss = store.read(|state| lines(state, |point| point.loss.into(), false));
    let any = store.read(|state| state.sweep.curves.iter().any(|curve| !curve.points.is_empty()));
    let mark = store.read(|state| {
        let (radius, swept) = (state.attack.settings.radius(), state.sweep.settings.norm());
        (radius.norm == swept).then(|| in_axis_units(radius))
    });
    let norm = store.read(|state| state.sweep.settings.norm());
    let axis = Signal::derive(move || match norm.get() {
        Norm::Linf => "epsilon, in 255ths".to_owned(),
        Norm::L2 => "epsilon, in L2".to_owned(),
        Norm::L0 => "epsilon, in pixels".to_owned(),
    });
    let made_with = store.read(|state| {
        let words = text::attack_without_epsilon(&state.sweep.settings);
        match (state.sweep.curves.iter().any(|curve| !curve.points.is_empty()), state.curves_are_current()) {
            (false, _) => String::new(),
            (true, true) => format!("Made with {words}."),
            (true, false) => format!("Made with {words}; the settings have changed since."),
        }
    });
    let rows = Slot::ALL.map(|slot| {
        let title = store.read(move |state| state.title(slot));
        let smallest = store.read(move |state| state.sweep.curves[slot.index()].smallest);
        let words = move || match smallest.get() {
            None => "–".into(),
            Some(Some(0)) => "already without an attack".into(),
            Some(Some(units)) => text::epsilon(Radius { norm: norm.get(), units }),
            Some(None) => {
                let largest = Radius { norm: norm.get(), units: Radius::largest(norm.get()) };
                format!("none up to {}", largest.short())
            }
        };
        let data = move || smallest.get().map(|found| found.map_or("none".into(), |epsilon| epsilon.to_string()));
        view! {
            <div>
                <dt>{title}</dt>
                <dd data-testid=format!("smallest-{}", slot.name()) data-epsilon=follow(data)>{follow(words)}</dd>
            </div>
        }
    });
    view! {
        <section class="panel lab-panel" aria-labelledby="curves-title">
            <h3 id="curves-title">"Epsilon by epsilon"</h3>
            <p class="hint">
                "Attacks this picture with eleven epsilons up to 32/255, or 5 in L2, then halves the interval in which the answer changes. An
                attack finds a way or it does not: the smallest epsilon is an upper bound of what the network bears."
            </p>
            <Job
                name="sweep"
                work=Work::Sweeping
                words=["Measure the curves", "Measuring…"]
                can_start=State::can_sweep
                start=Event::Sweep
            />
            <p class="hint" role="status" data-testid="swept-with">{made_with}</p>
            <h4>"Smallest epsilon that changes the answer"</h4>
            <dl class="facts stacked">{rows.into_iter().collect_view()}</dl>
            <div class="plots" hidden=follow(move || !any.get())>
                <Legend/>
                <figure>
                    <figcaption>"Probability of the first answer"</figcaption>
                    <Plot
                        lines=share
                        label="Probability of the answer before the attack against epsilon, for both networks"
                        axis
                        mark
                        testid="epsilon-share-plot"
                    />
                </figure>
                <figure>
                    <figcaption>"Loss (cross entropy, nats)"</figcaption>
                    <Plot
                        lines=loss
                        label="Loss against epsilon, for both networks"
                        axis
                        mark
                        testid="epsilon-loss-plot"
                    />
                </figure>
            </div>
        </section>
    }
}

/// Returns a radius as the axis has it: in 255ths in L-infinity, in pixel units in L2, in pixels in L0.
fn in_axis_units(radius: Radius) -> f64 {
    match radius.norm {
        Norm::Linf => radius.units.into(),
        norm => f64::from(radius.units) / f64::from(Radius::per_pixel_unit(norm)),
    }
}

fn lines(state: &State, value: impl Fn(&Point) -> f64, percent: bool) -> Lines {
    let norm = state.sweep.settings.norm();
    let line = |slot: Slot| {
        let points = state.sweep.curves[slot.index()].points.iter();
        points.map(|point| [in_axis_units(Radius { norm, units: point.units }), value(point)]).collect::<Vec<_>>()
    };
    let lines: Vec<Vec<[f64; 2]>> = Slot::ALL.map(line).into();
    let highest = lines.iter().flatten().map(|point| point[1]).fold(0.0, f64::max);
    let y_end = if percent { 1.0 } else { highest.ceil().max(1.0) };
    Lines { x_range: [0.0, in_axis_units(Radius { norm, units: Radius::largest(norm) })], y_end, percent, lines }
}
