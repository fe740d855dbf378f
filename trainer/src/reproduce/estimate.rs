//! How long it will still take: stages are counted in passes of an image through the network, and what the first ones took
//! says how long such a pass takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::run_dir::write_atomically;

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

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Timing {
    work: f64,
    seconds: f64,
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
        if self.done.is_empty() {
            // The first one is slower than all others.
            trial()?;
            let began = Instant::now();
            trial()?;
            self.trial = Some(Timing { work: work.0, seconds: began.elapsed().as_secs_f64() });
        }
        Ok(())
    }

    /// Adds what a stage took; one that went on after a stop takes what its parts took.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, stage: &str, work: Work, took: Duration) -> Result<()> {
        let before = self.done.get(stage).map_or(0.0, |timing| timing.seconds);
        self.done.insert(stage.into(), Timing { work: work.0, seconds: before + took.as_secs_f64() });
        write_atomically(&self.file, &serde_json::to_vec_pretty(&self.done)?)
    }

    /// Seconds that all stages took so far.
    pub fn total(&self) -> f64 {
        self.done.values().map(|timing| timing.seconds).sum()
    }

    /// How long `left` will take, if a trial or a stage has said yet.
    pub fn estimate(&self, left: Work) -> Option<Duration> {
        let known = self.done.values().chain(self.trial.iter().filter(|_| self.done.is_empty()));
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
        clock.add("normal", Work::training(100, 64), Duration::from_secs(30)).unwrap();
        assert_eq!(clock.estimate(Work(100.0)), Some(Duration::from_secs(10)));
        // Stopped, and gone on with.
        clock.add("normal", Work::training(100, 64), Duration::from_secs(30)).unwrap();
        let clock = Clock::open(file);
        assert_eq!(clock.estimate(Work(100.0)), Some(Duration::from_secs(20)));
        assert_eq!(clock.total(), 60.0);
    }

    #[test]
    fn times_as_people_say_them() {
        for (seconds, words) in [(40, "40 s"), (61, "1 min"), (7500, "2 h 5 min")] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
