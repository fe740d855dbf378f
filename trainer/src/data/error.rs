//! What is wrong with a data set that is to be imported.

use std::fmt::{self, Display};

use crate::error::Stopped;

/// What was to be imported is damaged or no such data set: no use trying again with the same files.
#[derive(Debug)]
pub struct BadSource(String);

impl BadSource {
    /// `error` as one of these, unless it only says that it was to stop.
    pub(super) fn from_error(error: anyhow::Error) -> anyhow::Error {
        if error.is::<Stopped>() { error } else { Self(format!("{error:#}")).into() }
    }
}

impl Display for BadSource {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BadSource {}
