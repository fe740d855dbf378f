//! Progress of long work, on stderr: a bar on a terminal, nothing elsewhere; and the wish that it end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Stopped;

/// A bar over `total` bytes.
pub fn bytes(total: u64, title: &'static str) -> ProgressBar {
    styled(ProgressBar::new(total), "{bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left", title)
}

/// A bar over `total` things.
pub fn count(total: u64, title: &'static str) -> ProgressBar {
    styled(ProgressBar::new(total), "{human_pos}/{human_len}, {per_sec}, {eta} left", title)
}

/// For work whose length is not known.
pub fn spinner(title: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(title);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_style(style("{spinner} {msg} {human_pos} {elapsed}"));
    bar
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
            return Err(Stopped("Stopped; nothing was imported".into()).into());
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
