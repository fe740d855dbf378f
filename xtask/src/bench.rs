//! `cargo xtask bench`: costs as ratios within one run, which carry over to other machines; and the speed of a device.

use anyhow::Result;
use clap::ValueEnum;

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

/// A device that pictures a second are measured on.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DeviceName {
    Flex,
    Wgpu,
    Vulkan,
    Libtorch,
    LibtorchCuda,
}

/// Measures pictures a second on a device, in the release profile.
///
/// # Errors
/// If the benchmark does not compile or fails.
pub fn device(name: DeviceName) -> Result<()> {
    let (word, feature) = match name {
        DeviceName::Flex => ("flex", None),
        DeviceName::Wgpu => ("wgpu", Some("tests/gpu")),
        DeviceName::Vulkan => ("vulkan", Some("tests/vulkan")),
        DeviceName::Libtorch => ("libtorch", Some("tests/libtorch")),
        DeviceName::LibtorchCuda => ("libtorch-cuda", Some("tests/libtorch")),
    };
    let mut cargo = process::cargo()?;
    cargo.args(["bench", "--locked", "-p", "tests", "--profile", "release", "--bench", "speed"]);
    cargo.args(feature.map(|feature| format!("--features={feature}")));
    process::run(cargo.args(["--", word]))
}
