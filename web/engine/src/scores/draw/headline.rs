//! Two large figures a network, before all the others.

use maud::{Markup, html};

use super::table::bar;
use crate::scores::{Cell, Headline};

/// Returns what each network knows without an attack, and what is left of it under one. Bars are full at `bar_end`, as in
/// the tables.
pub(super) fn headline(found: &Headline, bar_end: f64) -> Markup {
    html! {
        dl.headline data-testid="scores-headline" {
            @for network in &found.networks {
                div {
                    dt { (network.title) }
                    (figure("without an attack", &network.clean, bar_end))
                    (figure(&format!("under {}", found.attack), &network.attacked, bar_end))
                }
            }
        }
        p.hint { (found.meaning()) }
    }
}

fn figure(what: &str, cell: &Cell, bar_end: f64) -> Markup {
    html! {
        dd {
            span.figure { (cell.top1_words()) }
            " "
            span.what { (what) }
            (bar(cell, bar_end))
        }
    }
}
