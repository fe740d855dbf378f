//! Weights as safetensors, with PyTorch's names and layouts, so that other tools can read them.

use std::fmt::Display;

use burn::store::{
    BurnToPyTorchAdapter, FloatCastAdapter, HalfPrecisionAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore,
    PyTorchToBurnAdapter, SafetensorsStore,
};
use burn::tensor::DType;
use terms::card::Precision;

use super::BundleError;
use super::quantize::{multiplied_out, to_8_bits};
use crate::model::Classifier;

/// Writes the weights of `model` as a safetensors file.
///
/// # Errors
///
/// [`BundleError::Tensors`] if the weights cannot be read from the device.
pub fn save_weights(model: &Classifier, precision: Precision) -> Result<Vec<u8>, BundleError> {
    let file = save(model, precision == Precision::F16)?;
    if precision == Precision::Q8 { to_8_bits(&file) } else { Ok(file) }
}

/// Writes the tensors of a module as a safetensors file, in half precision where that is no loss to speak of.
///
/// # Errors
///
/// [`BundleError::Tensors`] if the tensors cannot be read from the device.
pub(crate) fn save_tensors<M: ModuleSnapshot>(module: &M) -> Result<Vec<u8>, BundleError> {
    save(module, true)
}

fn save<M: ModuleSnapshot>(module: &M, half: bool) -> Result<Vec<u8>, BundleError> {
    // One entry of metadata, since several are written in any order, and the same weights must have the same hash.
    let mut store =
        SafetensorsStore::from_bytes(None).clear_metadata().metadata("format", "pt").skip_enum_variants(true);
    store = match half {
        true => store.with_to_adapter(HalfPrecisionAdapter::new().chain(BurnToPyTorchAdapter)),
        false => store.with_to_adapter(BurnToPyTorchAdapter),
    };
    module.save_into(&mut store).map_err(tensors)?;
    store.get_bytes().map_err(tensors)
}

/// Fills `model` with the weights of a safetensors file of any precision; the model stays on its device, in f32.
///
/// # Errors
///
/// [`BundleError::Tensors`] if the file is damaged, or a tensor is missing, left over or misshapen; the text names the first.
pub fn load_weights(model: &mut Classifier, file: &[u8]) -> Result<(), BundleError> {
    load_tensors(model, file)
}

/// Fills a module with the tensors of a safetensors file.
///
/// # Errors
///
/// The errors of [`load_weights`].
pub(crate) fn load_tensors<M: ModuleSnapshot>(model: &mut M, file: &[u8]) -> Result<(), BundleError> {
    let mut store = SafetensorsStore::from_bytes(Some(file.to_vec()));
    let stored = store.get_all_tensors().map_err(tensors)?.clone();
    let stored = multiplied_out(stored.into_iter().collect())?;
    let adapter = FloatCastAdapter::to(DType::F32).chain(PyTorchToBurnAdapter);
    // PyTorch's names have no enum variants.
    let result = model.apply(stored, None, Some(Box::new(adapter)), true);
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

fn tensors(error: impl Display) -> BundleError {
    BundleError::Tensors(error.to_string())
}
