//! The one place that knows which engines a build has: open one, say its name, say whether it is software.

use burn::prelude::*;

/// What computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// burn's own CPU kernels; everywhere.
    Flex,
    /// wgpu with WGSL shaders: Vulkan, Metal or DirectX natively.
    Wgpu,
    /// wgpu with SPIR-V shaders on Vulkan.
    Vulkan,
    /// The browser's WebGPU.
    WebGpu,
    /// PyTorch's own CPU kernels, three to four times as fast as burn's.
    LibTorch,
}

impl Backend {
    /// The name in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Flex => "CPU (flex)",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "Vulkan",
            Self::WebGpu => "WebGPU",
            Self::LibTorch => "CPU (libtorch)",
        }
    }

    /// The cargo feature of the `bastion` that has it.
    fn feature(self) -> &'static str {
        match self {
            Self::Flex => "default",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::WebGpu => "webgpu",
            Self::LibTorch => "libtorch",
        }
    }
}

/// An opened device.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Where tensors live; plain, without autodiff.
    pub device: Device,
    /// What computes.
    pub backend: Backend,
    /// The adapter's name, if it has one and tells it.
    pub adapter: Option<String>,
    /// Whether a "GPU" is in truth emulated on the CPU (lavapipe, SwiftShader, WARP).
    pub software: bool,
}

/// A device that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The build lacks it.
    #[error("this build has no {} backend: build it with `--features {}`, or choose the CPU", .0.label(), .0.feature())]
    NotBuilt(Backend),
    /// The machine or the browser lacks it.
    #[error("no {} device could be opened: {reason}", backend.label())]
    Unavailable {
        /// What was asked for.
        backend: Backend,
        /// What the driver said.
        reason: String,
    },
    /// It was lost, or ran out of memory.
    #[error("the device failed: {0}")]
    Failed(String),
}

/// A tensor's values.
///
/// # Errors
///
/// [`DeviceError::Failed`] if the device was lost or could not compute them.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DeviceError> {
    let data = tensor.into_data_async().await.map_err(|error| DeviceError::Failed(error.to_string()))?;
    data.try_into_vec_as::<f32>().map_err(|error| DeviceError::Failed(format!("{error:?}")))
}

/// Opens a device, once in a process for each GPU backend.
///
/// # Errors
///
/// [`DeviceError`] if the build, the machine or the browser lacks it.
pub async fn open(backend: Backend) -> Result<Engine, DeviceError> {
    match backend {
        Backend::Flex => Ok(Engine { device: Device::flex(), backend, adapter: None, software: false }),
        #[cfg(all(feature = "wgpu", not(target_family = "wasm")))]
        Backend::Wgpu => gpu::open(backend, burn::tensor::wgpu::WgpuBackend::Auto).await,
        #[cfg(all(feature = "vulkan", not(target_family = "wasm")))]
        Backend::Vulkan => gpu::open(backend, burn::tensor::wgpu::WgpuBackend::Vulkan).await,
        #[cfg(all(feature = "webgpu", target_family = "wasm"))]
        Backend::WebGpu => gpu::open(backend, burn::tensor::wgpu::WgpuBackend::Auto).await,
        #[cfg(all(feature = "libtorch", not(target_family = "wasm")))]
        Backend::LibTorch => Ok(Engine { device: libtorch(), backend, adapter: None, software: false }),
        #[allow(unreachable_patterns, reason = "which backends are left depends on the features")]
        other => Err(DeviceError::NotBuilt(other)),
    }
}

#[cfg(all(feature = "libtorch", not(target_family = "wasm")))]
#[expect(deprecated, reason = "burn will drop it one day; until then nothing in burn is as fast on a CPU")]
fn libtorch() -> Device {
    Device::libtorch()
}

/// One of several devices, plain: GPU `number` (from 0) of the machine. The CPU is the same one under every number, so that
/// what is written for several devices can be tried without them.
///
/// # Errors
///
/// [`DeviceError`] if the build or the machine lacks it.
#[cfg(not(target_family = "wasm"))]
#[cfg_attr(not(feature = "wgpu"), expect(unused_variables, reason = "a CPU has no number"))]
pub fn nth(backend: Backend, number: usize) -> Result<Device, DeviceError> {
    match backend {
        Backend::Flex => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => gpu::nth(backend, burn::tensor::wgpu::WgpuBackend::Auto, number),
        #[cfg(feature = "vulkan")]
        Backend::Vulkan => gpu::nth(backend, burn::tensor::wgpu::WgpuBackend::Vulkan, number),
        #[cfg(feature = "libtorch")]
        Backend::LibTorch => Ok(libtorch()),
        other => Err(DeviceError::NotBuilt(other)),
    }
}

#[cfg(any(all(feature = "wgpu", not(target_family = "wasm")), all(feature = "webgpu", target_family = "wasm")))]
mod gpu {
    use super::*;
    #[cfg(not(target_family = "wasm"))]
    use burn::tensor::DeviceKind;
    use burn::tensor::wgpu::{WgpuBackend, wgpu::DeviceType};

    #[cfg(not(target_family = "wasm"))]
    pub(super) fn nth(backend: Backend, api: WgpuBackend, number: usize) -> Result<Device, DeviceError> {
        let options = Device::wgpu_options().graphics_api(api).device_kind(DeviceKind::DiscreteGpu(number));
        options.init().map_err(|error| DeviceError::Unavailable { backend, reason: error.to_string() })
    }

    pub(super) async fn open(backend: Backend, api: WgpuBackend) -> Result<Engine, DeviceError> {
        let options = Device::wgpu_options().graphics_api(api);
        let (device, setup) = options
            .init_with_setup_async()
            .await
            .map_err(|error| DeviceError::Unavailable { backend, reason: error.to_string() })?;
        let info = setup.adapter.get_info();
        Ok(Engine {
            device,
            backend,
            software: info.device_type == DeviceType::Cpu,
            adapter: (!info.name.is_empty()).then_some(info.name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_is_missing_is_named_with_its_cargo_feature() {
        let message = DeviceError::NotBuilt(Backend::Vulkan).to_string();
        assert!(message.contains("no Vulkan backend: build it with `--features vulkan`"), "{message}");
        let message = DeviceError::NotBuilt(Backend::LibTorch).to_string();
        assert!(message.contains("no CPU (libtorch) backend: build it with `--features libtorch`"), "{message}");
    }
}
