//! Errors that decide the exit code.

use std::fmt::{self, Display};

/// An error in the command line that clap cannot find, such as the name of a class that no model has. Exit code 2.
#[derive(Debug)]
pub struct UsageError(pub String);

impl Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// The user ended the work before it was done; the text names what is kept. Exit code 130.
#[derive(Debug)]
pub struct Stopped(pub String);

impl Stopped {
    /// Exit code 128 + SIGINT, as shells report a program that Ctrl-C has ended.
    pub const EXIT_CODE: u8 = 130;
}

impl Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Stopped {}
