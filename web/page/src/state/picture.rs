//! The picture: sent to the engine, decoded, classified, taken away.

use std::sync::Arc;

use super::{Candidate, Column, Effect, Phase, Pick, PickId, Progress, Shown, State};
use protocol::{Disturbance, Pixels, Request, RequestId};
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
    /// The square that the visitor wants of the picture that is shown, until the engine is asked for it; inside, none is the
    /// one in the middle.
    pub(super) wanted_crop: Option<Option<Crop>>,
    /// Whether a change of the square waits to be carried out.
    pub(super) crop_settles: bool,
    /// The picture that was asked for last, until its bytes are here.
    pub(super) pick: Option<Pick>,
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
    /// It decodes a file, or cuts another square out of it.
    Opening {
        /// The request.
        id: RequestId,
        /// The picture.
        candidate: Candidate,
        /// What it is disturbed with.
        disturbance: Disturbance,
        /// Whether the engine still holds the picture before, with both networks' answers to it.
        holds_former: bool,
    },
    /// The networks are asked.
    Classifying(RequestId),
    /// Both have answered to the picture that is shown.
    Classified,
    /// They have, and are attacked.
    Attacking(RequestId),
    /// They have, and are attacked with one epsilon after the other.
    Sweeping(RequestId),
}

impl Stage {
    /// Tells whether both networks have answered to the picture that is shown, and the engine holds it.
    pub(super) fn is_classified(&self) -> bool {
        matches!(self, Self::Classified | Self::Attacking(_) | Self::Sweeping(_))
    }

    /// Returns the picture that waits for the engine or is decoded.
    pub(super) fn candidate(&self) -> Option<&Candidate> {
        match self {
            Self::Queued(candidate) | Self::Opening { candidate, .. } => Some(candidate),
            _ => None,
        }
    }

    /// Returns the picture that waits for the engine or is decoded.
    pub(super) fn into_candidate(self) -> Option<Candidate> {
        match self {
            Self::Queued(candidate) | Self::Opening { candidate, .. } => Some(candidate),
            _ => None,
        }
    }
}

impl State {
    /// Tells whether a picture is on its way: its bytes are coming, or it waits for the engine, or the engine decodes it.
    pub fn picture_pending(&self) -> bool {
        self.picture.pick.is_some() || self.stage.candidate().is_some()
    }

    /// Has the engine open a picture, or keeps it until there is one. A file that the engine holds is not sent again.
    pub(super) fn open(&mut self, candidate: Candidate) -> Vec<Effect> {
        if self.engine.phase != Phase::Ready {
            return self.enter(Stage::Queued(candidate)).into_iter().collect();
        }
        self.stop_attack();
        let (id, crop, disturbance) = (self.next_id(), candidate.crop, self.picture.disturbance);
        let is_held = self.engine.file.as_ref().is_some_and(|held| Arc::ptr_eq(held, &candidate.bytes));
        let request = match is_held {
            true => Request::Crop { id, crop, disturbance },
            false => {
                self.engine.file = None;
                Request::Open { id, file: Arc::clone(&candidate.bytes), crop, disturbance }
            }
        };
        let holds_former =
            self.stage.is_classified() || matches!(self.stage, Stage::Opening { holds_former: true, .. });
        let revoked = self.enter(Stage::Opening { id, candidate, disturbance, holds_former });
        revoked.into_iter().chain([Effect::Post(request)]).collect()
    }

    /// Goes to a stage; gives what frees the preview of a picture that so will never be seen.
    pub(super) fn enter(&mut self, stage: Stage) -> Option<Effect> {
        let unseen = std::mem::replace(&mut self.stage, stage).into_candidate();
        unseen.and_then(|unseen| self.revoke_unless_shown(unseen))
    }

    /// Takes the answer to a request to open a picture: what the networks see.
    pub(super) fn seen(&mut self, id: RequestId, pixels: Pixels, original_size: Option<(u32, u32)>) -> Vec<Effect> {
        let Some(Stage::Opening { mut candidate, disturbance, .. }) = self.take_opening(id) else {
            return Vec::new();
        };
        self.engine.file = Some(Arc::clone(&candidate.bytes));
        self.picture.disturbed_with = disturbance;
        // As the engine did: an address may ask for what is not in the picture.
        candidate.crop = candidate.crop.zip(original_size).and_then(|(crop, size)| crop.unless_centre(size));
        if !self.is_shown(&candidate) {
            self.picture.wanted_crop = None;
        }
        self.picture.count += 1;
        self.attack.automatic = false;
        self.begin_classifying(id);
        let before = self.picture.shown.replace(Shown { candidate, pixels, original_size });
        let mut effects: Vec<Effect> =
            before.and_then(|shown| self.revoke_unless_shown(shown.candidate)).into_iter().collect();
        // Moved on meanwhile.
        effects.extend(self.recrop());
        effects
    }

    /// Takes the answer to a request to open a picture: why it cannot be.
    pub(super) fn bad_picture(&mut self, id: RequestId, message: String) -> Vec<Effect> {
        let Some(Stage::Opening { candidate, holds_former, .. }) = self.take_opening(id) else {
            return Vec::new();
        };
        if holds_former {
            self.stage = Stage::Classified;
        }
        self.engine.file = None;
        self.alert = Some(format!("{}: {message}", candidate.title));
        let mut effects = match &self.picture.shown {
            // It was read once, and now is not.
            Some(_) if self.is_shown(&candidate) => self.drop_picture().into_iter().collect(),
            // The engine turned away from it half-way, or is a fresh one.
            Some(shown) if !holds_former => self.open(shown.candidate.clone()),
            _ => Vec::new(),
        };
        effects.extend(self.revoke_unless_shown(candidate));
        // What was moved meanwhile was to wait for this picture.
        effects.extend(self.recrop());
        effects.extend(self.disturb());
        effects
    }

    /// Takes the stage of opening a picture, if it is that of this request.
    fn take_opening(&mut self, id: RequestId) -> Option<Stage> {
        matches!(&self.stage, Stage::Opening { id: opening, .. } if *opening == id)
            .then(|| std::mem::take(&mut self.stage))
    }

    /// Has the networks' columns wait for their answers to another picture.
    pub(super) fn begin_classifying(&mut self, id: RequestId) {
        self.stage = Stage::Classifying(id);
        self.columns = std::array::from_fn(|_| Column { progress: Progress::Classifying, ..Column::default() });
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

    /// Takes the picture away: the engine cannot compute it. Gives what frees its preview.
    pub(super) fn drop_picture(&mut self) -> Option<Effect> {
        self.attack.resume = false;
        self.picture.wanted_crop = None;
        self.stage = Stage::Absent;
        self.columns = Default::default();
        self.forget_curves();
        self.picture.shown.take().and_then(|shown| self.revoke_unless_shown(shown.candidate))
    }

    /// Frees a picture's preview, unless the page shows it.
    pub(super) fn revoke_unless_shown(&self, candidate: Candidate) -> Option<Effect> {
        let shown = self.picture.shown.as_ref().and_then(|shown| shown.candidate.preview_url.as_ref());
        if shown == candidate.preview_url.as_ref() { None } else { candidate.into_revoke() }
    }
}
