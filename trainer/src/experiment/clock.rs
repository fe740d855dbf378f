//! Estimates of the time that is left: the stages that are done say how long a multiplication takes here.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Sum;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::plan::{read_json, write_json};
use crate::data::Meta;
use crate::train::TrainConfig;

/// Forward passes that a training step costs for each picture: a pass backwards costs about two forwards.
const TRAINING: usize = 3;

/// Work in billions of multiply-accumulate operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gmacs(pub f64);

impl Gmacs {
    /// Returns the work of `passes` forward passes of a picture of `side` x `side` through the network of `config`.
    ///
    /// # Errors
    /// When `config` describes no network.
    pub fn of_passes(passes: usize, config: &TrainConfig, classes: usize, side: usize) -> Result<Self> {
        let macs = config.architecture()?.cost(classes, side).macs;
        Ok(Self(passes as f64 * macs as f64 / 1e9))
    }

    /// Returns the work of a training with `config`, whose number of pictures a step is known, on the data set of `meta`.
    ///
    /// # Errors
    /// As [`Gmacs::of_passes`], or when the number of pictures is not known.
    pub fn of_training(config: &TrainConfig, meta: &Meta) -> Result<Self> {
        let batch_size = config.batch_size;
        let pictures = config.steps.map_or(config.epochs * meta.train.images, |steps| steps * batch_size);
        Self::of_passes(TRAINING * pictures, config, meta.classes.len(), config.image_size)
    }
}

impl Sum for Gmacs {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|amount| amount.0).sum())
    }
}

/// Times of the stages that were run, in this and in earlier invocations: `timings.json`.
pub struct Clock {
    file: PathBuf,
    stages: BTreeMap<String, Timing>,
    /// Time of a short trial, which estimates are made from while no stage is done.
    trial: Option<Timing>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Timing {
    /// Zero while the stage is not done, and in files that counted work otherwise.
    #[serde(default)]
    gmacs: f64,
    seconds: f64,
    /// Name of the device that computed it.
    #[serde(default)]
    device: String,
}

impl Clock {
    /// Reads `file`, or starts anew: times are only for estimates, so a file that cannot be read is ignored.
    pub fn open(file: PathBuf) -> Self {
        let stages = read_json(&file).unwrap_or_default();
        Self { file, stages, trial: None }
    }

    /// Times `trial`, unless the speed of this machine is known from stages.
    ///
    /// # Errors
    /// As `trial`.
    pub fn try_out(&mut self, work: Gmacs, trial: impl Fn() -> Result<()>) -> Result<()> {
        if self.known().next().is_none() {
            // The first one is slower than all others.
            trial()?;
            let began = Instant::now();
            trial()?;
            self.trial = Some(Timing { gmacs: work.0, seconds: began.elapsed().as_secs_f64(), ..Timing::default() });
        }
        Ok(())
    }

    /// Adds the time of `stage` on `device`. Without `work` it was stopped: its seconds count once it is done.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, stage: &str, work: Option<Gmacs>, took: Duration, device: &str) -> Result<()> {
        let timing = self.stages.entry(stage.into()).or_default();
        timing.gmacs = work.map_or(0.0, |work| work.0);
        timing.seconds += took.as_secs_f64();
        timing.device = device.into();
        write_json(&self.file, &self.stages)
    }

    /// Stages whose whole work was timed.
    fn known(&self) -> impl Iterator<Item = &Timing> {
        self.stages.values().filter(|timing| timing.gmacs > 0.0)
    }

    /// Names the devices that computed the stages.
    pub fn devices(&self) -> String {
        let names: BTreeSet<&str> =
            self.stages.values().map(|timing| timing.device.as_str()).filter(|name| !name.is_empty()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// Returns the time that all stages took so far.
    pub fn total(&self) -> Duration {
        Duration::from_secs_f64(self.stages.values().map(|timing| timing.seconds).sum())
    }

    /// Estimates how long `left` will take, if a trial or a stage was timed.
    pub fn estimate(&self, left: Gmacs) -> Option<Duration> {
        let known = self.known().chain(self.trial.iter().filter(|_| self.known().next().is_none()));
        let (gmacs, seconds) =
            known.fold((0.0, 0.0), |(gmacs, seconds), timing| (gmacs + timing.gmacs, seconds + timing.seconds));
        (gmacs > 0.0).then(|| Duration::from_secs_f64(left.0 * seconds / gmacs))
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
        assert_eq!(clock.estimate(Gmacs(10.0)), None);
        let nap = || {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        };
        clock.try_out(Gmacs(1.0), nap).unwrap();
        assert!(clock.estimate(Gmacs(1000.0)).unwrap() >= Duration::from_secs(2));
        // Stopped, which says nothing of the speed, and gone on with.
        clock.add("normal", None, Duration::from_secs(1), "CPU").unwrap();
        assert!(clock.estimate(Gmacs(1000.0)).unwrap() < Duration::from_secs(60));
        clock.add("normal", Some(Gmacs(300.0)), Duration::from_secs(29), "CPU").unwrap();
        let mut clock = Clock::open(file);
        assert_eq!(clock.estimate(Gmacs(100.0)), Some(Duration::from_secs(10)));
        clock.add("augmented", Some(Gmacs(300.0)), Duration::from_secs(90), "GPU").unwrap();
        assert_eq!(clock.estimate(Gmacs(100.0)), Some(Duration::from_secs(20)));
        assert_eq!((clock.total().as_secs_f64(), clock.devices().as_str()), (120.0, "CPU, GPU"));
    }

    #[test]
    fn times_as_people_say_them() {
        for (seconds, words) in [(40, "40 s"), (61, "1 min"), (7500, "2 h 5 min")] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
