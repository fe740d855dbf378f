//! The events of long work. With `--progress json` each event is an object on a line of stderr, whose field `event` is the
//! name of the variant in snake case and whose other fields are the variant's.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// Something that happened in long work.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Work begins. Tasks may overlap.
    Started {
        /// A number that no other task of this process has.
        task: u64,
        /// A short name for the user.
        title: &'static str,
        /// Units of the whole work, if that is known.
        total: Option<u64>,
        /// The unit that the work is counted in.
        unit: Unit,
    },
    /// Work goes on. Not each step is an event.
    Advanced {
        /// The number of the task.
        task: u64,
        /// Units done.
        done: u64,
        /// Units of `done` that took no work, done before or no longer needed: such units say nothing of the pace.
        skipped: u64,
        /// Units of the whole work, if that is known.
        total: Option<u64>,
    },
    /// Work ended, completed or not.
    Finished {
        /// The number of the task.
        task: u64,
        /// Units done.
        done: u64,
        /// Time since the beginning.
        seconds: f64,
    },
    /// A line for the user.
    Note {
        /// The line, without its newline.
        text: String,
    },
    /// A problem that does not end the work.
    Warning {
        /// The problem, without `warning:`.
        text: String,
    },
    /// Training has measured a round.
    Round {
        /// The measurements.
        #[serde(flatten)]
        measured: Round,
        /// Training steps of the whole run.
        steps_total: usize,
        /// Passes over the training pictures of the whole run.
        epochs_total: f64,
    },
    /// Training has a checkpoint of the network, whose files are whole on the disk.
    Checkpoint {
        /// The round that the checkpoint ends.
        round: usize,
        /// Training steps done.
        step: usize,
        /// Collapses of the network so far.
        collapses: usize,
    },
    /// Training goes back to a checkpoint, from which each single-step attack takes `1 + collapses` steps.
    Collapse {
        /// The probe's measurements.
        #[serde(flatten)]
        found: Collapse,
        /// Training steps of the checkpoint.
        back_to_step: usize,
        /// Collapses of the network so far, with this one.
        collapses: usize,
    },
    /// The command ends without success: the last event of a process.
    Failed {
        /// The error.
        text: String,
        /// The exit code of the process.
        exit_code: u8,
    },
}

/// The unit that work is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes read or written.
    Bytes,
    /// Files.
    Files,
    /// Pictures.
    Pictures,
    /// Passes of a picture through a network; a pass with a gradient counts as two or more.
    Passes,
    /// Training steps.
    Steps,
}

/// The measurements of one round of training. Losses are means over pictures, accuracies shares (0 to 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// Number of the round, from 1.
    pub round: usize,
    /// Training steps done.
    pub step: usize,
    /// Passes over the training pictures done.
    pub epoch: f64,
    /// Mean learning rate.
    pub learning_rate: Option<f64>,
    /// Loss on the training batches.
    pub train_loss: Option<f64>,
    /// Accuracy on the training batches.
    pub train_accuracy: Option<f64>,
    /// Loss on the held-out pictures.
    pub valid_loss: Option<f64>,
    /// Accuracy on the held-out pictures.
    pub valid_accuracy: Option<f64>,
    /// Accuracy under the probe's PGD.
    pub probe_accuracy: Option<f64>,
    /// Time since the round before, or since the run was started or resumed.
    pub seconds: f64,
}

/// A network that has learned to fool the attack it is trained with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Collapse {
    /// The round whose probe found the collapse.
    pub round: usize,
    /// Best accuracy under the probe before, 0 to 1.
    pub best_probe_accuracy: f64,
    /// Accuracy under the probe now, 0 to 1.
    pub probe_accuracy: f64,
}

impl Event {
    /// Returns the event as a line of text; `None` for progress of work, which each view shows in its own form.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Self::Started { .. } | Self::Advanced { .. } | Self::Finished { .. } | Self::Checkpoint { .. } => {
                return None;
            }
            Self::Note { text } | Self::Failed { text, .. } => text.clone(),
            Self::Warning { text } => format!("warning: {text}"),
            Self::Round { measured, steps_total, epochs_total } => {
                let Round { step, epoch, .. } = measured;
                format!("Epoch {epoch:.2} of {epochs_total:.2} (step {step} of {steps_total}): {measured}")
            }
            Self::Collapse { found, back_to_step, collapses } => format!(
                "warning: {found}: back to step {back_to_step}, and from there with {} steps where an attack took one",
                1 + collapses
            ),
        })
    }
}

impl Display for Round {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |name: &str, share: Option<f64>| share.map(|share| format!("{name} {:.2}%", 100.0 * share));
        let number = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value:.4}"));
        let measured = [
            percent("training accuracy", self.train_accuracy),
            number("learning rate", self.learning_rate),
            number("training loss", self.train_loss),
            percent("validation accuracy", self.valid_accuracy),
            number("validation loss", self.valid_loss),
            percent("under PGD", self.probe_accuracy),
        ];
        formatter.write_str(&measured.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Display for Collapse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the network has collapsed: {:.1}% of the probe's pictures withstand PGD, {:.1}% did before",
            100.0 * self.probe_accuracy,
            100.0 * self.best_probe_accuracy
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_a_line_without_what_was_not_measured() {
        let measured = Round {
            round: 1,
            step: 5,
            epoch: 0.5,
            learning_rate: Some(0.1),
            train_loss: Some(1.25),
            train_accuracy: Some(0.125),
            valid_loss: None,
            valid_accuracy: None,
            probe_accuracy: Some(0.5),
            seconds: 1.5,
        };
        let event = Event::Round { measured, steps_total: 20, epochs_total: 2.0 };
        let text = "Epoch 0.50 of 2.00 (step 5 of 20): training accuracy 12.50%, learning rate 0.1000, \
                    training loss 1.2500, under PGD 50.00%";
        assert_eq!(event.text().as_deref(), Some(text));
    }

    #[test]
    fn fields_of_an_event_stand_beside_its_name() {
        let found = Collapse { round: 2, best_probe_accuracy: 0.5, probe_accuracy: 0.0 };
        let event = Event::Collapse { found, back_to_step: 3, collapses: 1 };
        let json = r#"{"event":"collapse","round":2,"best_probe_accuracy":0.5,"probe_accuracy":0.0,"back_to_step":3,"collapses":1}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
    }
}
