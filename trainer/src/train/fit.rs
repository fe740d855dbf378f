//! `--batch-size auto`: how many pictures a step may have.
//!
//! Nothing tells beforehand what a step will take, so steps are taken: each size is tried by a process of its own
//! (`bastion try-batch`), on made pictures, with the run's own settings, until one does not fit. What fails there is a child:
//! on a CPU the system refuses it more than its share, and it ends by itself before the machine's memory does; a GPU says by
//! itself that it is full.
//!
//! The share is three quarters of the memory that is available once the data set is loaded. The rest is for what a trial
//! does not do (validation, the probe, checkpoints) and for other programs. `BASTION_FIT_MEMORY` sets the share instead, in
//! bytes: for tests, and for machines that do not tell. Only Linux holds a trial to it, and counts what it allocates; the peak
//! that is told is what was in memory, the program's own pages included, and may be more. A GPU does not tell what it has,
//! so half of what fits there is taken.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::batch_size::BatchSize;
use super::config::TrainConfig;
use super::recipe::to_toml;
use crate::child;
use crate::data::{Cache, HELD_OUT_SEED, IMAGE_BYTES, Split};
use crate::device::DeviceChoice;
use crate::error::{Stopped, UsageError};
use crate::memory;
use crate::progress::{Progress, ProgressChoice};

/// The environment variable with the share.
const SHARE: &str = "BASTION_FIT_MEMORY";
/// What a trial prints first where a GPU computes.
pub const ON_GPU: &str = "gpu";
/// The first size that is tried.
const FIRST: usize = 8;
/// Larger ones gain no speed.
const MOST: usize = 512;
/// However much memory there is, an epoch shall be more than a few steps.
const STEPS_AN_EPOCH: usize = 8;
/// Where a trial takes so long, larger batches would gain nothing, and trying them cost much.
const LONG: Duration = Duration::from_secs(60);
/// How often it is asked whether a trial is done.
const LOOK: Duration = Duration::from_millis(50);
/// A trial that computes nothing for so long is stuck.
const STALLED: Duration = Duration::from_secs(60);

/// `config` with a number of pictures a step, found for the data set in `data` if it is to be found.
///
/// # Errors
/// When not even the smallest batch fits, a setting is out of range, or the data set cannot be read; [`Stopped`] when the
/// user ended it.
pub fn resolve(config: TrainConfig, data: &Path, choice: DeviceChoice, progress: &Progress) -> Result<TrainConfig> {
    if config.batch_size != BatchSize::Auto {
        return Ok(config);
    }
    let mut trials = Trials::new(&config, data, choice, progress)?;
    progress.note("Batch size auto: trying steps on made pictures");
    let least = least(&config);
    let found = search(trials.most, least, |pictures| trials.fits(pictures))?;
    let mut pictures = found.with_context(|| {
        format!(
            "not even a batch of {least} pictures fits into the memory{}; take a smaller network (--arch, or --depth and \
             --width) or smaller pictures (--input-size, --image-size), give --gradient-checkpointing, or end other \
             programs. The last trial said: {}",
            trials.limit().map_or(String::new(), |share| format!(" ({})", of_limit(share))),
            trials.last_words
        )
    })?;
    // A GPU does not tell how much of it is left, and a run does more than a trial.
    if trials.on_gpu && pictures > least && (trials.refused || !trials.slow && !trials.fits(2 * pictures)?) {
        pictures = (pictures / 2).max(least);
        progress.note("Half of what fits is taken on a GPU: validation and other programs need some of it");
    }
    progress.note(format!("Batch size auto: {pictures}"));
    Ok(TrainConfig { batch_size: BatchSize::Pictures(pictures), ..config })
}

/// Whether steps with `config`, whose number of pictures is known, fit into the memory.
///
/// # Errors
/// As [`resolve`].
pub fn fits(config: &TrainConfig, data: &Path, choice: DeviceChoice, progress: &Progress) -> Result<bool> {
    let (mut trials, pictures) = (Trials::new(config, data, choice, progress)?, config.batch_size.number()?);
    if !trials.fits(pictures)? {
        return Ok(false);
    }
    // As much is to be left of a GPU as where the number was found.
    let leaves_enough = !trials.on_gpu || trials.slow || pictures <= least(config);
    Ok(leaves_enough || trials.fits(2 * pictures)?)
}

/// What trials of batch sizes need, and what they have told.
struct Trials<'a> {
    config: &'a TrainConfig,
    choice: DeviceChoice,
    classes: usize,
    /// The largest size that makes sense.
    most: usize,
    /// Bytes that each may take on a CPU.
    share: Option<u64>,
    /// Whether a GPU computes; known from the first trial on.
    on_gpu: bool,
    /// Whether a size was too large.
    refused: bool,
    /// Whether a step takes long already.
    slow: bool,
    last_words: String,
    progress: &'a Progress,
}

