//! The error of a damaged data set.

use std::fmt::{self, Display};

use crate::error::Stopped;

/// The files to import are damaged or no such data set: trying again with the same files is no use.
#[derive(Debug)]
pub struct BadSource(String);

impl BadSource {
    /// Wraps `error` as a `BadSource`, unless it is a [`Stopped`].
    pub(super) fn from_error(error: anyhow::Error) -> anyhow::Error {
        if error.is::<Stopped>() { error } else { Self(format!("{error:#}")).into() }
    }
}

impl Display for BadSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BadSource {}
