//! The choice of the two networks: what there is, what it takes to have it, and which are wanted on the next visit.

use leptos::html;
use leptos::prelude::*;

use super::browser::Store;
use super::downloads::DownloadBar;
use super::focus::{focus, has_focus};
use crate::app::follow::follow;
use crate::state::{Event, Pending};
use crate::text;
use protocol::{Listed, Offer, Slot};

/// Shows which network stands in a place. Only where there is a choice; and what is to be said of one that is not there yet.
#[component]
pub(super) fn NetworkChooser(network: Slot) -> impl IntoView {
    let store = expect_context::<Store>();
    let select = NodeRef::<html::Select>::new();
    let can_choose = store.read(super::super::state::State::can_choose);
    let pending = store.read(move |state| state.pending(network));
    let menu = move || can_choose.get().then(|| view! { <Menu network select/> });
    view! {
        {follow(menu)}
        // Always there, and read out when it changes.
        <div class="pending-region" role="status">
            {follow(move || pending.get().map(|pending| view! { <Notice network pending select/> }))}
        </div>
    }
}

#[component]
fn Menu(network: Slot, select: NodeRef<html::Select>) -> impl IntoView {
    let store = expect_context::<Store>();
    let networks = store.read(|state| state.networks.clone());
    let wanted = store.read(move |state| state.wanted(network).map(str::to_owned));
    let other = store.read(move |state| state.wanted(network.other()).map(str::to_owned));
    let choose = move |event: leptos::ev::Event| {
        store.dispatch(Event::ChooseNetwork { slot: network, folder: event_target_value(&event) });
    };
    let option = move |Listed { folder, offer }: Listed| {
        let is = |chosen: Memo<Option<String>>, folder: &str| chosen.with(|it| it.as_deref() == Some(folder));
        let (selected, taken, unusable) = (folder.clone(), folder.clone(), offer.is_err());
        let words = offer.as_ref().map_or_else(|_| format!("{folder}: cannot be used"), text::offer);
        view! {
            <option
                value=folder
                prop:selected=follow(move || is(wanted, &selected))
                disabled=follow(move || unusable || is(other, &taken))
            >
                {words}
            </option>
        }
    };
    let id = format!("network-{}", network.name());
    view! {
        <div class="field">
            <label for=id.clone()>{format!("Network on the {}", network.name())}</label>
            <select id=id.clone() node_ref=select data-testid=id on:change=choose>
                {follow(move || networks.get().iter().cloned().map(option).collect_view())}
            </select>
        </div>
    }
}

/// Shows what is to be said of a network that is wanted and not there yet, and what can be done about it.
#[component]
fn Notice(
    network: Slot,
    pending: Pending,
    /// Where the keyboard goes once the button under it is gone.
    select: NodeRef<html::Select>,
) -> impl IntoView {
    let store = expect_context::<Store>();
    let name = network.name();
    let state = pending.name();
    let go_on = NodeRef::<html::Button>::new();
    let stay = NodeRef::<html::Button>::new();
    let dispatch = move |event: Event| {
        if has_focus(go_on) || has_focus(stay) {
            focus(select);
        }
        store.dispatch(event);
    };
    let is_loading = pending == Pending::Loading;
    let label = match &pending {
        Pending::Asking(offer) => {
            Some(format!("Download {}", text::bytes(offer.weights_bytes.saturating_sub(offer.kept_bytes))))
        }
        Pending::Failed(_) => Some("Try again".into()),
        Pending::Loading | Pending::Unfit(_) => None,
    };
    let words = match pending {
        Pending::Asking(offer) => asking(&offer),
        Pending::Loading => store.peek(|state| format!("Loading {}.", state.wanted_title(network))),
        Pending::Unfit(why) | Pending::Failed(why) => why,
    };
    let title = store.peek(|state| state.title(network));
    let other = store.peek(|state| state.wanted(network) != state.shown(network));
    let stay_label = match (state, other) {
        ("loading", _) => Some("Cancel".to_owned()),
        (_, true) => Some(format!("Stay with {title}")),
        // There is nothing else to stay with: another one can be chosen, or this one downloaded.
        (_, false) => None,
    };
    let bar = is_loading.then(|| {
        let bar = store.read(move |state| state.network_bar(network));
        view! { <DownloadBar id=format!("pending-progress-{name}") label="Download".to_owned() bar/> }
    });
    view! {
        <div class="pending" data-testid=format!("pending-{name}") data-state=state>
            <p>{words}</p>
            {bar}
            <div class="sources">
                {label
                    .map(|label| {
                        view! {
                            <button
                                type="button"
                                class="primary"
                                node_ref=go_on
                                data-testid=format!("go-on-{name}")
                                on:click=move |_| dispatch(Event::GoOn)
                            >
                                {label}
                            </button>
                        }
                    })}
                {stay_label
                    .map(|label| {
                        view! {
                            <button
                                type="button"
                                node_ref=stay
                                data-testid=format!("stay-{name}")
                                on:click=move |_| dispatch(Event::Stay)
                            >
                                {label}
                            </button>
                        }
                    })}
            </div>
        </div>
    }
}

fn asking(offer: &Offer) -> String {
    let kept = match offer.kept_bytes {
        0 => "Nothing of it is kept in this browser yet.".into(),
        bytes => format!("{} of it are kept in this browser already.", text::bytes(bytes)),
    };
    format!("{}. {kept}", text::offer(offer))
}

/// Shows the networks that are listed and cannot be chosen, with the reasons.
#[component]
pub(super) fn Unusable() -> impl IntoView {
    let store = expect_context::<Store>();
    let networks = store.read(|state| {
        let unusable =
            state.networks.iter().filter_map(|it| Some((it.folder.clone(), it.offer.as_ref().err()?.clone())));
        unusable.filter(|_| state.can_choose()).collect::<Vec<_>>()
    });
    let line = |(folder, why)| view! { <li class="hint" data-folder=folder>{why}</li> };
    move || {
        let networks = networks.get();
        let lines = |networks: Vec<(String, String)>| networks.into_iter().map(line).collect_view();
        (!networks.is_empty()).then(|| view! { <ul class="unusable" data-testid="unusable">{lines(networks)}</ul> })
    }
}
