//! A network's card, folded away until someone wants to know.

use maud::{Markup, html};

use crate::scores::{Fact, Network, Value, sections};
use protocol::Slot;
use terms::card::CheckItem;

/// Returns what a network is, how it was made and what it is for.
pub(super) fn model_card(slot: Slot, network: &Network<'_>) -> Markup {
    html! {
        details data-testid={ "card-" (slot.name()) } {
            summary { (network.title) ": model card" }
            @for section in sections(network) {
                section {
                    h3 { (section.title) }
                    dl { @for fact in &section.facts { (line(fact)) } }
                }
            }
        }
    }
}

fn line(Fact { name, value }: &Fact) -> Markup {
    html! {
        div {
            dt { (name) }
            dd {
                @match value {
                    Value::Words(words) => { (words) }
                    Value::Hash(hash) => { code { (hash) } }
                    Value::Commands(commands) => { ol { @for command in commands { li { code { (command) } } } } }
                    Value::Checks(items) => { ul.checks { @for item in items { (check(item)) } } }
                }
            }
        }
    }
}

fn check(CheckItem { name, figure, limit, passed }: &CheckItem) -> Markup {
    let answer = match passed {
        Some(true) => "passed",
        Some(false) => "failed",
        None => "not measured",
    };
    html! {
        li data-answer=(answer) {
            span.answer-mark { (answer) }
            span {
                (name) ": "
                span.aside {
                    (figure)
                    @if !limit.is_empty() { " (limit: " (limit) ")" }
                }
            }
        }
    }
}
