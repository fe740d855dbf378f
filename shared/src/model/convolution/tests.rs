use burn::tensor::Distribution;
use burn::tensor::module::conv2d;

use super::*;

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    pollster::block_on(crate::device::read(tensor)).unwrap()
}

#[test]
fn outputs_and_both_gradients_are_those_of_burn() {
    let device = Device::flex().autodiff();
    device.seed(1);
    for (batch, [input, output], kernel, stride, padding, [height, width]) in [
        (2, [3, 5], [3, 3], [1, 1], [(1, 1), (1, 1)], [8, 8]),
        (1, [4, 2], [3, 3], [2, 2], [(1, 1), (1, 1)], [8, 8]),
        (3, [4, 6], [1, 1], [1, 1], [(0, 0), (0, 0)], [5, 7]),
        (2, [4, 6], [1, 1], [2, 2], [(0, 0), (0, 0)], [7, 6]),
        (2, [3, 4], [3, 3], [2, 2], [(0, 1), (0, 1)], [8, 8]),
        (1, [2, 3], [7, 7], [2, 2], [(3, 3), (3, 3)], [9, 12]),
        (2, [2, 3], [5, 3], [1, 2], [(2, 2), (1, 0)], [4, 5]),
        (2, [2, 3], [3, 3], [1, 1], [(0, 0), (0, 0)], [3, 3]),
        (1, [1, 1], [3, 3], [1, 1], [(2, 2), (2, 2)], [1, 1]),
        (40, [3, 4], [3, 3], [1, 1], [(1, 1), (1, 1)], [4, 4]),
        (2, [3, 4], [2, 2], [3, 3], [(1, 1), (1, 1)], [6, 5]),
        // One product that is spread over threads, forward and back.
        (1, [64, 70], [3, 3], [1, 1], [(1, 1), (1, 1)], [16, 16]),
    ] {
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device);
        let (x, weight) = (random([batch, input, height, width]), random([output, input, kernel[0], kernel[1]]));
        let options = ConvOptions::new_with_padding(stride, padding, [1, 1], 1);
        let results = [true, false].map(|ours| {
            let (x, weight) = (x.clone().require_grad(), weight.clone().require_grad());
            let output = if ours {
                convolution(x.clone(), weight.clone(), options.clone())
            } else {
                conv2d(x.clone(), weight.clone(), None, options.clone())
            };
            let gradients = output.clone().powi_scalar(2).sum().backward();
            let of_both = [x.grad(&gradients).unwrap(), weight.grad(&gradients).unwrap()];
            [vec![read(output)], of_both.map(read).to_vec()].concat()
        });
        for (place, (ours, theirs)) in results[0].iter().zip(&results[1]).enumerate() {
            assert_eq!(ours.len(), theirs.len());
            let close = ours.iter().zip(theirs).all(|(one, other)| (one - other).abs() < 1e-4 * other.abs().max(1.0));
            assert!(close, "{place} of kernel {kernel:?}, stride {stride:?}, padding {padding:?}, {height}x{width}");
        }
    }
}

#[test]
fn what_is_left_to_burn_is_as_burn_has_it() {
    let device = Device::flex();
    let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device);
    for (weight, dilation, groups) in [([4, 2, 3, 3], 1, 2), ([4, 4, 3, 3], 2, 1)] {
        let (x, weight) = (random([2, 4, 9, 9]), random(weight));
        let options = || ConvOptions::new_with_padding([1, 1], [(1, 1), (1, 1)], [dilation; 2], groups);
        assert_eq!(read(convolution(x.clone(), weight.clone(), options())), read(conv2d(x, weight, None, options())));
    }
}

#[test]
fn one_of_both_may_be_tracked() {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::random([2, 3, 6, 6], Distribution::Default, &device);
    let weight = Tensor::<4>::random([4, 3, 3, 3], Distribution::Default, &device);
    let options = || ConvOptions::new_with_padding([1, 1], [(1, 1), (1, 1)], [1, 1], 1);
    let tracked = weight.clone().require_grad();
    let gradients = convolution(x.clone(), tracked.clone(), options()).sum().backward();
    assert!(tracked.grad(&gradients).is_some() && x.grad(&gradients).is_none());
    let tracked = x.require_grad();
    let gradients = convolution(tracked.clone(), weight.clone(), options()).sum().backward();
    assert!(tracked.grad(&gradients).is_some() && weight.grad(&gradients).is_none());
}

#[test]
fn views_of_a_tensor_are_read_as_they_are() {
    let device = Device::flex();
    let x = Tensor::<4>::random([2, 4, 8, 8], Distribution::Default, &device);
    let weight = Tensor::<4>::random([4, 5, 3, 3], Distribution::Default, &device);
    let options = || ConvOptions::new_with_padding([1, 1], [(1, 1), (1, 1)], [1, 1], 1);
    let (part, turned) = (x.slice([1..2, 0..4, 0..8, 2..8]), weight.swap_dims(0, 1));
    let ours = read(convolution(part.clone(), turned.clone(), options()));
    let theirs = read(conv2d(part, turned, None, options()));
    assert!(ours.iter().zip(&theirs).all(|(one, other)| (one - other).abs() < 1e-4), "{ours:?} and {theirs:?}");
}
