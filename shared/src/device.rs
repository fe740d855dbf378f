//! Devices: the backends of a build, their names, and opening them. No other module depends on the backends.

#[cfg(all(feature = "remote", not(target_family = "wasm")))]
pub mod remote;

use burn::prelude::*;

/// A backend that computes tensors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// burn's own CPU kernels, in every build.
    Flex,
    /// wgpu with WGSL shaders: Vulkan, Metal or DirectX natively.
    Wgpu,
    /// wgpu with SPIR-V shaders on Vulkan.
    Vulkan,
    /// The browser's WebGPU.
    WebGpu,
    /// PyTorch's own CPU kernels, three to four times as fast as burn's.
    LibTorch,
    /// PyTorch's kernels on an NVIDIA GPU.
    LibTorchCuda,
}

impl Backend {
    /// Returns the name in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Flex => "CPU (flex)",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "Vulkan",
            Self::WebGpu => "WebGPU",
            Self::LibTorch => "CPU (libtorch)",
            Self::LibTorchCuda => "CUDA (libtorch)",
        }
    }

    /// Returns the cargo feature of `bastion` that adds the backend.
    fn feature(self) -> &'static str {
        match self {
            Self::Flex => "default",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::WebGpu => "webgpu",
            Self::LibTorch | Self::LibTorchCuda => "libtorch",
        }
    }
}

/// An opened device.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Plain device of the tensors, without autodiff.
    pub device: Device,
    /// Backend of the device.
    pub backend: Backend,
    /// Name of the adapter, if there is an adapter with a name.
    pub adapter: Option<String>,
    /// Whether the GPU is emulated on the CPU (lavapipe, SwiftShader, WARP).
    pub software: bool,
}

/// A device that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A backend that the build lacks.
    #[error("this build has no {} backend: build it with `--features {}`, or choose the CPU", .0.label(), .0.feature())]
    NotBuilt(Backend),
    /// A backend that the machine or the browser lacks.
    #[error("no {} device could be opened: {reason}", backend.label())]
    Unavailable {
        /// Backend that was asked for.
        backend: Backend,
        /// Message of the driver.
        reason: String,
    },
    /// A device that was lost, or ran out of memory.
    #[error("the device failed: {0}")]
    Failed(String),
}

/// Reads the values of a tensor, in row-major order.
///
/// # Errors
///
/// [`DeviceError::Failed`] if the device was lost or could not compute the values.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DeviceError> {
    let data = tensor.into_data_async().await.map_err(|error| DeviceError::Failed(error.to_string()))?;
    data.try_into_vec_as::<f32>().map_err(|error| DeviceError::Failed(format!("{error:?}")))
}

/// Opens a device, once in a process for each GPU backend.
///
/// # Errors
///
/// [`DeviceError`] if the build, the machine or the browser lacks the backend.
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
        #[cfg(all(feature = "libtorch", not(target_family = "wasm")))]
        Backend::LibTorchCuda => Ok(Engine { device: cuda(0)?, backend, adapter: None, software: false }),
        #[allow(unreachable_patterns, reason = "which backends are left depends on the features")]
        other => Err(DeviceError::NotBuilt(other)),
    }
}

#[cfg(all(feature = "libtorch", not(target_family = "wasm")))]
#[expect(deprecated, reason = "burn will drop it one day; until then nothing in burn is as fast on a CPU")]
fn libtorch() -> Device {
    Device::libtorch()
}

/// Environment variable of NVIDIA's libraries: 0 switches TF32 off. It is read when CUDA starts, and tch has no function for it.
#[cfg(all(feature = "libtorch", not(target_family = "wasm")))]
const TF32_OVERRIDE: &str = "NVIDIA_TF32_OVERRIDE";

#[cfg(all(feature = "libtorch", not(target_family = "wasm")))]
#[expect(deprecated, reason = "burn will drop it one day; until then nothing in burn is as fast on an NVIDIA GPU")]
fn cuda(number: usize) -> Result<Device, DeviceError> {
    // Tensors on a device that is not there would panic.
    let found = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    let exact = std::env::var_os(TF32_OVERRIDE).is_some_and(|value| value == "0");
    if number < found && exact {
        return Ok(Device::libtorch_cuda(number));
    }
    let reason = match found {
        0 => "libtorch found no NVIDIA GPU. If there is one, build with a libtorch that has CUDA".into(),
        _ if number < found => format!(
            "cuDNN would round the values of convolutions to TF32, which makes input gradients wrong by a tenth: set \
             {TF32_OVERRIDE}=0 before the start"
        ),
        _ => format!("there is no GPU {number}: libtorch found {found}, from 0 on"),
    };
    Err(DeviceError::Unavailable { backend: Backend::LibTorchCuda, reason })
}

/// Lets cuDNN time its algorithms for each shape of a convolution, and take the fastest one from then on: for computations of a
/// few shapes over and over, such as training. Sums may then be taken in another order in another run. Without effect on other
/// backends.
#[cfg(not(target_family = "wasm"))]
pub fn tune_convolutions() {
    #[cfg(feature = "libtorch")]
    tch::Cuda::cudnn_set_benchmark(true);
}

/// Opens one of several devices, plain: GPU `number` (from 0) of the machine. The CPU is the same device under every number,
/// so that code for several devices can be tried without them.
///
/// # Errors
///
/// [`DeviceError`] if the build or the machine lacks the device.
#[cfg(not(target_family = "wasm"))]
#[cfg_attr(not(any(feature = "wgpu", feature = "libtorch")), expect(unused_variables, reason = "a CPU has no number"))]
pub fn nth(backend: Backend, number: usize) -> Result<Device, DeviceError> {
    match backend {
        Backend::Flex => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => gpu::nth(backend, burn::tensor::wgpu::WgpuBackend::Auto, number),
        #[cfg(feature = "vulkan")]
        Backend::Vulkan => gpu::nth(backend, burn::tensor::wgpu::WgpuBackend::Vulkan, number),
        #[cfg(feature = "libtorch")]
        Backend::LibTorch => Ok(libtorch()),
        #[cfg(feature = "libtorch")]
        Backend::LibTorchCuda => cuda(number),
        other => Err(DeviceError::NotBuilt(other)),
    }
}

#[cfg(any(all(feature = "wgpu", not(target_family = "wasm")), all(feature = "webgpu", target_family = "wasm")))]
mod gpu {
    use super::{Backend, Device, DeviceError, Engine};
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
