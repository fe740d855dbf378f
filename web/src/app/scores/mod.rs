//! What the networks scored, side by side: tables, curves, cards. What is in them, `crate::scores` decides; this draws it.

mod card;
mod curves;
mod headline;
mod table;

use leptos::prelude::*;

use super::store::Store;
use crate::protocol::{ModelInfo, Slot};
use crate::scores::{Network, Sheet, charts, headline as headline_of};
use card::model_card;
use curves::Curves;
use headline::headline;
use table::Tables;

/// The section; there once the networks are.
#[component]
pub(super) fn Scores() -> impl IntoView {
    let store = expect_context::<Store>();
    let models = store.read(|state| state.models.clone());
    // Out here, so that it outlives the networks being loaded again.
    let with_top5 = RwSignal::new(false);
    move || models.get().map(|models| section(models.as_slice(), with_top5))
}

/// `models` are the networks' cards, left and right.
fn section(models: &[ModelInfo], with_top5: RwSignal<bool>) -> impl IntoView + use<> {
    let networks: Vec<Network> = models.iter().map(|info| Network { title: &info.title, info }).collect();
    let sheet = Sheet::of(&networks);
    let charts = charts(&networks);
    let cards = Slot::ALL.into_iter().zip(&networks).map(|(slot, network)| model_card(slot, network)).collect_view();
    let missing = sheet.unevaluated.iter().cloned().map(not_evaluated).collect_view();
    let measured = (!sheet.groups.is_empty()).then(|| {
        let found = headline_of(&sheet).map(|found| headline(found, sheet.bar_end));
        view! {
            {found}
            <Tables sheet with_top5/>
            <Curves charts/>
        }
    });
    view! {
        <section class="panel scores" aria-labelledby="scores-title" data-testid="scores">
            <h2 id="scores-title">"Scores"</h2>
            {measured}
            {missing}
            <p class="hint"><a href="#scores">"What these figures say, and what not"</a></p>
            <div class="cards">{cards}</div>
        </section>
    }
}

fn not_evaluated(network: String) -> impl IntoView {
    view! {
        <p class="hint" data-testid="scores-missing">
            {network}
            ": not evaluated yet: "
            <code>"bastion evaluate --save"</code>
        </p>
    }
}
