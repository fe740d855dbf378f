//! The training of an architecture and its measuring, each in a process of its own.

use std::fs;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};

use super::stages::Comparison;
use crate::child;
use crate::error::{Stopped, UsageError};
use crate::evaluate;
use crate::files::write_atomically;
use crate::progress::Stop;
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
        let mut command = child::command(self.choice, self.progress.choice())?;
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
        self.wait_for(arch, "training", command)
    }

    /// Measures in a process of its own; says why, if that died. A batch is not larger than in training, which took more
    /// memory for each of its pictures.
    pub(super) fn measure(&self, arch: ArchName) -> Result<Option<String>> {
        let config = self.plan.config(arch)?;
        let batch_size = (config.batch_size / config.accumulate).clamp(1, evaluate::BATCH);
        let mut command = child::command(self.choice, self.progress.choice())?;
        command.args(["measure-network", "--data"]).arg(self.data).arg("--model").arg(self.model(arch));
        command.arg("--out").arg(self.scores(arch)?).args(["--batch-size", &batch_size.to_string()]);
        if let Some(limit) = self.limit {
            command.args(["--limit", &limit.to_string()]);
        }
        self.wait_for(arch, "measuring", command)
    }

    /// Has a child do `what`, and says why it died if it did.
    fn wait_for(&self, arch: ArchName, what: &str, mut command: Command) -> Result<Option<String>> {
        let file = self.out.join(format!("{}.failure", arch.typed()));
        // Of an earlier one that was killed together with its parent.
        let _ = fs::remove_file(&file);
        child::hear_failure(&mut command, &file);
        // Its words come on stderr, and pass through.
        let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start the {what}"))?;
        self.interruption.train(Some(child.id()));
        let ended = child.wait();
        self.interruption.train(None);
        let told = fs::read_to_string(&file).ok();
        let _ = fs::remove_file(&file);
        let told = told.map(|told| self.without_places(&told));
        outcome(arch, what, ended.with_context(|| format!("the {what} was lost"))?, told.as_deref())
    }

    /// What a child said, for a report that is read elsewhere: no place of this machine goes into it.
    fn without_places(&self, told: &str) -> String {
        let places = [Some(self.out), Some(self.data), self.plan.asked.pretrained.as_deref()];
        let mut told = told.to_string();
        for place in places.into_iter().flatten() {
            for form in [std::path::absolute(place).unwrap_or_default(), place.to_path_buf()] {
                if let Some(form) = form.to_str().filter(|form| !form.is_empty()) {
                    told = told.replace(&format!("{}/", form.trim_end_matches('/')), "");
                }
            }
        }
        told
    }
}

/// None, if a child that did `what` has ended well; why, if it died. `told` is what it said about it.
pub(super) fn outcome(arch: ArchName, what: &str, status: ExitStatus, told: Option<&str>) -> Result<Option<String>> {
    if status.success() {
        return Ok(None);
    }
    ensure!(!child::was_stopped(status), Stopped(stopped()));
    let told = told.map(|told| told.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" "));
    if status.code() == Some(2) {
        let told = told.unwrap_or_else(|| "as it says above".into());
        bail!(UsageError(format!("the settings do not suit {}: {told}", arch.typed())));
    }
    Ok(Some(match (child::signal(status), status.code(), told) {
        (Some(signal), ..) => format!("its {what} was killed by signal {signal}, most likely for want of memory"),
        (None, _, Some(told)) => format!("its {what} failed: {}", told.trim_end_matches('.')),
        (None, Some(code), None) => format!("its {what} ended with exit code {code}"),
        (None, None, None) => format!("its {what} ended, and nobody knows how"),
    }))
}

pub(super) fn stopped() -> String {
    "Stopped; what was done is kept. Say the same again to go on".into()
}
