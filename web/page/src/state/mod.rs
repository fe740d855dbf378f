//! All that the page shows, in one plain struct, and the reducer that changes it.
//!
//! The reducer takes an [`Event`] and gives back the [`Effect`]s that the browser side carries out: it knows no browser and
//! no clock, so every rule of the page (what a late answer does, when WebGPU is given up) is tested natively.

mod attack;
mod choice;
mod crop;
mod disturb;
mod download;
mod engine;
mod event;
mod failure;
mod keep;
mod link;
mod look;
mod notes;
mod parts;
mod picture;
mod report;
mod sweep;
mod verdict;
mod visitor;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use attack::Attack;
pub use choice::Pending;
pub use download::Bar;
pub use engine::Engine;
pub use event::{Candidate, Change, Effect, Event, PickId, PictureFile, Sample};
pub use link::Link;
pub use parts::{Column, Coming, Curve, Phase, Progress, Saved, Shown, Work};
pub use picture::Picture;
pub use sweep::Sweep;
pub use verdict::{Moment, Verdict};

use choice::Choice;
use parts::{Pick, Saving};
use picture::Stage;

use protocol::{Backend, BackendChoice, Listed, LoadedModel, Measured, RequestId};
use terms::card::Class;

/// All that the page shows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct State {
    /// The engine: what it was asked to compute with, and how far it is.
    pub engine: Engine,
    /// The networks there are.
    pub networks: Arc<Vec<Listed>>,
    /// The classes, once the networks are ready.
    pub classes: Arc<Vec<Class>>,
    /// The networks, left and right, once they are ready; why one is not there, if the other is alone.
    pub models: Option<[Result<LoadedModel, String>; 2]>,
    /// What they scored and what their cards say, as HTML; empty before.
    pub scores: Arc<str>,
    /// The gallery.
    pub samples: Vec<Sample>,
    /// The picture: what is shown, and what the visitor wants of it.
    pub picture: Picture,
    /// The networks' columns, left and right.
    pub columns: [Column; 2],
    /// What the next attack will do, and what the last one did.
    pub attack: Attack,
    /// The curves against epsilon.
    pub sweep: Sweep,
    /// The last thing that went wrong.
    pub alert: Option<String>,

    /// How far the engine is with the picture.
    stage: Stage,
    /// Which two of the networks are wanted, and which are there.
    pairing: Choice,
    /// Whether the browser keeps the page and both programs.
    page_kept: bool,
    /// Whether it keeps the networks' files.
    networks_kept: bool,
    /// Whether the visitor has had all that removed, on this page or on another that is open: it is not kept again on this visit.
    forgotten: bool,
    /// The picture that is being saved.
    saving: Option<Saving>,
    /// What the address asked for, until it can be had.
    link: Link,
}

impl State {
    /// Returns a page that has just opened.
    pub fn new(choice: BackendChoice) -> Self {
        Self { engine: Engine { choice, generation: 1, ..Engine::default() }, ..Self::default() }
    }

    /// Returns the same page as the browser knows it: with the address of the folder that holds `models/`, which ends with
    /// a slash, and what was measured on an earlier visit.
    #[must_use]
    pub fn served_from(self, base: String, measured: Option<Measured>) -> Self {
        Self { engine: Engine { base, measured, ..self.engine }, ..self }
    }

    /// Returns what the engine works on.
    pub fn work(&self) -> Work {
        match self.stage {
            Stage::Opening { .. } => Work::Opening,
            Stage::Classifying(_) => Work::Classifying,
            Stage::Attacking(_) => Work::Attacking,
            Stage::Sweeping(_) => Work::Sweeping,
            Stage::Looking(_) => Work::Looking,
            Stage::Absent | Stage::Queued(_) | Stage::Classified => Work::Idle,
        }
    }

    /// Returns the choice that is sent to the engine.
    pub fn effective_choice(&self) -> BackendChoice {
        if self.engine.fallback.is_some() { BackendChoice::Cpu } else { self.engine.choice }
    }

    /// Tells whether the engine has to be able to open the adapter.
    pub fn uses_adapter(&self) -> bool {
        self.engine.adapter.is_for(self.effective_choice(), self.engine.measured.as_ref())
    }

    /// Tells whether the engine computes on WebGPU.
    pub fn on_webgpu(&self) -> bool {
        self.engine.backend.as_ref().is_some_and(|report| report.backend == Backend::WebGpu)
    }

    /// Tells whether the next visit needs no network.
    pub fn kept_offline(&self) -> bool {
        self.page_kept && self.networks_kept
    }

    /// Returns the index of the class that the picture's source says it is of; none where only a detail of it is seen.
    pub fn label(&self) -> Option<usize> {
        let shown = self.picture.shown.as_ref().filter(|shown| !shown.is_detail())?;
        let label = shown.candidate.file.label.as_deref()?;
        let known = |class: &Class| class.wnid == label || class.name == label || class.short_name() == label;
        self.classes.iter().position(known)
    }

