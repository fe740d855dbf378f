//! The curves, as inline SVG. Lines are told apart by dash, mark and name as well as by colour.

use maud::{Markup, html};

use crate::scores::{Chart, Dot, Drawn, Plot};

/// Returns all charts, on the same vertical scale; nothing if there are none.
pub(super) fn curves(charts: &[Chart]) -> Markup {
    let highest = charts.iter().map(Chart::highest).fold(0.0, f64::max);
    html! {
        @if !charts.is_empty() {
            section.curves data-testid="score-curves" {
                h3 { "Accuracy as epsilon grows" }
                p.hint {
                    "The same numbers as in the tables, with their intervals; epsilon 0 is the picture without an attack. A network "
                    "that holds falls slowly."
                }
                div.charts { @for (place, chart) in charts.iter().enumerate() { (figure(place, chart, highest)) } }
            }
        }
    }
}

fn figure(place: usize, chart: &Chart, highest: f64) -> Markup {
    let plot = Plot::of(chart, highest);
    let [width, height] = plot.size;
    let [left, top, right, bottom] = plot.frame;
    let (title_id, description_id) = (format!("chart-{place}-title"), format!("chart-{place}-description"));
    html! {
        figure.chart {
            figcaption aria-hidden="true" { (chart.title) }
            svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-labelledby={ (title_id) " " (description_id) } {
                title id=(title_id) { "Accuracy against epsilon: " (chart.title) }
                desc id=(description_id) { (chart.description()) }
                @for tick in &plot.y_ticks {
                    line.grid x1=(left) x2=(right) y1=(tick.at) y2=(tick.at) {}
                    text.tick x=(left - 6.0) y=(tick.at + 4.0) text-anchor="end" { (tick.label) }
                }
                line.axis x1=(left) x2=(right) y1=(bottom) y2=(bottom) {}
                @for tick in &plot.x_ticks {
                    line.axis x1=(tick.at) x2=(tick.at) y1=(bottom) y2=(bottom + 4.0) {}
                    text.tick x=(tick.at) y=(bottom + 18.0) text-anchor="middle" { (tick.label) }
                }
                text.tick x=((left + right) / 2.0) y=(height - 6.0) text-anchor="middle" { (chart.axis()) }
                @for drawn in &plot.lines { (line(drawn)) }
                line.axis x1=(left) x2=(left) y1=(top) y2=(bottom) {}
            }
        }
    }
}

/// How many looks there are for lines; see `charts.css`.
const LOOKS: usize = 4;

fn line(line: &Drawn) -> Markup {
    let look = line.network % LOOKS;
    let [x, y] = line.name_at;
    html! {
        g class={ "line look-" (look) } {
            path.curve d=(line.path) {}
            @for dot in &line.dots { (mark(dot, look)) }
            text.name x=(x) y=(y + 4.0) { (line.name) }
        }
    }
}

/// Returns a measurement with its interval: round for every other network, square for the rest.
fn mark(dot: &Dot, look: usize) -> Markup {
    /// Half its width.
    const SIZE: f64 = 3.5;
    let Dot { x, y, whisker: [top, bottom] } = *dot;
    html! {
        line.whisker x1=(x) x2=(x) y1=(top) y2=(bottom) {}
        @if look.is_multiple_of(2) {
            circle.mark cx=(x) cy=(y) r=(SIZE) {}
        } @else {
            rect.mark x=(x - SIZE) y=(y - SIZE) width=(2.0 * SIZE) height=(2.0 * SIZE) {}
        }
    }
}
