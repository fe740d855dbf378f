//! Events as text on stderr: bars on a terminal, and now and then a line elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Event, Unit, View, write_line};
use crate::output::lines;

/// A view that shows each task as a bar, or as lines where there is no terminal to draw on.
pub struct Terminal {
    target: fn() -> ProgressDrawTarget,
    bars: Mutex<Vec<Bar>>,
}

/// The bar of a task.
struct Bar {
    task: u64,
    bar: ProgressBar,
    /// Units that took no work.
    skipped: Arc<AtomicU64>,
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

    fn bars(&self) -> MutexGuard<'_, Vec<Bar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View for Terminal {
    fn show(&self, event: &Event) {
        match event {
            Event::Started { task, title, total, unit } => {
                let skipped = Arc::default();
                let bar = bar((self.target)(), title, *total, *unit, &skipped);
                self.bars().push(Bar { task: *task, bar, skipped });
            }
            Event::Advanced { task, done, skipped: now_skipped, total } => {
                if let Some(Bar { bar, skipped, .. }) = self.bars().iter().find(|bar| bar.task == *task) {
                    if let Some(total) = total {
                        bar.set_length(*total);
                    }
                    skipped.store(*now_skipped, Ordering::Relaxed);
                    bar.set_position(*done);
                }
            }
            Event::Finished { task, .. } => {
                let mut bars = self.bars();
                bars.iter().filter(|bar| bar.task == *task).for_each(|bar| bar.bar.finish_and_clear());
                bars.retain(|bar| bar.task != *task);
            }
            _ => {
                let Some(text) = event.text() else { return };
                match self.bars().last() {
                    Some(Bar { bar, .. }) => bar.suspend(|| write_line(&lines(&text))),
                    None => write_line(&lines(&text)),
                }
            }
        }
    }
}

fn bar(
    target: ProgressDrawTarget,
    title: &'static str,
    total: Option<u64>,
    unit: Unit,
    skipped: &Arc<AtomicU64>,
) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, target).with_message(title);
    let amount: fn(u64) -> String = match unit {
        Unit::Bytes => |bytes| HumanBytes(bytes).to_string(),
        _ => |things| HumanCount(things).to_string(),
    };
    let numbers = match (unit, total) {
        (Unit::Bytes, _) => "[{bar:32}] {bytes}/{total_bytes}, {binary_bytes_per_sec}{left}",
        (_, Some(_)) => "[{bar:32}] {human_pos}/{human_len}, {per_sec}{left}",
        (_, None) => "{spinner} {human_pos} {elapsed}",
    };
    if total.is_none() {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    // The templates are the literals above; a wrong one would only give the default style.
    let style = ProgressStyle::with_template(&format!("{{msg:<12}} {numbers}"));
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    let of_bar = skipped.clone();
    bar.set_style(style.with_key("left", move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let left = left(of_bar.load(Ordering::Relaxed), state.pos(), state.len(), state.elapsed());
        // Only a text that takes nothing more fails.
        let _ = text.write_str(&left);
    }));
    spawn_line_printer(&bar, title, amount, skipped.clone());
    bar
}

/// Starts a thread that prints a line now and then while a `bar` that is not drawn exists, so that a log shows progress.
fn spawn_line_printer(bar: &ProgressBar, title: &'static str, amount: fn(u64) -> String, skipped: Arc<AtomicU64>) {
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
                let left = left(skipped.load(Ordering::Relaxed), bar.position(), total, bar.elapsed());
                write_line(&line(title, bar.position(), total, bar.elapsed(), &left, amount));
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

/// Returns `, 12:13 left` by the mean of the work so far, without the units `skipped`; nothing where that is not known.
/// Estimates by the last steps alone run away when steps are slow.
fn left(skipped: u64, position: u64, total: Option<u64>, elapsed: Duration) -> String {
    let (done, rest) = (position.saturating_sub(skipped), total.unwrap_or(position).saturating_sub(position));
    if done == 0 || rest == 0 {
        return String::new();
    }
    let seconds = elapsed.as_secs_f64() * rest as f64 / done as f64;
    format!(", {} left", clock(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)))
}

/// Returns `Crafting: 1,200/10,000 (12%) after 1:40, 12:13 left`, with `left` at its end.
fn line(
    title: &str,
    position: u64,
    total: Option<u64>,
    elapsed: Duration,
    left: &str,
    amount: fn(u64) -> String,
) -> String {
    let Some(total) = total else { return format!("{title}: {} after {}", amount(position), clock(elapsed)) };
    let percent = 100.0 * position as f64 / total as f64;
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
        let line = |position, total, seconds| {
            let elapsed = Duration::from_secs(seconds);
            let left = left(0, position, total, elapsed);
            line("Crafting", position, total, elapsed, &left, |count| HumanCount(count).to_string())
        };
        assert_eq!(line(2500, Some(10_000), 100), "Crafting: 2,500/10,000 (25%) after 1:40, 5:00 left");
        assert_eq!(line(48, Some(112), 288), "Crafting: 48/112 (43%) after 4:48, 6:24 left");
        assert_eq!(line(0, Some(10_000), 30), "Crafting: 0/10,000 (0%) after 0:30");
        assert_eq!(line(10_000, Some(10_000), 30), "Crafting: 10,000/10,000 (100%) after 0:30");
        assert_eq!(line(70, None, 3723), "Crafting: 70 after 1:02:03");
    }

    #[test]
    fn the_time_left_is_the_mean_of_this_work_and_never_runs_away() {
        let left = |skipped, position, seconds| left(skipped, position, Some(200), Duration::from_secs(seconds));
        assert_eq!(left(0, 100, 60), ", 1:00 left");
        // Half of a download that was there already says nothing of its pace.
        assert_eq!(left(100, 150, 60), ", 1:00 left");
        assert_eq!((left(100, 100, 60), left(200, 100, 60)), (String::new(), String::new()));
        // The mean of the slowest step so far, and not the pace since it.
        assert_eq!(left(0, 1, 300), ", 16:35:00 left");
    }
}
