//! The frame of all charts around their data: title, legend, labels and the vertical axis.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, GRID, INK, Point, Stroke, WHITE, WIDTH};
use super::font::{CAP_HEIGHT, shortened, width};
use super::look::SeriesStyle;

/// Height of a figure whose legend has two rows at most; each further one adds to it, so that the data keep their room.
pub const HEIGHT: f64 = 560.0;
/// Distance between the figure's edge and the parts nearest to it.
const MARGIN: f64 = 20.0;
/// Right end of every plot.
pub const RIGHT: f64 = WIDTH - MARGIN;

const TITLE_SIZE: f64 = 18.0;
const LABEL_SIZE: f64 = 14.0;
pub const TICK_SIZE: f64 = 13.0;
const LEGEND_SIZE: f64 = 13.0;
const LEGEND_ROW: f64 = 21.0;
/// Distance between the entries of a row.
const LEGEND_GAP: f64 = 22.0;
/// Width of a legend's samples.
pub const SAMPLE: f64 = 30.0;

/// Draws a sample of a series around a point, at most [`SAMPLE`] wide.
pub type DrawSample = fn(&mut Canvas, SeriesStyle, Point);

/// The frame of a chart around its data.
pub struct Frame<'a> {
    pub title: &'a str,
    pub x_label: &'a str,
    pub y_label: &'a str,
    /// Names of the series, in the order of the legend.
    pub series: Vec<&'a str>,
    pub sample: DrawSample,
    pub y: Axis,
    /// Room kept free above the vertical axis.
    pub head: f64,
    /// Room for the labels of the horizontal axis.
    pub foot: f64,
}

/// A figure with its frame, and the area for its data.
pub struct Plot {
    pub canvas: Canvas,
    pub left: f64,
    pub top: f64,
    pub bottom: f64,
    y: Axis,
}

impl Plot {
    /// Returns the y coordinate of `value` on the vertical axis.
    pub fn y(&self, value: f64) -> f64 {
        self.bottom + self.y.position(value) * (self.top - self.bottom)
    }

    /// Draws the line of the horizontal axis.
    pub fn draw_base(&mut self) {
        self.canvas.line(vec![(self.left, self.bottom), (RIGHT, self.bottom)], Stroke::solid(INK, 1.0));
    }
}

impl Frame<'_> {
    /// Returns the left end of the plot, past the labels of the vertical axis.
    pub fn left(&self) -> f64 {
        let labels = self.y.ticks.iter().map(|tick| width(&tick.label, TICK_SIZE)).fold(0.0, f64::max);
        let name = if self.y_label.is_empty() { 0.0 } else { LABEL_SIZE + 10.0 };
        MARGIN + name + labels + 8.0
    }

    /// Draws everything but the data and the horizontal axis's ticks.
    pub fn draw(self) -> Plot {
        let left = self.left();
        let mut canvas = Canvas { title: self.title.into(), height: HEIGHT, shapes: Vec::new() };
        let mut y = MARGIN;
        if !self.title.is_empty() {
            let size = (TITLE_SIZE * (RIGHT - left) / width(self.title, TITLE_SIZE)).clamp(13.0, TITLE_SIZE);
            let title = shortened(self.title, size, RIGHT - left);
            canvas.text(title, (left, y + CAP_HEIGHT * TITLE_SIZE), Anchor::Start, size);
            y += TITLE_SIZE + 8.0;
        }
        let rows = self.draw_legend(&mut canvas, left, y);
        canvas.height += rows.saturating_sub(2) as f64 * LEGEND_ROW;
        let top = y + rows as f64 * LEGEND_ROW + 12.0 + self.head;
        let name_room = if self.x_label.is_empty() { 0.0 } else { LABEL_SIZE + 8.0 };
        let bottom = canvas.height - MARGIN + 4.0 - name_room - self.foot;

        let mut plot = Plot { canvas, left, top, bottom, y: self.y.clone() };
        self.draw_y_axis(&mut plot);
        let name = shortened(self.x_label, LABEL_SIZE, RIGHT - left);
        let at = (f64::midpoint(left, RIGHT), plot.canvas.height - MARGIN);
        plot.canvas.text(name, at, Anchor::Middle, LABEL_SIZE);
        let name = shortened(self.y_label, LABEL_SIZE, bottom - top);
        let at = (MARGIN + CAP_HEIGHT * LABEL_SIZE, f64::midpoint(top, bottom));
        plot.canvas.turned_text(name, at, Anchor::Middle, LABEL_SIZE, -90.0);
        plot
    }

    /// Draws rows of samples and names from `top` downwards. Returns the number of rows.
    fn draw_legend(&self, canvas: &mut Canvas, left: f64, top: f64) -> usize {
        let room = RIGHT - left;
        let lead = SAMPLE + 8.0;
        let names: Vec<String> = self.series.iter().map(|name| shortened(name, LEGEND_SIZE, room - lead)).collect();
        let widths: Vec<f64> = names.iter().map(|name| lead + width(name, LEGEND_SIZE) + LEGEND_GAP).collect();
        let one_row = widths.iter().sum::<f64>() - LEGEND_GAP <= room;
        // The entries of several rows are aligned in columns.
        let widest = widths.iter().copied().fold(0.0, f64::max);
        let columns = if one_row { names.len() } else { ((room + LEGEND_GAP) / widest).floor().max(1.0) as usize };
        let mut x = left;
        for (index, name) in names.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            if column == 0 {
                x = left;
            }
            let middle = top + (row as f64 + 0.5) * LEGEND_ROW;
            (self.sample)(canvas, SeriesStyle::of(index), (x + SAMPLE / 2.0, middle));
            canvas.text(name.as_str(), (x + lead, centred(middle, LEGEND_SIZE)), Anchor::Start, LEGEND_SIZE);
            x += if one_row { widths[index] } else { widest };
        }
        names.len().div_ceil(columns)
    }

    fn draw_y_axis(&self, plot: &mut Plot) {
        let (left, top, bottom) = (plot.left, plot.top, plot.bottom);
        for tick in &self.y.ticks {
            let y = plot.y(tick.at);
            plot.canvas.line(vec![(left, y), (RIGHT, y)], Stroke::solid(GRID, 1.0));
            plot.canvas.line(vec![(left - 4.0, y), (left, y)], Stroke::solid(INK, 1.0));
            plot.canvas.text(tick.label.as_str(), (left - 8.0, centred(y, TICK_SIZE)), Anchor::End, TICK_SIZE);
        }
        plot.canvas.line(vec![(left, top), (left, bottom)], Stroke::solid(INK, 1.0));
        plot.draw_base();
    }
}

/// Returns the baseline of text whose capitals have their middle at `y`.
pub fn centred(y: f64, size: f64) -> f64 {
    y + CAP_HEIGHT * size / 2.0
}

/// Draws whiskers from `low` to `high`, with a white edge to be visible on every colour.
pub fn draw_whiskers(canvas: &mut Canvas, x: f64, (low, high): (f64, f64), cap: f64) {
    let lines =
        vec![vec![(x, low), (x, high)], vec![(x - cap, low), (x + cap, low)], vec![(x - cap, high), (x + cap, high)]];
    canvas.lines(lines.clone(), Stroke::solid(WHITE, 3.2));
    canvas.lines(lines, Stroke::solid(INK, 1.2));
}
