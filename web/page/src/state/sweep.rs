//! Many epsilons, and the steps of one attack.

use super::{Curve, Effect, Phase, Stage, State};
use protocol::{Request, Settings};

/// How the answers change with epsilon.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sweep {
    /// The curves, left and right.
    pub curves: [Curve; 2],
    /// What they were made with.
    pub settings: Settings,
}

impl State {
    /// Tells whether the curves can be made now.
    pub fn can_sweep(&self) -> bool {
        self.engine.phase == Phase::Ready && self.stage == Stage::Classified
    }

    /// Attacks with many epsilons, for the curves.
    pub(super) fn begin_sweep(&mut self) -> Vec<Effect> {
        if !self.can_sweep() {
            return Vec::new();
        }
        let id = self.next_id();
        self.forget_curves();
        self.stage = Stage::Sweeping(id);
        self.sweep.settings = of_sweep(self.attack.settings);
        vec![Effect::Post(Request::Sweep { id, settings: self.sweep.settings })]
    }

    pub(super) fn forget_curves(&mut self) {
        self.sweep.curves = <[Curve; 2]>::default();
    }

    /// Tells whether the curves are of an attack with the settings as they are, but for epsilon.
    pub fn curves_are_current(&self) -> bool {
        self.sweep.settings == of_sweep(self.attack.settings)
    }

    /// Returns the most steps that either network's attack has taken, the beginning not counted: where the scrubber ends.
    pub fn last_step(&self) -> u32 {
        let last = |column: &super::Column| column.steps.last().map_or(0, |step| step.done);
        self.columns.iter().map(last).max().unwrap_or_default()
    }

    /// Returns the step that is looked at; the latest unless the visitor has chosen.
    pub fn step_shown(&self) -> u32 {
        let shown = |column: &super::Column| column.step().map_or(0, |step| step.done);
        self.columns.iter().map(shown).max().unwrap_or_default()
    }

    /// Shows both attacks after so many steps; one that ended before, as it ended.
    pub(super) fn scrub(&mut self, step: Option<u32>) {
        let last = self.last_step();
        let step = step.filter(|&step| step < last);
        for column in &mut self.columns {
            let after = |done: u32| column.steps.iter().position(|step| step.done >= done);
            let scrubbed = step.and_then(after);
            if column.scrubbed != scrubbed {
                column.scrubbed = scrubbed;
                column.saved = None;
                column.insight = None;
            }
        }
    }
}

/// Returns what of the settings a sweep goes by: it has epsilons of its own, a chosen step size would suit only one of
/// them, and an attack that stops early has not reached its loss.
fn of_sweep(settings: Settings) -> Settings {
    Settings {
        epsilon_255: 0,
        epsilon_l2_hundredths: 0,
        pixels: 0,
        step_size_tenths: None,
        stop_at_success: false,
        steps: settings.steps_total(),
        seed: if settings.kind.is_random() { settings.seed } else { 0 },
        ..settings
    }
}
