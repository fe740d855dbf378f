//! What the visitor does, and the browser on the visitor's behalf.

use super::{Candidate, Change, Effect, Event, Phase, Pick, PickId, Progress, State, Work};
use crate::protocol::{BackendChoice, Request, Settings};

/// A sliding hand changes a setting sixty times a second; an attack begins at most this often.
const SETTLE_MS: u32 = 80;

impl State {
    /// Takes an event of the visitor's side.
    pub(super) fn visited(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::SamplesListed(samples) => {
                self.samples = samples;
                self.show_a_sample().into_iter().collect()
            }
            Event::PageKept => {
                self.page_kept = true;
                Vec::new()
            }
            Event::SampleChosen(index) => vec![Effect::FetchSample { index, pick: self.begin_pick() }],
            Event::Picked { pick, candidate } => self.picked(pick, candidate),
            Event::PickFailed { pick, message } => {
                if self.end_pick(pick).is_some() {
                    self.alert = Some(message);
                }
                Vec::new()
            }
            Event::Trouble(message) => {
                self.alert = Some(message);
                Vec::new()
            }
            Event::Choose(choice) => self.choose(choice),
            Event::ChooseNetwork { slot, folder } => self.choose_network(slot, &folder),
            Event::GoOn => self.go_on(),
            Event::Stay => self.stay(),
            Event::Set(change) => self.set(change),
            Event::Settled => {
                self.settling = false;
                if !self.attack_is_shown() {
                    return Vec::new();
                }
                let effects = self.attack();
                self.attacked_again |= !effects.is_empty();
                effects
            }
            Event::Attack => {
                if self.can_attack() {
                    self.forget_results();
                    self.attacked_again = false;
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

    /// The visitor has asked for a picture, whose bytes are still to come: only the picture asked for last will be shown.
    /// Gives the number under which it is to be told of.
    pub fn begin_pick(&mut self) -> PickId {
        self.pick(false)
    }

    fn pick(&mut self, automatic: bool) -> PickId {
        self.last_pick += 1;
        self.picking = Some(Pick { id: self.last_pick, automatic });
        self.last_pick
    }

    /// Takes the pick of that number as answered, if it is the one that is waited for.
    fn end_pick(&mut self, id: PickId) -> Option<Pick> {
        self.picking.take_if(|waiting| waiting.id == id)
    }

    /// Asks for the first sample, so that there is something to see, unless there is or will be.
    pub(super) fn show_a_sample(&mut self) -> Option<Effect> {
        if self.samples.is_empty() || self.picture.is_some() || self.picture_pending() {
            return None;
        }
        Some(Effect::FetchSample { index: 0, pick: self.pick(true) })
    }

    fn picked(&mut self, pick: PickId, candidate: Candidate) -> Vec<Effect> {
        let Some(Pick { automatic, .. }) = self.end_pick(pick) else {
            return candidate.into_revoke().into_iter().collect();
        };
        if !automatic {
            self.alert = None;
            self.attack_again = false;
        }
        self.open(candidate)
    }

    fn choose(&mut self, choice: BackendChoice) -> Vec<Effect> {
        self.choice = choice;
        self.fallback = None;
        self.cpu_restarts = 0;
        self.forget_trouble();
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

    /// A fresh worker, which will be given the picture again.
    pub(super) fn restart(&mut self) -> Vec<Effect> {
        self.drop_work();
        self.forget_engine();
        self.generation += 1;
        self.phase = Phase::Starting;
        self.backend = None;
        self.downloads = [None, None];
        vec![Effect::StartWorker(self.generation)]
    }
}
