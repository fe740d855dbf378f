//! Curves: of accuracy against epsilon, or of a loss against steps.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Fill, INK, Point, Stroke};
use super::font::{CAP_HEIGHT, width};
use super::frame::{Frame, Plot, RIGHT, SAMPLE, TICK_SIZE, draw_whiskers};
use super::look::SeriesStyle;
use super::{Estimate, check_number};

/// Number of markers of a curve, at most about this.
const MARKERS: usize = 16;
/// Opacity of the band that shows intervals around a curve.
const BAND: f64 = 0.16;

/// Curves over numbers.
#[derive(Clone, Debug)]
pub struct LineChart {
    /// Title over the chart.
    pub title: String,
    /// Label of the horizontal axis.
    pub x_label: String,
    /// Label of the vertical axis.
    pub y_label: String,
    /// Whether the values are shares in [0, 1], shown as 0 to 100%. Other values, losses for instance, may be any numbers, and
    /// the axis is fitted to them.
    pub y_percent: bool,
    /// The curves, in the order of the legend.
    pub series: Vec<LineSeries>,
}

/// A curve.
#[derive(Clone, Debug)]
pub struct LineSeries {
    /// Name in the legend.
    pub name: String,
    /// Points in any order: the curve goes through them from the least x to the greatest.
    pub points: Vec<(f64, Estimate)>,
}

impl LineChart {
    /// Writes `PATH.svg` (900 units wide and 560 high, more under a long legend), over an older one. The folder must exist.
    ///
    /// # Errors
    /// When there are no series, a series has no points, a number is not finite or beyond 1e100, a share is not in
    /// [0, 1], or a value outside its interval: then nothing is written. When the file cannot be written.
    pub fn write(&self, path_without_extension: &Path) -> Result<()> {
        self.check().with_context(|| format!("cannot draw the chart \"{}\"", self.title))?;
        super::write(&self.draw(), path_without_extension)
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.series.is_empty(), "it has no series");
        for LineSeries { name, points } in &self.series {
            ensure!(!points.is_empty(), "the series \"{name}\" has no points");
            for (x, value) in points {
                let context = || format!("\"{name}\" at {x}");
                check_number(*x).with_context(context)?;
                value.check(self.y_percent).with_context(context)?;
            }
        }
        Ok(())
    }

    /// Draws the chart, which is checked.
    pub(super) fn draw(&self) -> Canvas {
        let frame = Frame {
            title: &self.title,
            x_label: &self.x_label,
            y_label: &self.y_label,
            series: self.series.iter().map(|series| series.name.as_str()).collect(),
            sample: draw_sample,
            y: self.y_axis(),
            head: 6.0,
            foot: TICK_SIZE + 11.0,
        };
        let mut plot = frame.draw();
        let x = self.x_axis(RIGHT - plot.left);
        draw_x_ticks(&mut plot, &x);
        let curves: Vec<Curve> =
            self.series.iter().map(|series| Curve::new(series, self.y_percent, &plot, &x)).collect();
        // Bands first, so that none covers a curve.
        for (index, curve) in curves.iter().enumerate() {
            curve.draw_intervals(&mut plot.canvas, SeriesStyle::of(index));
        }
        for (index, curve) in curves.iter().enumerate() {
            curve.draw(&mut plot.canvas, SeriesStyle::of(index));
        }
        plot.canvas
    }

    fn y_axis(&self) -> Axis {
        if self.y_percent {
            return Axis::percent();
        }
        let values = || self.series.iter().flat_map(|series| &series.points).map(|(_, value)| value);
        let low = values().map(|value| value.low.min(value.value)).fold(f64::INFINITY, f64::min);
        let high = values().map(|value| value.high.max(value.value)).fold(f64::NEG_INFINITY, f64::max);
        Axis::rounded(low, high)
    }

    fn x_axis(&self, room: f64) -> Axis {
        let mut values: Vec<f64> = self.series.iter().flat_map(|series| &series.points).map(|point| point.0).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        Axis::through(&values, |axis| {
            let mut free_from = f64::NEG_INFINITY;
            axis.ticks.iter().all(|tick| {
                let (centre, half) = (axis.position(tick.at) * room, width(&tick.label, TICK_SIZE) / 2.0);
                let free = centre - half >= free_from;
                free_from = centre + half + 6.0;
                free
            })
        })
    }
}

fn draw_x_ticks(plot: &mut Plot, axis: &Axis) {
    for tick in &axis.ticks {
        let x = plot.left + axis.position(tick.at) * (RIGHT - plot.left);
        plot.canvas.line(vec![(x, plot.bottom), (x, plot.bottom + 4.0)], Stroke::solid(INK, 1.0));
        let y = plot.bottom + 9.0 + CAP_HEIGHT * TICK_SIZE;
        plot.canvas.text(tick.label.as_str(), (x, y), Anchor::Middle, TICK_SIZE);
    }
}

/// A series in coordinates of the canvas.
struct Curve {
    points: Vec<Point>,
    /// Upper ends of the intervals at the points.
    highs: Vec<Point>,
    /// Lower ends of the intervals at the points.
    lows: Vec<Point>,
    has_intervals: bool,
}

impl Curve {
    fn new(series: &LineSeries, percent: bool, plot: &Plot, axis: &Axis) -> Self {
        let mut points = series.points.clone();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        if percent {
            points.iter_mut().for_each(|(_, value)| *value = value.clamped());
        }
        let x = |value| plot.left + axis.position(value) * (RIGHT - plot.left);
        let through = |pick: fn(&Estimate) -> f64| points.iter().map(|(at, e)| (x(*at), plot.y(pick(e)))).collect();
        Self {
            points: through(|e| e.value),
            highs: through(|e| e.high),
            lows: through(|e| e.low),
            has_intervals: points.iter().any(|(_, value)| value.has_interval()),
        }
    }

    fn draw_intervals(&self, canvas: &mut Canvas, style: SeriesStyle) {
        if !self.has_intervals {
            return;
        }
        if let ([high], [low]) = (&self.highs[..], &self.lows[..]) {
            // A lone point has no width to shade.
            return draw_whiskers(canvas, high.0, (low.1, high.1), 5.0);
        }
        let around = self.highs.iter().chain(self.lows.iter().rev()).copied().collect();
        canvas.polygon(around, Some(Fill { colour: style.colour(), opacity: BAND }), None);
    }

    fn draw(&self, canvas: &mut Canvas, style: SeriesStyle) {
        if self.points.len() > 1 {
            canvas.line(self.points.clone(), style.stroke());
        }
        for &point in self.points.iter().step_by(self.points.len().div_ceil(MARKERS)) {
            style.marker(canvas, point);
        }
    }
}

fn draw_sample(canvas: &mut Canvas, style: SeriesStyle, (x, y): Point) {
    canvas.line(vec![(x - SAMPLE / 2.0, y), (x + SAMPLE / 2.0, y)], style.stroke());
    style.marker(canvas, (x, y));
}
