//! What becomes of the page when the engine fails: another backend, a fresh worker, or no engine.

use super::{Effect, Phase, State, Work};

/// Panics on the CPU after which the engine is not started again.
const MAX_CPU_RESTARTS: u32 = 2;

impl State {
    /// Takes an error that a library logged: WebGPU reports some in no other way.
    pub(super) fn logged(&mut self, target: &str, message: &str) -> Vec<Effect> {
        const GPU: [&str; 4] = ["wgpu", "cubecl", "burn", "naga"];
        let of_gpu = GPU.iter().any(|name| target.starts_with(name));
        if self.on_webgpu() && of_gpu {
            return self.fall_back(sentence(&format!("it reported an error ({message})")));
        }
        Vec::new()
    }

    fn opens_webgpu(&self) -> bool {
        self.engine.phase == Phase::OpeningDevice && self.uses_adapter()
    }

    /// Takes a panic of the engine.
    pub(super) fn panicked(&mut self, message: &str) -> Vec<Effect> {
        if self.on_webgpu() || self.opens_webgpu() {
            return self.fall_back(sentence(&format!("the engine crashed on it ({message})")));
        }
        self.engine.cpu_restarts += 1;
        if self.engine.cpu_restarts > MAX_CPU_RESTARTS {
            self.fail(sentence(&format!("The engine crashed again and again ({message})")));
            return Vec::new();
        }
        let crashed = sentence(&format!("The engine crashed and was started again ({message})"));
        self.blames_new_network(&crashed);
        self.alert = Some(crashed);
        let effects = self.restart();
        // Not the picture that it crashed on: that might go on for ever.
        self.drop_picture();
        effects
    }

    /// Ends the work: the engine cannot go on, on any backend; `why` in a sentence.
    pub(super) fn fail(&mut self, why: String) {
        self.drop_work();
        self.forget_engine();
        self.engine.phase = Phase::Failed(why);
    }

    /// Handles a worker that could not be loaded, or threw an error that is no panic of the engine's.
    pub(super) fn on_worker_error(&mut self, message: String) -> Vec<Effect> {
        if self.engine.phase == Phase::Starting && self.uses_adapter() {
            // The engine for the CPU is a program of its own, and kept for visits without a network.
            return self.fall_back(sentence(&format!("its program could not be loaded ({message})")));
        }
        if self.engine.phase == Phase::Starting {
            self.fail(sentence(&format!(
                "The engine’s program could not be loaded ({message}). Check the connection and try again. Where a newer \
                 version of this page has come to the server, reload the page"
            )));
            return Vec::new();
        }
        if self.engine.phase == Phase::Ready && self.work() == Work::Idle {
            return Vec::new();
        }
        self.panicked(&message)
    }

    /// Handles a worker that is gone, `why` as a part of a sentence: a fresh one goes on with the picture.
    pub(super) fn on_worker_end(&mut self, why: &str) -> Vec<Effect> {
        match self.engine.phase {
            Phase::Starting => return self.on_worker_error(why.to_owned()),
            Phase::Failed(_) => return Vec::new(),
            _ => self.engine.cpu_restarts += 1,
        }
        if self.engine.cpu_restarts > MAX_CPU_RESTARTS {
            self.fail(format!("The engine stopped again and again: {why}."));
            return Vec::new();
        }
        let message = format!("The engine was started again: {why}.");
        self.blames_new_network(&message);
        self.alert = Some(message);
        self.restart()
    }

    /// Handles an engine that has not answered for as long as it may.
    pub(super) fn on_timeout(&mut self) -> Vec<Effect> {
        let Some(ms) = self.patience_ms() else { return Vec::new() };
        if self.on_webgpu() || self.opens_webgpu() {
            return self.fall_back(format!("it did not answer for {} seconds.", ms / 1000));
        }
        self.on_worker_end(&format!("it did not answer for {} seconds", ms / 1000))
    }

    /// WebGPU failed: a fresh worker, on the CPU, unless it was over a new network; then the pair before it is tried on WebGPU
    /// first. `reason` is a sentence that follows a colon.
    pub(super) fn fall_back(&mut self, reason: String) -> Vec<Effect> {
        if !self.blames_new_network(&format!("This network could not be loaded on WebGPU: {reason}")) {
            self.engine.fallback = Some(reason);
        }
        self.restart()
    }
}

/// Returns a sentence in one line that is not too long to be read.
fn sentence(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(cut);
        text.push_str("…)");
    }
    protocol::text::sentence(&text)
}
