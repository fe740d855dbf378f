//! What the visitor does, and the browser on the visitor's behalf.

use super::{Candidate, Change, Effect, Event, Phase, Pick, PickId, Progress, Stage, State, Work};
use protocol::{BackendChoice, Request, Settings};

/// Milliseconds between an input and what follows from it: a slider changes a setting sixty times a second.
pub(super) const SETTLE_MS: u32 = 80;

impl State {
    /// Takes an event of the visitor's side.
    pub(super) fn on_visitor(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Opened => self.start_worker(),
            Event::SamplesListed(samples) => {
                self.samples = samples;
                self.show_a_sample().into_iter().collect()
            }
            Event::PageKept => {
                self.page_kept = true;
                Vec::new()
            }
            Event::PageForgotten => {
                (self.page_kept, self.networks_kept, self.forgotten) = (false, false, true);
                self.engine.measured = None;
                Vec::new()
            }
            Event::SampleChosen(index) => vec![Effect::FetchSample { index, pick: self.begin_pick(), crop: None }],
            Event::Picked { pick, candidate } => self.picked(pick, candidate),
            Event::PickFailed { pick, message } => {
                self.pick_failed(pick, message);
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
                self.attack.settles = false;
                if !self.follows_settings() {
                    return Vec::new();
                }
                let effects = self.begin_attack();
                self.attack.automatic |= !effects.is_empty();
                effects
            }
            Event::Disturb(disturbance) => self.set_disturbance(disturbance),
            Event::DisturbanceSettled => self.disturbance_settled(),
            Event::Crop(crop) => self.set_crop(crop),
            Event::CropSettled => self.crop_settled(),
            Event::Sweep => self.begin_sweep(),
            Event::Look(evade) => self.begin_look(evade),
            Event::Scrub(step) => {
                self.scrub(step);
                Vec::new()
            }
            Event::SavePicture(slot) => self.save_picture(slot),
            Event::SaveReport => self.save_report(),
            Event::Attack => {
                if self.can_attack() {
                    self.forget_results();
                    self.attack.automatic = false;
                }
                self.begin_attack()
            }
            Event::Cancel if matches!(self.work(), Work::Attacking | Work::Sweeping | Work::Looking) => {
                self.stop_attack();
                self.stage = Stage::Classified;
                vec![Effect::Post(Request::Cancel)]
            }
            Event::Dismiss => {
                self.alert = None;
                Vec::new()
            }
            Event::Cancel
            | Event::Engine { .. }
            | Event::EngineComes { .. }
            | Event::WorkerBroke { .. }
            | Event::WorkerEnded { .. }
            | Event::AdapterSeen { .. }
            | Event::Silence { .. } => Vec::new(),
        }
    }

    /// Notes that the visitor has asked for a picture, which is still to come: only the picture asked for last will be shown.
    /// Returns the number of the pick, which the answer carries.
    pub fn begin_pick(&mut self) -> PickId {
        self.pick(false)
    }

    fn pick(&mut self, automatic: bool) -> PickId {
        let id = self.next_pick();
        self.picture.pick = Some(Pick { id, automatic });
        id
    }

    pub(super) fn next_pick(&mut self) -> PickId {
        self.picture.last_pick += 1;
        self.picture.last_pick
    }

    /// Tells whether a picture or a square is still waited for: no other one has taken its place.
    pub fn awaits(&self, id: PickId) -> bool {
        self.picture.pick.is_some_and(|waiting| waiting.id == id) || self.picture.cut == Some(id)
    }

    /// Takes the pick of that number as answered, if it is the one that is waited for.
    fn end_pick(&mut self, id: PickId) -> Option<Pick> {
        self.picture.pick.take_if(|waiting| waiting.id == id)
    }

    /// Asks for the first sample, so that there is something to see, unless there is or will be.
    pub(super) fn show_a_sample(&mut self) -> Option<Effect> {
        if self.samples.is_empty() || self.picture.shown.is_some() || self.picture_pending() {
            return None;
        }
        let linked = self.linked_sample();
        let crop = self.link.crop.filter(|_| linked.is_some());
        Some(Effect::FetchSample { index: linked.unwrap_or(0), pick: self.pick(true), crop })
    }

    fn picked(&mut self, pick: PickId, candidate: Candidate) -> Vec<Effect> {
        if self.end_cut(pick) {
            // The attack that is shown is begun again.
            self.attack.resume |= self.attack_is_shown();
            return self.open(candidate);
        }
        let Some(Pick { automatic, .. }) = self.end_pick(pick) else {
            return Vec::new();
        };
        // A square of the picture before is not waited for any more.
        self.picture.cut = None;
        if !automatic {
            self.alert = None;
            self.attack.resume = false;
            self.link = super::Link::default();
        }
        self.open(candidate)
    }

    /// Takes the answer that a picture, or another square of the one that is shown, is not to be had. What is shown stays.
    fn pick_failed(&mut self, pick: PickId, message: String) {
        let cut = self.end_cut(pick);
        if cut {
            self.picture.wanted_crop = None;
        }
        if cut || self.end_pick(pick).is_some() {
            self.alert = Some(message);
        }
    }

    /// Takes the cut of that number as answered; tells whether it is the one that is waited for.
    fn end_cut(&mut self, id: PickId) -> bool {
        self.picture.cut.take_if(|waiting| *waiting == id).is_some()
    }

    fn choose(&mut self, choice: BackendChoice) -> Vec<Effect> {
        self.engine.choice = choice;
        self.engine.fallback = None;
        self.engine.cpu_restarts = 0;
        self.forget_trouble();
        self.restart()
    }

    fn set(&mut self, change: Change) -> Vec<Effect> {
        let before = self.attack.settings;
        match change {
            Change::Kind(kind) => {
                // A length in 255ths means nothing in L2.
                let step_size_tenths = before.step_size_tenths.filter(|_| kind.norm() == before.norm());
                self.attack.settings = Settings { kind, step_size_tenths, ..before };
            }
            Change::Epsilon(units) => self.attack.settings = self.attack.settings.with_radius(units),
            Change::Steps(steps) => self.attack.settings.steps = steps,
            Change::StepSize(step_size_tenths) => self.attack.settings.step_size_tenths = step_size_tenths,
            Change::Target(target) => self.attack.settings.target = target,
            Change::StopAtSuccess(stop) => self.attack.settings.stop_at_success = stop,
            Change::CraftedOn(slot) => self.attack.settings.crafted_on = slot,
            Change::Seed(seed) => self.attack.settings.seed = seed,
        }
        self.attack.settings = self.attack.settings.within_range(self.classes.len());
        if self.attack.settings == before || self.attack.settles || !self.follows_settings() {
            return Vec::new();
        }
        self.attack.settles = true;
        vec![Effect::After { ms: SETTLE_MS, event: Event::Settled }]
    }

    /// Tells whether a changed setting attacks at once: where an attack is shown, which should be the one that the settings
    /// say, and where the networks are so quick that the epsilon slider may well show live what it does.
    fn follows_settings(&self) -> bool {
        /// Longest time for both networks to look at a picture: a step takes three times as long.
        const LIVE_MS: f64 = 60.0;
        let both_ms: f64 = self.columns.iter().filter_map(|column| column.clean_ms).sum();
        let live = self.can_attack() && both_ms < LIVE_MS;
        // A visitor who has stopped an attack begins the next one.
        self.attack_is_shown() || (live && !self.shows(Progress::Stopped))
    }

    /// Tells whether an attack is under way or its result is shown.
    pub(super) fn attack_is_shown(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.progress, Progress::Attacking | Progress::Done))
    }

    /// Starts a fresh worker, which will be given the picture again.
    pub(super) fn restart(&mut self) -> Vec<Effect> {
        self.drop_work();
        self.forget_engine();
        self.engine.generation += 1;
        self.engine.phase = Phase::Starting;
        self.engine.backend = None;
        self.engine.program = None;
        self.engine.downloads = [None, None];
        self.start_worker()
    }

    fn start_worker(&mut self) -> Vec<Effect> {
        self.engine.loads = false;
        // It is watched from now on.
        self.engine.pulse += 1;
        vec![Effect::StartWorker(self.engine.generation)]
    }
}