impl<'a> Trials<'a> {
    fn new(config: &'a TrainConfig, data: &Path, choice: DeviceChoice, progress: &'a Progress) -> Result<Self> {
        let cache = Cache::open(data)?;
        let labels = Split { images: vec![], labels: cache.labels("train")? };
        let trained_on = labels.held_out(HELD_OUT_SEED, config.held_out).0.len();
        let meta = cache.into_meta();
        let sets = 1 + config.mix.iter().filter(|share| share.crafted_by().is_some()).count();
        let data_bytes = ((sets * meta.train.images + meta.val.images) * IMAGE_BYTES) as u64;
        Ok(Self {
            config,
            choice,
            classes: meta.classes.len(),
            most: most(trained_on),
            share: given(std::env::var_os(SHARE))?.or_else(|| share(memory::available(), data_bytes)),
            on_gpu: false,
            refused: false,
            slow: false,
            last_words: String::new(),
            progress,
        })
    }

    /// What a trial was held to, which is on Linux alone, and not of a GPU's memory.
    fn limit(&self) -> Option<u64> {
        self.share.filter(|_| cfg!(target_os = "linux") && !self.on_gpu)
    }

    /// Tries a size, and says what came of it.
    fn fits(&mut self, pictures: usize) -> Result<bool> {
        if self.slow {
            self.progress
                .note(format!("Batch size {pictures}: not tried, since a step of half as many takes long already"));
            return Ok(false);
        }
        let began = Instant::now();
        let sized = TrainConfig { batch_size: BatchSize::Pictures(pictures), ..self.config.clone() };
        let (trial, on_gpu) = trial(&sized, self.classes, self.share, self.choice)?;
        self.on_gpu |= on_gpu;
        match trial {
            Trial::Fits { peak } => {
                let of = if on_gpu { "reserved on the GPU" } else { "at its peak, program and libraries included" };
                let peak = peak.map_or(String::new(), |peak| format!(", {} {of}", memory::in_words(peak)));
                self.progress.note(format!("Batch size {pictures}: fits{peak}"));
                self.slow = began.elapsed() > LONG;
                Ok(true)
            }
            Trial::TooLarge { said } => {
                let limit = self.limit().map_or(String::new(), |share| format!(": {}", of_limit(share)));
                self.progress.note(format!("Batch size {pictures}: does not fit{limit}"));
                (self.refused, self.last_words) = (true, said);
                Ok(false)
            }
        }
    }
}

/// What a trial on a CPU was held to.
fn of_limit(share: u64) -> String {
    format!("a trial may allocate {}", memory::in_words(share))
}

/// The largest batch that makes sense of so many training pictures.
fn most(pictures: usize) -> usize {
    (pictures / STEPS_AN_EPOCH).max(FIRST).min(pictures).min(MOST)
}

/// The smallest batch: two pictures for batch norm in each of its parts, and one for each share.
pub(super) fn least(config: &TrainConfig) -> usize {
    (2 * config.accumulate).max(config.mix.len())
}

/// What a trial may take.
fn share(available: Option<u64>, data_bytes: u64) -> Option<u64> {
    available.map(|bytes| bytes.saturating_sub(data_bytes) / 4 * 3)
}

/// What the user says that a trial may take.
///
/// # Errors
/// [`UsageError`] when that is no number of bytes.
fn given(text: Option<OsString>) -> Result<Option<u64>> {
    let Some(text) = text else { return Ok(None) };
    let bytes = text.to_str().and_then(|text| text.parse().ok()).filter(|&bytes| bytes > 0);
    match bytes {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(UsageError(format!(
            "{SHARE} is to be a number of bytes, such as 8000000000, and is {}",
            text.to_string_lossy()
        ))
        .into()),
    }
}

/// The largest size that fits, from [`FIRST`] by doubling, or by halving down to `least`.
fn search(most: usize, least: usize, mut fits: impl FnMut(usize) -> Result<bool>) -> Result<Option<usize>> {
    let mut size = FIRST;
    while size > most {
        size /= 2;
    }
    size = size.max(least);
    let mut best = None;
    while (size <= most || best.is_none()) && fits(size)? {
        best = Some(size);
        size *= 2;
    }
    while best.is_none() && size > least {
        size = (size / 2).max(least);
        best = fits(size)?.then_some(size);
    }
    Ok(best)
}

/// What came of a size.
enum Trial {
    Fits { peak: Option<u64> },
    TooLarge { said: String },
}

/// Has a child take steps; also, whether it did so on a GPU.
fn trial(config: &TrainConfig, classes: usize, share: Option<u64>, choice: DeviceChoice) -> Result<(Trial, bool)> {
    let mut command = child::command(choice, ProgressChoice::Lines)?;
    command.args(["try-batch", "--classes", &classes.to_string()]);
    if let Some(share) = share {
        command.args(["--memory", &share.to_string()]);
    }
    // To print a backtrace takes memory that is not there, and Rust would wait for it for ever.
    command.env("RUST_BACKTRACE", "0");
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut started = started.context("cannot start a trial of the batch size")?;
    if let Some(mut stdin) = started.stdin.take() {
        // A child that ended early says why.
        let _ = stdin.write_all(to_toml(config)?.as_bytes());
    }
    wait_or_kill(&mut started);
    let output = started.wait_with_output().context("a trial of the batch size was lost")?;
    Ok((verdict(&output)?, String::from_utf8_lossy(&output.stdout).lines().any(|line| line == ON_GPU)))
}

