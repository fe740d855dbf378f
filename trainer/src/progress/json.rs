//! Events as lines of JSON on stderr.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, View, write_line};

/// A view that writes an object for each event; of [`Event::Advanced`], one a second.
#[derive(Default)]
pub struct JsonLines {
    advanced_at: Mutex<Option<Instant>>,
}

impl View for JsonLines {
    fn show(&self, event: &Event) {
        const PAUSE: Duration = Duration::from_secs(1);
        if let Event::Advanced { .. } = event {
            let mut at = self.advanced_at.lock().unwrap_or_else(PoisonError::into_inner);
            if at.is_some_and(|at| at.elapsed() < PAUSE) {
                return;
            }
            *at = Some(Instant::now());
        }
        // Serialization cannot fail: events hold numbers and texts alone.
        if let Ok(line) = serde_json::to_string(event) {
            write_line(&line);
        }
    }
}
