//! The subcommands, one file each: their arguments and what they do.

pub mod attack;
pub mod classify;
pub mod data;
pub mod evaluate;
pub mod export;
pub mod train;

use std::fmt::{self, Display};
use std::io;

/// How a command failed, as far as the exit code is concerned.
#[derive(Debug)]
pub enum Failure {
    /// What was typed cannot be meant; exit code 2.
    Usage(anyhow::Error),
    /// Everything else; exit code 1.
    Failed(anyhow::Error),
    /// Whoever read the output has had enough, which is no failure: `bastion ... | head`.
    BrokenPipe,
}

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
            Self::BrokenPipe => 0,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let pipe = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        if error.downcast_ref::<UsageError>().is_some() {
            Self::Usage(error)
        } else if error.chain().any(pipe) {
            Self::BrokenPipe
        } else {
            Self::Failed(error)
        }
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Failed(error) => write!(formatter, "{error:#}"),
            Self::BrokenPipe => write!(formatter, "broken pipe"),
        }
    }
}

/// An error in what was typed that clap cannot see, such as the name of a class that no model has.
#[derive(Debug)]
pub struct UsageError(pub String);

impl Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}
