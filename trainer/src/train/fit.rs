//! `--batch-size auto`: how many pictures a step may have.
//!
//! Nothing tells beforehand what a step will take, so steps are taken: each size is tried by a process of its own
//! (`bastion try-batch`), on made pictures, with the run's own settings, until one does not fit. What fails there is a child:
//! on a CPU the system refuses it more than its share, and it ends by itself before the machine's memory does; a GPU says by
//! itself that it is full.
//!
//! The share is three quarters of the memory that is available once the data set is loaded. The rest is for what a trial
//! does not do (validation, the probe, checkpoints) and for other programs. `BASTION_FIT_MEMORY` sets the share instead, in
//! bytes: for tests, and for machines that do not tell.

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
use crate::output;

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
pub fn resolve(config: TrainConfig, data: &Path, choice: DeviceChoice) -> Result<TrainConfig> {
    if config.batch_size != BatchSize::Auto {
        return Ok(config);
    }
    let cache = Cache::open(data)?;
    let labels = Split { images: vec![], labels: cache.labels("train")? };
    let trained_on = labels.held_out(HELD_OUT_SEED, config.held_out).0.len();
    let meta = cache.into_meta();
    let sets = 1 + config.mix.iter().filter(|share| share.crafted_by().is_some()).count();
    let data_bytes = ((sets * meta.train.images + meta.val.images) * IMAGE_BYTES) as u64;
    let share = share(memory::available(), data_bytes);
    let at_most = share.map_or(String::new(), |share| format!(" in {} of memory", memory::in_words(share)));
    output::note(&format!("Batch size auto: trying steps on made pictures{at_most}"));
    let least = least(&config);
    let mut last_words = String::new();
    let mut slow = false;
    let found = search(most(trained_on), least, |pictures| {
        if slow {
            output::note(&format!("Batch size {pictures}: not tried, since a step of half as many takes long already"));
            return Ok(false);
        }
        let began = Instant::now();
        let sized = TrainConfig { batch_size: BatchSize::Pictures(pictures), ..config.clone() };
        match trial(&sized, meta.classes.len(), share, choice)? {
            Trial::Fits { peak } => {
                let peak = peak.map_or(String::new(), |peak| format!(", {} at its peak", memory::in_words(peak)));
                output::note(&format!("Batch size {pictures}: fits{peak}"));
                slow = began.elapsed() > LONG;
                Ok(true)
            }
            Trial::TooLarge { said } => {
                output::note(&format!("Batch size {pictures}: does not fit"));
                last_words = said;
                Ok(false)
            }
        }
    })?;
    let pictures = found.with_context(|| {
        format!(
            "not even a batch of {least} pictures fits into the memory{}; take a smaller network (--arch, or --depth and \
             --width) or smaller pictures (--input-size, --image-size), give --gradient-checkpointing, or end other \
             programs. The last trial said: {last_words}",
            share.map_or(String::new(), |share| format!(" (three quarters of what is free: {})", memory::in_words(share)))
        )
    })?;
    output::note(&format!("Batch size auto: {pictures}"));
    Ok(TrainConfig { batch_size: BatchSize::Pictures(pictures), ..config })
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
    let given = std::env::var("BASTION_FIT_MEMORY").ok().and_then(|bytes| bytes.parse().ok());
    given.or_else(|| available.map(|bytes| bytes.saturating_sub(data_bytes) / 4 * 3))
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

/// Has a child take steps.
fn trial(config: &TrainConfig, classes: usize, share: Option<u64>, choice: DeviceChoice) -> Result<Trial> {
    let mut command = child::command(choice)?;
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
    verdict(&started.wait_with_output().context("a trial of the batch size was lost")?)
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
        let peak = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
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
    }

    #[cfg(unix)]
    #[test]
    fn a_dead_child_had_too_little_memory_and_a_speaking_one_is_believed() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::ExitStatus;

        let ended = |raw: i32, stderr: &str| {
            let (stdout, stderr) = (b"4096\n".to_vec(), stderr.as_bytes().to_vec());
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
