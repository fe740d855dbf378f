//! Events as lines of JSON on stderr.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, View, write_line};

/// A view that writes an object for each event; of [`Event::Advanced`], one a second for each task.
#[derive(Default)]
pub struct JsonLines {
    /// Time of the last [`Event::Advanced`] that was written of each task under way.
    advanced_at: Mutex<HashMap<u64, Instant>>,
}

impl JsonLines {
    /// Returns whether `event` is written, and notes its time.
    fn is_due(&self, event: &Event) -> bool {
        const PAUSE: Duration = Duration::from_secs(1);
        let mut advanced_at = self.advanced_at.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Advanced { task, .. } => {
                let due = advanced_at.get(task).is_none_or(|at| at.elapsed() >= PAUSE);
                if due {
                    advanced_at.insert(*task, Instant::now());
                }
                due
            }
            Event::Finished { task, .. } => {
                advanced_at.remove(task);
                true
            }
            _ => true,
        }
    }
}

impl View for JsonLines {
    fn show(&self, event: &Event) {
        if !self.is_due(event) {
            return;
        }
        // Serialization cannot fail: events hold numbers and texts alone.
        if let Ok(line) = serde_json::to_string(event) {
            write_line(&crate::output::in_json(&line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_does_not_silence_another() {
        let view = JsonLines::default();
        let advance = |task| view.is_due(&Event::Advanced { task, done: 1, skipped: 0, total: None });
        assert_eq!([1, 2, 1, 2].map(advance), [true, true, false, false]);
        assert!(view.is_due(&Event::Finished { task: 1, done: 1, seconds: 0.5 }));
        assert_eq!(view.advanced_at.lock().unwrap().keys().collect::<Vec<_>>(), [&2]);
    }
}
