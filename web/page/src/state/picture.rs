//! The picture: sent to the engine, classified, taken away.

use super::{Candidate, Column, Effect, Phase, Pick, PickId, Progress, Shown, State};
use protocol::{Disturbance, Pixels, Request, RequestId, Slot};
use terms::picture::Crop;

/// The picture that the page shows, and what the visitor wants of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Picture {
    /// What is shown.
    pub shown: Option<Shown>,
    /// Pictures opened so far.
    pub count: u32,
    /// What happens to the picture before the networks see it.
    pub disturbance: Disturbance,
    /// What the picture that the engine holds was disturbed with.
    pub(super) disturbed_with: Disturbance,
    /// Whether a change of the disturbance waits to be carried out.
    pub(super) disturbance_settles: bool,
    /// The square that the visitor wants of the picture that is shown, until the networks see it; inside, none is the one in the
    /// middle.
    pub(super) wanted_crop: Option<Option<Crop>>,
    /// Whether a change of the square waits to be carried out.
    pub(super) crop_settles: bool,
    /// The picture that was asked for last, until it is here.
    pub(super) pick: Option<Pick>,
    /// The square of the picture that is shown that was asked for last, until it is here.
    pub(super) cut: Option<PickId>,
    pub(super) last_pick: PickId,
}

/// How far the engine is with the picture: it works on one thing at a time.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) enum Stage {
    /// It has none, or has lost the one that is shown.
    #[default]
    Absent,
    /// A picture waits until the engine is ready.
    Queued(Candidate),
    /// It takes a picture, and disturbs it.
    Opening {
        /// The request.
        id: RequestId,
        /// The picture.
        candidate: Candidate,
        /// What it is disturbed with.
        disturbance: Disturbance,
    },
    /// The networks are asked.
    Classifying(RequestId),
    /// Both have answered to the picture that is shown.
    Classified,
    /// They have, and are attacked.
    Attacking(RequestId),
    /// They have, and are attacked with one epsilon after the other.
    Sweeping(RequestId),
    /// They have, and are looked into.
    Looking(RequestId),
}

impl Stage {
    /// Tells whether both networks have answered to the picture that is shown, and the engine holds it.
    pub(super) fn is_classified(&self) -> bool {
        matches!(self, Self::Classified | Self::Attacking(_) | Self::Sweeping(_) | Self::Looking(_))
    }

    /// Returns the picture that waits for the engine or is taken by it.
    pub(super) fn candidate(&self) -> Option<&Candidate> {
        match self {
            Self::Queued(candidate) | Self::Opening { candidate, .. } => Some(candidate),
            _ => None,
        }
    }

    /// Returns the picture that waits for the engine or is taken by it.
    pub(super) fn into_candidate(self) -> Option<Candidate> {
        match self {
            Self::Queued(candidate) | Self::Opening { candidate, .. } => Some(candidate),
            _ => None,
        }
    }
}

impl State {
    /// Tells whether a picture is on its way: its bytes are coming, or it is decoded, or waits for the engine or is taken by it.
    pub fn picture_pending(&self) -> bool {
        self.picture.pick.is_some() || self.picture.cut.is_some() || self.stage.candidate().is_some()
    }

    /// Has the engine open a picture, or keeps it until there is one.
    pub(super) fn open(&mut self, candidate: Candidate) -> Vec<Effect> {
        if self.engine.phase != Phase::Ready {
            self.stage = Stage::Queued(candidate);
            return Vec::new();
        }
        self.stop_attack();
        let (id, disturbance) = (self.next_id(), self.picture.disturbance);
        let request = Request::Open { id, pixels: candidate.square.clone(), disturbance };
        self.stage = Stage::Opening { id, candidate, disturbance };
        vec![Effect::Post(request)]
    }

    /// Takes the answer to a request to open a picture: what the networks see.
    pub(super) fn seen(&mut self, id: RequestId, pixels: Pixels) -> Vec<Effect> {
        let Some(Stage::Opening { candidate, disturbance, .. }) = self.take_opening(id) else {
            return Vec::new();
        };
        self.picture.disturbed_with = disturbance;
        if !self.is_shown(&candidate) || self.picture.wanted_crop == Some(candidate.crop) {
            self.picture.wanted_crop = None;
        }
        self.picture.count += 1;
        self.attack.automatic = false;
        self.begin_classifying(id);
        self.picture.shown = Some(Shown { candidate, pixels });
        // Moved on meanwhile.
        self.recrop()
    }

    /// Takes the answer that the engine cannot take the picture that it was given. It may have turned away from the one before,
    /// which it is given again, unless it is that one.
    pub(super) fn not_opened(&mut self, message: &str) -> Vec<Effect> {
        let Some(candidate) = std::mem::take(&mut self.stage).into_candidate() else {
            return Vec::new();
        };
        self.alert = Some(format!("{}: {message}", candidate.file.title));
        if self.is_shown(&candidate) {
            self.picture.wanted_crop = None;
        }
        match &self.picture.shown {
            Some(shown) if shown.candidate != candidate => self.open(shown.candidate.clone()),
            _ => {
                self.drop_picture();
                Vec::new()
            }
        }
    }

    /// Takes the stage of opening a picture, if it is that of this request.
    fn take_opening(&mut self, id: RequestId) -> Option<Stage> {
        matches!(&self.stage, Stage::Opening { id: opening, .. } if *opening == id)
            .then(|| std::mem::take(&mut self.stage))
    }

    /// Has the networks' columns wait for their answers to another picture.
    pub(super) fn begin_classifying(&mut self, id: RequestId) {
        self.stage = Stage::Classifying(id);
        self.columns = Slot::ALL.map(|slot| match self.missing(slot) {
            Some(_) => Column::default(),
            None => Column { progress: Progress::Classifying, ..Column::default() },
        });
        self.forget_curves();
    }

    /// Goes on once both networks have answered.
    pub(super) fn classified(&mut self) -> Vec<Effect> {
        if self.columns.iter().any(|column| column.progress == Progress::Classifying) {
            return Vec::new();
        }
        self.stage = Stage::Classified;
        if self.picture.disturbed_with != self.picture.disturbance {
            // Changed again meanwhile.
            return self.disturb();
        }
        if std::mem::take(&mut self.attack.resume) { self.begin_attack() } else { Vec::new() }
    }

    /// Takes the picture away: the engine cannot compute it.
    pub(super) fn drop_picture(&mut self) {
        self.attack.resume = false;
        (self.picture.wanted_crop, self.picture.cut) = (None, None);
        self.stage = Stage::Absent;
        self.columns = Default::default();
        self.forget_curves();
        self.picture.shown = None;
    }
}
