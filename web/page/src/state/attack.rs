//! Attacks: begun, stopped, forgotten.

use super::{Effect, Phase, Progress, State, Work};
use protocol::Request;

impl State {
    /// Whether an attack can begin now.
    pub fn can_attack(&self) -> bool {
        let works = matches!(self.work(), Work::Idle | Work::Attacking | Work::Sweeping);
        self.phase == Phase::Ready && self.opened && works
    }

    /// Begins an attack with the settings as they are.
    pub(super) fn attack(&mut self) -> Vec<Effect> {
        if !self.can_attack() {
            return Vec::new();
        }
        let id = self.next_id();
        self.attacking = Some(id);
        self.sweeping = None;
        if self.attacked_with.target != self.settings.target {
            // What is shown was led elsewhere, and would be judged by the new target.
            self.forget_results();
        }
        self.attacked_with = self.settings;
        self.attacks_begun += 1;
        for column in &mut self.columns {
            column.progress = Progress::Attacking;
            column.outdated = true;
            column.steps_done = 0;
            column.steps_total = self.settings.steps_total();
        }
        vec![Effect::Post(Request::Attack { id, settings: self.settings })]
    }

    /// Listens no more to the attack under way.
    pub(super) fn stop_attack(&mut self) {
        if self.attacking.take().is_none() {
            return;
        }
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

    /// Shows none, rather than those of another attack.
    pub(super) fn forget_results(&mut self) {
        for column in &mut self.columns {
            column.forget_result();
            column.noise = None;
        }
    }
}
