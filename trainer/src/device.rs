//! The choice of the device on the command line.

use anyhow::Result;
use burn::prelude::*;
use clap::ValueEnum;
use shared::device::{Backend, Engine};

use crate::nodes::Node;
use crate::progress::Progress;

/// The values of `--device`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// A real GPU through wgpu or Vulkan if there is one, otherwise the CPU
    #[default]
    Auto,
    /// wgpu with WGSL shaders (Vulkan, Metal, DirectX), software adapters included
    Wgpu,
    /// wgpu with SPIR-V shaders on Vulkan (builds with the `vulkan` feature)
    Vulkan,
    /// The CPU
    Cpu,
    /// The CPU through PyTorch's libtorch, several times as fast (builds with the `libtorch` feature)
    Libtorch,
    /// An NVIDIA GPU through PyTorch's libtorch (builds with the `libtorch` feature)
    LibtorchCuda,
}

/// Opens the devices of these numbers, or the one that [`open`] opens if there are none. Returns them without autodiff, the
/// leading one first.
///
/// # Errors
/// As for [`open`], or when there is no device of a number.
pub fn open_all(choice: DeviceChoice, numbers: &[usize], progress: &Progress) -> Result<Vec<Device>> {
    let engine = open(choice, progress)?;
    if numbers.is_empty() {
        return Ok(vec![engine.device]);
    }
    if numbers.len() > 1 && matches!(engine.backend, Backend::Flex | Backend::LibTorch) {
        progress.warn("a CPU is one device: several numbers only make it take each batch in parts");
    }
    let open = |&number: &usize| shared::device::nth(engine.backend, number);
    Ok(numbers.iter().map(open).collect::<Result<_, _>>()?)
}

/// Returns the names and devices of `nodes`; without nodes, the device that [`open`] opens, without a name.
///
/// # Errors
/// As for [`open`].
pub fn of_nodes(choice: DeviceChoice, nodes: &[Node], progress: &Progress) -> Result<Vec<(String, Device)>> {
    if nodes.is_empty() {
        return Ok(vec![(String::new(), open(choice, progress)?.device)]);
    }
    Ok(nodes.iter().map(|node| (node.name.clone(), node.device.clone())).collect())
}

/// Opens the device, and notes its name and the reason for it.
///
/// # Errors
/// When a device that was chosen by name is not in this build or not on this machine.
pub fn open(choice: DeviceChoice, progress: &Progress) -> Result<Engine> {
    let (engine, why) = match choice {
        DeviceChoice::Cpu => (open_backend(Backend::Flex)?, String::new()),
        DeviceChoice::Wgpu => (open_backend(Backend::Wgpu)?, String::new()),
        DeviceChoice::Vulkan => (open_backend(Backend::Vulkan)?, String::new()),
        DeviceChoice::LibtorchCuda => (open_backend(Backend::LibTorchCuda)?, String::new()),
        DeviceChoice::Libtorch => (open_backend(Backend::LibTorch)?, String::new()),
        DeviceChoice::Auto => auto()?,
    };
    let adapter = engine.adapter.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
    let software = if engine.software { ", emulated in software" } else { "" };
    progress.note(format!("Device: {}{adapter}{software}{why}", engine.backend.label()));
    Ok(engine)
}

fn auto() -> Result<(Engine, String)> {
    if !cfg!(feature = "wgpu") {
        return Ok((open_backend(Backend::Flex)?, " (this build has no GPU backend)".into()));
    }
    let gpu = if cfg!(feature = "vulkan") { Backend::Vulkan } else { Backend::Wgpu };
    let why = match open_backend(gpu) {
        Ok(engine) if !engine.software => return Ok((engine, String::new())),
        Ok(engine) => format!(
            " (the only adapter, {}, is emulated in software and slower than the CPU itself)",
            engine.adapter.as_deref().unwrap_or("unnamed")
        ),
        Err(error) => format!(" ({error:#})"),
    };
    Ok((open_backend(Backend::Flex)?, why))
}

fn open_backend(backend: Backend) -> Result<Engine> {
    Ok(pollster::block_on(shared::device::open(backend))?)
}
