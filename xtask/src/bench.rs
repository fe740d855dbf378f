//! `cargo xtask bench`: costs as ratios measured within one run, which hold on any machine.

use anyhow::Result;

use crate::process;

/// In the development profile, because that is what the tests compile, and it optimises what computes on the CPU in full.
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
