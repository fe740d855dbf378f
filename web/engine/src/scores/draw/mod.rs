//! The scores as HTML: tables, curves, cards. What is in them, the rest of `scores` decides; this draws it.

mod card;
mod curves;
mod headline;
mod table;

use maud::{Markup, html};

use super::{Network, Sheet, charts, headline as headline_of};
use card::model_card;
use curves::curves;
use headline::headline;
use protocol::Slot;
use table::tables;

/// Returns all that there is to say of the networks, left and right, as the content of a page's section: no script in it,
/// and whatever the cards say is text.
pub fn draw(places: [Option<Network<'_>>; 2]) -> String {
    let networks: Vec<Network<'_>> = places.into_iter().flatten().collect();
    let sheet = Sheet::of(&networks);
    html! {
        section.panel.scores aria-labelledby="scores-title" data-testid="scores" {
            h2 #scores-title { "Scores" }
            @if !sheet.groups.is_empty() { (measured(&sheet, &networks)) }
            @for network in &sheet.unevaluated {
                p.hint data-testid="scores-missing" {
                    (network) ": not evaluated yet: " code { "bastion evaluate --save" }
                }
            }
            p.hint { a href="#scores" { "What these figures say, and what not" } }
            div.cards {
                @for (slot, network) in Slot::ALL.into_iter().zip(&places) {
                    @if let Some(network) = network { (model_card(slot, network)) }
                }
            }
        }
    }
    .into_string()
}

fn measured(sheet: &Sheet, networks: &[Network<'_>]) -> Markup {
    html! {
        @if let Some(found) = headline_of(sheet) { (headline(&found, sheet.bar_end)) }
        (tables(sheet))
        (curves(&charts(networks)))
    }
}
