//! `cargo xtask bench`: costs as ratios measured within one run, which hold on any machine.

use anyhow::Result;

use crate::process;

/// In the development profile, because that is what the tests compile and its dependencies are fully optimised.
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
