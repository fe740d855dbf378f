//! How quick a device is.

use burn::prelude::*;
use shared::device::{DeviceError, read};
use shared::model::{Architecture, BuildNetwork as _, WideResNetConfig};

use super::clock::now_ms;

/// Measures the milliseconds that a device takes to look at a picture: the least of three, after one to warm up, in which
/// WebGPU compiles its shaders. The network is one like those that are shipped; its weights do not matter.
///
/// # Errors
///
/// If the device fails.
pub(crate) async fn forward_ms(device: &Device) -> Result<f64, DeviceError> {
    let config = WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(16, 4) };
    // A Wide ResNet of these numbers exists.
    let model = Architecture::WideResNet(config)
        .init_seeded(200, [0.5; 3], [0.25; 3], 0, device)
        .expect("a Wide ResNet of a usual size");
    let picture = Tensor::<4>::zeros([1, 3, 64, 64], device);
    read(model.forward(picture.clone())).await?;
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let started = now_ms();
        read(model.forward(picture.clone())).await?;
        least = least.min(now_ms() - started);
    }
    Ok(least)
}