/// Waits until a child has ended. One that does nothing any more has not died of too little memory as it should have, and is
/// ended here.
fn wait_or_kill(child: &mut Child) {
    let (mut ticks, mut since) = (None, Instant::now());
    while let Ok(None) = child.try_wait() {
        thread::sleep(LOOK);
        let now = child::processor_time(child.id());
        if now.is_none() || now != ticks {
            (ticks, since) = (now, Instant::now());
        } else if since.elapsed() > STALLED {
            // It may have ended by itself just now.
            let _ = child.kill();
        }
    }
}

/// A child that dies, or speaks of memory, had too little of it; one that finds fault with the settings is right.
fn verdict(output: &Output) -> Result<Trial> {
    if output.status.success() {
        let peak = String::from_utf8_lossy(&output.stdout).lines().find_map(|line| line.parse().ok());
        return Ok(Trial::Fits { peak });
    }
    ensure!(!child::was_stopped(output.status), Stopped("Stopped; nothing was begun".into()));
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said.lines().find_map(|line| line.strip_prefix("error: "));
    let of_memory = said.to_lowercase().contains("memory");
    match (output.status.code(), error) {
        (Some(2), Some(error)) => Err(UsageError(error.into()).into()),
        (Some(1), Some(error)) if !of_memory => Err(anyhow!("a trial of the batch size failed: {error}")),
        _ => {
            let mut told = said.lines().map(str::trim).filter(|line| !line.is_empty());
            // Of a panic the last line may be advice about backtraces.
            let line = told.clone().find(|line| line.to_lowercase().contains("memory")).or_else(|| told.next_back());
            Ok(Trial::TooLarge { said: line.map_or(output.status.to_string(), String::from) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found where sizes up to `limit` fit, and what was tried.
    fn searched(most: usize, least: usize, limit: usize) -> (Option<usize>, Vec<usize>) {
        let mut tried = vec![];
        let found = search(most, least, |size| {
            tried.push(size);
            Ok(size <= limit)
        });
        (found.unwrap(), tried)
    }

    #[test]
    fn sizes_are_doubled_until_one_does_not_fit() {
        assert_eq!(searched(512, 2, 50), (Some(32), vec![8, 16, 32, 64]));
        assert_eq!(searched(40, 2, 1000), (Some(32), vec![8, 16, 32]));
        assert_eq!(searched(512, 2, 1000).0, Some(512));
        assert_eq!(searched(512, 2, 3), (Some(2), vec![8, 4, 2]));
        assert_eq!(searched(512, 2, 1), (None, vec![8, 4, 2]));
        // Few pictures, and shares that need more of them than there are.
        assert_eq!(searched(5, 2, 1000), (Some(4), vec![4]));
        assert_eq!(searched(512, 9, 20), (Some(18), vec![9, 18, 36]));
        assert_eq!(searched(5, 9, 1000), (Some(9), vec![9]));
    }

    #[test]
    fn few_pictures_make_no_large_batches() {
        assert_eq!([3, 8, 40, 800, 100_000].map(most), [3, 8, 8, 100, 512]);
    }

    #[test]
    fn a_share_leaves_room_for_the_data_and_for_others() {
        assert_eq!(share(Some(1000), 200), Some(600));
        assert_eq!((share(Some(100), 200), share(None, 200)), (Some(0), None));
        assert_eq!(given(None).unwrap(), None);
        assert_eq!(given(Some("8000".into())).unwrap(), Some(8000));
        for wrong in ["8 GiB", "", "0", "-1"] {
            let error = given(Some(wrong.into())).unwrap_err();
            assert!(error.is::<UsageError>() && error.to_string().contains("BASTION_FIT_MEMORY"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_dead_child_had_too_little_memory_and_a_speaking_one_is_believed() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::ExitStatus;

        let ended = |raw: i32, stderr: &str| {
            let (stdout, stderr) = (b"gpu\n4096\n".to_vec(), stderr.as_bytes().to_vec());
            verdict(&Output { status: ExitStatus::from_raw(raw), stdout, stderr })
        };
        assert!(matches!(ended(0, ""), Ok(Trial::Fits { peak: Some(4096) })));
        for (raw, said) in [(9, ""), (6, "memory allocation of 77 bytes failed\n"), (101 << 8, "panicked at x\n")] {
            let Ok(Trial::TooLarge { said: told }) = ended(raw, said) else { panic!("{raw}") };
            assert!(told.contains(said.trim()), "{told}");
        }
        assert!(matches!(ended(1 << 8, "error: Out of Memory\n"), Ok(Trial::TooLarge { .. })));
        let usage = ended(2 << 8, "Device: CPU\nerror: depth 12\n").err().unwrap();
        assert_eq!(usage.downcast_ref::<UsageError>().unwrap().0, "depth 12");
        assert!(ended(1 << 8, "error: no such device\n").err().unwrap().to_string().contains("no such device"));
        assert!(ended(2, "").err().unwrap().is::<Stopped>());
    }
}
