//! Pictures a second on a device: forward pass, input gradient, training step, and a training step on pictures that three steps of
//! PGD have attacked; on a CPU with batches of a thirty-second. `cargo xtask bench device NAME`.
//!
//! Times are of one machine: compare only the numbers of one call. `tests/reference/speed.py` measures PyTorch likewise.

use std::env;
use std::time::{Duration, Instant};

use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use shared::attack::{AttackConfig, AttackRun, Goal, cross_entropy, loss_gradient};
use shared::device::{Backend, open, tune_convolutions};
use shared::model::{Architecture, BuildNetwork as _, Classifier, ResNetConfig, WideResNetConfig};

/// Time that one number is measured for, after the first calls.
const SPAN: Duration = Duration::from_millis(500);
/// Calls before a measurement, in which kernels are compiled and chosen.
const WARM_UP: usize = 3;

fn main() {
    let name = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_else(|| "flex".into());
    let backend = match name.as_str() {
        "flex" => Backend::Flex,
        "wgpu" => Backend::Wgpu,
        "vulkan" => Backend::Vulkan,
        "libtorch" => Backend::LibTorch,
        "libtorch-cuda" => Backend::LibTorchCuda,
        other => panic!("there is no device {other}: flex, wgpu, vulkan, libtorch, libtorch-cuda"),
    };
    let engine = pollster::block_on(open(backend)).unwrap_or_else(|error| panic!("{error}"));
    tune_convolutions();
    println!("{}, {}: pictures of 64x64 a second", backend.label(), engine.adapter.as_deref().unwrap_or("no name"));
    println!(
        "{:28}  {:>5}  {:>10}  {:>14}  {:>13}  {:>18}",
        "network", "batch", "forward", "input gradient", "training step", "PGD-3 and training"
    );
    let on_cpu = matches!(backend, Backend::Flex | Backend::LibTorch);
    let compact = Architecture::WideResNet(WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(16, 4) });
    let large = Architecture::WideResNet(WideResNetConfig { strides: [1, 2, 2], ..WideResNetConfig::new(16, 4) });
    let resnet = Architecture::ResNet(ResNetConfig::wide_resnet50_2());
    for (label, architecture, batches) in [
        ("WRN-16-4, strides 2,2,2", &compact, &[128, 512, 1024][..]),
        ("WRN-16-4, strides 1,2,2", &large, &[512]),
        ("Wide ResNet-50-2", &resnet, &[128]),
    ] {
        for mixed in [false, true] {
            // Only libtorch computes with bfloat16.
            if mixed && !matches!(backend, Backend::LibTorch | Backend::LibTorchCuda) {
                continue;
            }
            let network = architecture.init_seeded(200, [0.48, 0.45, 0.40], [0.28, 0.27, 0.28], 0, &engine.device);
            let network = network.unwrap_or_else(|error| panic!("the network of this benchmark: {error}"));
            let network = if mixed { network.in_mixed_precision() } else { network };
            let label = format!("{label}{}", if mixed { ", bf16" } else { "" });
            for &batch in batches {
                let batch = if on_cpu { batch / 32 } else { batch };
                let [forward, gradient, step, pgd] = measure(&network, batch, &engine.device);
                println!("{label:28}  {batch:>5}  {forward:>10.0}  {gradient:>14.0}  {step:>13.0}  {pgd:>18.0}");
            }
        }
    }
}

/// Measures in pictures a second.
fn measure(network: &Classifier, batch: usize, device: &Device) -> [f64; 4] {
    let images = Tensor::<4>::random([batch, 3, 64, 64], Distribution::Uniform(0.0, 1.0), device);
    let labels = Tensor::<1, Int>::zeros([batch], device);
    let frozen = network.valid();
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0).with_nesterov(true);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let mut trained = frozen.clone().train();
    let mut train = |images: Tensor<4>| {
        let loss = cross_entropy(trained.forward(images.autodiff()), labels.clone().autodiff()).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &trained);
        trained = optimizer.step(0.01, trained.clone(), gradients);
        loss.inner()
    };
    let forward = rate(batch, || frozen.forward(images.clone()).sum());
    let gradient = rate(batch, || loss_gradient(&frozen, images.clone(), labels.clone()).sum());
    let step = rate(batch, || train(images.clone()));
    let pgd = rate(batch, || {
        let config = AttackConfig::pgd(8.0 / 255.0, 3, 0);
        let run = AttackRun::new(&config, images.clone(), labels.clone(), Goal::Untargeted);
        train(run.unwrap_or_else(|error| panic!("{error}")).finish(&frozen))
    });
    [forward, gradient, step, pgd]
}

/// Calls `work` again and again, waits for each result, and returns pictures a second.
fn rate(batch: usize, mut work: impl FnMut() -> Tensor<1>) -> f64 {
    let mut call = || {
        if let Err(error) = pollster::block_on(work().into_data_async()) {
            panic!("the device failed: {error}");
        }
    };
    (0..WARM_UP).for_each(|_| call());
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < SPAN {
        call();
        calls += 1;
    }
    (calls * batch) as f64 / started.elapsed().as_secs_f64()
}
