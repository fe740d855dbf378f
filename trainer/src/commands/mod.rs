//! The subcommands, one file each: their arguments and what they do.

pub mod attack;
pub mod attack_choice;
mod attack_flags;
pub mod check;
pub mod classify;
pub mod compare;
pub mod craft;
pub mod data;
pub mod detector;
pub mod evaluate;
pub mod explain;
pub mod export;
mod kept_flags;
pub mod measure_network;
pub mod merge;
pub mod reproduce;
pub mod serve;
pub mod train;
pub mod weights;

use std::fmt::{self, Display};
use std::io;

use shared::excerpt;

use crate::error::{Stopped, UsageError};

/// What was typed, for the record, without the flags `without` and their values: where things lie is this machine's business,
/// and so is the program's own place. Of a child of an experiment it is what the user typed.
fn command_line(without: &[&str]) -> String {
    if let Ok(command) = std::env::var(crate::child::COMMAND) {
        return command;
    }
    let mut words = vec!["bastion".to_string()];
    // Paths may be in any encoding.
    let mut arguments = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = arguments.next() {
        let name = word.split('=').next().unwrap_or_default();
        if !without.contains(&name) {
            words.push(word);
        } else if name == word {
            arguments.next();
        }
    }
    words.join(" ")
}

/// The failure of a command, by exit code.
#[derive(Debug)]
pub enum Failure {
    /// Invalid arguments; exit code 2.
    Usage(anyhow::Error),
    /// Any other error; exit code 1.
    Failed(anyhow::Error),
    /// The user stopped the command, which is no error, but the work is not done; exit code 130.
    Stopped(String),
    /// The reader of the output has closed it, which is no failure: `bastion ... | head`.
    BrokenPipe,
}

impl Failure {
    /// Returns the exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
            Self::Stopped(_) => Stopped::EXIT_CODE,
            Self::BrokenPipe => 0,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let pipe = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        if let Some(stopped) = error.downcast_ref::<Stopped>() {
            Self::Stopped(stopped.to_string())
        } else if error.downcast_ref::<UsageError>().is_some() {
            Self::Usage(error)
        } else if error.chain().any(pipe) {
            Self::BrokenPipe
        } else {
            Self::Failed(error)
        }
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Failed(error) => write!(formatter, "error: {}", in_words(error)),
            Self::Stopped(message) => formatter.write_str(message),
            Self::BrokenPipe => write!(formatter, "broken pipe"),
        }
    }
}

/// Returns an error and its causes; of one that quotes a file of JSON at length, start and end.
fn in_words(error: &anyhow::Error) -> String {
    let words = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<serde_json::Error>() {
        Some(json) => excerpt(&json.to_string()),
        None => cause.to_string(),
    };
    error.chain().map(words).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn what_it_was_decides_the_exit_code_however_much_was_said_about_it() {
        let said = |error: anyhow::Error| {
            let failure = Failure::from(Err::<(), _>(error).context("cannot import x").unwrap_err());
            (failure.exit_code(), failure.to_string())
        };
        assert_eq!(said(anyhow!("the disk is full")), (1, "error: cannot import x: the disk is full".into()));
        assert_eq!(said(UsageError("no".into()).into()), (2, "error: cannot import x: no".into()));
        assert_eq!(
            said(Stopped("Stopped; 3 steps are saved".into()).into()),
            (130, "Stopped; 3 steps are saved".into())
        );
        assert_eq!(said(io::Error::from(io::ErrorKind::BrokenPipe).into()).0, 0);
    }

    #[test]
    fn a_file_that_an_error_quotes_is_not_shown_whole() {
        let json = serde_json::from_str::<u32>(&format!("{:?}", "x".repeat(10_000))).unwrap_err();
        let said = Failure::from(Err::<(), _>(json).context("cannot understand run.json").unwrap_err()).to_string();
        assert!(said.starts_with("error: cannot understand run.json: invalid type: string \"xxx"), "{said}");
        assert!(said.ends_with("line 1 column 10002") && said.len() < 600, "{said}");
    }
}
