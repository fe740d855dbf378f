//! Grouped bars, as for accuracy at k: a group for each k, and in it a bar for each network.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Estimate;
use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Fill, Point, WHITE};
use super::font::{CAP_HEIGHT, shortened, width};
use super::frame::{Frame, Plot, RIGHT, TICK_SIZE, draw_whiskers};
use super::look::SeriesStyle;

/// Largest share of a group's width that its bars fill.
const FILLED: f64 = 0.82;
/// Largest width of a bar.
const WIDEST_BAR: f64 = 72.0;
/// Sizes of the values over the bars, of which the first that fits is used; smaller ones would be illegible.
const VALUE_SIZES: [f64; 3] = [12.0, 11.0, 10.0];
/// Largest length of the groups' names where they do not fit side by side and are slanted.
const LONGEST_SLANT: f64 = 150.0;
/// Least distance between slanted names.
const NAMES_APART: f64 = 23.0;
/// Angle of slanted names, in degrees.
const SLANT: f64 = -35.0;

/// Bars of shares, from 0 to 100%, in groups: accuracies at k, for instance, of several networks or validation sets.
#[derive(Clone, Debug)]
pub struct BarChart {
    /// Title over the chart.
    pub title: String,
    /// Label of the horizontal axis.
    pub x_label: String,
    /// Label of the vertical axis.
    pub y_label: String,
    /// Names of the groups, from the left.
    pub groups: Vec<String>,
    /// The bars, in the order of the legend.
    pub series: Vec<BarSeries>,
}

/// Bars of one style, one a group.
#[derive(Clone, Debug)]
pub struct BarSeries {
    /// Name in the legend.
    pub name: String,
    /// The value of each group in turn, with all numbers in [0, 1].
    pub values: Vec<Estimate>,
}

impl BarChart {
    /// Writes `PATH.svg` (900 units wide and 560 high, more under a long legend), over an older one. The folder must exist.
    ///
    /// # Errors
    /// When there are no groups or series, a series has not one value a group, or a value is not in [0, 1] or outside
    /// its interval: then nothing is written. When the file cannot be written.
    pub fn write(&self, path_without_extension: &Path) -> Result<()> {
        self.check().with_context(|| format!("cannot draw the chart \"{}\"", self.title))?;
        super::write(&self.draw(), path_without_extension)
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.groups.is_empty(), "it has no groups");
        ensure!(!self.series.is_empty(), "it has no series");
        for BarSeries { name, values } in &self.series {
            let (bars, groups) = (values.len(), self.groups.len());
            ensure!(bars == groups, "the series \"{name}\" has {bars} values for {groups} groups");
            for (value, group) in values.iter().zip(&self.groups) {
                value.check(true).with_context(|| format!("\"{name}\" in the group \"{group}\""))?;
            }
        }
        Ok(())
    }

    /// Draws the chart, which is checked.
    pub(super) fn draw(&self) -> Canvas {
        let mut frame = Frame {
            title: &self.title,
            x_label: &self.x_label,
            y_label: &self.y_label,
            series: self.series.iter().map(|series| series.name.as_str()).collect(),
            sample: draw_sample,
            y: Axis::percent(),
            head: VALUE_SIZES[0] + 2.0,
            foot: TICK_SIZE + 9.0,
        };
        let group = (RIGHT - frame.left()) / self.groups.len() as f64;
        let widest = self.groups.iter().map(|name| width(name, TICK_SIZE)).fold(0.0, f64::max);
        let slanted = widest > group - 8.0;
        if slanted {
            frame.foot += SLANT.to_radians().sin().abs() * widest.min(LONGEST_SLANT);
        }
        let mut plot = frame.draw();
        self.draw_names(&mut plot, group, slanted);
        let slot = (FILLED * group / self.series.len() as f64).min(WIDEST_BAR);
        let value_size = self.value_size(slot);
        for (index, series) in self.series.iter().enumerate() {
            for (number, value) in series.values.iter().enumerate() {
                let centre = plot.left + (number as f64 + 0.5) * group;
                let left = centre + (index as f64 - self.series.len() as f64 / 2.0) * slot;
                draw_bar(&mut plot, SeriesStyle::of(index), (left, slot), value.clamped(), value_size);
            }
        }
        // Once more, since the whiskers of small values hide parts of it.
        plot.draw_base();
        plot.canvas
    }

    fn draw_names(&self, plot: &mut Plot, group: f64, slanted: bool) {
        // With very many groups, only some are named.
        let apart = if slanted { (NAMES_APART / group).ceil() as usize } else { 1 };
        for (number, name) in self.groups.iter().enumerate().step_by(apart) {
            let x = plot.left + (number as f64 + 0.5) * group;
            let y = plot.bottom + 8.0 + CAP_HEIGHT * TICK_SIZE;
            if slanted {
                // No further than the figure's edge.
                let room = LONGEST_SLANT.min((x - 6.0) / SLANT.to_radians().cos());
                let name = shortened(name, TICK_SIZE, room);
                plot.canvas.turned_text(name, (x + 5.0, y), Anchor::End, TICK_SIZE, SLANT);
            } else {
                plot.canvas.text(name.as_str(), (x, y), Anchor::Middle, TICK_SIZE);
            }
        }
    }

    /// Returns the size at which every value finds room over its bar of width `slot`.
    fn value_size(&self, slot: f64) -> Option<f64> {
        let values = || self.series.iter().flat_map(|series| &series.values);
        let fits = |size: f64| values().all(|value| width(&percents(value.value), size) + 2.0 <= slot);
        VALUE_SIZES.into_iter().find(|&size| fits(size))
    }
}

fn draw_bar(plot: &mut Plot, style: SeriesStyle, (left, slot): (f64, f64), value: Estimate, value_size: Option<f64>) {
    let gap = (0.08 * slot).min(3.0);
    let centre = left + slot / 2.0;
    let (top, lowest, highest) = (plot.y(value.value), plot.y(value.low), plot.y(value.high));
    style.bar(&mut plot.canvas, (left + gap / 2.0, top), (left + slot - gap / 2.0, plot.bottom));
    if value.has_interval() {
        draw_whiskers(&mut plot.canvas, centre, (lowest, highest), (slot / 5.0).min(6.0));
    }
    if let Some(size) = value_size {
        let (text, y) = (percents(value.value), highest - 4.0);
        let (half, above) = (width(&text, size) / 2.0, y - CAP_HEIGHT * size - 1.0);
        // No line of the grid crosses the text.
        let ground =
            vec![(centre - half, above), (centre + half, above), (centre + half, y + 1.0), (centre - half, y + 1.0)];
        plot.canvas.polygon(ground, Some(Fill { colour: WHITE, opacity: 1.0 }), None);
        plot.canvas.text(text, (centre, y), Anchor::Middle, size);
    }
}

fn draw_sample(canvas: &mut Canvas, style: SeriesStyle, (x, y): Point) {
    style.bar(canvas, (x - 14.0, y - 7.0), (x + 14.0, y + 7.0));
}

/// Formats a share in percent, to a tenth.
fn percents(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}
