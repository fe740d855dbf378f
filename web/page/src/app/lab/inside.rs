//! What is inside of the networks: evidence, detectors, and the feature maps that an attack changes.

use std::sync::Arc;

use leptos::prelude::*;

use super::super::canvas::DrawingCanvas;
use super::job::Job;
use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::state::{Event, State, Work};
use crate::text;
use protocol::{Drawing, Gauge, Insight, Slot, StageMaps, View};
use terms::standing::of_100;

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
    let insight = store.read(move |state| state.columns[network.index()].insight.clone());
    // Result of the sweep of the same picture.
    let smallest = store.read(move |state| {
        let found = state.sweep.curves[network.index()].smallest?;
        let target = state.sweep.settings.target.map(|class| state.class_name(class));
        Some(text::smallest_change(&state.sweep.settings, target.as_deref(), found))
    });
    let smallest =
        move || smallest.get().map(|words| view! { <p data-testid=format!("smallest-words-{name}")>{words}</p> });
    let found = move || {
        let insight: Arc<Insight> = insight.get()?;
        let views = [("Before", Some(&insight.before)), ("After", insight.after.as_ref())];
        let views = views.into_iter().filter_map(|(when, view)| Some((when, view?)));
        let evidence = views.clone().filter_map(|(when, view)| Some((when, view.evidence.clone()?)));
        let evidence = evidence.map(|(when, drawing)| {
            figure(drawing, format!("evidence-{}-{name}", when.to_lowercase()), "inside-picture", when.into())
        });
        let gauges = gauges(views.map(|(_, view)| view).collect(), store, can_look, name);
        let none_of = insight.none_of.clone();
        let none_of = none_of.map(|note| view! { <p class="hint" data-testid=format!("none-of-{name}")>{note}</p> });
        let stages = insight.stages.iter().map(|stage| stage_figure(stage, name));
        Some(view! {
            <p class="words" data-testid=format!("words-{name}")>{insight.words.clone()}</p>
            {smallest}
            {none_of}
            <div class="evidence">{evidence.collect_view()}</div>
            <p class="hint">{insight.colours.clone()}</p>
            {gauges}
            {stages.collect_view()}
        })
    };
    view! {
        <section
            aria-label=title
            data-testid=format!("inside-{name}")
            data-found=follow(move || insight.with(Option::is_some).to_string())
            hidden=follow(move || insight.with(Option::is_none))
        >
            <h4>{title}</h4>
            {found}
        </section>
    }
}

fn figure(drawing: Drawing, testid: String, class: &'static str, caption: String) -> impl IntoView + use<> {
    let label = match class {
        "inside-picture" => "The picture under the evidence of its cells: red for the answer, blue against it",
        _ => "Feature maps before the attack, after it, and their difference",
    };
    view! {
        <figure>
            <DrawingCanvas drawing=Signal::stored(Some(drawing)) class testid label/>
            <figcaption>{caption}</figcaption>
        </figure>
    }
}

/// Shows a row for each detector: its false-alarm rate at the score of the picture, before and after the attack, and a button that attacks
/// network and detector together.
fn gauges(views: Vec<&View>, store: Store, can_look: Memo<bool>, network: &'static str) -> impl IntoView + use<> {
    let kinds: Vec<Gauge> = views.first().map(|view| view.gauges.clone()).unwrap_or_default();
    let rows = kinds.into_iter().enumerate().map(|(place, gauge)| {
        let cells = views.iter().filter_map(|view| view.gauges.get(place));
        let cells = cells.map(|gauge| {
            let words = of_100(gauge.share_above);
            let style = format!("--share: {:.4}", 1.0 - gauge.share_above);
            view! {
                <td data-share=format!("{:.4}", gauge.share_above)>
                    {words} <span class="bar" aria-hidden="true" style=style></span>
                </td>
            }
        });
        let note = gauge.note.clone();
        view! {
            <tr>
                <th scope="row">
                    {gauge.kind.label()} <small>{note}</small>
                    <button
                        type="button"
                        class="plain"
                        data-testid=format!("evade-{}-{network}", gauge.kind)
                        aria-disabled=follow(move || (!can_look.get()).to_string())
                        on:click=move |_| store.dispatch(Event::Look(Some(gauge.kind)))
                    >
                        "Fool both"
                    </button>
                </th>
                {cells.collect_view()}
            </tr>
        }
    });
    let rows: Vec<_> = rows.collect();
    let heads = ["Before", "After"].into_iter().take(views.len()).map(|head| view! { <th scope="col">{head}</th> });
    (!rows.is_empty()).then(|| {
        view! {
            <table class="gauges">
                <caption>
                    "Detectors of attacks: how many of 100 untouched pictures resemble attacked ones at least as much as this picture does"
                </caption>
                <thead>
                    <tr>
                        <th scope="col">"Detector"</th>
                        {heads.collect_view()}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
    })
}

fn stage_figure(stage: &StageMaps, network: &str) -> impl IntoView + use<> {
    let channels: Vec<String> = stage.channels.iter().map(u16::to_string).collect();
    let change =
        stage.change.map_or_else(String::new, |change| format!(", changed by {}", text::percent(change.into())));
    let caption = format!("{}{change}; channels {}: before, after, change", stage.name, channels.join(", "));
    figure(stage.drawing.clone(), format!("maps-{}-{network}", stage.name), "inside-maps", caption)
}
