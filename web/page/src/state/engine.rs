//! What the engine says.

use std::sync::Arc;

use super::{Effect, Phase, Progress, Shown, State, Work};
use protocol::{BackendChoice, BackendReport, Catalogue, Pixels, Reply, Request, RequestId};

/// Panics on the CPU after which the engine is not started again.
const MAX_CPU_RESTARTS: u32 = 2;

impl State {
    /// Takes what the engine of this generation said.
    pub(super) fn heard(&mut self, reply: Reply) -> Vec<Effect> {
        match reply {
            Reply::Loaded => {
                self.phase = Phase::OpeningDevice;
                // The base is the browser's to know; whoever posts this fills it in.
                return vec![Effect::Post(Request::Start {
                    choice: self.effective_choice(),
                    base: String::new(),
                    measured: None,
                })];
            }
            Reply::Backend(report) => return self.opened_device(report),
            Reply::Listed(networks) => return self.listed(networks),
            Reply::Download { id, download } if self.is_loading(id) => {
                self.phase = Phase::Downloading;
                self.downloads[download.slot.index()] = Some(download);
            }
            Reply::SelfTest { id, slot } if self.is_loading(id) => self.phase = Phase::SelfTesting(slot),
            Reply::Ready { id, catalogue } if self.is_loading(id) => return self.ready(*catalogue),
            Reply::NotLoaded { id, slot, message } if self.is_loading(id) => return self.not_loaded(slot, message),
            Reply::Kept { folder, bytes } => self.kept(&folder, bytes),
            Reply::Failed(message) => self.fail(message),
            Reply::WebGpuFailed(reason) => return self.fall_back(reason),
            Reply::Panicked(message) => return self.panicked(&message),
            Reply::Logged { target, message } => return self.logged(&target, &message),
            Reply::Seen { id, pixels, original_size } => return self.seen(id, pixels, original_size),
            Reply::Disturbed { id, pixels } if self.classifying == Some(id) => self.disturbed(pixels),
            Reply::BadPicture { id, message } => return self.bad_picture(id, message),
            Reply::Classified { id, slot, top, elapsed_ms } if self.classifying == Some(id) => {
                let column = &mut self.columns[slot.index()];
                column.clean = top;
                column.clean_ms = Some(elapsed_ms);
                column.progress = Progress::Clean;
                return self.classified();
            }
            Reply::Noise { id, slot, best } if self.attacking == Some(id) => {
                self.columns[slot.index()].noise = Some(best);
            }
            Reply::Step { id, slot, step } if self.attacking == Some(id) => {
                self.columns[slot.index()].stepped(*step);
            }
            Reply::Finished { id } if self.attacking == Some(id) => {
                self.attacking = None;
                for column in &mut self.columns {
                    column.progress = Progress::Done;
                }
            }
            Reply::Point { id, slot, point } if self.sweeping == Some(id) => {
                self.curves[slot.index()].points.push(point)
            }
            Reply::Smallest { id, slot, epsilon_255 } if self.sweeping == Some(id) => {
                self.curves[slot.index()].smallest = Some(epsilon_255);
            }
            Reply::Finished { id } if self.sweeping == Some(id) => self.sweeping = None,
            Reply::Refused { id, message } if self.sweeping == Some(id) => {
                self.sweeping = None;
                self.alert = Some(message);
            }
            Reply::Saved { id, slot, png, top } => return self.saved(id, slot, png, top),
            Reply::Refused { id, message } if self.saving.as_ref().is_some_and(|saving| saving.id == id) => {
                self.saving = None;
                self.alert = Some(message);
            }
            Reply::Refused { id, message } if self.attacking == Some(id) => {
                self.stop_attack();
                self.alert = Some(message);
            }
            Reply::Refused { id, message } if self.classifying == Some(id) => {
                self.classifying = None;
                self.alert = Some(message);
                return self.drop_picture().into_iter().collect();
            }
            Reply::Refused { id, message } if self.is_opening(id) => {
                // The engine has no picture any more.
                self.opened = false;
                return self.bad_picture(id, message);
            }
            // To hear it was all.
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
            | Reply::Refused { .. } => {}
        }
        Vec::new()
    }

    fn opened_device(&mut self, report: BackendReport) -> Vec<Effect> {
        let measured = report.measured.clone();
        self.backend = Some(report);
        self.phase = Phase::Downloading;
        measured.map(Effect::RememberMeasured).into_iter().collect()
    }

    fn ready(&mut self, catalogue: Catalogue) -> Vec<Effect> {
        self.phase = Phase::Ready;
        if *self.classes != catalogue.classes {
            // The target is a number, and that of another class now.
            self.settings.target = None;
            self.classes = Arc::new(catalogue.classes);
        }
        self.models = Some(catalogue.models);
        self.scores = catalogue.scores.into();
        self.networks_kept = catalogue.kept;
        self.forget_curves();
        self.resolve_link();
        let mut effects: Vec<Effect> = self.loaded().into_iter().collect();
        effects.push(Effect::KeepOffline(catalogue.resources));
        let waiting = self.queued.take().or_else(|| self.picture.as_ref().map(|shown| shown.candidate.clone()));
        match waiting {
            Some(candidate) => effects.extend(self.open(candidate)),
            None => effects.extend(self.show_a_sample()),
        }
        effects
    }

