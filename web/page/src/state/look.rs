//! What is inside of the networks: evidence, feature maps, detectors. Nothing is computed before the visitor asks.

use super::{Effect, Stage, State};
use protocol::Request;
use terms::detection::DetectorKind;

impl State {
    /// Tells whether the networks can be looked into now.
    pub fn can_look(&self) -> bool {
        self.can_sweep()
    }

    /// Looks into both networks, at the picture and at the attacked pictures that are shown; or attacks networks and detectors of a kind
    /// together, and looks at what comes of that.
    pub(super) fn begin_look(&mut self, evade: Option<DetectorKind>) -> Vec<Effect> {
        if !self.can_look() {
            return Vec::new();
        }
        let id = self.next_id();
        for column in &mut self.columns {
            column.insight = None;
        }
        self.stage = Stage::Looking(id);
        let attacked = self.columns.each_ref().map(|column| column.step().map(|step| step.attacked.clone()));
        vec![Effect::Post(Request::Look { id, attacked, settings: self.attack.latest, evade })]
    }
}
