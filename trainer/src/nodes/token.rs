//! The token that a node asks its callers for. It travels in the environment: a command line is recorded with what it made, and
//! other users of a machine can list it.

use anyhow::{Result, ensure};

use crate::error::UsageError;

/// Name of the environment variable with the token, for `bastion serve` and for its callers.
pub const TOKEN: &str = "BASTION_TOKEN";

/// Returns the token in the environment, if there is one.
///
/// # Errors
/// [`UsageError`] when it is too short to be none that is guessed.
pub fn given_token() -> Result<Option<String>> {
    check(std::env::var(TOKEN).ok())
}

pub(super) fn check(token: Option<String>) -> Result<Option<String>> {
    let long_enough = token.as_ref().is_none_or(|token| token.trim().len() >= 8);
    ensure!(
        long_enough,
        UsageError(format!("{TOKEN} has fewer than 8 characters, which can be guessed: take a longer one"))
    );
    Ok(token.map(|token| token.trim().to_string()))
}

/// Returns the token in the environment.
///
/// # Errors
/// [`UsageError`] when there is none.
pub(super) fn to_connect() -> Result<String> {
    let none = || UsageError(format!("nodes ask for a token: set {TOKEN} to the one that `bastion serve` shows there"));
    Ok(given_token()?.ok_or_else(none)?)
}
