//! A network's card, folded away until someone wants to know.

use leptos::prelude::*;

use crate::protocol::{CheckLine, Slot};
use crate::scores::{Fact, Network, Section, Value, sections};

/// What a network is, how it was made and what it is for.
pub(super) fn model_card(slot: Slot, network: &Network) -> impl IntoView + use<> {
    let sections = sections(network.info).into_iter().map(section).collect_view();
    view! {
        <details data-testid=format!("card-{}", slot.name())>
            <summary>{format!("{}: model card", network.title)}</summary>
            {sections}
        </details>
    }
}

fn section(Section { title, facts }: Section) -> impl IntoView {
    view! {
        <section>
            <h3>{title}</h3>
            <dl>{facts.into_iter().map(fact).collect_view()}</dl>
        </section>
    }
}

fn fact(Fact { name, value }: Fact) -> impl IntoView {
    let said = match value {
        Value::Words(words) => view! { <dd>{words}</dd> }.into_any(),
        Value::Hash(hash) => view! { <dd><code>{hash}</code></dd> }.into_any(),
        Value::Commands(commands) => {
            let commands = commands.into_iter().map(|command| view! { <li><code>{command}</code></li> }).collect_view();
            view! { <dd><ol>{commands}</ol></dd> }.into_any()
        }
        Value::Checks(items) => {
            view! { <dd><ul class="checks">{items.into_iter().map(check).collect_view()}</ul></dd> }.into_any()
        }
    };
    view! {
        <div>
            <dt>{name}</dt>
            {said}
        </div>
    }
}

fn check(CheckLine { name, figure, limit, passed }: CheckLine) -> impl IntoView {
    let answer = match passed {
        Some(true) => "passed",
        Some(false) => "failed",
        None => "not measured",
    };
    let limit = (!limit.is_empty()).then(|| format!(" (limit: {limit})"));
    view! {
        <li data-answer=answer>
            <span class="answer-mark">{answer}</span>
            <span>{name} ": " <span class="aside">{figure}{limit}</span></span>
        </li>
    }
}
