//! A small chart with a line for each network, as inline SVG. Lines differ in dash and mark as well as in colour.

use leptos::prelude::*;

use crate::app::browser::Store;
use crate::lines::{Lines, SIZE};
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
    let layout = Memo::new(move |_| lines.with(Lines::layout));
    let points = move || lines.with(|lines| lines.lines.iter().map(Vec::len).max().unwrap_or_default());
    let grid = move || {
        let layout = layout.get();
        let [left, _, right, bottom] = layout.frame;
        let y = layout.y_ticks.into_iter().map(|(at, label)| {
            view! {
                <g>
                    <line class="grid" x1=left x2=right y1=at y2=at></line>
                    <text class="tick" x=left - 6.0 y=at + 4.0 text-anchor="end">{label}</text>
                </g>
            }
        });
        let x = layout.x_ticks.into_iter().map(|(at, label)| {
            view! {
                <g>
                    <line class="axis" x1=at x2=at y1=bottom y2=bottom + 4.0></line>
                    <text class="tick" x=at y=bottom + 16.0 text-anchor="middle">{label}</text>
                </g>
            }
        });
        view! {
            {y.collect_view()}
            {x.collect_view()}
            <text class="tick" x=(left + right) / 2.0 y=height - 4.0 text-anchor="middle">{axis}</text>
        }
    };
    let marked = move || {
        let [_, top, _, bottom] = layout.with(|layout| layout.frame);
        mark.get().map(|at| {
            let x = lines.with(|lines| lines.x(at));
            view! { <line class="here" x1=x x2=x y1=top y2=bottom></line> }
        })
    };
    let drawn = move || {
        let layout = layout.get();
        let lines = layout.paths.into_iter().zip(layout.dots).enumerate();
        lines.map(|(look, (path, dots))| line(look, path, dots)).collect_view()
    };
    view! {
        <svg
            class="plot"
            viewBox=format!("0 0 {width} {height}")
            role="img"
            aria-label=label
            data-testid=testid
            data-points=move || points().to_string()
        >
            {grid}
            {marked}
            {drawn}
        </svg>
    }
}

fn line(look: usize, path: String, dots: Vec<[f64; 2]>) -> impl IntoView {
    /// Half the width of a mark.
    const SIZE: f64 = 2.6;
    let mark = move |[x, y]: [f64; 2]| match look {
        0 => view! { <circle class="mark" cx=x cy=y r=SIZE></circle> }.into_any(),
        _ => {
            let (left, top, side) = (x - SIZE, y - SIZE, 2.0 * SIZE);
            view! { <rect class="mark" x=left y=top width=side height=side></rect> }.into_any()
        }
    };
    view! {
        <g class=format!("line look-{look}")>
            <path class="curve" d=path></path>
            {dots.into_iter().map(mark).collect_view()}
        </g>
    }
}

/// Shows which line is which network's.
#[component]
pub(super) fn Legend() -> impl IntoView {
    let store = expect_context::<Store>();
    let entry = |slot: Slot| {
        let title = store.read(move |state| state.title(slot));
        let look = slot.index();
        view! {
            <li>
                <svg class="key" viewBox="0 0 28 10" aria-hidden="true">
                    {line(look, "M2 5L26 5".into(), vec![[14.0, 5.0]])}
                </svg>
                {title}
            </li>
        }
    };
    view! { <ul class="legend">{Slot::ALL.map(entry).into_iter().collect_view()}</ul> }
}
