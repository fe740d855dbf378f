//! Results that outlive a stop: `evaluate` and `check` measure in hundreds of images, and write each hundred that is done to a
//! file, from which the same command goes on, and from several of which (shards) `merge` makes the report of the whole.
//!
//! ```text
//! runs/evaluation/
//!   plan.json               what is measured: networks, data, trials, version; a folder takes no other plan
//!   results.jsonl           a line for each network, trial, attack of the trial and hundred, in any order
//!   results-3-of-8.jsonl    the same of a shard
//!   scores.json, ...        the report, once all is done
//! ```
//!
//! Each line carries a digest of the plan and one of itself: a file of another measurement is refused, and a line that was changed
//! is measured again.
//!
//! Random numbers of a hundred depend on the hundred's number or on those of its images alone, so it does not matter which process
//! measures it. A line that was not written to its end counts as not done.

mod line;
mod merge;
mod plan;
mod shard;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use self::line::{Line, sealed, unsealed};
pub use self::merge::gather;
pub use self::plan::{KeptPlan, PlannedModel, VERSION, Work};
pub use self::shard::{Shard, ShardChoice};
use crate::error::Stopped;
use crate::evaluate::Trial;
use crate::files::write_atomically;
use crate::lock::Lock;
use crate::progress::Progress;

/// Names the measurement that a line holds the result of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Place of the network.
    pub network: usize,
    /// Measurement of the result.
    pub measured: Measured,
    /// Place of the attack among those of the trial.
    pub stage: usize,
    /// Number of the hundred.
    pub hundred: usize,
}

/// Measurement on a hundred of images.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// A trial.
    Trial(Trial),
    /// What an item of `bastion check` measures besides trials.
    Item(String),
}

/// A result that is there.
struct Entry {
    seconds: f64,
    /// The line; empty where no file is written, and nothing is read again.
    line: String,
    /// Place of its file.
    file: usize,
}

/// The results of one part of the images, in a file or, where none is kept, in memory as far as reports need them.
pub struct Kept {
    /// Digest of the plan; empty where nothing is kept.
    plan: String,
    images: usize,
    /// Images that go together: a hundred, but where memory is measured.
    batch_size: usize,
    hundreds: Range<usize>,
    entries: Mutex<HashMap<String, Entry>>,
    /// Files that results were read from, or are written to.
    files: Vec<(Shard, PathBuf)>,
    /// The last file, where results are added to it.
    growing: Option<(File, Lock)>,
}

impl Kept {
    /// Keeps nothing of the results of `images` images, measured so many at once.
    pub fn nothing(images: usize, batch_size: usize) -> Self {
        Self {
            plan: String::new(),
            images,
            batch_size,
            hundreds: 0..images.div_ceil(batch_size),
            entries: Mutex::default(),
            files: vec![],
            growing: None,
        }
    }

    /// Opens the results of a part of the images in the folder `dir` of `plan`, to go on with them.
    ///
    /// # Errors
    /// When `dir` belongs to another plan (the differences are named) or another process measures this part; when the folder
    /// cannot be read or written.
    pub fn open(dir: &Path, plan: &KeptPlan, shard: Shard, batch_size: usize, progress: &Progress) -> Result<Self> {
        plan.take(dir)?;
        let path = dir.join(shard.file());
        let does = if shard.is_whole() { "measures in".into() } else { format!("measures shard {shard} in") };
        let lock = Lock::take(path.with_extension("lock"), &format!("{does} {}", dir.display()))?;
        let mut kept = Self { plan: plan.digest()?, ..Self::nothing(plan.images, batch_size) };
        kept.hundreds = shard.hundreds(kept.hundreds.end);
        kept.refuse_overlap(dir, shard)?;
        let context = || format!("cannot write {}", path.display());
        let open = || OpenOptions::new().create(true).append(true).open(&path).with_context(context);
        let mut file = open()?;
        let (whole_lines, damage) = kept.read(&path, shard)?;
        if let Some(Damage::Line(number)) = damage {
            progress.warn(format!(
                "line {number} of {} is damaged: this line, and any other that is, is measured again",
                path.display()
            ));
        }
        if damage.is_some() {
            write_atomically(&path, &whole_lines)?;
            file = open()?;
        }
        if !kept.entries().is_empty() {
            progress.note(format!("Going on with what is finished in {}", path.display()));
        }
        kept.growing = Some((file, lock));
        Ok(kept)
    }

