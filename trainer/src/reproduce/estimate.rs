//! How long it will still take: stages are counted in passes of an image through the network, and what the first ones took
//! says how long such a pass takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::files::write_atomically;

/// A pass backwards costs about two forwards.
const TRAINING: f64 = 3.0;
const GRADIENT: f64 = 2.0;
const FORWARD: f64 = 1.0;

/// Work in forward passes of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work(pub f64);

impl Work {
    /// `images` trained on, at `side` pixels of 64.
    pub fn training(images: usize, side: usize) -> Self {
        Self(TRAINING * images as f64 * (side as f64 / 64.0).powi(2))
    }

    /// `images` attacked in so many steps and shown.
    pub fn attack(images: usize, steps: usize) -> Self {
        Self(images as f64 * (GRADIENT * steps as f64 + FORWARD))
    }
}

/// What is known of the stages that were done, in this and in earlier invocations.
pub struct Clock {
    file: PathBuf,
    done: BTreeMap<String, Timing>,
    /// What a short trial took, which speaks while no stage is done.
    trial: Option<Timing>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Timing {
    /// None while the stage is not done.
    work: f64,
    seconds: f64,
    /// What computed it.
    #[serde(default)]
    device: String,
}

impl Clock {
    /// That of the file, or a new one. It is only for estimates, so what cannot be read is forgotten.
    pub fn open(file: PathBuf) -> Self {
        let done = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { file, done, trial: None }
    }

    /// Times `trial`, unless stages have said already how fast this machine is.
    ///
    /// # Errors
    /// As `trial`.
    pub fn try_out(&mut self, work: Work, trial: impl Fn() -> Result<()>) -> Result<()> {
        if self.known().next().is_none() {
            // The first one is slower than all others.
            trial()?;
            let began = Instant::now();
            trial()?;
            let seconds = began.elapsed().as_secs_f64();
            self.trial = Some(Timing { work: work.0, seconds, ..Timing::default() });
        }
        Ok(())
    }

    /// Adds what a stage took on `device`: all of it, or none of its work if it was stopped. Then its seconds are kept for
    /// when it is done.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, stage: &str, work: Option<Work>, took: Duration, device: &str) -> Result<()> {
        let timing = self.done.entry(stage.into()).or_default();
        timing.work = work.map_or(0.0, |work| work.0);
        timing.seconds += took.as_secs_f64();
        timing.device = device.into();
        write_atomically(&self.file, &serde_json::to_vec_pretty(&self.done)?)
    }

    /// Stages whose whole work was timed.
    fn known(&self) -> impl Iterator<Item = &Timing> {
        self.done.values().filter(|timing| timing.work > 0.0)
    }

    /// The devices that computed the stages.
    pub fn devices(&self) -> String {
        let names: BTreeSet<&str> =
            self.done.values().map(|timing| timing.device.as_str()).filter(|name| !name.is_empty()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// Seconds that all stages took so far.
    pub fn total(&self) -> f64 {
        self.done.values().map(|timing| timing.seconds).sum()
    }

    /// How long `left` will take, if a trial or a stage has said yet.
    pub fn estimate(&self, left: Work) -> Option<Duration> {
        let known = self.known().chain(self.trial.iter().filter(|_| self.known().next().is_none()));
        let (work, seconds) =
            known.fold((0.0, 0.0), |(work, seconds), timing| (work + timing.work, seconds + timing.seconds));
        (work > 0.0).then(|| Duration::from_secs_f64(left.0 * seconds / work))
    }
}

/// `2 h 5 min`, `40 s`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds % 3600 / 60, seconds) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, _) => format!("{minutes} min"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_is_done_says_how_long_the_rest_takes() {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("timings.json");
        let mut clock = Clock::open(file.clone());
        assert_eq!(clock.estimate(Work(10.0)), None);
        let nap = || {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        };
        clock.try_out(Work(1.0), nap).unwrap();
        assert!(clock.estimate(Work(1000.0)).unwrap() >= Duration::from_secs(2));
        // Stopped, which says nothing of the speed, and gone on with.
        clock.add("normal", None, Duration::from_secs(1), "CPU").unwrap();
        assert!(clock.estimate(Work(1000.0)).unwrap() < Duration::from_secs(60));
        clock.add("normal", Some(Work::training(100, 64)), Duration::from_secs(29), "CPU").unwrap();
        let mut clock = Clock::open(file);
        assert_eq!(clock.estimate(Work(100.0)), Some(Duration::from_secs(10)));
        clock.add("augmented", Some(Work::training(100, 64)), Duration::from_secs(90), "GPU").unwrap();
        assert_eq!(clock.estimate(Work(100.0)), Some(Duration::from_secs(20)));
        assert_eq!((clock.total(), clock.devices().as_str()), (120.0, "CPU, GPU"));
    }

    #[test]
    fn times_as_people_say_them() {
        for (seconds, words) in [(40, "40 s"), (61, "1 min"), (7500, "2 h 5 min")] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
