//! Which square of the picture the networks see.

use std::sync::Arc;

use super::visitor::SETTLE_MS;
use super::{Candidate, Effect, Event, State};
use protocol::{Crop, SIDE, Size};

impl State {
    /// The square that the visitor wants the networks to see, and the size of the picture, in pixels; none where there is
    /// nothing to choose: no picture, or one that the networks see as it is.
    pub fn crop(&self) -> Option<(Crop, Size)> {
        let size = self.croppable()?;
        let latest = self.arriving().or(self.picture.as_ref().map(|shown| &shown.candidate))?;
        let crop = self.wanted_crop.unwrap_or(latest.crop);
        Some((crop.unwrap_or_else(|| Crop::centre(size)), size))
    }

    /// The square that they see now: behind the hand that moves it.
    pub fn seen_crop(&self) -> Option<(Crop, Size)> {
        let (size, shown) = (self.croppable()?, self.picture.as_ref()?);
        Some((shown.candidate.crop.unwrap_or_else(|| Crop::centre(size)), size))
    }

    /// Whether that is the square that the visitor wants.
    pub fn crop_rests(&self) -> bool {
        self.wanted_crop.is_none() && self.opening.is_none()
    }

    /// The size of the picture that is shown, where another square of it can be seen.
    fn croppable(&self) -> Option<Size> {
        let (width, height) = self.picture.as_ref()?.original_size?;
        (width != height || width > SIDE).then_some((width, height))
    }

    /// The picture that waits for the engine or is decoded, if there is one.
    fn arriving(&self) -> Option<&Candidate> {
        self.opening.as_ref().map(|(_, candidate)| candidate).or(self.queued.as_ref())
    }

    /// Whether a picture is the one that is shown, whatever square of it.
    pub(super) fn is_shown(&self, candidate: &Candidate) -> bool {
        self.picture.as_ref().is_some_and(|shown| Arc::ptr_eq(&shown.candidate.bytes, &candidate.bytes))
    }

    /// The visitor wants another square; none is the one in the middle.
    pub(super) fn set_crop(&mut self, crop: Option<Crop>) -> Vec<Effect> {
        let Some(size) = self.croppable() else {
            return Vec::new();
        };
        if self.arriving().is_some_and(|arriving| !self.is_shown(arriving)) {
            // The picture goes, and the hand is late.
            return Vec::new();
        }
        let crop = crop.and_then(|crop| crop.unless_centre(size));
        self.wanted_crop = Some(crop);
        if self.cropping {
            return Vec::new();
        }
        self.cropping = true;
        vec![Effect::After { ms: SETTLE_MS, event: Event::CropSettled }]
    }

    pub(super) fn crop_settled(&mut self) -> Vec<Effect> {
        self.cropping = false;
        self.recrop()
    }

    /// Opens the picture once more, with the square that is wanted; the attack that is shown is then begun again.
    pub(super) fn recrop(&mut self) -> Vec<Effect> {
        // What is being decoded is waited for: replaced again and again, nothing would be seen while the hand moves.
        if self.cropping || self.opening.is_some() {
            return Vec::new();
        }
        let (Some(crop), Some(shown)) = (self.wanted_crop.take(), &self.picture) else {
            return Vec::new();
        };
        let latest = self.queued.as_ref().unwrap_or(&shown.candidate);
        if latest.crop == crop {
            return Vec::new();
        }
        let candidate = Candidate { crop, ..shown.candidate.clone() };
        self.attack_again |= self.attack_is_shown();
        self.open(candidate)
    }
}
