//! The curves, as inline SVG. Lines are told apart by dash, mark and name as well as by colour.

use leptos::prelude::*;

use crate::scores::{Chart, Dot, Drawn, Plot, Tick};

/// All charts, on the same vertical scale.
#[component]
pub(super) fn Curves(charts: Vec<Chart>) -> impl IntoView {
    let highest = charts.iter().map(Chart::highest).fold(0.0, f64::max);
    let drawn = charts.iter().enumerate().map(|(place, chart)| curves(place, chart, highest)).collect_view();
    (!charts.is_empty()).then(|| {
        view! {
            <section class="curves" data-testid="score-curves">
                <h3>"Accuracy as epsilon grows"</h3>
                <p class="hint">
                    "The same numbers as in the tables, with their intervals; epsilon 0 is the picture without an attack. A network "
                    "that holds falls slowly."
                </p>
                <div class="charts">{drawn}</div>
            </section>
        }
    })
}

fn curves(place: usize, chart: &Chart, highest: f64) -> impl IntoView + use<> {
    let plot = Plot::of(chart, highest);
    let [width, height] = plot.size;
    let [left, top, right, bottom] = plot.frame;
    let (title_id, description_id) = (format!("chart-{place}-title"), format!("chart-{place}-description"));
    let labelled_by = format!("{title_id} {description_id}");
    let y_tick = |tick: &Tick| {
        view! {
            <g>
                <line class="grid" x1=left x2=right y1=tick.at y2=tick.at></line>
                <text class="tick" x=left - 6.0 y=tick.at + 4.0 text-anchor="end">{tick.label.clone()}</text>
            </g>
        }
    };
    let x_tick = |tick: &Tick| {
        view! {
            <g>
                <line class="axis" x1=tick.at x2=tick.at y1=bottom y2=bottom + 4.0></line>
                <text class="tick" x=tick.at y=bottom + 18.0 text-anchor="middle">{tick.label.clone()}</text>
            </g>
        }
    };
    view! {
        <figure class="chart">
            <figcaption aria-hidden="true">{chart.title.clone()}</figcaption>
            <svg viewBox=format!("0 0 {width} {height}") role="img" aria-labelledby=labelled_by>
                <title id=title_id>{format!("Accuracy against epsilon: {}", chart.title)}</title>
                <desc id=description_id>{chart.description()}</desc>
                {plot.y_ticks.iter().map(y_tick).collect_view()}
                <line class="axis" x1=left x2=right y1=bottom y2=bottom></line>
                {plot.x_ticks.iter().map(x_tick).collect_view()}
                <text class="tick" x={(left + right) / 2.0} y=height - 6.0 text-anchor="middle">{chart.axis()}</text>
                {plot.lines.iter().map(line).collect_view()}
                <line class="axis" x1=left x2=left y1=top y2=bottom></line>
            </svg>
        </figure>
    }
}

/// How many looks there are for lines; see `scores.css`.
const LOOKS: usize = 4;

fn line(line: &Drawn) -> impl IntoView + use<> {
    let look = line.network % LOOKS;
    let [x, y] = line.name_at;
    let dots = line.dots.iter().map(|dot| mark(*dot, look)).collect_view();
    view! {
        <g class=format!("line look-{look}")>
            <path class="curve" d=line.path.clone()></path>
            {dots}
            <text class="name" x=x y=y + 4.0>{line.name.clone()}</text>
        </g>
    }
}

/// A measurement with its interval: round for every other network, square for the rest.
fn mark(dot: Dot, look: usize) -> impl IntoView + use<> {
    /// Half its width.
    const SIZE: f64 = 3.5;
    let Dot { x, y, whisker: [top, bottom] } = dot;
    let round = look.is_multiple_of(2);
    view! {
        <g>
            <line class="whisker" x1=x x2=x y1=top y2=bottom></line>
            {round.then(|| view! { <circle class="mark" cx=x cy=y r=SIZE></circle> })}
            {(!round)
                .then(|| {
                    view! {
                        <rect class="mark" x=x - SIZE y=y - SIZE width={2.0 * SIZE} height={2.0 * SIZE}></rect>
                    }
                })}
        </g>
    }
}
