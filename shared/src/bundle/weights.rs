//! Weights as safetensors, with PyTorch's names and layouts, so that other tools can read them.

use burn::store::{
    BurnToPyTorchAdapter, FloatCastAdapter, HalfPrecisionAdapter, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter,
    SafetensorsStore,
};
use burn::tensor::DType;
use serde::{Deserialize, Serialize};

use super::BundleError;
use crate::model::Classifier;

/// Number format of stored weights. All computing is in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Half precision for convolutions and the head; batch norm stays f32, whose small variances would underflow.
    F16,
    /// Full precision.
    F32,
}

/// The weights of `model` as a safetensors file.
///
/// # Errors
///
/// [`BundleError::Tensors`] if they cannot be read from the device.
pub fn save_weights(model: &Classifier, precision: Precision) -> Result<Vec<u8>, BundleError> {
    // One entry, since several are written in any order, and the same weights shall have the same hash.
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata().metadata("format", "pt").skip_enum_variants(true);
    store = match precision {
        Precision::F16 => store.with_to_adapter(HalfPrecisionAdapter::new().chain(BurnToPyTorchAdapter)),
        Precision::F32 => store.with_to_adapter(BurnToPyTorchAdapter),
    };
    model.save_into(&mut store).map_err(tensors)?;
    store.get_bytes().map_err(tensors)
}

/// Fills `model` with the weights of a safetensors file of any precision; it stays on its device, in f32.
///
/// # Errors
///
/// [`BundleError::Tensors`] if the file is damaged, or a tensor is missing, left over or misshapen; it names the first
/// few of them.
pub fn load_weights(model: &mut Classifier, file: &[u8]) -> Result<(), BundleError> {
    let mut store = SafetensorsStore::from_bytes(Some(file.to_vec()))
        .with_from_adapter(FloatCastAdapter::to(DType::F32).chain(PyTorchToBurnAdapter))
        .skip_enum_variants(true)
        .allow_partial(true);
    let result = model.load_from(&mut store).map_err(tensors)?;
    let missing: Vec<&String> = result.missing.iter().map(|(path, _)| path).collect();
    for (what, names) in [("missing", missing), ("not known", result.unused.iter().collect())] {
        if let Some(first) = names.first() {
            return Err(BundleError::Tensors(format!("{} tensors are {what}, {first} among them", names.len())));
        }
    }
    match result.errors.first() {
        Some(error) => Err(tensors(error)),
        None => Ok(()),
    }
}

fn tensors(error: impl std::fmt::Display) -> BundleError {
    BundleError::Tensors(error.to_string())
}
