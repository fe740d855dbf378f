//! Helpers of Bastion's tests: golden files from PyTorch, reading of tensors, comparison of numbers.

mod made;

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

pub use made::{made, made_state};

/// Returns the path of a file under `tests/golden`, which the scripts in `tests/reference` made.
pub fn golden_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// Reads a file under `tests/golden`.
pub fn golden_bytes(name: &str) -> Vec<u8> {
    let path = golden_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A safetensors file under `tests/golden`.
pub struct Golden {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Golden {
    /// Reads the file.
    pub fn open(name: &'static str) -> Self {
        Self { name, bytes: golden_bytes(name) }
    }

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns names and shapes of all tensors, sorted by name.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        shapes(&self.bytes)
    }

    /// Returns values and shape of a tensor. Bytes become multiples of 1/255 and 16-bit values multiples of 1/65535.
    pub fn values(&self, tensor: &str) -> (Vec<f32>, Vec<usize>) {
        let file = SafeTensors::deserialize(&self.bytes).expect("a golden file is valid safetensors");
        let view = file.tensor(tensor).unwrap_or_else(|error| panic!("{}: {tensor}: {error}", self.name));
        let data = view.data();
        let values = match view.dtype() {
            Dtype::U8 => data.iter().map(|&value| f32::from(value) / 255.0).collect(),
            Dtype::U16 => numbers(data, |bytes| f32::from(u16::from_le_bytes(bytes)) / 65535.0),
            Dtype::I32 => numbers(data, |bytes| i32::from_le_bytes(bytes) as f32),
            Dtype::F32 => numbers(data, f32::from_le_bytes),
            other => panic!("{}: {tensor} has the type {other:?}, which no golden file needs", self.name),
        };
        (values, view.shape().to_vec())
    }

    /// Returns a tensor as a batch of images, `[batch, channels, height, width]`.
    pub fn images(&self, tensor: &str, device: &Device) -> Tensor<4> {
        let (values, shape) = self.values(tensor);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Returns a tensor as class indices.
    pub fn labels(&self, tensor: &str) -> Vec<usize> {
        self.values(tensor).0.into_iter().map(|label| label as usize).collect()
    }
}

/// Returns names and shapes of the tensors of a safetensors file, sorted by name.
pub fn shapes(safetensors: &[u8]) -> Vec<(String, Vec<usize>)> {
    let file = SafeTensors::deserialize(safetensors).expect("a valid safetensors file");
    let mut shapes: Vec<_> = file.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect();
    shapes.sort();
    shapes
}

/// Returns the values of all tensors of a safetensors file in full precision, by name.
pub fn values(safetensors: &[u8]) -> BTreeMap<String, Vec<f32>> {
    let file = SafeTensors::deserialize(safetensors).expect("a valid safetensors file");
    let values = |(name, view): (String, TensorView)| (name, numbers(view.data(), f32::from_le_bytes));
    file.tensors().into_iter().map(values).collect()
}

/// Makes a tensor of class indices.
pub fn label_tensor(labels: &[usize], device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    Tensor::from_ints(labels.as_slice(), device)
}

/// Reads the values of a tensor.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = pollster::block_on(tensor.into_data_async()).expect("the CPU can always be read");
    data.try_into_vec_as::<f32>().expect("a float tensor")
}

/// Difference of two slices of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The largest absolute difference; NaN where there is a NaN.
    pub max: f32,
    /// The mean absolute difference.
    pub mean: f32,
    /// The share of pairs further apart than the tolerance.
    pub share: f32,
}

/// Compares two slices; [`Difference::share`] counts the pairs further apart than `tolerance`.
///
/// # Panics
///
/// If the lengths differ.
#[track_caller]
pub fn compare(found: &[f32], expected: &[f32], tolerance: f32) -> Difference {
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let mut difference = Difference { max: 0.0, mean: 0.0, share: 0.0 };
    let count = found.len() as f32;
    for (a, b) in found.iter().zip(expected) {
        let distance = (a - b).abs();
        // Not `max`, which would drop a NaN.
        if distance > difference.max || distance.is_nan() {
            difference.max = distance;
        }
        difference.mean += distance / count;
        difference.share += if distance <= tolerance { 0.0 } else { 1.0 / count };
    }
    difference
}

fn numbers<const BYTES: usize>(data: &[u8], number: impl Fn([u8; BYTES]) -> f32) -> Vec<f32> {
    data.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
}
