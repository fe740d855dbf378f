//! What long work tells. With `--progress json` each event is an object on a line of stderr, whose field `event` is the name of
//! the variant in snake case and whose other fields are those of the variant.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// Something that happened in long work.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Work begins. Several may go on at once: `task` is a number that no other work of this process has.
    Started { task: u64, title: &'static str, total: Option<u64>, unit: Unit },
    /// So many units are done, of so many if that is known. Not each step is told.
    Advanced { task: u64, done: u64, total: Option<u64> },
    /// Work ended, completed or not, with so many units done.
    Finished { task: u64, done: u64, seconds: f64 },
    /// A line for the user.
    Note { text: String },
    /// Something is not as it should be, and the work goes on.
    Warning { text: String },
    /// Training has measured a round.
    Round {
        #[serde(flatten)]
        measured: Round,
        /// Training steps of the whole run.
        steps_total: usize,
        /// Passes over the training pictures of the whole run.
        epochs_total: f64,
    },
    /// Training has a checkpoint of the network after `step` steps; its files may still be on their way to the disk.
    Checkpoint { round: usize, step: usize, collapses: usize },
    /// Training goes back to a checkpoint, from which each single-step attack takes `1 + collapses` steps.
    Collapse {
        #[serde(flatten)]
        found: Collapse,
        back_to_step: usize,
        collapses: usize,
    },
    /// The command ends without success: the last event of a process.
    Failed { text: String, exit_code: u8 },
}

/// What work is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    Files,
    Pictures,
    /// Passes of a picture through a network; one with a gradient counts as two or more.
    Passes,
    Steps,
}

/// The measurements of one round of training. Losses are means over pictures, accuracies shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    pub round: usize,
    /// Training steps done.
    pub step: usize,
    /// Passes over the training pictures done.
    pub epoch: f64,
    pub learning_rate: Option<f64>,
    pub train_loss: Option<f64>,
    pub train_accuracy: Option<f64>,
    pub valid_loss: Option<f64>,
    pub valid_accuracy: Option<f64>,
    /// Under the probe's PGD.
    pub probe_accuracy: Option<f64>,
    /// Since the round before, or since the run was started or resumed.
    pub seconds: f64,
}

/// A network that has learned to fool the attack it is trained with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Collapse {
    /// The round that found it.
    pub round: usize,
    /// Best share of correct answers under the probe before.
    pub best_probe_accuracy: f64,
    /// Share of correct answers under the probe now.
    pub probe_accuracy: f64,
}

impl Event {
    /// Returns the event as a line of text; none for progress of work, which a view shows in its own way.
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
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
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
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
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
