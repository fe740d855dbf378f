//! The folder of an experiment, and the child processes that work in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use shared::device::Engine;

use crate::child;
use crate::device::DeviceChoice;
use crate::error::{Stopped, UsageError};
use crate::files::write_atomically;
use crate::progress::{Progress, Stop};
use crate::train::{TrainConfig, to_toml};

/// How often a child is looked after.
const LOOK: Duration = Duration::from_millis(20);

/// What all stages of an experiment share.
pub struct Workspace<'a> {
    /// The command that began the experiment, for the records of its runs.
    pub command: &'a str,
    /// The folder for everything that is made.
    pub out: &'a Path,
    /// The imported data set.
    pub data: &'a Path,
    /// Validation images to measure on; none means all.
    pub limit: Option<usize>,
    /// The device that child processes open.
    pub choice: DeviceChoice,
    /// That same device, in this process.
    pub engine: &'a Engine,
    /// Shows what happens; child processes show what they do in the same form.
    pub progress: &'a Progress,
    /// The wish that it end, passed on to the child at work.
    pub stop: &'a Stop,
}

/// A network to train.
pub(super) struct Training<'a> {
    /// Its name among the networks of the experiment.
    pub name: &'a str,
    /// The folder of its run.
    pub run: PathBuf,
    /// Its settings.
    pub config: TrainConfig,
    /// A file of weights to start from.
    pub pretrained: Option<PathBuf>,
    /// Crafted sets that the recipe needs.
    pub crafted: &'a [PathBuf],
}

impl Workspace<'_> {
    /// Returns the file with the scores of the network `name`, in a folder that is there.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub(super) fn scores(&self, name: &str) -> Result<PathBuf> {
        let dir = self.out.join("scores");
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(dir.join(format!("{name}.json")))
    }

    /// Trains a network in a child process, or goes on with its run; returns why the child died, if it did.
    ///
    /// # Errors
    /// [`Stopped`] when the user ended it, [`UsageError`] when the settings do not suit the network; else when the folder
    /// cannot be written or no process can be started.
    pub(super) fn train(&self, training: &Training<'_>) -> Result<Option<String>> {
        let Training { name, run, config, pretrained, crafted } = training;
        let mut command = child::command(self.choice, self.progress.choice())?;
        command.env(child::COMMAND, self.command).args(["train", "--plain", "--data"]).arg(self.data);
        if run.join("run.json").is_file() {
            command.arg("--resume").arg(run);
        } else {
            // A run that was killed before its record was written holds nothing.
            if run.exists() {
                fs::remove_dir_all(run).with_context(|| format!("cannot remove {}", run.display()))?;
            }
            let settings = self.out.join(format!("{name}.toml"));
            write_atomically(&settings, to_toml(config)?.as_bytes())?;
            command.arg("--run").arg(run).arg("--config").arg(&settings);
            if let Some(weights) = pretrained {
                command.arg("--pretrained").arg(weights);
            }
            for set in *crafted {
                command.arg("--crafted").arg(set);
            }
        }
        let places: Vec<&Path> = pretrained.iter().filter_map(|weights| weights.parent()).collect();
        self.wait_for(name, "training", command, &places)
    }

    /// Has a child process do `what` with the network `name`; returns why it died, if it did, without the paths of `out`,
    /// the data set and `places`: a report is read on other machines.
    ///
    /// # Errors
    /// As [`Workspace::train`].
    pub(super) fn wait_for(
        &self,
        name: &str,
        what: &str,
        mut command: Command,
        places: &[&Path],
    ) -> Result<Option<String>> {
        let file = self.out.join(format!("{name}.failure"));
        // Of an earlier child that was killed together with its parent.
        let _ = fs::remove_file(&file);
        child::write_failure_to(&mut command, &file);
        // Messages of the child come on stderr, and pass through.
        let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start the {what}"))?;
        let mut is_asked = false;
        let status = loop {
            if let Some(status) = child.try_wait().with_context(|| format!("the {what} was lost"))? {
                break status;
            }
            if self.stop.requested() && !is_asked {
                child::interrupt(child.id());
                is_asked = true;
            }
            thread::sleep(LOOK);
        };
        let mut message = fs::read_to_string(&file).ok();
        let _ = fs::remove_file(&file);
        for place in [self.out, self.data].iter().chain(places) {
            for form in [std::path::absolute(place).unwrap_or_default(), place.to_path_buf()] {
                if let Some(form) = form.to_str().filter(|form| !form.is_empty()) {
                    let form = format!("{}/", form.trim_end_matches('/'));
                    message = message.map(|message| message.replace(&form, ""));
                }
            }
        }
        outcome(name, what, status, message.as_deref())
    }
}

/// Returns why a child that did `what` died; none if it ended well. `message` is the error that it reported.
pub(super) fn outcome(name: &str, what: &str, status: ExitStatus, message: Option<&str>) -> Result<Option<String>> {
    if status.success() {
        return Ok(None);
    }
    if child::was_stopped(status) {
        return Err(stopped());
    }
    let message =
        message.map(|text| text.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" "));
    if status.code() == Some(2) {
        let message = message.unwrap_or_else(|| "as it says above".into());
        bail!(UsageError(format!("the settings do not suit {name}: {message}")));
    }
    Ok(Some(match (child::signal(status), status.code(), message) {
        (Some(signal), ..) => format!("its {what} was killed by signal {signal}, most likely for want of memory"),
        (None, _, Some(message)) => format!("its {what} failed: {}", message.trim_end_matches('.')),
        (None, Some(code), None) => format!("its {what} ended with exit code {code}"),
        (None, None, None) => format!("its {what} ended without an exit code"),
    }))
}

/// The error of an experiment that the user ended.
pub(super) fn stopped() -> anyhow::Error {
    Stopped("Stopped; what was done is kept. Say the same again to go on".into()).into()
}
