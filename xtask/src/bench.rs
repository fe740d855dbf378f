//! `cargo xtask bench`: costs as ratios within one run, which carry over to other machines.

use anyhow::Result;

use crate::process;

/// Runs the benchmark of cost ratios in the development profile: the tests compile the same one, and it optimises the
/// CPU kernels in full.
///
/// # Errors
/// If the benchmark does not compile or fails.
pub fn run() -> Result<()> {
    process::run(process::cargo()?.args([
        "bench",
        "--locked",
        "--workspace",
        "--no-default-features",
        "--profile",
        "dev",
        "--bench",
        "ratios",
    ]))
}