    /// Refuses a part with images of another part whose results are in `dir`: both would measure them, and a merge refuses both.
    fn refuse_overlap(&self, dir: &Path, shard: Shard) -> Result<()> {
        let all = self.images.div_ceil(self.batch_size);
        for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let name = entry.with_context(|| format!("cannot read {}", dir.display()))?.file_name();
            let Some(other) = name.to_str().and_then(Shard::of_file).filter(|other| *other != shard) else { continue };
            let (own, others) = (self.hundreds(), other.hundreds(all));
            ensure!(
                own.start.max(others.start) >= own.end.min(others.end),
                "{} is cut into other parts: shard {shard} has images of {}; give the same division again, or another folder",
                dir.display(),
                dir.join(other.file()).display()
            );
        }
        Ok(())
    }

    /// Reads the results in a file. Returns its whole lines, and what is wrong with the first one that is not whole.
    fn read(&mut self, path: &Path, shard: Shard) -> Result<(Vec<u8>, Option<Damage>)> {
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let place = self.files.len();
        self.files.push((shard, path.to_path_buf()));
        let (mut whole_lines, mut damage) = (Vec::with_capacity(content.len()), None);
        for (number, line) in content.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let Some(line) = line.strip_suffix(b"\n") else {
                damage.get_or_insert(Damage::Cut);
                break;
            };
            let parsed = std::str::from_utf8(line).ok();
            let parsed = parsed.and_then(unsealed);
            let parsed = parsed.and_then(|text| Some((serde_json::from_str::<Line<IgnoredAny>>(&text).ok()?, text)));
            let Some((Line { plan, of, seconds, .. }, text)) = parsed else {
                damage.get_or_insert(Damage::Line(number + 1));
                continue;
            };
            ensure!(
                plan == self.plan,
                "{} holds results of another measurement than the plan.json beside it: put the file back to its own",
                path.display()
            );
            let (images, entry) = (self.in_words(&[of.hundred]), Entry { seconds, line: text, file: place });
            let again = entry.line.clone();
            if let Some(other) = self.entries().insert(serde_json::to_string(&of)?, entry) {
                if other.file == place && other.line == again {
                    continue;
                }
                ensure!(
                    other.file != place,
                    "{images} are in {} twice, with two results: delete the file, and measure again",
                    path.display()
                );
                bail!(
                    "{images} are in both {} and {}: leave one of the two out",
                    self.files[other.file].1.display(),
                    path.display()
                );
            }
            whole_lines.extend_from_slice(line);
            whole_lines.push(b'\n');
        }
        Ok((whole_lines, damage))
    }

    /// Returns whether all images are measured here, and not a part of them.
    pub fn is_whole(&self) -> bool {
        self.hundreds == (0..self.images.div_ceil(self.batch_size))
    }

    /// Returns the numbers of the hundreds that are measured here.
    pub fn hundreds(&self) -> Range<usize> {
        self.hundreds.clone()
    }

    /// Returns the number of images that go together.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Returns the places of the images of a hundred.
    pub fn places(&self, hundred: usize) -> Range<usize> {
        hundred * self.batch_size..((hundred + 1) * self.batch_size).min(self.images)
    }

    /// Returns the number of images that are measured here.
    pub fn images(&self) -> usize {
        self.hundreds().map(|hundred| self.places(hundred).len()).sum()
    }

    /// Returns the value of `key`; `None` if it is not there.
    ///
    /// # Errors
    /// When the value is of another kind.
    pub fn get<V: DeserializeOwned>(&self, key: &Key) -> Result<Option<V>> {
        let entries = self.entries();
        let Some(entry) = entries.get(&serde_json::to_string(key)?).filter(|entry| !entry.line.is_empty()) else {
            return Ok(None);
        };
        let line: Line<V> = serde_json::from_str(&entry.line).with_context(|| {
            let file = self.files[entry.file].1.display();
            format!("{file} holds a result that cannot be understood: delete the file, and measure again")
        })?;
        Ok(Some(line.value))
    }

    /// Returns whether the value of `key` is there to be read.
    ///
    /// # Errors
    /// When the key has no form in JSON.
    pub fn has(&self, key: &Key) -> Result<bool> {
        let entries = self.entries();
        Ok(entries.get(&serde_json::to_string(key)?).is_some_and(|entry| !entry.line.is_empty()))
    }

    /// Adds a result, which took so many `seconds`.
    ///
    /// # Errors
    /// When the file cannot be written; the results before this one are kept.
    pub fn add<V: Serialize>(&self, key: Key, value: &V, seconds: f64) -> Result<()> {
        let place = serde_json::to_string(&key)?;
        let mut line = String::new();
        // Held until the line is written: results come from several threads.
        let mut entries = self.entries();
        if let Some((file, _)) = &self.growing {
            let mut file = file;
            line = serde_json::to_string(&Line { plan: self.plan.clone(), of: key, seconds, value })?;
            let sealed = sealed(&line)?;
            // In one piece, so that only a kill in the middle of it leaves a part.
            file.write_all(format!("{sealed}\n").as_bytes()).with_context(|| {
                let path = self.files.last().map(|(_, path)| path.display().to_string()).unwrap_or_default();
                format!("cannot write {path}; what is finished is kept: make room and give the same command again")
            })?;
        }
        entries.insert(place, Entry { seconds, line, file: self.files.len().saturating_sub(1) });
        Ok(())
    }

    /// Returns the seconds that a stage of a trial took on a network, all of `hundreds` together.
    ///
    /// # Errors
    /// When the trial has no form in JSON.
    pub fn seconds(&self, network: usize, trial: &Trial, stage: usize, hundreds: Range<usize>) -> Result<f64> {
        let entries = self.entries();
        let mut sum = 0.0;
        for hundred in hundreds {
            let key = serde_json::to_string(&Key::of_trial(network, trial, stage, hundred))?;
            sum += entries.get(&key).map_or(0.0, |entry| entry.seconds);
        }
        // Milliseconds are all that a report shows.
        Ok((1000.0 * sum).round() / 1000.0)
    }

    /// Returns the seconds of each stage of each of `trials` on a network, as a report has them.
    ///
    /// # Errors
    /// When a trial has no form in JSON.
    pub fn seconds_of(&self, network: usize, trials: &[Trial]) -> Result<Vec<Vec<f64>>> {
        let of_trial = |trial: &Trial| {
            let stages = 0..trial.stages();
            stages.map(|stage| self.seconds(network, trial, stage, self.hundreds())).collect()
        };
        trials.iter().map(of_trial).collect()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // An entry is put in as a whole, so a thread that failed has left none half done.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error after a request to stop.
    pub fn stopped(&self) -> anyhow::Error {
        let text = match self.files.last() {
            Some((_, path)) if self.growing.is_some() => {
                format!("Stopped; what is finished is kept in {}. Give the same command again to go on", path.display())
            }
            _ => {
                "Stopped; of the measurement at work nothing was kept (evaluate and check go on with --out DIR)".into()
            }
        };
        Stopped(text).into()
    }

    /// Returns the error for hundreds that are not there, which names their shards.
    fn missing(&self, hundreds: &[usize]) -> anyhow::Error {
        let mut parts = Vec::new();
        let divisions = self.files.first().filter(|(first, _)| {
            let same = |shard: &Shard| first.siblings().any(|sibling| sibling == *shard);
            self.files.iter().all(|(shard, _)| same(shard))
        });
        if let Some((first, _)) = divisions {
            for shard in first.siblings() {
                let own = shard.hundreds(self.hundreds.end);
                let lacks: Vec<usize> = hundreds.iter().copied().filter(|hundred| own.contains(hundred)).collect();
                if lacks.is_empty() {
                    continue;
                }
                let lacks = self.in_words(&lacks);
                let file = self.files.iter().find(|(has, _)| *has == shard);
                parts.push(match file {
                    Some((_, path)) => format!(
                        "shard {shard} ({}) is not finished: {lacks} are missing; give its command again to go on with it",
                        path.display()
                    ),
                    None => format!("shard {shard} is missing: it has {lacks}"),
                });
            }
        }
        if parts.is_empty() {
            parts.push(format!("{} are missing", self.in_words(hundreds)));
        }
        anyhow::anyhow!(parts.join("; "))
    }

    /// Names the images of hundreds (ascending): `images 1 to 200, 401 to 500`.
    fn in_words(&self, hundreds: &[usize]) -> String {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for places in hundreds.iter().map(|&hundred| self.places(hundred)) {
            match ranges.last_mut().filter(|last| last.end == places.start) {
                Some(last) => last.end = places.end,
                None => ranges.push(places),
            }
        }
        let ranges = ranges.iter().map(|range| format!("{} to {}", range.start + 1, range.end));
        format!("images {}", ranges.collect::<Vec<_>>().join(", "))
    }
}

/// Measures how long results take, one after another in a thread.
pub struct Clock(Instant);

impl Clock {
    /// Starts the time of the first result.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the seconds since the last result, or since the start, and starts the time of the next.
    pub fn lap(&mut self) -> f64 {
        std::mem::replace(&mut self.0, Instant::now()).elapsed().as_secs_f64()
    }
}

impl Key {
    /// Returns the place of a hundred in a trial of one network.
    pub fn of_trial(network: usize, trial: &Trial, stage: usize, hundred: usize) -> Self {
        Self { network, measured: Measured::Trial(trial.clone()), stage, hundred }
    }
}

/// Why a line of results is not whole.
enum Damage {
    /// The file ends in the middle of its last line.
    Cut,
    /// The line of this number (from 1) is none of a file of results.
    Line(usize),
}