    fn seen(&mut self, id: RequestId, pixels: Pixels, original_size: Option<(u32, u32)>) -> Vec<Effect> {
        let Some((_, mut candidate)) = self.opening.take_if(|(opening, _)| *opening == id) else {
            return Vec::new();
        };
        self.disturbed_with = self.opening_with;
        // As the engine did: an address may ask for what is not in the picture.
        candidate.crop = candidate.crop.zip(original_size).and_then(|(crop, size)| crop.unless_centre(size));
        if !self.is_shown(&candidate) {
            self.wanted_crop = None;
        }
        self.pictures_opened += 1;
        self.attacked_again = false;
        self.begin_classifying(id);
        let before = self.picture.replace(Shown { candidate, pixels, original_size });
        let mut effects: Vec<Effect> =
            before.and_then(|shown| self.revoke_unless_shown(shown.candidate)).into_iter().collect();
        // Moved on meanwhile.
        effects.extend(self.recrop());
        effects
    }

    fn bad_picture(&mut self, id: RequestId, message: String) -> Vec<Effect> {
        let Some((_, candidate)) = self.opening.take_if(|(opening, _)| *opening == id) else {
            return Vec::new();
        };
        self.alert = Some(format!("{}: {message}", candidate.title));
        let mut effects = match &self.picture {
            // It was read once, and now is not.
            Some(_) if self.is_shown(&candidate) => self.drop_picture().into_iter().collect(),
            // The engine turned away from it half-way, or is a fresh one.
            Some(shown) if !self.opened => self.open(shown.candidate.clone()),
            _ => Vec::new(),
        };
        effects.extend(self.revoke_unless_shown(candidate));
        // What was moved meanwhile was to wait for this picture.
        effects.extend(self.recrop());
        effects.extend(self.disturb());
        effects
    }

    fn is_opening(&self, id: RequestId) -> bool {
        self.opening.as_ref().is_some_and(|(opening, _)| *opening == id)
    }

    fn classified(&mut self) -> Vec<Effect> {
        if self.columns.iter().any(|column| column.progress == Progress::Classifying) {
            return Vec::new();
        }
        self.classifying = None;
        self.opened = true;
        if self.disturbed_with != self.disturbance {
            // Changed again meanwhile.
            return self.disturb();
        }
        if std::mem::take(&mut self.attack_again) { self.attack() } else { Vec::new() }
    }

    fn logged(&mut self, target: &str, message: &str) -> Vec<Effect> {
        const GPU: [&str; 4] = ["wgpu", "cubecl", "burn", "naga"];
        let of_gpu = GPU.iter().any(|name| target.starts_with(name));
        if self.on_webgpu() && of_gpu {
            return self.fall_back(sentence(&format!("it reported an error ({message})")));
        }
        Vec::new()
    }

    fn panicked(&mut self, message: &str) -> Vec<Effect> {
        let trying_webgpu = self.phase == Phase::OpeningDevice && self.effective_choice() != BackendChoice::Cpu;
        if self.on_webgpu() || trying_webgpu {
            return self.fall_back(sentence(&format!("the engine crashed on it ({message})")));
        }
        self.cpu_restarts += 1;
        if self.cpu_restarts > MAX_CPU_RESTARTS {
            self.fail(sentence(&format!("The engine crashed again and again ({message})")));
            return Vec::new();
        }
        let crashed = sentence(&format!("The engine crashed and was started again ({message})"));
        self.blames_new_network(&crashed);
        self.alert = Some(crashed);
        let mut effects = self.restart();
        // Not the picture that it crashed on: that might go on for ever.
        effects.extend(self.queued.take().and_then(|unseen| self.revoke_unless_shown(unseen)));
        effects.extend(self.drop_picture());
        effects
    }

    /// The engine cannot go on, on any backend; `why` in a sentence.
    fn fail(&mut self, why: String) {
        self.drop_work();
        self.forget_engine();
        self.phase = Phase::Failed(why);
    }

    /// The worker could not be loaded, or threw an error that is no panic of ours.
    pub(super) fn broke(&mut self, message: String) -> Vec<Effect> {
        if self.phase == Phase::Starting {
            self.fail(sentence(&format!(
                "The engine's program could not be loaded ({message}). Check the connection and reload the page"
            )));
            return Vec::new();
        }
        if self.phase == Phase::Ready && self.work() == Work::Idle {
            return Vec::new();
        }
        self.panicked(&message)
    }

    /// The engine has not answered for as long as it may.
    pub(super) fn silent(&mut self) -> Vec<Effect> {
        match self.patience_ms() {
            Some(ms) => self.fall_back(format!("it did not answer for {} seconds.", ms / 1000)),
            None => Vec::new(),
        }
    }

    /// WebGPU failed: a fresh worker, on the CPU, unless it was over a new network; then the pair before it is tried on WebGPU
    /// first. `reason` is a sentence that follows a colon.
    fn fall_back(&mut self, reason: String) -> Vec<Effect> {
        if !self.blames_new_network(&format!("This network could not be loaded on WebGPU: {reason}")) {
            self.fallback = Some(reason);
        }
        self.restart()
    }
}

/// Ends with one full stop, and is not too long to be read.
fn sentence(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(cut);
        text.push_str("…)");
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}
