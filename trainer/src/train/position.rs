//! The position of a run, and requests to stop it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::train::Interrupter;

/// The number of steps done, shared by the loader, which moves it, and the code that saves checkpoints.
#[derive(Default)]
pub struct Position {
    steps_done: AtomicUsize,
    stop: AtomicBool,
    /// The number of steps after which a test stops the run.
    #[cfg(test)]
    stop_after: Option<usize>,
    /// The dashboard's request to stop, which burn-train resets when a training ends; `stop` keeps it.
    interrupter: Interrupter,
}

impl fmt::Debug for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Position({})", self.steps_done())
    }
}

impl Position {
    /// Starts after `steps_done` steps.
    pub fn at(steps_done: usize) -> Self {
        Self { steps_done: steps_done.into(), ..Self::default() }
    }

    /// Starts after `steps_done` steps, and requests a stop after `stop_after`.
    #[cfg(test)]
    pub fn that_stops(steps_done: usize, stop_after: Option<usize>) -> Self {
        Self { stop_after, ..Self::at(steps_done) }
    }

    /// Returns the number of steps whose batch was handed out.
    pub fn steps_done(&self) -> usize {
        self.steps_done.load(Ordering::SeqCst)
    }

    /// Sets the number of steps done: on by one, or back to a checkpoint.
    pub(super) fn move_to(&self, steps_done: usize) {
        self.steps_done.store(steps_done, Ordering::SeqCst);
        #[cfg(test)]
        if self.stop_after == Some(steps_done) {
            self.request_stop();
        }
    }

    /// Requests a stop after the current step.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Returns the handle by which a dashboard's key requests a stop.
    pub fn stop_handle(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Returns whether a stop was requested.
    pub fn stop_requested(&self) -> bool {
        if self.interrupter.should_stop() {
            self.request_stop();
        }
        self.stop.load(Ordering::SeqCst)
    }
}
