//! Conversion of a panic while training, such as for want of GPU memory, to an error.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Result, anyhow};

/// Does `work` of the run in the folder `run`, and converts a panic to an error. Where a CPU's memory is exhausted, the system
/// kills the process, which only a parent process can report.
///
/// # Errors
/// As for `work`; when `work` panics, with advice on how to resume.
pub fn survive<T>(run: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // No value that `work` has changed is used again.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(anyhow!("{}", advice(run, &message_of(&*panic)))))
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it did not say why".into())
}

fn advice(run: &Path, text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_advice_and_all_else_stays() {
        let run = Path::new("runs/big");
        assert_eq!(survive(run, || Ok(3)).unwrap(), 3);
        let error = survive::<()>(run, || Err(anyhow!("the disk is full"))).unwrap_err();
        assert_eq!(error.to_string(), "the disk is full");
        let error = survive::<()>(run, || panic!("Out of memory: {} bytes", 7)).unwrap_err().to_string();
        assert!(error.contains("too little memory: Out of memory: 7 bytes"), "{error}");
        assert!(error.contains("--resume runs/big") && error.contains("--batch-size"), "{error}");
        let error = survive::<()>(run, || panic!("index out of bounds")).unwrap_err().to_string();
        assert!(error.contains("may be for want of memory: index"), "{error}");
    }
}
