//! Attacks: begun, stopped, forgotten.

use super::{Effect, Phase, Progress, Stage, State};
use protocol::{Request, Settings};

/// Attacks: the next one, and the one that is shown.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Attack {
    /// What the next attack will do.
    pub settings: Settings,
    /// What the last one was asked to do.
    pub latest: Settings,
    /// Attacks begun so far.
    pub begun: u32,
    /// Whether a changed setting began the last one, and no button.
    pub automatic: bool,
    /// Whether a change of the settings waits to be carried out.
    pub(super) settles: bool,
    /// Whether to begin an attack once the clean answers are there: one was under way when the engine fell back.
    pub(super) resume: bool,
}

impl State {
    /// Tells whether an attack can begin now.
    pub fn can_attack(&self) -> bool {
        self.engine.phase == Phase::Ready && self.stage.is_classified()
    }

    /// Begins an attack with the settings as they are.
    pub(super) fn begin_attack(&mut self) -> Vec<Effect> {
        if !self.can_attack() {
            return Vec::new();
        }
        let id = self.next_id();
        self.stage = Stage::Attacking(id);
        if self.attack.latest.target != self.attack.settings.target {
            // What is shown was led elsewhere, and would be judged by the new target.
            self.forget_results();
        }
        self.attack.latest = self.attack.settings;
        self.attack.begun += 1;
        for column in self.columns.iter_mut().filter(|column| column.progress != Progress::Empty) {
            column.progress = Progress::Attacking;
            column.outdated = true;
            column.steps_done = 0;
            column.steps_total = self.attack.settings.steps_total();
        }
        vec![Effect::Post(Request::Attack { id, settings: self.attack.settings })]
    }

    /// Ends the attack under way, whatever the engine still says of it.
    pub(super) fn stop_attack(&mut self) {
        if !matches!(self.stage, Stage::Attacking(_)) {
            return;
        }
        self.stage = Stage::Classified;
        for column in &mut self.columns {
            if column.progress != Progress::Attacking {
                continue;
            }
            if column.steps_done == 0 {
                // What is shown is of an earlier attack, with other settings.
                column.forget_result();
                column.noise = None;
                column.progress = Progress::Clean;
            } else {
                column.progress = Progress::Stopped;
            }
        }
    }

    /// Removes the results of an attack from both columns.
    pub(super) fn forget_results(&mut self) {
        for column in &mut self.columns {
            column.forget_result();
            column.noise = None;
        }
    }
}
