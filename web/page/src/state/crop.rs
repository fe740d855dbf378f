//! Which square of the picture the networks see.

use std::sync::Arc;

use super::visitor::SETTLE_MS;
use super::{Candidate, Effect, Event, State, Work};
use terms::picture::{Crop, SIDE, Size};

impl State {
    /// Returns the square that the visitor wants the networks to see, and the size of the picture, in pixels; none where
    /// there is nothing to choose: no picture, or one that the networks see as it is.
    pub fn crop(&self) -> Option<(Crop, Size)> {
        let size = self.croppable()?;
        let latest = self.stage.candidate().or(self.picture.shown.as_ref().map(|shown| &shown.candidate))?;
        let crop = self.picture.wanted_crop.unwrap_or(latest.crop);
        Some((crop.unwrap_or_else(|| Crop::centre(size)), size))
    }

    /// Returns the square that the networks see now, which lags behind the pointer that moves it.
    pub fn seen_crop(&self) -> Option<(Crop, Size)> {
        let (size, shown) = (self.croppable()?, self.picture.shown.as_ref()?);
        Some((shown.candidate.crop.unwrap_or_else(|| Crop::centre(size)), size))
    }

    /// Tells whether the networks see the square that the visitor wants.
    pub fn crop_rests(&self) -> bool {
        self.picture.wanted_crop.is_none() && self.work() != Work::Opening
    }

    /// Returns the size of the picture that is shown, where another square of it can be seen.
    fn croppable(&self) -> Option<Size> {
        let (width, height) = self.picture.shown.as_ref()?.original_size?;
        (width != height || width > SIDE as u32).then_some((width, height))
    }

    /// Tells whether a picture is the one that is shown, whatever square of it.
    pub(super) fn is_shown(&self, candidate: &Candidate) -> bool {
        self.picture.shown.as_ref().is_some_and(|shown| Arc::ptr_eq(&shown.candidate.bytes, &candidate.bytes))
    }

    /// Takes the square that the visitor wants; none is the one in the middle.
    pub(super) fn set_crop(&mut self, crop: Option<Crop>) -> Vec<Effect> {
        let Some(size) = self.croppable() else {
            return Vec::new();
        };
        if self.stage.candidate().is_some_and(|arriving| !self.is_shown(arriving)) {
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

    /// Opens the picture once more, with the square that is wanted; the attack that is shown is then begun again.
    pub(super) fn recrop(&mut self) -> Vec<Effect> {
        // The square that is being cut is waited for: replaced again and again, none would be seen during a drag.
        if self.picture.crop_settles || self.work() == Work::Opening {
            return Vec::new();
        }
        let (Some(crop), Some(shown)) = (self.picture.wanted_crop.take(), &self.picture.shown) else {
            return Vec::new();
        };
        let latest = self.stage.candidate().unwrap_or(&shown.candidate);
        if latest.crop == crop {
            return Vec::new();
        }
        let candidate = Candidate { crop, ..shown.candidate.clone() };
        self.attack.resume |= self.attack_is_shown();
        self.open(candidate)
    }
}
