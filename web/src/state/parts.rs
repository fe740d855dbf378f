//! The pieces that the state is made of.

use super::{Candidate, PickId};
use crate::protocol::{Guess, Pixels, Slot, Step};

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

impl Phase {
    /// Its name in attributes.
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
    /// Decoding a file.
    Opening,
    /// Classifying the picture.
    Classifying,
    /// Attacking it.
    Attacking,
}

impl Work {
    /// Its name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Opening => "opening",
            Self::Classifying => "classifying",
            Self::Attacking => "attacking",
        }
    }
}

/// A picture whose bytes are on their way to the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pick {
    /// Its number.
    pub(super) id: PickId,
    /// Whether the page chose it by itself, to have something to show.
    pub(super) automatic: bool,
}

/// The picture the networks look at.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// Where it comes from.
    pub candidate: Candidate,
    /// What the networks see.
    pub pixels: Pixels,
    /// Width and height of the file's picture.
    pub original_size: Option<(u32, u32)>,
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
    /// Its name in attributes.
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
    /// The latest step of the latest attack.
    pub step: Option<Step>,
    /// The best guess under the control, random noise.
    pub noise: Option<Guess>,
    /// Steps of the attack under way, or of the last one.
    pub steps_done: u32,
    /// Steps it has in all.
    pub steps_total: u32,
}

impl Column {
    /// Whether the verdict that is shown is not the attack's last word.
    pub fn is_interim(&self) -> bool {
        matches!(self.progress, Progress::Attacking | Progress::Stopped)
    }
}
