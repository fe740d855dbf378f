//! The largest values of each row, found on the device.

use burn::prelude::*;
use burn::tensor::IndexingUpdateOp;

/// Returns the places of the `count` largest values of each row, the largest first: `[rows, values]` to `[rows, count]`.
///
/// The places are found one after the other: burn's `argtopk` sorts on a CPU, and the page's engine would be larger by its sorting.
pub(super) fn largest_places(values: Tensor<2>, count: usize) -> Tensor<2, Int> {
    let ([rows, _], device) = (values.dims(), values.device());
    let (mut left, mut found) = (values.detach(), Vec::with_capacity(count));
    for _ in 0..count {
        let place = left.clone().argmax(1);
        let gone = Tensor::full([rows, 1], f32::NEG_INFINITY, &device);
        left = left.scatter(1, place.clone(), gone, IndexingUpdateOp::Add);
        found.push(place);
    }
    match count {
        0 => Tensor::zeros([rows, 0], &device),
        _ => Tensor::cat(found, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_their_values() {
        let device = Device::flex();
        let values = Tensor::<2>::from_floats([[0.0, 3.0, -1.0, 2.0], [-5.0, -7.0, f32::MIN, -6.0]], &device);
        let found = |count: usize| {
            let places = largest_places(values.clone(), count);
            assert_eq!(places.dims(), [2, count]);
            pollster::block_on(places.into_data_async()).unwrap().iter::<i64>().collect::<Vec<_>>()
        };
        assert_eq!(found(4), [1, 3, 0, 2, 0, 3, 1, 2]);
        assert_eq!((found(1), found(0)), (vec![1, 0], vec![]));
    }
}
