//! Dense convolutions that are quick on a CPU in all three directions.
//!
//! burn lays weights and pictures out anew at every pass, and takes a transposed convolution for the input's gradient. Here the
//! patches of the input become the columns of a matrix, row by row as they lie in memory (im2col; Chellapilla et al., 2006),
//! and each direction is one matrix product: of the weights with the patches, of the turned weights with the output's gradient,
//! whose columns are then added up where their patches came from, and of the output's gradient with the turned patches. Other
//! backends compute as they do without this file.

#![cfg_attr(
    feature = "libtorch",
    expect(deprecated, reason = "burn will drop libtorch one day; until then nothing is as fast on a CPU")
)]

mod patches;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::ModuleOps as _;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use burn::tensor::ops::ConvOptions;

use patches::Patches;

/// Backends that compute dense convolutions.
///
/// Shapes: `x` is `[batch, in, height, width]`, `weight` is `[out, in, rows, columns]`, the output and its gradient are
/// `[batch, out, height', width']`. Several groups, dilation and other precisions than f32 are left to burn.
#[backend_extension(
    Flex,
    Cube: cfg(any(feature = "wgpu", feature = "webgpu")),
    LibTorch: cfg(feature = "libtorch"),
    Remote: cfg(feature = "remote"),
    Autodiff,
    Fusion: cfg(any(feature = "wgpu", feature = "webgpu"))
)]
pub trait Convolution: Backend {
    /// Convolves `x`.
    #[fusion(default)]
    fn convolution(x: FloatTensor<Self>, weight: FloatTensor<Self>, options: ConvOptions<2>) -> FloatTensor<Self> {
        Self::conv2d(x, weight, None, options)
    }

    /// Returns the gradient with respect to `x`, given that of the output.
    #[fusion(default)]
    fn input_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_x_backward(x, weight, grad, options)
    }

    /// Returns the gradient with respect to `weight`, given that of the output.
    #[fusion(default)]
    fn weight_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d_weight_backward(x, weight, grad, options)
    }
}

impl Convolution for Flex {
    fn convolution(x: FloatTensor<Self>, weight: FloatTensor<Self>, options: ConvOptions<2>) -> FloatTensor<Self> {
        match Patches::of(&x, &weight, &options) {
            Some(patches) => patches.convolved(&x, &weight),
            None => Self::conv2d(x, weight, None, options),
        }
    }

    fn input_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        match Patches::of(&x, &weight, &options) {
            Some(patches) => patches.input_gradient(&weight, &grad),
            None => Self::conv2d_x_backward(x, weight, grad, options),
        }
    }

    fn weight_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        match Patches::of(&x, &weight, &options) {
            Some(patches) => patches.weight_gradient(&x, &grad),
            None => Self::conv2d_weight_backward(x, weight, grad, options),
        }
    }
}

#[cfg(any(feature = "wgpu", feature = "webgpu"))]
impl Convolution for burn::backend::Cube {}

#[cfg(feature = "libtorch")]
impl Convolution for burn::backend::LibTorch {}

#[cfg(feature = "remote")]
impl Convolution for burn::backend::Remote {}

impl<B: Backend + Convolution, C: CheckpointStrategy> Convolution for Autodiff<B, C> {
    fn convolution(x: FloatTensor<Self>, weight: FloatTensor<Self>, options: ConvOptions<2>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Step;

        impl<B: Backend + Convolution> Backward<B, 2> for Step {
            type State = (NodeId, NodeId, ConvOptions<2>);

            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
                let [of_x, of_weight] = ops.parents;
                let (x, weight, options) = ops.state;
                let grad = grads.consume::<B>(&ops.node);
                let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
                let weight: FloatTensor<B> = checkpointer.retrieve_node_output(weight);
                if let Some(node) = of_weight {
                    let grad = B::weight_gradient(x.clone(), weight.clone(), grad.clone(), options.clone());
                    grads.register::<B>(node.id, grad);
                }
                if let Some(node) = of_x {
                    grads.register::<B>(node.id, B::input_gradient(x, weight, grad, options));
                }
            }
        }

        match Step.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&weight), options.clone());
                prep.finish(state, B::convolution(x.into_primitive(), weight.into_primitive(), options))
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::convolution(x.into_primitive(), weight.into_primitive(), options))
            }
        }
    }
}

/// Convolves `x`, `[batch, in, height, width]`, with `weight`, `[out, in, rows, columns]`, or `[out, in / groups, rows, columns]`.
///
/// # Panics
///
/// As burn's convolution does: if shapes do not fit each other.
pub fn convolution(x: Tensor<4>, weight: Tensor<4>, options: ConvOptions<2>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Convolution>::convolution(x.into_dispatch(), weight.into_dispatch(), options))
}

#[cfg(test)]
mod tests;
