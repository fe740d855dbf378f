use burn::prelude::*;
use burn::tensor::TensorData;

/// Places of some images in a batch, on the host and on the device.
pub(crate) struct Rows {
    places: Vec<usize>,
    index: Tensor<1, Int>,
}

impl Rows {
    /// Returns those places.
    pub fn new(places: impl IntoIterator<Item = usize>, device: &Device) -> Self {
        let places: Vec<usize> = places.into_iter().collect();
        let index = integers(places.iter().copied(), device);
        Self { places, index }
    }

    /// Returns the places, in order.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// Returns these rows of a tensor.
    pub fn of<const D: usize, K: burn::tensor::kind::Basic>(&self, tensor: &Tensor<D, K>) -> Tensor<D, K> {
        tensor.clone().select(0, self.index.clone())
    }
}

/// Returns numbers as a tensor on `device`.
pub(super) fn integers(numbers: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let numbers: Vec<i64> = numbers.map(|number| number as i64).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}
