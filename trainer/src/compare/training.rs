//! The training of an architecture, in a process of its own.

use std::fs;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};

use super::stages::Comparison;
use crate::child;
use crate::error::{Stopped, UsageError};
use crate::progress::Stop;
use crate::run_dir::write_atomically;
use crate::train::{ArchName, to_toml};

/// The user's wish that it end, passed on to the process that trains.
#[derive(Clone, Default)]
pub struct Interruption {
    pub(super) stop: Stop,
    child: Arc<Mutex<Option<u32>>>,
}

impl Interruption {
    /// Asks for the end.
    pub fn request(&self) {
        self.stop.request();
        if let Some(id) = *self.child.lock().unwrap_or_else(PoisonError::into_inner) {
            child::interrupt(id);
        }
    }

    /// Whom to ask as well.
    fn train(&self, child: Option<u32>) {
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = child;
        // It may have been asked for just before.
        if let (true, Some(id)) = (self.stop.requested(), child) {
            child::interrupt(id);
        }
    }
}

impl Comparison<'_> {
    /// Trains in a process of its own; says why, if that died.
    pub(super) fn train(&self, arch: ArchName) -> Result<Option<String>> {
        let path = self.path(arch);
        let mut command = child::command(self.choice)?;
        command.args(["train", "--plain", "--data"]).arg(self.data);
        if path.join("run.json").is_file() {
            command.arg("--resume").arg(&path);
        } else {
            // Killed before its record was written, it holds nothing.
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
            let settings = self.out.join(format!("{}.toml", arch.typed()));
            write_atomically(&settings, to_toml(&self.plan.config(arch)?)?.as_bytes())?;
            command.arg("--run").arg(&path).arg("--config").arg(&settings);
            if let Some(weights) = self.plan.asked.weights(arch)? {
                command.arg("--pretrained").arg(weights);
            }
            for set in &self.plan.asked.crafted {
                command.arg("--crafted").arg(set);
            }
        }
        // Its words come on stderr, and pass through.
        let mut child = command.stdin(Stdio::null()).spawn().context("cannot start the training")?;
        self.interruption.train(Some(child.id()));
        let ended = child.wait();
        self.interruption.train(None);
        outcome(arch, ended.context("the training was lost")?)
    }
}

/// None, if the training has ended well; why, if it died.
fn outcome(arch: ArchName, status: ExitStatus) -> Result<Option<String>> {
    let name = arch.typed();
    if status.success() {
        return Ok(None);
    }
    ensure!(!child::was_stopped(status), Stopped(stopped()));
    if status.code() == Some(2) {
        bail!(UsageError(format!("the settings do not suit {name}, as it says above")));
    }
    Ok(Some(failure(status)))
}

/// Why a training has died.
pub(super) fn failure(status: ExitStatus) -> String {
    match (child::signal(status), status.code()) {
        (Some(signal), _) => format!("its training was killed by signal {signal}, most likely for want of memory"),
        (None, Some(code)) => format!("its training ended with exit code {code}"),
        (None, None) => "its training ended, and nobody knows how".into(),
    }
}

pub(super) fn stopped() -> String {
    "Stopped; what was done is kept. Say the same again to go on".into()
}
