//! The stages of an experiment, one after the other, each skipped if it is done.

use std::time::Instant;

use anyhow::Result;

use super::children::{Workspace, stopped};
use super::clock::{Clock, Gmacs, in_words};

/// A list of stages, and what becomes of each.
pub trait Experiment {
    /// One of the stages.
    type Stage: Copy;

    /// Names `stage` in messages and in `timings.json`.
    fn title(&self, stage: Self::Stage) -> String;

    /// Whether `stage` is still to be run: it is not done, nor given up.
    ///
    /// # Errors
    /// When it was done with something else than what is in the folder now.
    fn is_left(&self, stage: Self::Stage) -> Result<bool>;

    /// Returns the work of all of `stage`.
    ///
    /// # Errors
    /// When the settings of its network are out of range.
    fn work(&self, stage: Self::Stage) -> Result<Gmacs>;

    /// Runs `stage`; returns whether it is done now, and not given up.
    ///
    /// # Errors
    /// [`Stopped`](crate::error::Stopped) when the user ended it; else when the experiment cannot go on.
    fn run(&mut self, stage: Self::Stage) -> Result<bool>;

    /// Has `clock` time a short trial, where this process can compute one.
    ///
    /// # Errors
    /// When the device fails.
    fn try_out(&self, _clock: &mut Clock) -> Result<()> {
        Ok(())
    }
}

/// Runs those of `stages` that are left; returns their times.
///
/// # Errors
/// [`Stopped`](crate::error::Stopped) when the user ended it; what is done stays. Else as the stages.
pub fn run<E: Experiment>(experiment: &mut E, stages: &[E::Stage], workspace: &Workspace<'_>) -> Result<Clock> {
    let mut clock = Clock::open(workspace.out.join("timings.json"));
    for (place, &stage) in stages.iter().enumerate() {
        if !experiment.is_left(stage)? {
            continue;
        }
        if workspace.stop.requested() {
            return Err(stopped());
        }
        experiment.try_out(&mut clock)?;
        let left = stages[place..].iter().map(|&stage| experiment.work(stage)).sum::<Result<Gmacs>>()?;
        let left = clock.estimate(left).map_or(String::new(), |time| format!(", about {} left", in_words(time)));
        let title = experiment.title(stage);
        workspace.progress.note(format!("Stage {} of {}: {title}{left}", place + 1, stages.len()));
        let began = Instant::now();
        let done = experiment.run(stage);
        let work = if matches!(done, Ok(true)) { Some(experiment.work(stage)?) } else { None };
        let noted = clock.add(&title, work, began.elapsed(), workspace.engine.backend.label());
        // Where both fail, it is for the same reason, and the stage names it better.
        done?;
        noted?;
    }
    Ok(clock)
}
