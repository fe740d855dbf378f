//! Depthwise convolutions whose input gradient is a depthwise convolution too.
//!
//! burn takes the transposed convolution for the gradient, which on a CPU goes through a matrix product for each channel: in an
//! attack, whose weights need no gradient, most of the time. Backends have a quick path for the forward direction; the gradient
//! of a depthwise convolution with respect to its input is one as well, of the kernel turned by half a circle.

#![cfg_attr(
    feature = "libtorch",
    expect(deprecated, reason = "burn will drop libtorch one day; until then nothing is as fast on a CPU")
)]

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::prelude::*;
use burn::tensor::ops::{ConvOptions, PadMode};

/// Backends that compute depthwise convolutions.
#[backend_extension(
    Flex,
    Cube: cfg(any(feature = "wgpu", feature = "webgpu")),
    LibTorch: cfg(feature = "libtorch"),
    Remote: cfg(feature = "remote"),
    Autodiff,
    Fusion: cfg(any(feature = "wgpu", feature = "webgpu"))
)]
pub trait Depthwise: Backend {
    /// Convolves each channel of `x`, `[batch, channels, height, width]`, with a kernel of its own, `[channels, 1, rows, columns]`.
    #[fusion(default)]
    fn depthwise(x: FloatTensor<Self>, kernels: FloatTensor<Self>, options: ConvOptions<2>) -> FloatTensor<Self> {
        Self::conv2d(x, kernels, None, options)
    }
}

impl Depthwise for Flex {}

#[cfg(any(feature = "wgpu", feature = "webgpu"))]
impl Depthwise for burn::backend::Cube {}

#[cfg(feature = "libtorch")]
impl Depthwise for burn::backend::LibTorch {}

#[cfg(feature = "remote")]
impl Depthwise for burn::backend::Remote {}

impl<B: Backend + Depthwise, C: CheckpointStrategy> Depthwise for Autodiff<B, C> {
    fn depthwise(x: FloatTensor<Self>, kernels: FloatTensor<Self>, options: ConvOptions<2>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Step;

        impl<B: Backend + Depthwise> Backward<B, 2> for Step {
            type State = (NodeId, NodeId, ConvOptions<2>);

            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
                let [of_x, of_kernels] = ops.parents;
                let (x, kernels, options) = ops.state;
                let grad = grads.consume::<B>(&ops.node);
                let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
                let kernels: FloatTensor<B> = checkpointer.retrieve_node_output(kernels);
                if let Some(node) = of_kernels {
                    let grad = B::conv2d_weight_backward(x.clone(), kernels.clone(), grad.clone(), options.clone());
                    grads.register::<B>(node.id, grad);
                }
                if let Some(node) = of_x {
                    grads.register::<B>(node.id, input_gradient::<B>(&x, kernels, grad, &options));
                }
            }
        }

        match Step.prepare::<C>([x.node(), kernels.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&kernels), options.clone());
                prep.finish(state, B::depthwise(x.into_primitive(), kernels.into_primitive(), options))
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::depthwise(x.into_primitive(), kernels.into_primitive(), options))
            }
        }
    }
}

/// Returns the gradient with respect to `x`: the output's gradient, with zeros between its places where there are strides, under
/// the turned kernels.
fn input_gradient<B: Backend + Depthwise>(
    x: &FloatTensor<B>,
    kernels: FloatTensor<B>,
    grad: FloatTensor<B>,
    options: &ConvOptions<2>,
) -> FloatTensor<B> {
    let [.., input_height, input_width] = x.shape().dims::<4>();
    let [channels, _, rows, columns] = kernels.shape().dims::<4>();
    let [batch, _, height, width] = grad.shape().dims::<4>();
    let [down, right] = options.stride;
    let spread = if options.stride == [1, 1] {
        grad
    } else {
        let places = B::float_reshape(grad, Shape::new([batch, channels, height, 1, width, 1]));
        let zeros = [(0, 0), (0, 0), (0, 0), (0, down - 1), (0, 0), (0, right - 1)];
        let spread = B::float_pad(places, &zeros, PadMode::Constant(0.0));
        B::float_reshape(spread, Shape::new([batch, channels, height * down, width * right]))
    };
    let around = |side: usize, kernel: usize, spread: usize, (before, _): (usize, usize)| {
        let first = kernel - 1 - before;
        (first, side + kernel - 1 - first - spread)
    };
    let [vertical, horizontal] = options.padding;
    let padding =
        [around(input_height, rows, height * down, vertical), around(input_width, columns, width * right, horizontal)];
    let options = ConvOptions::new_with_padding([1, 1], padding, [1, 1], options.groups);
    B::depthwise(spread, B::float_flip(kernels, &[2, 3]), options)
}

/// Convolves each channel of `x`, `[batch, channels, height, width]`, with a kernel of its own, `[channels, 1, rows, columns]`.
/// The padding is for each side of an axis: before it less than the kernel, behind it at most the kernel less the stride.
pub(super) fn depthwise(x: Tensor<4>, kernels: Tensor<4>, options: ConvOptions<2>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Depthwise>::depthwise(x.into_dispatch(), kernels.into_dispatch(), options))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use burn::tensor::module::conv2d;

    use super::*;

    fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        pollster::block_on(crate::device::read(tensor)).unwrap()
    }

    #[test]
    fn outputs_and_both_gradients_are_those_of_a_convolution_with_groups() {
        let device = Device::flex().autodiff();
        device.seed(1);
        for (kernel, stride, padding, [height, width]) in [
            (3, 1, [(1, 1), (1, 1)], [8, 8]),
            (3, 2, [(0, 1), (0, 1)], [8, 8]),
            (3, 2, [(1, 1), (1, 1)], [7, 9]),
            (5, 1, [(2, 2), (2, 2)], [4, 6]),
            (5, 2, [(1, 2), (1, 2)], [8, 4]),
            (5, 2, [(2, 2), (2, 2)], [9, 5]),
            (3, 2, [(0, 1), (1, 1)], [6, 5]),
        ] {
            let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device);
            let (x, kernels) = (random([2, 6, height, width]), random([6, 1, kernel, kernel]));
            let options = ConvOptions::new_with_padding([stride; 2], padding, [1, 1], 6);
            let results = [true, false].map(|ours| {
                let (x, kernels) = (x.clone().require_grad(), kernels.clone().require_grad());
                let output = if ours {
                    depthwise(x.clone(), kernels.clone(), options.clone())
                } else {
                    conv2d(x.clone(), kernels.clone(), None, options.clone())
                };
                let gradients = output.clone().powi_scalar(2).sum().backward();
                let of_both = [x.grad(&gradients).unwrap(), kernels.grad(&gradients).unwrap()];
                [vec![read(output)], of_both.map(read).to_vec()].concat()
            });
            for (ours, theirs) in results[0].iter().zip(&results[1]) {
                assert_eq!(ours.len(), theirs.len());
                let close =
                    ours.iter().zip(theirs).all(|(one, other)| (one - other).abs() < 1e-4 * other.abs().max(1.0));
                assert!(close, "kernel {kernel}, stride {stride}, padding {padding:?}, {height}x{width}");
            }
        }
    }
}
