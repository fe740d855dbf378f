//! What to take home: the attacked picture, a link, a report, a picture of it all.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::sheet;
use crate::app::browser::{Store, copying};
use crate::app::follow::follow;
use crate::state::{Event, State};
use protocol::Slot;
use protocol::text::sentence;

/// Shows the buttons, and what came of them.
#[component]
pub(super) fn Keep() -> impl IntoView {
    let store = expect_context::<Store>();
    let said = RwSignal::new(String::new());
    let tell = move |outcome: Result<&str, String>| match outcome {
        Ok(done) => said.set(done.to_owned()),
        Err(why) => said.set(why),
    };
    let own_picture = store.read(State::link_lacks_picture);
    let has_report = store.read(State::can_report);
    let copy_link = move |_| {
        let address = copying::address_with(&store.peek(State::link_query));
        spawn_local(async move {
            tell(match copying::text(&address).await {
                Ok(()) => Ok("The link is on the clipboard."),
                Err(why) => Err(format!("The link could not be copied ({why}). Here it is: {address}")),
            });
        });
    };
    let copy_picture = move |_| {
        let drawn = store.peek(sheet::draw);
        spawn_local(async move {
            let copied = match drawn {
                Ok(canvas) => copying::canvas(&canvas).await,
                Err(why) => Err(why),
            };
            tell(match copied {
                Ok(()) => Ok("A picture of both results is on the clipboard."),
                Err(why) => Err(sentence(&format!("The picture could not be copied: {why}"))),
            });
        });
    };
    let downloads = Slot::ALL.map(|slot| {
        let title = store.read(move |state| state.title(slot));
        let can_save = store.read(move |state| state.can_save(slot));
        let words = store.read(move |state| state.saved_words(slot));
        view! {
            <div class="keep-picture">
                <button
                    type="button"
                    data-testid=format!("save-{}", slot.name())
                    disabled=follow(move || !can_save.get())
                    on:click=move |_| store.dispatch(Event::SavePicture(slot))
                >
                    {follow(move || format!("Attacked picture: {} (PNG)", title.get()))}
                </button>
                <p class="hint" role="status" data-testid=format!("saved-{}", slot.name())>{words}</p>
            </div>
        }
    });
    view! {
        <section class="panel lab-panel" aria-labelledby="keep-title">
            <h3 id="keep-title">"Keep it"</h3>
            <p class="hint">
                "A file has 8 bits a channel. What is shown above is rounded to them already; what is saved
                is shown to the network, to see whether the attack is still in it."
            </p>
            {downloads.into_iter().collect_view()}
            <div class="go">
                <button type="button" data-testid="copy-link" on:click=copy_link>"Copy a link to this"</button>
                <button type="button" data-testid="copy-picture" disabled=follow(move || !has_report.get()) on:click=copy_picture>
                    "Copy as a picture"
                </button>
                <button
                    type="button"
                    data-testid="save-report"
                    disabled=follow(move || !has_report.get())
                    on:click=move |_| store.dispatch(Event::SaveReport)
                >
                    "All numbers (JSON)"
                </button>
            </div>
            <p class="hint" hidden=follow(move || !own_picture.get())>
                "A link holds the settings and the networks, but not a picture of your own: that stays on this device."
            </p>
            <p role="status" data-testid="keep-said">{said}</p>
        </section>
    }
}
