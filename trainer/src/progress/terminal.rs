//! Events as text on stderr: bars on a terminal, and now and then a line elsewhere.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Event, Unit, View, write_line};

/// A view that shows each task as a bar, or as lines where there is no terminal to draw on.
pub struct Terminal {
    target: fn() -> ProgressDrawTarget,
    bars: Mutex<Vec<(u64, ProgressBar)>>,
}

impl Terminal {
    /// Creates a view that draws bars if stderr is a terminal, and prints lines otherwise.
    pub fn with_bars() -> Self {
        Self { target: ProgressDrawTarget::stderr, bars: Mutex::default() }
    }

    /// Creates a view that always prints lines.
    pub fn with_lines() -> Self {
        Self { target: ProgressDrawTarget::hidden, bars: Mutex::default() }
    }

    fn bars(&self) -> MutexGuard<'_, Vec<(u64, ProgressBar)>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View for Terminal {
    fn show(&self, event: &Event) {
        match event {
            Event::Started { task, title, total, unit } => {
                let bar = bar((self.target)(), title, *total, *unit);
                self.bars().push((*task, bar));
            }
            Event::Advanced { task, done, total } => {
                if let Some((_, bar)) = self.bars().iter().find(|(of, _)| of == task) {
                    if let Some(total) = total {
                        bar.set_length(*total);
                    }
                    bar.set_position(*done);
                }
            }
            Event::Finished { task, .. } => {
                let mut bars = self.bars();
                bars.iter().filter(|(of, _)| of == task).for_each(|(_, bar)| bar.finish_and_clear());
                bars.retain(|(of, _)| of != task);
            }
            _ => {
                let Some(text) = event.text() else { return };
                match self.bars().last() {
                    Some((_, bar)) => bar.suspend(|| write_line(&text)),
                    None => write_line(&text),
                }
            }
        }
    }
}

fn bar(target: ProgressDrawTarget, title: &'static str, total: Option<u64>, unit: Unit) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, target).with_message(title);
    let amount: fn(u64) -> String = match unit {
        Unit::Bytes => |bytes| HumanBytes(bytes).to_string(),
        _ => |things| HumanCount(things).to_string(),
    };
    let numbers = match (unit, total) {
        (Unit::Bytes, _) => "[{bar:32}] {bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left",
        (_, Some(_)) => "[{bar:32}] {human_pos}/{human_len}, {per_sec}, {eta} left",
        (_, None) => "{spinner} {human_pos} {elapsed}",
    };
    if total.is_none() {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    // The templates are the literals above; a wrong one would only give the default style.
    let style = ProgressStyle::with_template(&format!("{{msg:<12}} {numbers}"));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    spawn_line_printer(&bar, title, amount);
    bar
}

/// Starts a thread that prints a line now and then while a `bar` that is not drawn exists, so that a log shows progress.
fn spawn_line_printer(bar: &ProgressBar, title: &'static str, amount: fn(u64) -> String) {
    const INTERVAL: Duration = Duration::from_millis(500);
    if !bar.is_hidden() {
        return;
    }
    let bar = bar.downgrade();
    let watch = move || {
        let mut lines = Lines::default();
        loop {
            thread::sleep(INTERVAL);
            let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) else { return };
            // The length may become known later.
            let total = bar.length().filter(|&total| total > 0);
            if lines.is_due(bar.position(), total, bar.elapsed()) {
                write_line(&line(title, bar.position(), total, bar.elapsed(), bar.eta(), amount));
            }
        }
    };
    // Without a thread there are no lines, and the work goes on all the same.
    let _ = thread::Builder::new().name("progress".into()).spawn(watch);
}

/// The schedule of lines: one after each tenth of the work, but not in quick succession, and at least every half minute.
#[derive(Default)]
struct Lines {
    tenths: u64,
    printed_at: Duration,
}

impl Lines {
    fn is_due(&mut self, position: u64, total: Option<u64>, elapsed: Duration) -> bool {
        const SOONEST: Duration = Duration::from_secs(5);
        const LATEST: Duration = Duration::from_secs(30);
        let tenths = total.map_or(0, |total| position.saturating_mul(10) / total);
        let silence = elapsed.saturating_sub(self.printed_at);
        let due = silence >= LATEST || (tenths > self.tenths && silence >= SOONEST);
        if due {
            (self.tenths, self.printed_at) = (tenths, elapsed);
        }
        due
    }
}

/// Returns `Crafting: 1,200/10,000 (12%) after 1:40, 12:13 left`, without the time left where `left` is `None`.
fn line(
    title: &str,
    position: u64,
    total: Option<u64>,
    elapsed: Duration,
    left: Duration,
    amount: fn(u64) -> String,
) -> String {
    let Some(total) = total else { return format!("{title}: {} after {}", amount(position), clock(elapsed)) };
    let percent = 100.0 * position as f64 / total as f64;
    let left = if left.is_zero() { String::new() } else { format!(", {} left", clock(left)) };
    format!("{title}: {}/{} ({percent:.0}%) after {}{left}", amount(position), amount(total), clock(elapsed))
}

/// Returns a duration as `0:05` or `1:02:03`.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_with_tenths_and_half_minutes_but_not_at_once() {
        let mut lines = Lines::default();
        let mut due = |position, seconds| lines.is_due(position, Some(100), Duration::from_secs(seconds));
        // Quick work prints no lines.
        assert!(!due(50, 1) && !due(90, 4));
        assert!(due(91, 5) && !due(92, 8));
        assert!(!due(95, 34), "no new tenth");
        assert!(due(95, 35), "half a minute");
        let unknown = Lines::default().is_due(5000, None, Duration::from_secs(29));
        assert!(!unknown);
    }

    #[test]
    fn lines_say_how_far_and_how_long() {
        let line = |position, total, seconds, left| {
            let [elapsed, left] = [seconds, left].map(Duration::from_secs);
            line("Crafting", position, total, elapsed, left, |count| HumanCount(count).to_string())
        };
        assert_eq!(line(2500, Some(10_000), 100, 300), "Crafting: 2,500/10,000 (25%) after 1:40, 5:00 left");
        assert_eq!(line(0, Some(10_000), 30, 0), "Crafting: 0/10,000 (0%) after 0:30");
        assert_eq!(line(70, None, 3723, 0), "Crafting: 70 after 1:02:03");
    }
}
