//! What the page says beside the controls, so that nothing happens unsaid.

use super::{Phase, Progress, State, Work};
use crate::text;

impl State {
    /// Returns what pressing the button will do, or why it cannot be pressed.
    pub fn hint(&self) -> &'static str {
        match (&self.engine.phase, self.work(), &self.picture.shown) {
            (Phase::Failed(_), ..) => "The engine is not running.",
            (Phase::Asking, ..) => "The networks are not downloaded yet: see below.",
            (Phase::Ready, Work::Idle, None) => "Choose a picture first.",
            (Phase::Ready, Work::Attacking, _) => "Escape stops it. A changed setting begins it anew.",
            (Phase::Ready, Work::Idle, _) if self.shows(Progress::Done) => {
                "Change any setting, and both networks are attacked again at once."
            }
            (Phase::Ready, Work::Idle, _) if self.shows(Progress::Stopped) => {
                "Stopped. Changed settings count from the next attack on."
            }
            (Phase::Ready, Work::Sweeping, _) => {
                "The curves are being measured. Escape stops that; an attack replaces it."
            }
            (Phase::Ready, Work::Looking, _) => {
                "The networks are looked into. Escape stops that; an attack replaces it."
            }
            (Phase::Ready, ..) if self.attack.settings.kind.is_control() => {
                "Noise asks no network: both see the same random change."
            }
            (Phase::Ready, ..) if self.attack.settings.crafted_on.is_some() => {
                "The change is computed from one network’s gradients, and both see it (transfer)."
            }
            (Phase::Ready, ..) => "The change is computed from each network’s own gradients (white-box).",
            _ => "The networks are still loading.",
        }
    }

    /// Says that a changed setting began an attack by itself, and with what; empty if none did. The words stay the same
    /// while a slider moves, since they are read out whenever they change.
    pub fn again_words(&self) -> String {
        if !self.attack.automatic {
            return String::new();
        }
        match self.work() {
            Work::Attacking => "A setting changed: attacking again.".into(),
            Work::Idle if self.shows(Progress::Done) => {
                format!("Attacked again after a change: {}.", text::attack(&self.attack.latest))
            }
            _ => String::new(),
        }
    }

    pub(super) fn shows(&self, progress: Progress) -> bool {
        self.columns.iter().any(|column| column.progress == progress)
    }
}
