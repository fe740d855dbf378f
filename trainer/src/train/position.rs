//! How far a run is, and the wish that it end.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::train::Interrupter;

/// How far a run is; shared by the loader, which moves it, and whoever saves checkpoints.
#[derive(Default)]
pub struct Position {
    steps_done: AtomicUsize,
    stop: AtomicBool,
    /// The dashboard's way to say the same. burn-train forgets what it says when a training ends.
    interrupter: Interrupter,
}

impl fmt::Debug for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "Position({})", self.steps_done())
    }
}

impl Position {
    /// Starts after `steps_done` steps.
    pub fn at(steps_done: usize) -> Self {
        Self { steps_done: steps_done.into(), ..Self::default() }
    }

    /// Steps whose batch was handed out.
    pub fn steps_done(&self) -> usize {
        self.steps_done.load(Ordering::SeqCst)
    }

    /// Moves to after so many steps: on by one, or back to a checkpoint.
    pub(super) fn move_to(&self, steps_done: usize) {
        self.steps_done.store(steps_done, Ordering::SeqCst);
    }

    /// Asks for an end after the step that is being computed.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// For a dashboard that has a key for it.
    pub fn stop_handle(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Whether an end was asked for.
    pub fn stop_requested(&self) -> bool {
        if self.interrupter.should_stop() {
            self.request_stop();
        }
        self.stop.load(Ordering::SeqCst)
    }
}