    /// Returns the first of a class's names.
    pub fn class_name(&self, class: usize) -> String {
        match self.classes.get(class) {
            Some(label) => label.short_name().to_owned(),
            None => format!("class {class}"),
        }
    }

    /// Returns why this backend computes, in a sentence or two.
    pub fn backend_reason(&self) -> String {
        match (&self.engine.fallback, &self.engine.backend) {
            (Some(reason), _) => format!("WebGPU was given up: {reason} The CPU computes instead."),
            (None, Some(report)) => report.reason.clone(),
            (None, None) => String::new(),
        }
    }

    /// Takes an event; gives what is to be done about it.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let watched_before = self.engine.pulse;
        let mut effects = match event {
            Event::Engine { generation, .. }
            | Event::EngineComes { generation, .. }
            | Event::WorkerBroke { generation, .. }
            | Event::WorkerEnded { generation }
            | Event::AdapterSeen { generation, .. }
            | Event::Silence { generation, .. }
                if generation != self.engine.generation =>
            {
                return Vec::new();
            }
            Event::Engine { reply, .. } => {
                self.engine.pulse += 1;
                self.on_reply(reply)
            }
            Event::EngineComes { received, total, sent, .. } => {
                self.engine.pulse += 1;
                self.engine.loads = true;
                self.engine.program = Coming::of(received, total, sent);
                Vec::new()
            }
            Event::AdapterSeen { generation, adapter } => {
                self.engine.pulse += 1;
                self.engine.adapter = adapter;
                vec![Effect::LoadEngine { generation, uses_adapter: self.uses_adapter() }]
            }
            Event::WorkerBroke { message, .. } => self.on_worker_error(message),
            Event::WorkerEnded { .. } => self.on_worker_end("it ended without a word"),
            Event::Silence { pulse, .. } if pulse != self.engine.pulse => Vec::new(),
            Event::Silence { left_ms: 0, .. } => self.on_timeout(),
            Event::Silence { left_ms, .. } => vec![self.watch(left_ms)],
            visitor => self.on_visitor(visitor),
        };
        if effects.iter().any(|effect| matches!(effect, Effect::Post(_))) {
            self.engine.pulse += 1;
        }
        if self.engine.pulse != watched_before
            && let Some(ms) = self.patience_ms()
        {
            effects.push(self.watch(ms));
        }
        effects
    }

    /// Watches the engine for a time, in short parts: where the machine sleeps or the page is put aside, one timer runs out as
    /// soon as they wake, and the engine has had no time.
    fn watch(&self, ms: u32) -> Effect {
        const PART_MS: u32 = 10_000;
        let part = ms.min(PART_MS);
        let Engine { generation, pulse, .. } = self.engine;
        Effect::After { ms: part, event: Event::Silence { generation, pulse, left_ms: ms - part } }
    }

    /// Returns how long the engine may be silent before it is given up; none if it need not be watched.
    fn patience_ms(&self) -> Option<u32> {
        /// Until the script that loads the engine's program says that it does; from then on it watches the server itself.
        const SCRIPT: u32 = 20_000;
        /// Compiling the program.
        const COMPILATION: u32 = 180_000;
        /// Looking for an adapter, opening it and measuring it.
        const DEVICE: u32 = 60_000;
        /// The same where the visitor wants WebGPU, even emulated: then it may be slow, and nothing better waits.
        const DEVICE_ON_DEMAND: u32 = 180_000;
        /// One step on hardware, the compilation of all shaders included.
        const HARDWARE: u32 = 90_000;
        /// The same on an adapter emulated on the CPU, or of a large network on the CPU.
        const SOFTWARE: u32 = 600_000;
        match self.engine.phase {
            Phase::Starting => Some(if self.engine.loads { COMPILATION } else { SCRIPT }),
            Phase::OpeningDevice if self.uses_adapter() && self.engine.choice == BackendChoice::WebGpu => {
                Some(DEVICE_ON_DEMAND)
            }
            Phase::OpeningDevice => Some(DEVICE),
            Phase::SelfTesting(_) | Phase::Ready if self.engine.phase != Phase::Ready || self.work() != Work::Idle => {
                let software = self.engine.backend.as_ref().is_some_and(|report| report.software);
                let slow = software || !self.on_webgpu() && !self.are_small();
                Some(if slow { SOFTWARE } else { HARDWARE })
            }
            _ => None,
        }
    }

    fn next_id(&mut self) -> RequestId {
        self.engine.last_id += 1;
        self.engine.last_id
    }

    /// Drops the engine's work, which is lost with it, and remembers what a fresh worker is to do again.
    fn drop_work(&mut self) {
        self.attack.resume |= matches!(self.stage, Stage::Attacking(_));
        self.stop_attack();
        self.saving = None;
        for column in &mut self.columns {
            if column.progress == Progress::Classifying {
                *column = Column::default();
            }
        }
        // A picture that was chosen later than what is shown is what the visitor wants to see.
        self.stage = std::mem::take(&mut self.stage).into_candidate().map_or(Stage::Absent, Stage::Queued);
    }
}
