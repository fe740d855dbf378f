//! Makes a change that ends at the boundary between two classes long enough to survive rounding to 8 bits.

use burn::prelude::*;
use burn::tensor::TensorData;

use super::{AttackConfig, Goal};
use crate::device::{DeviceError, read};
use crate::image::{ImageError, Picture, ToTensor as _, pictures_to_tensor};
use crate::model::Classifier;

/// Factors that a change is tried with.
const FACTORS: [f32; 9] = [1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.3, 2.6, 3.0];

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RoundingError {
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The values are no picture.
    #[error(transparent)]
    Picture(#[from] ImageError),
}

/// Returns what an attack that ends at the boundary between two classes made of `clean`, rounded to 8 bits within epsilon: the values
/// `[3, 64, 64]` as they are or, since rounding undoes much of so small a change, the shortest of some longer changes in the same
/// direction whose picture still reaches the goal. Where none does, and where the values do not reach the goal themselves, it is
/// the values as they are.
///
/// # Errors
///
/// [`RoundingError`] if the device cannot be read, or the values are no picture.
pub async fn smallest_in_8_bits(
    model: &Classifier,
    clean: &Picture,
    values: &[f32],
    config: &AttackConfig,
    label: usize,
    goal: Goal,
    device: &Device,
) -> Result<Picture, RoundingError> {
    let original = clean.to_chw();
    let scaled = |factor: f32| {
        let pairs = original.iter().zip(values);
        let values: Vec<f32> = pairs.map(|(from, to)| (from + factor * (to - from)).clamp(0.0, 1.0)).collect();
        Picture::from_attacked(&values, clean, &config.threat())
    };
    let mut pictures = FACTORS.into_iter().map(scaled).collect::<Result<Vec<_>, _>>()?;
    let unrounded = Tensor::<4>::from_data(TensorData::new(values.to_vec(), clean.to_tensor(device).dims()), device);
    let logits = model.forward(Tensor::cat(vec![unrounded, pictures_to_tensor(&pictures, device)], 0));
    let [_, classes] = logits.dims();
    let logits = read(logits).await?;
    let mut reached = logits.chunks_exact(classes).map(|row| goal.is_reached(row, label));
    let chosen = match reached.next() {
        Some(true) => reached.position(|reached| reached).unwrap_or(0),
        _ => 0,
    };
    Ok(pictures.swap_remove(chosen))
}
