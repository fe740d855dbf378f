//! Two large figures a network, before all the others.

use leptos::prelude::*;

use super::table::bar;
use crate::scores::{Cell, Figures, Headline};

/// What each network knows without an attack, and what is left of it under one. Bars are full at `bar_end`, as in the tables.
pub(super) fn headline(found: Headline, bar_end: f64) -> impl IntoView {
    let meaning = found.meaning();
    let Headline { attack, networks } = found;
    let of_network = |Figures { title, clean, attacked }: Figures| {
        view! {
            <div>
                <dt>{title}</dt>
                {figure("without an attack".into(), clean, bar_end)}
                {figure(format!("under {attack}"), attacked, bar_end)}
            </div>
        }
    };
    view! {
        <dl class="headline" data-testid="scores-headline">
            {networks.into_iter().map(of_network).collect_view()}
        </dl>
        <p class="hint">{meaning}</p>
    }
}

fn figure(what: String, cell: Cell, bar_end: f64) -> impl IntoView {
    view! {
        <dd>
            <span class="figure">{cell.top1_words()}</span>
            " "
            <span class="what">{what}</span>
            {bar(&cell, bar_end)}
        </dd>
    }
}
