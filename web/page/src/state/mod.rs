//! All that the page shows, in one plain struct, and the reducer that changes it.
//!
//! The reducer takes an [`Event`] and gives back the [`Effect`]s that the browser side carries out: it knows no browser and
//! no clock, so every rule of the page (what a late answer does, when WebGPU is given up) is tested natively.

mod attack;
mod choice;
mod crop;
mod disturb;
mod engine;
mod event;
mod keep;
mod link;
mod notes;
mod parts;
mod report;
mod sweep;
mod verdict;
mod visitor;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use choice::Pending;
pub use event::{Candidate, Change, Effect, Event, PickId, Sample};
pub use link::Link;
pub use parts::{Column, Coming, Curve, Phase, Progress, Saved, Shown, Work};
pub use verdict::{Moment, Verdict};

use choice::Choice;
use parts::{Pick, Saving};

use protocol::{
    Backend, BackendChoice, BackendReport, ClassLabel, Crop, Disturbance, Download, Listed, LoadedModel, Request,
    RequestId, Settings,
};

/// All that the page shows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct State {
    /// Number of the worker that is listened to; earlier ones are ignored.
    pub generation: u32,
    /// What the visitor wants to compute with.
    pub choice: BackendChoice,
    /// How far the engine is.
    pub phase: Phase,
    /// What computes, once a device is open.
    pub backend: Option<BackendReport>,
    /// Why WebGPU was given up, if it was.
    pub fallback: Option<String>,
    /// The networks there are.
    pub networks: Arc<Vec<Listed>>,
    /// The download of the engine's program, as far as anything is known of it.
    pub program: Option<Coming>,
    /// The weights' downloads, left and right.
    pub downloads: [Option<Download>; 2],
    /// The classes, once the networks are ready.
    pub classes: Arc<Vec<ClassLabel>>,
    /// The networks, left and right, once they are ready.
    pub models: Option<[LoadedModel; 2]>,
    /// What they scored and what their cards say, as HTML; empty before.
    pub scores: Arc<str>,
    /// The gallery.
    pub samples: Vec<Sample>,
    /// The picture.
    pub picture: Option<Shown>,
    /// Pictures opened so far.
    pub pictures_opened: u32,
    /// The networks' columns, left and right.
    pub columns: [Column; 2],
    /// Attacks begun so far.
    pub attacks_begun: u32,
    /// What the next attack will do.
    pub settings: Settings,
    /// What the last one was asked to do.
    pub attacked_with: Settings,
    /// Whether a changed setting began it, and no button.
    pub attacked_again: bool,
    /// What happens to the picture before the networks see it.
    pub disturbance: Disturbance,
    /// How the answers change with epsilon, left and right.
    pub curves: [Curve; 2],
    /// What the curves were made with.
    pub swept_with: Settings,
    /// The last thing that went wrong.
    pub alert: Option<String>,

    /// Which two of the networks are wanted, and which are there.
    pairing: Choice,
    /// Whether the browser keeps the page and both programs.
    page_kept: bool,
    /// Whether it keeps the networks' files.
    networks_kept: bool,
    /// The picture that was asked for last, until its bytes are here.
    picking: Option<Pick>,
    last_pick: PickId,
    /// A picture that waits until the engine is ready.
    queued: Option<Candidate>,
    /// A picture that the engine decodes.
    opening: Option<(RequestId, Candidate)>,
    /// What that one is disturbed with.
    opening_with: Disturbance,
    /// Whether the engine holds the picture that is shown, with both networks' answers to it.
    opened: bool,
    /// The request whose clean answers are awaited.
    classifying: Option<RequestId>,
    /// The attack under way.
    attacking: Option<RequestId>,
    /// The square that the visitor wants of the picture that is shown, until the engine is asked for it; inside, none is the
    /// one in the middle.
    wanted_crop: Option<Option<Crop>>,
    /// A change of the square waits to be carried out.
    cropping: bool,
    /// What the picture that the engine holds was disturbed with.
    disturbed_with: Disturbance,
    /// A change of the disturbance waits to be carried out.
    disturbing: bool,
    /// The row of attacks under way.
    sweeping: Option<RequestId>,
    /// The picture that is being saved.
    saving: Option<Saving>,
    /// What the address asked for, until it can be had.
    link: Link,
    /// Begin an attack once the clean answers are there: one was under way when the engine fell back.
    attack_again: bool,
    /// A change of the settings waits to be carried out.
    settling: bool,
    /// How often the engine was started again after it panicked on the CPU.
    cpu_restarts: u32,
    /// Counts signs of life of the engine and requests to it.
    pulse: u64,
    last_id: RequestId,
}

impl State {
    /// A page that has just opened.
    pub fn new(choice: BackendChoice) -> Self {
        Self { choice, generation: 1, ..Self::default() }
    }

    /// What the engine works on.
    pub fn work(&self) -> Work {
        if self.opening.is_some() {
            Work::Opening
        } else if self.classifying.is_some() {
            Work::Classifying
        } else if self.attacking.is_some() {
            Work::Attacking
        } else if self.sweeping.is_some() {
            Work::Sweeping
        } else {
            Work::Idle
        }
    }

    /// What the worker is told to compute with.
    pub fn effective_choice(&self) -> BackendChoice {
        if self.fallback.is_some() { BackendChoice::Cpu } else { self.choice }
    }

    /// Whether the engine computes on WebGPU.
    pub fn on_webgpu(&self) -> bool {
        self.backend.as_ref().is_some_and(|report| report.backend == Backend::WebGpu)
    }

    /// Whether a picture is on its way: its bytes are coming, or it waits for the engine, or the engine decodes it.
    pub fn picture_pending(&self) -> bool {
        self.picking.is_some() || self.queued.is_some() || self.opening.is_some()
    }

