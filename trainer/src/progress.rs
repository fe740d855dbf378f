//! Progress of long work, on stderr: a bar on a terminal, now and then a line elsewhere; and the wish that it end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::error::Stopped;
use crate::output;

/// A bar over `total` bytes.
pub fn bytes(total: u64, title: &'static str) -> ProgressBar {
    let bar = styled(ProgressBar::new(total), "{bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left", title);
    say_lines(&bar, title, |bytes| HumanBytes(bytes).to_string());
    bar
}

/// A bar over `total` things.
pub fn count(total: u64, title: &'static str) -> ProgressBar {
    let bar = styled(ProgressBar::new(total), "{human_pos}/{human_len}, {per_sec}, {eta} left", title);
    say_lines(&bar, title, |things| HumanCount(things).to_string());
    bar
}

/// For work whose length is not known.
pub fn spinner(title: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(title);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_style(style("{spinner} {msg} {human_pos} {elapsed}"));
    say_lines(&bar, title, |things| HumanCount(things).to_string());
    bar
}

/// Where there is no terminal to draw `bar` on, prints a line now and then for as long as there is a bar, so that a log shows
/// whether work goes on.
fn say_lines(bar: &ProgressBar, title: &'static str, amount: fn(u64) -> String) {
    const LOOK: Duration = Duration::from_millis(500);
    if !bar.is_hidden() {
        return;
    }
    let bar = bar.downgrade();
    let watch = move || {
        let mut lines = Lines::default();
        loop {
            thread::sleep(LOOK);
            let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) else { return };
            // The length may become known later.
            let total = bar.length().filter(|&total| total > 0);
            if lines.is_due(bar.position(), total, bar.elapsed()) {
                output::note(&line(title, bar.position(), total, bar.elapsed(), bar.eta(), amount));
            }
        }
    };
    // Without a thread there are no lines, and the work goes on all the same.
    let _ = thread::Builder::new().name("progress".into()).spawn(watch);
}

/// When lines are due: after each tenth of the work, but not in quick succession, and at least every half minute.
#[derive(Default)]
struct Lines {
    tenths: u64,
    said_at: Duration,
}

impl Lines {
    fn is_due(&mut self, position: u64, total: Option<u64>, elapsed: Duration) -> bool {
        const SOONEST: Duration = Duration::from_secs(5);
        const LATEST: Duration = Duration::from_secs(30);
        let tenths = total.map_or(0, |total| position.saturating_mul(10) / total);
        let silence = elapsed.saturating_sub(self.said_at);
        let due = silence >= LATEST || (tenths > self.tenths && silence >= SOONEST);
        if due {
            (self.tenths, self.said_at) = (tenths, elapsed);
        }
        due
    }
}

/// `Crafting: 1,200/10,000 (12%) after 1:40, 12:13 left`. No time `left` means that it is not known.
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

/// `0:05`, `1:02:03`.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn styled(bar: ProgressBar, numbers: &str, title: &'static str) -> ProgressBar {
    bar.set_style(style(&format!("{{msg:<12}} [{{bar:32}}] {numbers}")).progress_chars("=> "));
    bar.with_message(title)
}

fn style(template: &str) -> ProgressStyle {
    // The templates are the literals above; a broken one would only cost the looks.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The user's wish that long work end early and tidily.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A wish that Ctrl-C expresses; a second Ctrl-C ends the program at once. To be called once in a program.
    ///
    /// # Errors
    /// When the system lets no one handle Ctrl-C.
    pub fn on_ctrl_c() -> Result<Self> {
        let stop = Self::default();
        let asked = stop.clone();
        on_ctrl_c(move || asked.request(), || {})?;
        Ok(stop)
    }

    /// Asks for the end.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Stopped`] when the end was asked for.
    pub fn check(&self) -> Result<()> {
        if self.requested() {
            return Err(Stopped("Stopped; nothing was written".into()).into());
        }
        Ok(())
    }
}

/// Wrappers such as `timeout` pass on a Ctrl-C that the terminal has sent already: within this time two are one.
const ECHO: Duration = Duration::from_secs(1);

/// Calls `first` at the first Ctrl-C (or SIGTERM, or SIGHUP); a second one calls `last` and ends the program. To be called
/// once in a program.
///
/// # Errors
/// When the system lets no one handle Ctrl-C.
pub fn on_ctrl_c(first: impl Fn() + Send + 'static, last: impl Fn() + Send + 'static) -> Result<()> {
    let mut asked_at: Option<Instant> = None;
    let handle = move || match asked_at {
        Some(at) if at.elapsed() < ECHO => {}
        Some(_) => {
            last();
            std::process::exit(Stopped::EXIT_CODE.into());
        }
        None => {
            asked_at = Some(Instant::now());
            first();
        }
    };
    ctrlc::set_handler(handle).context("cannot listen for Ctrl-C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_with_tenths_and_half_minutes_but_not_at_once() {
        let mut lines = Lines::default();
        let mut due = |position, seconds| lines.is_due(position, Some(100), Duration::from_secs(seconds));
        // Quick work says nothing.
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
