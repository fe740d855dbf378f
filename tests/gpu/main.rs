//! A GPU path against the CPU path (flex): the same network must attack and learn alike on both.
//!
//! `cargo xtask test --gpu` runs these with wgpu (WGSL), on a real adapter or on Mesa's software one (lavapipe). Another backend:
//!
//! ```sh
//! BASTION_GPU=vulkan cargo test -p tests --features vulkan --test gpu -- --ignored                 # SPIR-V
//! BASTION_GPU=libtorch-cuda cargo test -p tests --features gpu,libtorch --test gpu -- --ignored
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop and say where")]

use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use shared::attack::{AttackConfig, AttackRun, Goal, cross_entropy, loss_gradient};
use shared::device::{Backend, open};
use shared::model::{Architecture, BuildNetwork as _, Classifier, WideResNetConfig};

const BATCH: usize = 4;
const CLASSES: usize = 5;

/// Returns the GPU's device, opened once: opening it again in one process is an error.
fn gpu() -> Device {
    static GPU: std::sync::OnceLock<Device> = std::sync::OnceLock::new();
    let open_gpu = || {
        let backend = match std::env::var("BASTION_GPU").as_deref() {
            Err(_) | Ok("wgpu") => Backend::Wgpu,
            Ok("vulkan") => Backend::Vulkan,
            Ok("libtorch-cuda") => Backend::LibTorchCuda,
            Ok(other) => panic!("BASTION_GPU={other}: wgpu, vulkan or libtorch-cuda"),
        };
        let engine = pollster::block_on(open(backend)).unwrap();
        let kind = if engine.software { "software" } else { "hardware" };
        println!("adapter: {} ({kind})", engine.adapter.as_deref().unwrap_or("unnamed"));
        engine.device
    };
    GPU.get_or_init(open_gpu).clone()
}

/// Builds a small network with random weights, the same on every device.
fn network(device: &Device) -> Classifier {
    let architecture = Architecture::WideResNet(WideResNetConfig::new(10, 1));
    architecture.init_seeded(CLASSES, [0.48, 0.45, 0.40], [0.28, 0.27, 0.28], 11, device).unwrap()
}

/// Makes pictures and labels, the same on every device.
fn batch(device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let cpu = Device::flex();
    cpu.seed(5);
    let images = Tensor::<4>::random([BATCH, 3, 64, 64], Distribution::Uniform(0.1, 0.9), &cpu);
    (images.to_device(device), Tensor::from_ints([0, 3, 1, 4], device))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    pollster::block_on(tensor.into_data_async()).unwrap().try_into_vec_as::<f32>().unwrap()
}

/// Asserts that `gpu` equals `cpu` up to `tolerance`, relative to the largest value.
#[track_caller]
fn assert_close(what: &str, gpu: &[f32], cpu: &[f32], tolerance: f32) {
    assert_eq!(gpu.len(), cpu.len(), "{what}");
    let scale = cpu.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let differences = gpu.iter().zip(cpu).map(|(a, b)| (a - b).abs() / scale);
    // Not `f32::max`, which would drop a NaN.
    let worst = differences.fold(0.0, |worst: f32, d| if d <= worst { worst } else { d });
    assert!(
        worst <= tolerance,
        "{what}: GPU and CPU differ by {worst:.1e} of the largest value, {tolerance:.0e} is allowed"
    );
    println!("{what}: GPU and CPU differ by {worst:.1e} of the largest value");
}

#[test]
#[ignore = "needs a Vulkan driver: cargo xtask test --gpu"]
fn logits_and_input_gradients_agree() {
    let compute = |device: &Device| {
        let (network, (images, labels)) = (network(device), batch(device));
        (values(network.forward(images.clone())), values(loss_gradient(&network, images, labels)))
    };
    let ((gpu_logits, gpu_gradient), (cpu_logits, cpu_gradient)) = (compute(&gpu()), compute(&Device::flex()));
    assert!(cpu_gradient.iter().any(|&value| value != 0.0));
    assert_close("logits", &gpu_logits, &cpu_logits, 1e-4);
    assert_close("input gradient", &gpu_gradient, &cpu_gradient, 1e-3);
}

#[test]
#[ignore = "needs a Vulkan driver: cargo xtask test --gpu"]
fn attacks_agree() {
    let epsilon = 8.0 / 255.0;
    for config in [AttackConfig::fgsm(epsilon), AttackConfig::bim(epsilon, 4)] {
        let attack = |device: &Device| {
            let (network, (images, labels)) = (network(device), batch(device));
            let run = AttackRun::new(&config, images.clone(), labels.clone(), Goal::Untargeted).unwrap();
            let attacked = run.finish(&network);
            let loss = cross_entropy(network.forward(attacked.clone()), labels);
            (values(attacked - images), values(loss))
        };
        let ((gpu_change, gpu_loss), (cpu_change, cpu_loss)) = (attack(&gpu()), attack(&Device::flex()));
        for change in [&gpu_change, &cpu_change] {
            assert!(change.iter().all(|change| change.abs() <= epsilon + 1e-6), "{config:?} left the ball");
        }
        // The sign of a gradient near zero depends on rounding, and an attack follows signs.
        let other = gpu_change.iter().zip(&cpu_change).filter(|(a, b)| (*a - *b).abs() > 1e-5).count();
        let share = other as f64 / cpu_change.len() as f64;
        assert!(share < 0.01, "{config:?}: {:.2}% of the values were attacked otherwise", 100.0 * share);
        assert_close(&format!("{} loss", config.kind.label()), &gpu_loss, &cpu_loss, 1e-2);
    }
}

#[test]
#[ignore = "needs a Vulkan driver: cargo xtask test --gpu"]
fn training_steps_agree() {
    let train = |device: &Device| {
        let mut network = network(device).train();
        let mut optimizer = SgdConfig::new().init();
        let (images, labels) = batch(device);
        let mut losses = Vec::new();
        for _ in 0..2 {
            let logits = network.forward(images.clone().autodiff());
            let loss = cross_entropy(logits, labels.clone().autodiff()).mean();
            losses.extend(values(loss.clone().inner()));
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(0.01, network, gradients);
        }
        (losses, values(network.valid().forward(images)))
    };
    let ((gpu_losses, gpu_logits), (cpu_losses, cpu_logits)) = (train(&gpu()), train(&Device::flex()));
    assert!(cpu_losses[1] < cpu_losses[0], "a step did not help: {cpu_losses:?}");
    assert_close("losses", &gpu_losses, &cpu_losses, 1e-3);
    assert_close("logits after training", &gpu_logits, &cpu_logits, 1e-2);
}
