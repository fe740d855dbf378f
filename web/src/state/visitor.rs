//! What the visitor does, and the browser on the visitor's behalf.

use super::{Candidate, Change, Effect, Event, Phase, Progress, State, Work};
use crate::protocol::{BackendChoice, Request, Settings};

/// A sliding hand changes a setting sixty times a second; an attack begins at most this often.
const SETTLE_MS: u32 = 80;

impl State {
    /// Takes an event of the visitor's side.
    pub(super) fn visited(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::SamplesListed(samples) => {
                self.samples = samples;
                if self.samples.is_empty() || self.has_picture() { Vec::new() } else { vec![Effect::FetchSample(0)] }
            }
            Event::KeptOffline => {
                self.kept_offline = true;
                Vec::new()
            }
            Event::Picked { candidate, automatic } => self.picked(candidate, automatic),
            Event::PickFailed(message) => {
                self.alert = Some(message);
                Vec::new()
            }
            Event::Choose(choice) => self.choose(choice),
            Event::Set(change) => self.set(change),
            Event::Settled => {
                self.settling = false;
                if self.attack_is_shown() { self.attack() } else { Vec::new() }
            }
            Event::Attack => {
                if self.can_attack() {
                    self.forget_results();
                }
                self.attack()
            }
            Event::Cancel if self.work() == Work::Attacking => {
                self.stop_attack();
                vec![Effect::Post(Request::Cancel)]
            }
            Event::Dismiss => {
                self.alert = None;
                Vec::new()
            }
            Event::Cancel | Event::Engine { .. } | Event::WorkerBroke { .. } | Event::Silence { .. } => Vec::new(),
        }
    }

    fn picked(&mut self, candidate: Candidate, automatic: bool) -> Vec<Effect> {
        if automatic && self.has_picture() {
            return candidate.into_revoke().into_iter().collect();
        }
        self.alert = None;
        self.open(candidate)
    }

    fn choose(&mut self, choice: BackendChoice) -> Vec<Effect> {
        self.choice = choice;
        self.fallback = None;
        self.cpu_restarts = 0;
        self.restart()
    }

    fn set(&mut self, change: Change) -> Vec<Effect> {
        let before = self.settings;
        match change {
            Change::Kind(kind) => self.settings.kind = kind,
            Change::Epsilon(k) => self.settings.epsilon_255 = k.min(Settings::MAX_EPSILON_255),
            Change::Steps(steps) => self.settings.steps = steps.clamp(1, Settings::MAX_STEPS),
            Change::Target(target) => self.settings.target = target.filter(|&class| class < self.classes.len()),
        }
        if self.settings == before || self.settling || !self.attack_is_shown() {
            return Vec::new();
        }
        self.settling = true;
        vec![Effect::After { ms: SETTLE_MS, event: Event::Settled }]
    }

    /// Whether an attack is under way or its result is shown, so that a changed setting should change it.
    fn attack_is_shown(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.progress, Progress::Attacking | Progress::Done))
    }

    fn forget_results(&mut self) {
        for column in &mut self.columns {
            column.step = None;
            column.noise = None;
        }
    }

    /// A fresh worker, which will be given the picture again.
    pub(super) fn restart(&mut self) -> Vec<Effect> {
        self.attack_again = self.attacking.is_some();
        self.stop_attack();
        self.classifying = None;
        if let Some((_, candidate)) = self.opening.take() {
            // Chosen later than what is shown, so it is what the visitor wants to see.
            self.queued.get_or_insert(candidate);
        }
        self.generation += 1;
        self.phase = Phase::Starting;
        self.backend = None;
        self.downloads = [None, None];
        vec![Effect::StartWorker(self.generation)]
    }
}
