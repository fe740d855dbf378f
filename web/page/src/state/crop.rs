//! Which square of the picture the networks see.

use std::sync::Arc;

use super::visitor::SETTLE_MS;
use super::{Candidate, Effect, Event, State, Work};
use terms::picture::{Crop, SIDE, Size};

impl State {
    /// Returns the square that the visitor wants the networks to see, and the size of the picture, in pixels; none where
    /// there is nothing to choose: no picture, or one that the networks see as it is.
    pub fn crop(&self) -> Option<(Crop, Size)> {
        let (seen, size) = self.seen_crop()?;
        let wanted = self.picture.wanted_crop.or(self.latest_square().map(|latest| latest.crop));
        Some((wanted.map_or(seen, |crop| crop.unwrap_or_else(|| Crop::centre(size))), size))
    }

    /// Returns the square that the networks see now, which lags behind the pointer that moves it.
    pub fn seen_crop(&self) -> Option<(Crop, Size)> {
        let Candidate { crop, size, .. } = self.picture.shown.as_ref()?.candidate;
        let (width, height) = size;
        let croppable = width != height || width > SIDE as u32;
        croppable.then(|| (crop.unwrap_or_else(|| Crop::centre(size)), size))
    }

    /// Tells whether the networks see the square that the visitor wants.
    pub fn crop_rests(&self) -> bool {
        self.picture.wanted_crop.is_none() && self.work() != Work::Opening
    }

    /// Returns the picture that is shown with its latest square, which may be on its way to the engine; none where another picture
    /// is.
    fn latest_square(&self) -> Option<&Candidate> {
        match self.stage.candidate() {
            Some(arriving) => Some(arriving).filter(|arriving| self.is_shown(arriving)),
            None => self.picture.shown.as_ref().map(|shown| &shown.candidate),
        }
    }

    /// Tells whether a picture is the one that is shown, whatever square of it.
    pub(super) fn is_shown(&self, candidate: &Candidate) -> bool {
        self.picture.shown.as_ref().is_some_and(|shown| Arc::ptr_eq(&shown.candidate.file.bytes, &candidate.file.bytes))
    }

    /// Takes the square that the visitor wants; none is the one in the middle.
    pub(super) fn set_crop(&mut self, crop: Option<Crop>) -> Vec<Effect> {
        let Some((_, size)) = self.seen_crop() else {
            return Vec::new();
        };
        if self.latest_square().is_none() {
            // Another picture is on its way, so this square is of one that goes.
            return Vec::new();
        }
        let crop = crop.and_then(|crop| crop.unless_centre(size));
        self.picture.wanted_crop = Some(crop);
        if self.picture.crop_settles {
            return Vec::new();
        }
        self.picture.crop_settles = true;
        vec![Effect::After { ms: SETTLE_MS, event: Event::CropSettled }]
    }

    pub(super) fn crop_settled(&mut self) -> Vec<Effect> {
        self.picture.crop_settles = false;
        self.recrop()
    }

    /// Has the square that is wanted cut out of the picture.
    pub(super) fn recrop(&mut self) -> Vec<Effect> {
        // The square that is being cut is waited for: replaced again and again, none would be seen during a drag.
        if self.picture.crop_settles || self.picture.cut.is_some() || self.work() == Work::Opening {
            return Vec::new();
        }
        let (Some(crop), Some(latest)) = (self.picture.wanted_crop, self.latest_square()) else {
            return Vec::new();
        };
        if latest.crop == crop {
            self.picture.wanted_crop = None;
            return Vec::new();
        }
        let candidate = Candidate { crop, ..latest.clone() };
        let pick = self.next_pick();
        self.picture.cut = Some(pick);
        vec![Effect::Cut { pick, candidate }]
    }
}
