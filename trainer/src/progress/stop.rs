//! The user's wish that long work end early and tidily.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::error::Stopped;

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
