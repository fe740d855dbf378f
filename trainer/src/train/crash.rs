//! Conversion of panics while training, and of errors of disks, to errors that say what to do.

use std::any::Any;
use std::cell::Cell;
use std::io::{Error as IoError, ErrorKind};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use anyhow::{Error, Result, anyhow};

use crate::error::{Stopped, UsageError};
use crate::nodes::NodeError;

/// Does `work` of the run in the folder `run`, and converts a panic to an error. Where a CPU's memory is exhausted, the system
/// kills the process, which only a parent process can report.
///
/// # Errors
/// As for `work`, with advice where the disk is full or cannot be written; when `work` panics, with advice on how to resume.
pub fn survive<T>(run: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // No value that `work` has changed is used again.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| with_advice(run, error)),
        Err(panic) => Err(anyhow!("{}", advice(run, &message_of(&*panic)))),
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, and converts a panic to its message, which is not printed.
///
/// # Errors
/// When `work` panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    // No value that `work` has changed is used again.
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    result.map_err(|panic| message_of(&*panic))
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it did not say why".into())
}

/// Adds what to do to an error of a disk or of a node; leaves all others as they are.
fn with_advice(run: &Path, error: Error) -> Error {
    if error.is::<Stopped>() || error.is::<UsageError>() {
        return error;
    }
    if error.is::<NodeError>() {
        let run = run.display();
        return anyhow!(
            "{error:#}\nWhat was saved is kept: bastion train --resume {run} goes on, with --nodes of these or others, or without"
        );
    }
    match disk(run, &format!("{error:#}")) {
        Some(advice) => anyhow!("{error:#}\n{advice}"),
        None => error,
    }
}

fn advice(run: &Path, text: &str) -> String {
    if let Some(advice) = disk(run, text) {
        return format!("training stopped: {text}\n{advice}");
    }
    let why = if text.to_lowercase().contains("memory") {
        "the device has too little memory"
    } else {
        "training crashed, which may be for want of memory"
    };
    format!(
        "{why}: {text}\nWhat was saved is kept, and bastion train --resume {} goes on; a run with a smaller batch is another \
         one (--batch-size)",
        run.display()
    )
}

/// Returns what to do about an error of the disk in `text`, if there is one: libraries hand on the text of the system's error
/// alone.
fn disk(run: &Path, text: &str) -> Option<String> {
    let number = text.split("(os error ").nth(1)?.split(')').next()?.parse().ok()?;
    let goes_on = match run.join("run.json").is_file() {
        true => format!("bastion train --resume {} goes on from the last checkpoint, if there was one", run.display()),
        false => "say the same again".into(),
    };
    let run = run.display();
    Some(match IoError::from_raw_os_error(number).kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            format!("The disk has no room for it: make room, then {goes_on}")
        }
        ErrorKind::ReadOnlyFilesystem => format!(
            "The disk is mounted read-only, and a run writes into its folder: mount it for writing, or copy {run} elsewhere; \
             then {goes_on}"
        ),
        ErrorKind::PermissionDenied => format!(
            "This user may not do that: give it the right (chown, chmod), or copy {run} elsewhere; then {goes_on}"
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_panic_becomes_advice_and_all_else_stays() {
        let run = Path::new("runs/big");
        assert_eq!(survive(run, || Ok(3)).unwrap(), 3);
        let error = survive::<()>(run, || Err(anyhow!("the loss is no number"))).unwrap_err();
        assert_eq!(error.to_string(), "the loss is no number");
        let error = survive::<()>(run, || Err(Stopped("Stopped (os error 28)".into()).into())).unwrap_err();
        assert!(error.is::<Stopped>());
        let error = survive::<()>(run, || panic!("Out of memory: {} bytes", 7)).unwrap_err().to_string();
        assert!(error.contains("too little memory: Out of memory: 7 bytes"), "{error}");
        assert!(error.contains("--resume runs/big") && error.contains("--batch-size"), "{error}");
        let error = survive::<()>(run, || panic!("index out of bounds")).unwrap_err().to_string();
        assert!(error.contains("may be for want of memory: index"), "{error}");
    }

    #[test]
    fn a_node_that_went_away_is_named_with_the_way_on() {
        let gone = || NodeError { node: "gpu:7401".into(), text: "went away".into() };
        let error = survive::<()>(Path::new("runs/big"), || Err(gone().into())).unwrap_err().to_string();
        assert!(
            error.starts_with("node gpu:7401 went away\n") && error.contains("--resume runs/big goes on"),
            "{error}"
        );
        assert!(!error.contains("memory"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn an_error_of_the_disk_says_what_to_do_and_nothing_of_memory() {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::write(dir.path().join("run.json"), "").unwrap();
        let run = dir.path();
        for (number, says) in [
            (28, "make room"),
            (122, "make room"),
            (27, "make room"),
            (30, "mounted read-only"),
            (13, "may not do that"),
        ] {
            let error = || IoError::from_raw_os_error(number);
            let returned = survive::<()>(run, || Err(error()).context("cannot write x")).unwrap_err();
            let panicked = survive::<()>(run, || panic!("Can log an item.: {}", error())).unwrap_err();
            for error in [returned, panicked] {
                let error = format!("{error:#}");
                assert!(
                    error.contains(says) && error.contains(&format!("--resume {} goes on", run.display())),
                    "{error}"
                );
                assert!(!error.contains("memory") && !error.contains("batch"), "{error}");
            }
        }
        let error = survive::<()>(Path::new("runs/new"), || Err(IoError::from_raw_os_error(28).into())).unwrap_err();
        assert!(error.to_string().contains("make room, then say the same again"), "{error}");
    }

    /// A profile that aborts would cost the advice, and the checkpoint before a damaged one; the page has nothing to catch.
    #[test]
    fn a_panic_unwinds_in_every_native_profile() {
        let manifest = include_str!("../../../Cargo.toml").parse::<toml::Table>().unwrap();
        let panic = |profile: &str| manifest["profile"].get(profile)?.get("panic")?.as_str();
        assert_eq!(["dev", "release", "demo", "page"].map(panic), [None, None, Some("abort"), Some("abort")]);
    }

    #[test]
    fn a_caught_panic_is_its_message() {
        assert_eq!(caught(|| 3), Ok(3));
        assert_eq!(caught(|| panic!("{} parts", 2)), Err::<(), _>("2 parts".into()));
    }
}
