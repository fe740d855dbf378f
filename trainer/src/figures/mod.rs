//! Charts for papers and reports, as SVG.
//!
//! Sober by design: white ground, the colours of Okabe and Ito, which colour-blind readers can tell apart, and a hatch,
//! dash or marker of its own for each series, which survive a black-and-white printer.
//!
//! `bars` and `lines` turn data into shapes with the help of `frame` (title, legend, vertical axis), `axis` (scales and
//! ticks) and `look` (what tells series apart); `svg` writes a `canvas` out.

mod axis;
mod bars;
mod canvas;
mod font;
mod frame;
mod lines;
mod look;
mod svg;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Result, ensure};

pub use self::bars::{BarChart, BarSeries};
pub use self::lines::{LineChart, LineSeries};

use self::canvas::Canvas;
use crate::files::write_atomically;

/// Largest distance of a value from its interval, or of a share from [0, 1], by rounding.
const TOLERANCE: f64 = 1e-9;
/// Largest number that can be drawn: beyond it, the arithmetic of an axis would overflow.
const LARGEST: f64 = 1e100;

/// A value with its 95% interval: shares in [0, 1], but for the curves of a [`LineChart`] that is not of percents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value itself.
    pub value: f64,
    /// Low end of the interval.
    pub low: f64,
    /// High end of the interval.
    pub high: f64,
}

impl Estimate {
    /// Returns a value known exactly, or one whose interval is not shown.
    pub fn exact(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// Clamps the value and its interval to [0, 1].
    fn clamped(self) -> Self {
        Self { value: self.value.clamp(0.0, 1.0), low: self.low.clamp(0.0, 1.0), high: self.high.clamp(0.0, 1.0) }
    }

    fn has_interval(self) -> bool {
        self.low < self.high
    }

    /// Checks that the estimate can be drawn.
    ///
    /// # Errors
    /// When it is not a number, a value outside its interval, or outside [0, 1] where a share is meant.
    fn check(self, share: bool) -> Result<()> {
        for number in [self.value, self.low, self.high] {
            check_number(number)?;
            ensure!(!share || (-TOLERANCE..=1.0 + TOLERANCE).contains(&number), "{number} is not in [0, 1]");
        }
        let Self { value, low, high } = self;
        ensure!(
            low - TOLERANCE <= value && value <= high + TOLERANCE,
            "{value} is outside its interval {low} to {high}"
        );
        Ok(())
    }
}

fn check_number(number: f64) -> Result<()> {
    ensure!(number.is_finite() && number.abs() < LARGEST, "{number} cannot be drawn");
    Ok(())
}

/// Writes `PATH.svg`, whole or not at all, over an older one.
fn write(canvas: &Canvas, path_without_extension: &Path) -> Result<()> {
    // `Path::with_extension` would take the end of `epsilon-0.5` for one.
    let mut path = path_without_extension.as_os_str().to_owned();
    path.push(".svg");
    write_atomically(path.as_ref(), svg::encode(canvas).as_bytes())
}
