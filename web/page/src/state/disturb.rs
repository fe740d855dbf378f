//! What happens to the picture before the networks see it.

use super::visitor::SETTLE_MS;
use super::{Effect, Event, Phase, Stage, State};
use protocol::{Disturbance, Pixels, Request};

impl State {
    pub(super) fn set_disturbance(&mut self, disturbance: Disturbance) -> Vec<Effect> {
        let before = std::mem::replace(&mut self.picture.disturbance, disturbance.within_range());
        if self.picture.disturbance == before || self.picture.disturbance_settles || self.picture.shown.is_none() {
            return Vec::new();
        }
        self.picture.disturbance_settles = true;
        vec![Effect::After { ms: SETTLE_MS, event: Event::DisturbanceSettled }]
    }

    pub(super) fn disturbance_settled(&mut self) -> Vec<Effect> {
        self.picture.disturbance_settles = false;
        self.disturb()
    }

    /// Has the picture disturbed as the visitor wants it now; the attack that is shown is then begun again.
    pub(super) fn disturb(&mut self) -> Vec<Effect> {
        // A picture that is being opened is looked after once that is done.
        let is_held = self.stage.is_classified() || matches!(self.stage, Stage::Classifying(_));
        if !is_held || self.picture.disturbed_with == self.picture.disturbance || self.engine.phase != Phase::Ready {
            return Vec::new();
        }
        self.attack.resume |= self.attack_is_shown();
        self.stop_attack();
        self.picture.disturbed_with = self.picture.disturbance;
        let id = self.next_id();
        self.begin_classifying(id);
        vec![Effect::Post(Request::Disturb { id, disturbance: self.picture.disturbance })]
    }

    pub(super) fn disturbed(&mut self, pixels: Pixels) {
        if let Some(shown) = &mut self.picture.shown {
            shown.pixels = pixels;
        }
    }
}
