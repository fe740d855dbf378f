//! What the engine says.

use std::sync::Arc;

use super::{Column, Coming, Effect, Phase, Progress, Stage, State};
use protocol::{
    Adapter, BackendChoice, BackendReport, Catalogue, Disturbance, Download, Measured, Reply, Request, RequestId, Slot,
};

/// The engine, as the page knows it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Engine {
    /// Number of the worker that is listened to; earlier ones are ignored.
    pub generation: u32,
    /// What the visitor wants to compute with.
    pub choice: BackendChoice,
    /// How far the engine is.
    pub phase: Phase,
    /// The graphics adapter, as far as one was looked for.
    pub(super) adapter: Adapter,
    /// What computes, once a device is open.
    pub backend: Option<BackendReport>,
    /// Why WebGPU was given up, if it was.
    pub fallback: Option<String>,
    /// The download of the engine's program, as far as anything is known of it.
    pub program: Option<Coming>,
    /// The weights' downloads, left and right.
    pub downloads: [Option<Download>; 2],
    /// Address of the folder that holds `models/`, with a slash at its end.
    pub(super) base: String,
    /// How quick both backends are, as far as that was measured on this visit or an earlier one.
    pub(super) measured: Option<Measured>,
    /// Whether the worker's script runs, and loads the program.
    pub(super) loads: bool,
    /// How often the engine was started again after it panicked on the CPU, or ended.
    pub(super) cpu_restarts: u32,
    /// Counts signs of life of the engine and requests to it.
    pub(super) pulse: u64,
    /// Number of the request sent last.
    pub(super) last_id: RequestId,
}

impl State {
    /// Takes what the engine of this generation said.
    pub(super) fn on_reply(&mut self, reply: Reply) -> Vec<Effect> {
        match reply {
            Reply::Loaded => {
                self.engine.phase = Phase::OpeningDevice;
                return vec![Effect::Post(Request::Start {
                    choice: self.effective_choice(),
                    base: self.engine.base.clone(),
                    measured: self.engine.measured.clone(),
                    adapter: self.engine.adapter.clone(),
                })];
            }
            Reply::Backend(report) => return self.opened_device(report),
            Reply::Listed(networks) => return self.listed(networks),
            Reply::Download { id, download } if self.is_loading(id) => {
                self.engine.phase = Phase::Downloading;
                self.engine.downloads[download.slot.index()] = Some(download);
            }
            Reply::SelfTest { id, slot } if self.is_loading(id) => self.engine.phase = Phase::SelfTesting(slot),
            Reply::Ready { id, catalogue } if self.is_loading(id) => return self.ready(*catalogue),
            Reply::NotLoaded { id, slot, message } if self.is_loading(id) => return self.not_loaded(slot, message),
            Reply::Kept { folder, bytes } => self.kept(&folder, bytes),
            Reply::Failed(message) => self.fail(message),
            Reply::WebGpuFailed(reason) => return self.fall_back(reason),
            Reply::Panicked(message) => return self.panicked(&message),
            Reply::Logged { target, message } => return self.logged(&target, &message),
            Reply::Seen { id, pixels } => return self.seen(id, pixels),
            Reply::Disturbed { id, pixels } if self.stage == Stage::Classifying(id) => self.disturbed(pixels),
            Reply::Classified { id, slot, top, elapsed_ms } if self.stage == Stage::Classifying(id) => {
                let column = &mut self.columns[slot.index()];
                column.clean = top;
                column.clean_ms = Some(elapsed_ms);
                column.progress = Progress::Clean;
                return self.classified();
            }
            Reply::Noise { id, slot, best } if self.stage == Stage::Attacking(id) => {
                self.columns[slot.index()].noise = Some(best);
            }
            Reply::Step { id, slot, step } if self.stage == Stage::Attacking(id) => {
                self.columns[slot.index()].stepped(*step);
            }
            Reply::Finished { id } if self.stage == Stage::Attacking(id) => {
                self.stage = Stage::Classified;
                for column in self.columns.iter_mut().filter(|column| column.progress == Progress::Attacking) {
                    column.progress = Progress::Done;
                }
            }
            Reply::Point { id, slot, point } if self.stage == Stage::Sweeping(id) => {
                self.sweep.curves[slot.index()].points.push(point);
            }
            Reply::Smallest { id, slot, units } if self.stage == Stage::Sweeping(id) => {
                self.sweep.curves[slot.index()].smallest = Some(units);
            }
            Reply::Finished { id } if self.stage == Stage::Sweeping(id) => self.stage = Stage::Classified,
            Reply::Looked { id, slot, insight } if self.stage == Stage::Looking(id) => {
                self.columns[slot.index()].insight = Some(Arc::new(insight));
            }
            Reply::Finished { id } if self.stage == Stage::Looking(id) => self.stage = Stage::Classified,
            Reply::Saved { id, slot, png, top } => return self.saved(id, slot, png, top),
            Reply::Refused { id, message } => return self.refused(id, message),
            // A sign of life, and no more.
            Reply::Sweeping { .. } => {}
            // Answers to what is no longer asked.
            Reply::Download { .. }
            | Reply::SelfTest { .. }
            | Reply::Ready { .. }
            | Reply::NotLoaded { .. }
            | Reply::Classified { .. }
            | Reply::Noise { .. }
            | Reply::Step { .. }
            | Reply::Finished { .. }
            | Reply::Disturbed { .. }
            | Reply::Point { .. }
            | Reply::Smallest { .. }
            | Reply::Looked { .. } => {}
        }
        Vec::new()
    }