    /// Whether the next visit needs no network.
    pub fn kept_offline(&self) -> bool {
        self.page_kept && self.networks_kept
    }

    /// Index of the class that the picture's source says it is of; none where only a detail of it is seen.
    pub fn label(&self) -> Option<usize> {
        let shown = self.picture.as_ref().filter(|shown| !shown.is_detail())?;
        let label = shown.candidate.label.as_deref()?;
        let known = |class: &ClassLabel| class.wnid == label || class.name == label || class.short_name() == label;
        self.classes.iter().position(known)
    }

    /// The first of a class's names.
    pub fn class_name(&self, class: usize) -> String {
        match self.classes.get(class) {
            Some(label) => label.short_name().to_owned(),
            None => format!("class {class}"),
        }
    }

    /// Why this backend computes, in a sentence or two.
    pub fn backend_reason(&self) -> String {
        match (&self.fallback, &self.backend) {
            (Some(reason), _) => format!("WebGPU was given up: {reason} The CPU computes instead."),
            (None, Some(report)) => report.reason.clone(),
            (None, None) => String::new(),
        }
    }

    /// Takes an event; gives what is to be done about it.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let watched_before = self.pulse;
        let mut effects = match event {
            Event::Engine { generation, .. }
            | Event::EngineComes { generation, .. }
            | Event::WorkerBroke { generation, .. }
            | Event::Silence { generation, .. }
                if generation != self.generation =>
            {
                return Vec::new();
            }
            Event::Engine { reply, .. } => {
                self.pulse += 1;
                self.heard(reply)
            }
            Event::EngineComes { received, total, sent, .. } => {
                self.program = Coming::of(received, total, sent);
                Vec::new()
            }
            Event::WorkerBroke { message, .. } => self.broke(message),
            Event::Silence { pulse, .. } if pulse == self.pulse => self.silent(),
            Event::Silence { .. } => Vec::new(),
            visitor => self.visited(visitor),
        };
        if effects.iter().any(|effect| matches!(effect, Effect::Post(_))) {
            self.pulse += 1;
        }
        if self.pulse != watched_before
            && let Some(ms) = self.patience_ms()
        {
            effects
                .push(Effect::After { ms, event: Event::Silence { generation: self.generation, pulse: self.pulse } });
        }
        effects
    }

    /// How long the engine may be silent before WebGPU is given up; none if it need not be watched.
    fn patience_ms(&self) -> Option<u32> {
        /// Looking for an adapter, opening it and measuring it.
        const DEVICE: u32 = 60_000;
        /// The same where the visitor wants WebGPU, even emulated: then it may be slow, and nothing better waits.
        const DEVICE_ON_DEMAND: u32 = 180_000;
        /// One step on hardware, the compilation of all shaders included.
        const HARDWARE: u32 = 90_000;
        /// The same on an adapter emulated on the CPU.
        const SOFTWARE: u32 = 600_000;
        match self.phase {
            Phase::OpeningDevice => match self.effective_choice() {
                BackendChoice::Auto => Some(DEVICE),
                BackendChoice::WebGpu => Some(DEVICE_ON_DEMAND),
                BackendChoice::Cpu => None,
            },
            Phase::SelfTesting(_) | Phase::Ready
                if self.on_webgpu() && (self.phase != Phase::Ready || self.work() != Work::Idle) =>
            {
                let software = self.backend.as_ref().is_some_and(|report| report.software);
                Some(if software { SOFTWARE } else { HARDWARE })
            }
            _ => None,
        }
    }

    fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        self.last_id
    }

    /// Sends a picture to the engine, or keeps it until there is one.
    fn open(&mut self, candidate: Candidate) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.phase != Phase::Ready {
            if let Some(unseen) = self.queued.replace(candidate) {
                effects.extend(self.revoke_unless_shown(unseen));
            }
            return effects;
        }
        let id = self.next_id();
        let (bytes, crop) = (candidate.bytes.to_vec(), candidate.crop);
        if let Some((_, unseen)) = self.opening.replace((id, candidate)) {
            effects.extend(self.revoke_unless_shown(unseen));
        }
        self.classifying = None;
        self.stop_attack();
        self.sweeping = None;
        self.opening_with = self.disturbance;
        effects.push(Effect::Post(Request::Open { id, bytes, crop, disturbance: self.disturbance }));
        effects
    }

    /// The engine's work is lost with it; what a fresh worker is to do again is remembered.
    fn drop_work(&mut self) {
        self.attack_again |= self.attacking.is_some();
        self.stop_attack();
        (self.sweeping, self.saving, self.classifying) = (None, None, None);
        self.opened = false;
        for column in &mut self.columns {
            if column.progress == Progress::Classifying {
                *column = Column::default();
            }
        }
        if let Some((_, candidate)) = self.opening.take() {
            // Chosen later than what is shown, so it is what the visitor wants to see. Nothing else waits: what does was
            // opened when the engine became ready.
            self.queued.get_or_insert(candidate);
        }
    }

    /// Takes the picture away: the engine cannot compute it. Gives what frees its preview.
    fn drop_picture(&mut self) -> Option<Effect> {
        self.attack_again = false;
        self.wanted_crop = None;
        self.opened = false;
        self.columns = Default::default();
        self.forget_curves();
        self.picture.take().and_then(|shown| self.revoke_unless_shown(shown.candidate))
    }

    /// Frees a picture's preview, unless the page shows it.
    fn revoke_unless_shown(&self, candidate: Candidate) -> Option<Effect> {
        let shown = self.picture.as_ref().and_then(|shown| shown.candidate.preview_url.as_ref());
        if shown == candidate.preview_url.as_ref() { None } else { candidate.into_revoke() }
    }
}
