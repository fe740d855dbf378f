//! One struct is the command line, the record in the run folder and what `--resume` reads back.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use shared::model::{Architecture, WideResNetConfig};

use crate::data::SIDE;
use crate::epsilon::Epsilon;

/// What a network is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipeName {
    /// Pictures, randomly cropped and flipped
    Normal,
    /// Half as normal, a quarter attacked by FGSM, a quarter by BIM, against the network as it is at that moment
    Hardened,
}

impl RecipeName {
    pub fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Hardened => "hardened",
        }
    }
}

/// Which optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerName {
    /// Stochastic gradient descent with Nesterov momentum
    Sgd,
    /// Adam with decoupled weight decay
    Adamw,
}

/// Everything that decides what a run computes.
#[derive(Clone, Debug, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// What to train on
    #[arg(long, value_enum, default_value = "normal")]
    pub recipe: RecipeName,
    /// Layers of the Wide ResNet: 10, 16, 22, 28, ...
    #[arg(long, default_value_t = 10)]
    pub depth: usize,
    /// Channels of the Wide ResNet, as a multiple of 16, 32 and 64
    #[arg(long, default_value_t = 4)]
    pub width: usize,
    /// Strides of its three groups, behind a stem that halves the picture
    #[arg(long, value_delimiter = ',', value_name = "A,B,C", default_value = "2,2,2")]
    pub strides: Vec<usize>,
    /// Times each training picture is seen
    #[arg(long, default_value_t = 10)]
    pub epochs: usize,
    /// Stop after so many steps; the learning rate falls to its end by then
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Pictures a step
    #[arg(long, default_value_t = 128)]
    pub batch_size: usize,
    /// Optimizer
    #[arg(long, value_enum, default_value = "sgd")]
    pub optimizer: OptimizerName,
    /// Highest learning rate, after the warm-up; it falls to zero along a cosine [default: 0.1 for sgd, 0.001 for adamw]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Part of the steps in which the learning rate rises
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    pub warm_up: f64,
    /// Momentum of SGD
    #[arg(long, default_value_t = 0.9)]
    pub momentum: f64,
    /// Weight decay of convolutions and the head; batch norm and biases have none [default: 0.0005 for sgd, 0.05 for adamw]
    #[arg(long)]
    pub weight_decay: Option<f64>,
    /// Label smoothing, 0 to below 1
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    pub label_smoothing: f64,
    /// Side of the pictures in training: 64, or 32 to start cheaply
    #[arg(long, value_name = "PIXELS", default_value_t = 64)]
    pub image_size: usize,
    /// Pixels of padding from which crops are taken (at 64x64)
    #[arg(long, value_name = "PIXELS", default_value_t = 8)]
    pub crop_padding: usize,
    /// Radius of the attacks in hardened training
    #[arg(long, default_value = "4/255")]
    pub epsilon: Epsilon,
    /// Steps of BIM in hardened training, each of epsilon / 4
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub bim_steps: usize,
    /// Training pictures of each class set aside to validate on, the same ones for every seed
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub held_out: usize,
    /// Validations and checkpoints an epoch
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub rounds: usize,
    /// Seed of weights, order, crops and flips
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl TrainConfig {
    /// # Errors
    /// Names the first value out of range.
    pub fn validate(&self) -> Result<()> {
        ensure!((1..=10_000).contains(&self.epochs), "--epochs must be 1 to 10000");
        ensure!(self.steps != Some(0), "--steps must be 1 or more");
        ensure!((2..=65_536).contains(&self.batch_size), "--batch-size must be 2 to 65536");
        let rate = self.learning_rate();
        ensure!(rate > 0.0 && rate <= 1.0, "--learning-rate must be above 0 and at most 1");
        ensure!((0.0..=0.9).contains(&self.warm_up), "--warm-up must be 0 to 0.9");
        ensure!((0.0..1.0).contains(&self.momentum), "--momentum must be 0 to below 1");
        ensure!((0.0..=1.0).contains(&self.weight_decay()), "--weight-decay must be 0 to 1");
        ensure!((0.0..1.0).contains(&self.label_smoothing), "--label-smoothing must be 0 to below 1");
        ensure!(
            (16..=SIDE).contains(&self.image_size) && SIDE.is_multiple_of(self.image_size),
            "--image-size must be 64, 32 or 16"
        );
        ensure!(
            self.recipe != RecipeName::Hardened || self.batch_size >= 4,
            "--batch-size must be 4 or more for the hardened recipe, which attacks quarters of a batch"
        );
        ensure!(self.crop_padding <= 32, "--crop-padding must be at most 32");
        ensure!((1..=1000).contains(&self.bim_steps), "--bim-steps must be 1 to 1000");
        ensure!((1..=1000).contains(&self.rounds), "--rounds must be 1 to 1000");
        ensure!(self.strides.len() == 3, "--strides takes three numbers, as in 2,2,2");
        Ok(())
    }

    /// Highest learning rate: what was asked for, or what is usual for the optimizer.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.optimizer {
            OptimizerName::Sgd => 0.1,
            OptimizerName::Adamw => 1e-3,
        })
    }

    /// Weight decay: what was asked for, or what is usual for the optimizer.
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay.unwrap_or(match self.optimizer {
            OptimizerName::Sgd => 5e-4,
            OptimizerName::Adamw => 0.05,
        })
    }

    /// The same with nothing left to defaults, which another version may have others of.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let (learning_rate, weight_decay) = (Some(self.learning_rate()), Some(self.weight_decay()));
        Self { learning_rate, weight_decay, ..self.clone() }
    }

    /// The network to train.
    ///
    /// # Errors
    /// As [`TrainConfig::validate`].
    pub fn architecture(&self) -> Result<Architecture> {
        let strides: [usize; 3] = self.strides.as_slice().try_into()?;
        Ok(Architecture::WideResNet(WideResNetConfig { depth: self.depth, width: self.width, strides }))
    }
}
