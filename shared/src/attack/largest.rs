//! The largest values of each row, found on the device.

use burn::prelude::*;
use burn::tensor::IndexingUpdateOp;

/// Places that are found one after the other; more of them, as balls in L0 may ask for natively, are sorted.
#[cfg(not(target_family = "wasm"))]
const ONE_BY_ONE: usize = 32;

/// Returns the places of the `count` largest values of each row, the largest first: `[rows, values]` to `[rows, count]`.
///
/// burn's `argtopk` sorts on a CPU, and the page's engine would be larger by its sorting: there, all places are found one after the other.
pub(super) fn largest_places(values: Tensor<2>, count: usize) -> Tensor<2, Int> {
    #[cfg(not(target_family = "wasm"))]
    if count > ONE_BY_ONE {
        return values.argtopk(count, 1);
    }
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

    #[test]
    fn many_places_begin_with_the_same_ones() {
        let device = Device::flex();
        let values = Tensor::<2>::random([3, 100], burn::tensor::Distribution::Default, &device);
        let first = |count: usize| {
            let places = largest_places(values.clone(), count).narrow(1, 0, ONE_BY_ONE);
            pollster::block_on(places.into_data_async()).unwrap().iter::<i64>().collect::<Vec<_>>()
        };
        assert_eq!(first(ONE_BY_ONE), first(ONE_BY_ONE + 8));
    }
}
