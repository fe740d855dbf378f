//! A network's card, folded away until someone wants to know.

use leptos::prelude::*;

use crate::protocol::Slot;
use crate::scores::{Fact, Network, Value, facts};

/// What a network is and how it was made.
pub(super) fn model_card(slot: Slot, network: &Network) -> impl IntoView + use<> {
    let facts = facts(network.info).into_iter().map(fact).collect_view();
    view! {
        <details data-testid=format!("card-{}", slot.name())>
            <summary>{format!("{}: model card", network.title)}</summary>
            <dl>{facts}</dl>
        </details>
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
    };
    view! {
        <div>
            <dt>{name}</dt>
            {said}
        </div>
    }
}
