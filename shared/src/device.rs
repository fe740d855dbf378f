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
}

impl Backend {
    /// The name in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Flex => "CPU (flex)",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "Vulkan",
            Self::WebGpu => "WebGPU",
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
    #[error(
        "this build has no {} backend: build it with the cargo feature that adds it, or choose the CPU",
        .0.label()
    )]
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
        #[allow(unreachable_patterns, reason = "which backends are left depends on the features")]
        other => Err(DeviceError::NotBuilt(other)),
    }
}

#[cfg(any(all(feature = "wgpu", not(target_family = "wasm")), all(feature = "webgpu", target_family = "wasm")))]
mod gpu {
    use super::*;
    use burn::tensor::wgpu::{WgpuBackend, wgpu::DeviceType};

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
