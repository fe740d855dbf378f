//! A scale with its ticks.

/// A range of values with its ticks.
#[derive(Clone, Debug)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<Tick>,
}

#[derive(Clone, Debug)]
pub struct Tick {
    pub at: f64,
    pub label: String,
}

impl Axis {
    /// Returns the axis of shares in [0, 1], shown as 0% to 100%.
    pub fn percent() -> Self {
        let ticks = (0..=5).map(|i| Tick { at: f64::from(i) / 5.0, label: format!("{}%", i * 20) }).collect();
        Self { low: 0.0, high: 1.0, ticks }
    }

    /// Returns an axis from one tick at or below `low` to one at or above `high`.
    pub fn rounded(low: f64, high: f64) -> Self {
        let (low, high) = widened(low, high);
        let step = step(high - low);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let ticks = ticks(first, last, step);
        Self { low: first as f64 * step, high: last as f64 * step, ticks }
    }

    /// Returns an axis a little longer than the range of `values`, which are sorted and not empty, with ticks at the values
    /// themselves if `fits` returns true for them, else at round numbers.
    pub fn through(values: &[f64], fits: impl Fn(&Self) -> bool) -> Self {
        let (least, greatest) = (values[0], values[values.len() - 1]);
        let (low, high) = widened(least, greatest);
        let room = 0.03 * (high - low);
        let (low, high) = (low - room, high + room);
        let own = values.iter().map(|&at| Tick { at, label: plain(at) }).collect();
        let own = Self { low, high, ticks: own };
        // Round numbers are easier to read than 0.0314.
        if own.ticks.iter().all(|tick| tick.label.len() <= 4) && fits(&own) {
            return own;
        }
        let step = step(high - low);
        Self { low, high, ticks: ticks((low / step).ceil() as i64, (high / step).floor() as i64, step) }
    }

    /// Returns the position of `value` between the axis's ends: 0 at the low one, 1 at the high one.
    pub fn position(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// Widens a range that is empty up to rounding.
fn widened(low: f64, high: f64) -> (f64, f64) {
    // Less than a billionth of the value would be lost in rounding.
    let least = 1e-9 * low.abs().max(high.abs());
    if high - low > least {
        return (low, high);
    }
    let room = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
    (low - room, high + room)
}

/// Returns the round number that divides `length` into 3 to 8 parts.
fn step(length: f64) -> f64 {
    let decade = 10_f64.powf((length / 5.0).log10().floor());
    let parts = length / decade; // from 5 to 50
    decade * [1.0, 2.0, 5.0].into_iter().find(|round| parts / round <= 8.0).unwrap_or(10.0)
}

fn ticks(first: i64, last: i64, step: f64) -> Vec<Tick> {
    (first..=last).map(|k| k as f64 * step).map(|at| Tick { at, label: label(at, step) }).collect()
}

/// Formats `value` with as many digits as distinguish it from its neighbours, `step` away.
fn label(value: f64, step: f64) -> String {
    // Never "-0".
    let value = if value.abs() < step / 2.0 { 0.0 } else { value };
    // The log10 of a power of ten may be too small by a rounding.
    let exponent = (step.log10() + 1e-9).floor();
    if (-4.0..5.0).contains(&exponent) {
        return format!("{value:.*}", (-exponent).max(0.0) as usize);
    }
    if value == 0.0 {
        return "0".into();
    }
    let digits = ((value.abs().log10() + 1e-9).floor() - exponent).max(0.0) as usize;
    format!("{value:.digits$e}")
}

/// Formats `value` in the shortest way.
fn plain(value: f64) -> String {
    if value == 0.0 { "0".into() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(labels(&Axis::rounded(0.13, 2.31)), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(labels(&Axis::rounded(-0.035, 0.055)), ["-0.04", "-0.02", "0.00", "0.02", "0.04", "0.06"]);
        assert_eq!(labels(&Axis::rounded(1.2e6, 2.9e6)), ["1.0e6", "1.5e6", "2.0e6", "2.5e6", "3.0e6"]);
        for (low, high) in
            [(0.0, 1.0), (3.0, 3.0), (0.0, 0.0), (-5.0, 1e-7), (1e99, 1e99), (-1e99, 1e99), (7.0, 7.0 + 1e-7)]
        {
            let axis = Axis::rounded(low, high);
            assert!((3..=12).contains(&axis.ticks.len()), "{axis:?}");
            assert!(axis.low <= low && high <= axis.high, "{axis:?}");
            let mut distinct = labels(&axis);
            distinct.dedup();
            assert_eq!(distinct.len(), axis.ticks.len(), "{axis:?}");
        }
    }

    #[test]
    fn few_short_values_are_ticks_themselves() {
        let values = [0.0, 4.0, 8.0, 16.0, 32.0];
        assert_eq!(labels(&Axis::through(&values, |_| true)), ["0", "4", "8", "16", "32"]);
        assert_eq!(labels(&Axis::through(&values, |_| false)), ["0", "5", "10", "15", "20", "25", "30"]);
        let thirds = [0.0, 1.0 / 3.0, 2.0 / 3.0];
        assert_eq!(labels(&Axis::through(&thirds, |_| true)), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]);
    }
}
