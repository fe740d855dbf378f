//! What a network scored, from its card.

use leptos::prelude::*;

use super::store::Store;
use crate::protocol::{ScoreLine, Slot};
use crate::text;

/// A network's name, size and scores.
#[component]
pub(super) fn Scores(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let model = store.read(move |state| state.models.as_ref().map(|models| models[network.index()].clone()));
    view! {
        <div class="scores" data-testid=format!("scores-{}", network.name())>
            {move || {
                model
                    .get()
                    .map(|model| {
                        let what = format!("{}, {}", model.architecture, text::bytes(model.weights_bytes));
                        if model.scores.is_empty() {
                            view! { <p class="hint">{format!("{what}. Its card holds no scores.")}</p> }.into_any()
                        } else {
                            let images = model.scores.iter().map(|line| line.top1.of).max().unwrap_or(0);
                            let caption = format!("{what}, on {} validation pictures", text::count(images));
                            score_table(caption, model.scores).into_any()
                        }
                    })
            }}
        </div>
    }
}

fn score_table(caption: String, lines: Vec<ScoreLine>) -> impl IntoView {
    let most = lines.iter().map(|line| line.top1.of).max().unwrap_or(0);
    let row = move |line: ScoreLine| {
        let [low, high] = line.top1_interval;
        // A score on fewer pictures than the rest says so.
        let fewer = (line.top1.of < most).then(|| format!(" ({} pictures)", text::count(line.top1.of)));
        view! {
            <tr>
                <th scope="row">{line.what}{fewer}</th>
                <td>{format!("{:.1}%", 100.0 * line.top1.value())}</td>
                <td>{format!("{:.1}–{:.1}", 100.0 * low, 100.0 * high)}</td>
                <td>{format!("{:.1}%", 100.0 * line.top5.value())}</td>
            </tr>
        }
    };
    view! {
        <table>
            <caption>{caption}</caption>
            <thead>
                <tr>
                    <th scope="col">"White-box"</th>
                    <th scope="col">"Right"</th>
                    <th scope="col">"95% interval"</th>
                    <th scope="col">"In top 5"</th>
                </tr>
            </thead>
            <tbody>{lines.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}
