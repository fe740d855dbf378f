//! The pieces that the state is made of.

use std::sync::Arc;

use super::{Candidate, Moment, PickId};
use protocol::{Guess, Insight, Pixels, Point, RequestId, Slot, Step};

/// How far the engine is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// The worker's script is loading.
    #[default]
    Starting,
    /// A device is being looked for.
    OpeningDevice,
    /// A network is not downloaded before the visitor says so.
    Asking,
    /// The networks' weights are coming.
    Downloading,
    /// A network is being checked on the device.
    SelfTesting(Slot),
    /// It takes work.
    Ready,
    /// It cannot start; why.
    Failed(String),
}

/// How far the download of the engine's program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coming {
    /// Bytes that have been sent, as they were sent: packed, where the host packs.
    pub received: u64,
    /// Bytes there will be.
    pub total: u64,
}

impl Coming {
    /// From bytes counted unpacked and the bytes `sent` for all of them, where a zero is a number that is not
    /// known; none if the total is not.
    pub(super) fn of(received: f64, total: f64, sent: f64) -> Option<Self> {
        let sent = if sent > 0.0 { sent } else { total };
        let share = (received / total).clamp(0.0, 1.0);
        (total > 0.0).then_some(Self { received: (share * sent) as u64, total: sent as u64 })
    }

    /// Tells whether all of it is here.
    pub fn is_here(self) -> bool {
        self.received == self.total
    }
}

impl Phase {
    /// Returns the name in attributes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::OpeningDevice => "opening-device",
            Self::Asking => "asking",
            Self::Downloading => "downloading",
            Self::SelfTesting(_) => "self-testing",
            Self::Ready => "ready",
            Self::Failed(_) => "failed",
        }
    }
}

/// What the engine works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Nothing.
    Idle,
    /// Taking a picture.
    Opening,
    /// Classifying the picture.
    Classifying,
    /// Attacking it.
    Attacking,
    /// Attacking it with one epsilon after the other.
    Sweeping,
    /// Looking into the networks.
    Looking,
}

impl Work {
    /// Returns the name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Opening => "opening",
            Self::Classifying => "classifying",
            Self::Attacking => "attacking",
            Self::Sweeping => "sweeping",
            Self::Looking => "looking",
        }
    }
}

/// A picture that is on its way to the page: its bytes are coming, or the decoder works on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pick {
    /// Its number.
    pub(super) id: PickId,
    /// Whether the page chose it by itself, to have something to show.
    pub(super) automatic: bool,
}

/// An attacked picture that is on its way to the visitor's disk.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Saving {
    /// The request.
    pub(super) id: RequestId,
    /// What the file will be called.
    pub(super) name: String,
    /// What is in it.
    pub(super) pixels: Pixels,
}

/// The picture the networks look at.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// Where it comes from.
    pub candidate: Candidate,
    /// What the networks see: its square, disturbed.
    pub pixels: Pixels,
}

impl Shown {
    /// Tells whether so little of the file's picture is seen that what the whole shows may not be in it.
    pub fn is_detail(&self) -> bool {
        self.candidate.crop.is_some_and(|crop| crop.is_detail(self.candidate.size))
    }
}

/// How far a network's column is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Progress {
    /// No picture yet.
    #[default]
    Empty,
    /// The picture is being classified.
    Classifying,
    /// The clean answer is there.
    Clean,
    /// An attack is under way.
    Attacking,
    /// An attack was stopped half-way.
    Stopped,
    /// An attack is done.
    Done,
}

impl Progress {
    /// Returns the name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Classifying => "classifying",
            Self::Clean => "clean",
            Self::Attacking => "attacking",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }
}

/// What one network's column shows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Column {
    /// How far it is.
    pub progress: Progress,
    /// The answer to the clean picture, best first.
    pub clean: Vec<Guess>,
    /// Time the clean answer took.
    pub clean_ms: Option<f64>,
    /// The steps of the latest attack, from where it began.
    pub steps: Vec<Step>,
    /// Index of the step that the visitor looks at; none is the latest.
    pub scrubbed: Option<usize>,
    /// Whether the steps are those of an attack before the one under way, which has given none yet.
    pub(super) outdated: bool,
    /// The best guess under the control, random noise.
    pub noise: Option<Guess>,
    /// Steps of the attack under way, or of the last one.
    pub steps_done: u32,
    /// Steps it has in all.
    pub steps_total: u32,
    /// The attacked picture as it was saved last, if it still is the one that is shown.
    pub saved: Option<Saved>,
    /// What is inside of the network, for the pictures that are shown, if the visitor has asked.
    pub insight: Option<Arc<Insight>>,
}

/// What a network says of a picture as it was saved.
#[derive(Clone, PartialEq, Debug)]
pub struct Saved {
    /// Length of the file, in bytes.
    pub bytes: usize,
    /// The network's best guesses, best first.
    pub top: Vec<Guess>,
}

/// How one network's answer changes with epsilon.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Curve {
    /// By epsilon, ascending.
    pub points: Vec<Point>,
    /// The smallest epsilon that was found to change the answer, in units of the attack's norm; inside, none if not even the largest does. None
    /// until it is known.
    pub smallest: Option<Option<u16>>,
}

impl Column {
    /// Returns the step that is shown: the one that the visitor looks at, or the latest.
    pub fn step(&self) -> Option<&Step> {
        self.scrubbed.and_then(|index| self.steps.get(index)).or(self.steps.last())
    }

    /// Tells whether there is a verdict that is not the attack's last word.
    pub fn is_interim(&self) -> bool {
        self.step().is_some() && self.moment() != Moment::End
    }

    /// Of what moment of the attack the step is that is shown.
    pub fn moment(&self) -> Moment {
        if self.scrubbed.is_some_and(|index| index + 1 < self.steps.len()) {
            return Moment::Earlier;
        }
        match self.progress {
            Progress::Attacking | Progress::Stopped => Moment::SoFar,
            _ => Moment::End,
        }
    }

    /// Takes what the attack under way has come to.
    pub(super) fn stepped(&mut self, step: Step) {
        if std::mem::take(&mut self.outdated) {
            self.forget_result();
        }
        self.steps_done = step.done;
        self.steps_total = step.total;
        self.saved = None;
        self.insight = None;
        self.steps.push(step);
    }

    /// Shows no attack any more.
    pub(super) fn forget_result(&mut self) {
        self.steps.clear();
        self.scrubbed = None;
        self.saved = None;
        self.insight = None;
    }
}
