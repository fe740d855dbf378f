//! The golden probe: logits and input gradient of a network on a fixed image, recorded at export.
//!
//! A driver or a browser may compute wrongly without an error (a shader that fails to compile is skipped, say). So every
//! load computes the probe again, forward and backward, and compares.

use burn::prelude::*;
use terms::card::Probe;

use super::BundleError;
use crate::attack::loss_gradient;
use crate::device::{DeviceError, read};
use crate::model::Classifier;

/// Side of the probe image.
const SIDE: usize = 64;
/// Side of the squares over which the input gradient is summed.
const SQUARE: usize = 8;
/// Allowed difference of logits, relative to the largest logit.
const LOGITS_TOLERANCE: f32 = 1e-3;
/// Allowed difference of gradient sums, relative to the largest sum; wider, since a ReLU near its kink may flip.
const GRADIENT_TOLERANCE: f32 = 1e-2;

/// Computes the probe of a model on a plain device.
///
/// # Errors
///
/// [`BundleError::Device`] if a result cannot be read back.
pub(super) async fn measure(model: &Classifier, device: &Device) -> Result<Probe, BundleError> {
    let image = probe_image(device);
    let failed = |error: DeviceError| BundleError::Device(error.to_string());
    let logits = read(model.forward(image.clone())).await.map_err(failed)?;
    let label = Tensor::<1, Int>::from_ints([0], device);
    let gradient = loss_gradient(model, image, label); // [1, 3, 64, 64]
    let squares = SIDE / SQUARE;
    let sums = gradient.reshape([3, squares, SQUARE, squares, SQUARE]).sum_dim(4).sum_dim(2);
    Ok(Probe { logits, input_gradient_sums: read(sums).await.map_err(failed)? })
}

/// Computes the probe of a model and compares it with the recorded probe.
///
/// # Errors
///
/// [`BundleError::ProbeDiffers`] if anything differs by more than rounding explains, [`BundleError::ProbeLength`] if the recorded
/// probe is not of this network.
pub(super) async fn check(recorded: &Probe, model: &Classifier, device: &Device) -> Result<(), BundleError> {
    let now = measure(model, device).await?;
    compare("logits", &now.logits, &recorded.logits, LOGITS_TOLERANCE)?;
    compare("input gradients", &now.input_gradient_sums, &recorded.input_gradient_sums, GRADIENT_TOLERANCE)
}

/// Makes the fixed image `[1, 3, 64, 64]`: soft waves that differ in each channel, every value a multiple of 1/255.
pub fn probe_image(device: &Device) -> Tensor<4> {
    let mut pixels = Vec::with_capacity(3 * SIDE * SIDE);
    for channel in 0..3 {
        for y in 0..SIDE {
            for x in 0..SIDE {
                // Integer triangle waves: the same bits on every machine, which a sine does not guarantee.
                let wave = |t: usize, period: usize| {
                    let phase = t % (2 * period);
                    phase.min(2 * period - phase) * 127 / period
                };
                let value = wave(x + 5 * channel, 9 + 4 * channel) + wave(y + 3 * channel + x / 4, 13 - 3 * channel);
                pixels.push(value as f32 / 255.0);
            }
        }
    }
    Tensor::from_data(TensorData::new(pixels, [1, 3, SIDE, SIDE]), device)
}

fn compare(what: &'static str, now: &[f32], recorded: &[f32], tolerance: f32) -> Result<(), BundleError> {
    if now.len() != recorded.len() {
        return Err(BundleError::ProbeLength { what, recorded: recorded.len(), expected: now.len() });
    }
    let scale = recorded.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
    // Not `max`, which drops NaN.
    let difference = now
        .iter()
        .zip(recorded)
        .map(|(a, b)| (a - b).abs() / scale)
        .fold(0.0f32, |worst, d| if d > worst || d.is_nan() { d } else { worst });
    if difference.is_nan() || difference > tolerance {
        return Err(BundleError::ProbeDiffers { what, difference, tolerance });
    }
    Ok(())
}
