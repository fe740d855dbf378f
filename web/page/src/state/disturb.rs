//! What happens to the picture before the networks see it.

use super::visitor::SETTLE_MS;
use super::{Column, Effect, Event, Phase, Progress, State};
use protocol::{Disturbance, Pixels, Request, RequestId};

impl State {
    pub(super) fn set_disturbance(&mut self, disturbance: Disturbance) -> Vec<Effect> {
        let before = std::mem::replace(&mut self.disturbance, disturbance.within_range());
        if self.disturbance == before || self.disturbing || self.picture.is_none() {
            return Vec::new();
        }
        self.disturbing = true;
        vec![Effect::After { ms: SETTLE_MS, event: Event::DisturbanceSettled }]
    }

    pub(super) fn disturbance_settled(&mut self) -> Vec<Effect> {
        self.disturbing = false;
        self.disturb()
    }

    /// Has the picture disturbed as the visitor wants it now; the attack that is shown is then begun again.
    pub(super) fn disturb(&mut self) -> Vec<Effect> {
        // What is being opened or classified is looked after once that is done.
        if self.disturbed_with == self.disturbance || self.phase != Phase::Ready || self.picture.is_none() {
            return Vec::new();
        }
        if self.opening.is_some() || (self.classifying.is_none() && !self.opened) {
            return Vec::new();
        }
        self.attack_again |= self.attack_is_shown();
        self.stop_attack();
        self.disturbed_with = self.disturbance;
        let id = self.next_id();
        self.begin_classifying(id);
        vec![Effect::Post(Request::Disturb { id, disturbance: self.disturbance })]
    }

    pub(super) fn disturbed(&mut self, pixels: Pixels) {
        if let Some(shown) = &mut self.picture {
            shown.pixels = pixels;
        }
    }

    /// The networks look at another picture now.
    pub(super) fn begin_classifying(&mut self, id: RequestId) {
        self.opened = false;
        self.sweeping = None;
        self.classifying = Some(id);
        self.columns = std::array::from_fn(|_| Column { progress: Progress::Classifying, ..Column::default() });
        self.forget_curves();
    }
}
