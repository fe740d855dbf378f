//! Times of this project's convolutions beside burn's, on the CPU path.

use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use shared::model::convolution;

use super::{ROUNDS, median, read, time};

/// Channels in and out, side of the input, and stride of the 3x3 convolutions of a WRN-16-4 with strides 2, 2, 2.
const LAYERS: [[usize; 4]; 6] =
    [[3, 16, 64, 2], [16, 64, 32, 2], [64, 64, 16, 1], [64, 128, 16, 2], [128, 128, 8, 1], [256, 256, 4, 1]];

/// Prints how many times as long burn takes, forward and for the input's gradient with the forward pass before it.
pub fn compare() {
    println!("3x3 convolutions of WRN-16-4, and how many times as long burn's take; median of {ROUNDS} rounds");
    println!("{:>5}  {:>20}  {:>12}  {:>7}  {:>14}", "batch", "layer", "forward", "burn's", "burn's gradient");
    for batch in [1, 16] {
        for [input, output, side, stride] in LAYERS {
            let [ours, theirs] = measure(batch, [input, output, side, stride]);
            println!(
                "{batch:>5}  {:>20}  {:>9.2} ms  {:>5.2} x  {:>12.2} x",
                format!("{input} to {output} at {side}/{stride}"),
                ours[0] * 1e3,
                theirs[0] / ours[0],
                theirs[1] / ours[1]
            );
        }
    }
}

/// Measures this project's and burn's convolution in turn: median seconds of a forward pass, and of one with the input's gradient.
fn measure(batch: usize, [input, output, side, stride]: [usize; 4]) -> [[f64; 2]; 2] {
    let device = Device::flex();
    let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &device);
    let (x, weight) = (random([batch, input, side, side]), random([output, input, 3, 3]));
    let options = ConvOptions::new_with_padding([stride; 2], [(1, 1), (1, 1)], [1, 1], 1);
    let convolve = |ours: bool, x: Tensor<4>, weight: Tensor<4>| match ours {
        true => convolution(x, weight, options.clone()),
        false => conv2d(x, weight, None, options.clone()),
    };
    let (with_gradient, fixed) = (x.clone().autodiff(), weight.clone().autodiff());
    let mut seconds = [const { [const { Vec::new() }; 2] }; 2];
    for round in 0..=ROUNDS {
        for (ours, seconds) in [true, false].into_iter().zip(&mut seconds) {
            let forward = time(|| read(convolve(ours, x.clone(), weight.clone())));
            let gradient = time(|| {
                let x = with_gradient.clone().require_grad();
                let gradients = convolve(ours, x.clone(), fixed.clone()).sum().backward();
                if let Some(gradient) = x.grad(&gradients) {
                    read(gradient);
                }
            });
            if round > 0 {
                seconds[0].push(forward);
                seconds[1].push(gradient);
            }
        }
    }
    seconds.map(|of_one| of_one.map(median))
}
