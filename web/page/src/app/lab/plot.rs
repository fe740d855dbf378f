//! A small chart with a line for each network, as inline SVG. Lines differ in dash and mark as well as in colour.

use leptos::prelude::*;

use crate::app::browser::Store;
use crate::app::follow::follow;
use crate::lines::{Lines, SIZE, line};
use protocol::Slot;

/// Shows a chart of two lines, left network and right.
#[component]
pub(super) fn Plot(
    /// What it shows.
    lines: Memo<Lines>,
    /// What that is, for those who do not see it.
    #[prop(into)]
    label: Signal<String>,
    /// Below the horizontal axis.
    #[prop(into)]
    axis: Signal<String>,
    /// A vertical mark, at that place of the horizontal axis.
    #[prop(into)]
    mark: Signal<Option<f64>>,
    /// The element's `data-testid`.
    testid: &'static str,
) -> impl IntoView {
    let [width, height] = SIZE;
    let points = move || lines.with(|lines| lines.lines.iter().map(Vec::len).max().unwrap_or_default());
    view! {
        <svg
            class="plot"
            viewBox=format!("0 0 {width} {height}")
            role="img"
            aria-label=label
            data-testid=testid
            data-points=follow(move || points().to_string())
            inner_html=follow(move || lines.with(|lines| lines.svg(&axis.get(), mark.get())))
        ></svg>
    }
}

/// Shows which line is which network's.
#[component]
pub(super) fn Legend() -> impl IntoView {
    let store = expect_context::<Store>();
    let entry = |slot: Slot| {
        let title = store.read(move |state| state.title(slot));
        let key = line(slot.index(), &[[2.0, 5.0], [26.0, 5.0]], &[[14.0, 5.0]]);
        view! {
            <li>
                <svg class="key" viewBox="0 0 28 10" aria-hidden="true" inner_html=key></svg>
                {title}
            </li>
        }
    };
    view! { <ul class="legend">{Slot::ALL.map(entry).into_iter().collect_view()}</ul> }
}
