//! Cost of an input gradient and of a training step, in forward passes, and of convolutions beside burn's, on the CPU path: `cargo xtask
//! bench`.
//!
//! Ratios of times taken in turn within one run hold on any machine and under any load; the times themselves do not.

mod convolutions;

use std::time::Instant;

use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use shared::attack::{cross_entropy, loss_gradient};
use shared::model::{Architecture, BuildNetwork as _, Classifier, WideResNetConfig};

/// Number of measured rounds, after one round of warm-up.
const ROUNDS: usize = 7;

fn main() {
    let device = Device::flex();
    let config = WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(10, 4) };
    let architecture = Architecture::WideResNet(config);
    println!("{} with strides 2, 2, 2 on {device:?}; median of {ROUNDS} rounds", architecture.name());
    println!("{:>5}  {:>12}  {:>14}  {:>13}", "batch", "forward", "input gradient", "training step");
    for batch in [1, 16, 64] {
        let network = architecture.init_seeded(200, [0.48, 0.45, 0.40], [0.28, 0.27, 0.28], 0, &device);
        let network = network.unwrap_or_else(|error| panic!("the network of this benchmark: {error}"));
        let [forward, gradient, step] = measure(&network, batch, &device);
        println!("{batch:>5}  {:>9.1} ms  {:>12.2} x  {:>11.2} x", forward * 1e3, gradient / forward, step / forward);
    }
    convolutions::compare();
}

/// Measures a forward pass, an input gradient and a training step, in median seconds.
fn measure(network: &Classifier, batch: usize, device: &Device) -> [f64; 3] {
    let images = Tensor::<4>::random([batch, 3, 64, 64], Distribution::Uniform(0.0, 1.0), device);
    let labels = Tensor::<1, Int>::zeros([batch], device);
    let frozen = network.clone();
    let mut trained = network.clone().train();
    let mut optimizer = SgdConfig::new().init();
    let mut seconds = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        let forward = time(|| read(frozen.forward(images.clone())));
        let gradient = time(|| read(loss_gradient(&frozen, images.clone(), labels.clone())));
        let step = time(|| {
            let logits = trained.forward(images.clone().autodiff());
            let loss = cross_entropy(logits, labels.clone().autodiff()).mean();
            let gradients = GradientsParams::from_grads(loss.backward(), &trained);
            trained = optimizer.step(0.01, trained.clone(), gradients);
        });
        if round > 0 {
            for (all, one) in seconds.iter_mut().zip([forward, gradient, step]) {
                all.push(one);
            }
        }
    }
    seconds.map(median)
}

fn time(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

/// Waits for a result.
fn read<const D: usize>(tensor: Tensor<D>) {
    if let Err(error) = pollster::block_on(tensor.into_data_async()) {
        panic!("the device failed: {error}");
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
