//! Requests by the user to end long work early and tidily.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Progress;
use crate::error::Stopped;

/// A flag that requests an early and tidy end of long work. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Returns a flag that Ctrl-C sets; a second Ctrl-C ends the program at once. To be called once in a program.
    ///
    /// # Errors
    /// When no handler can be set for Ctrl-C.
    pub fn on_ctrl_c() -> Result<Self> {
        let stop = Self::default();
        let asked = stop.clone();
        on_ctrl_c(move || asked.request(), || {})?;
        Ok(stop)
    }

    /// Returns a flag as [`Stop::on_ctrl_c`] does, and has `progress` show at once what is still done before the end.
    ///
    /// # Errors
    /// When no handler can be set for Ctrl-C.
    pub fn on_ctrl_c_with_note(note: &'static str, progress: &Progress) -> Result<Self> {
        let stop = Self::default();
        let (asked, progress) = (stop.clone(), progress.clone());
        let first = move || {
            asked.request();
            progress.note(format!("{note}; once more to stop at once"));
        };
        on_ctrl_c(first, || {})?;
        Ok(stop)
    }

    /// Requests a stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether a stop was requested.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Checks that no stop was requested.
    ///
    /// # Errors
    /// [`Stopped`] when one was.
    pub fn check(&self) -> Result<()> {
        if self.requested() {
            return Err(Stopped("Stopped; nothing was written".into()).into());
        }
        Ok(())
    }
}

/// Time within which a second Ctrl-C is ignored: wrappers such as `timeout` repeat the one that the terminal has sent.
const ECHO: Duration = Duration::from_secs(1);

/// Calls `first` at the first Ctrl-C (or SIGTERM, or SIGHUP); a second one calls `last` and ends the program. To be called
/// once in a program.
///
/// # Errors
/// When no handler can be set for Ctrl-C.
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