    /// Takes the answer that a request came to nothing, though the engine is well.
    fn refused(&mut self, id: RequestId, message: String) -> Vec<Effect> {
        if self.saving.take_if(|saving| saving.id == id).is_some() {
            self.alert = Some(message);
            return Vec::new();
        }
        match &self.stage {
            // The picture is sound without what disturbs it.
            Stage::Opening { id: asked, disturbance, candidate }
                if *asked == id && *disturbance != Disturbance::default() =>
            {
                let candidate = candidate.clone();
                self.alert = Some(message);
                self.picture.disturbance = Disturbance::default();
                return self.open(candidate);
            }
            Stage::Opening { id: asked, .. } if *asked == id => return self.not_opened(&message),
            Stage::Classifying(asked) if *asked == id && self.picture.disturbed_with != Disturbance::default() => {
                self.alert = Some(message);
                self.picture.disturbance = Disturbance::default();
                return self.disturb();
            }
            Stage::Classifying(asked) if *asked == id => self.drop_picture(),
            Stage::Attacking(asked) if *asked == id => self.stop_attack(),
            Stage::Sweeping(asked) | Stage::Looking(asked) if *asked == id => self.stage = Stage::Classified,
            // The answer to what is no longer asked.
            _ => return Vec::new(),
        }
        self.alert = Some(message);
        Vec::new()
    }

    fn opened_device(&mut self, report: BackendReport) -> Vec<Effect> {
        let measured = report.measured.clone();
        self.engine.backend = Some(report);
        self.engine.phase = Phase::Downloading;
        if measured.is_some() {
            self.engine.measured.clone_from(&measured);
        }
        measured.map(Effect::RememberMeasured).into_iter().collect()
    }

    fn ready(&mut self, catalogue: Catalogue) -> Vec<Effect> {
        let missing =
            Slot::ALL.into_iter().zip(&catalogue.models).find_map(|(slot, it)| Some((slot, it.as_ref().err()?)));
        if let Some((slot, why)) = missing {
            if self.has_other_pair() {
                return self.not_loaded(slot, why.clone());
            }
            self.columns[slot.index()] = Column::default();
            if self.attack.settings.crafted_on == Some(slot) {
                self.attack.settings.crafted_on = None;
            }
        }
        self.engine.phase = Phase::Ready;
        if *self.classes != catalogue.classes {
            // The target is a number, and that of another class now.
            self.attack.settings.target = None;
            self.classes = Arc::new(catalogue.classes);
        }
        self.models = Some(catalogue.models);
        self.scores = catalogue.scores.into();
        self.networks_kept = catalogue.kept && !self.forgotten;
        self.forget_curves();
        self.resolve_link();
        let mut effects: Vec<Effect> = self.loaded().into_iter().collect();
        if !self.forgotten {
            effects.push(Effect::KeepOffline(catalogue.resources));
        }
        let queued = std::mem::take(&mut self.stage).into_candidate();
        let waiting = queued.or_else(|| self.picture.shown.as_ref().map(|shown| shown.candidate.clone()));
        match waiting {
            Some(candidate) => effects.extend(self.open(candidate)),
            None => effects.extend(self.show_a_sample()),
        }
        effects
    }
}
