//! The settings of a run: one struct is the command line, the recipe file and the record in the run folder.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::attack::BIM_STEPS;
use shared::model::{Activation, HeadKind, Stem};
use shared::perturb::Perturbations;

use super::freeze::Freeze;
use super::mix::Share;
use super::network::{self, ArchName};
use super::recipe;
use crate::data::SIDE;
use crate::epsilon::Epsilon;

/// An optimizer.
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
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[command(next_help_heading = "Settings, as flags or in a file")]
pub struct TrainConfig {
    /// What to train on; a recipe sets some of the settings below, and flags override it
    #[arg(long, default_value = "normal", value_parser = recipe::names())]
    pub recipe: String,
    /// Shares of a batch, as in normal,augmented,fgsm [default: as the recipe says]
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "SHARE,...",
        default_value = "normal",
        hide_default_value = true
    )]
    pub mix: Vec<Share>,
    /// The network
    #[arg(long, value_enum, default_value = "wide-resnet")]
    pub arch: ArchName,
    /// First layers of a network of torchvision: conv7 are its own, for 224x224; conv3-stride2 and conv3 suit 64x64, and shrink
    /// pretrained 7x7 weights to 3x3. Those of the other networks are conv3-stride2; conv3 keeps the side, at four times the cost
    #[arg(long, default_value = "conv7", value_parser = network::stems(), value_name = "STEM")]
    pub stem: Stem,
    /// Last layers of a network of torchvision: paper is linear 512, ReLU, linear; plain is one linear layer
    #[arg(long, default_value = "paper", value_parser = network::heads(), value_name = "HEAD")]
    pub head: HeadKind,
    /// Side that a network for ImageNet enlarges its pictures to, on the device: 128 or 224, say; 64 at least [default: as they
    /// are]
    #[arg(long, value_name = "PIXELS")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_size: Option<usize>,
    /// Layers of the Wide ResNet: 10, 16, 22, 28, ...
    #[arg(long, default_value_t = 10)]
    pub depth: usize,
    /// Channels of the Wide ResNet, as a multiple of 16, 32 and 64
    #[arg(long, default_value_t = 4)]
    pub width: usize,
    /// Strides of its three groups, behind a stem that halves the picture
    #[arg(long, value_delimiter = ',', value_name = "A,B,C", default_value = "2,2,2")]
    pub strides: Vec<usize>,
    /// Function between the layers of the Wide ResNet; silu is smooth, which makes attacks in training stronger teachers
    #[arg(long, default_value = "relu", value_parser = network::activations(), value_name = "NAME")]
    #[serde(default)]
    pub activation: Activation,
    /// Times each training picture is seen, in whichever share of the batch
    #[arg(long, default_value_t = 10)]
    pub epochs: usize,
    /// Stop after so many steps; the learning rate falls to its end by then
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Pictures a step: fewer where the memory does not suffice
    #[arg(long, visible_alias = "batch", value_name = "N", default_value_t = 128)]
    #[serde(deserialize_with = "number_of_pictures")]
    pub batch_size: usize,
    /// Compute each batch in so many parts and add up their gradients: less memory. Batch norm sees one part at a time and
    /// learns from each, so leave 16 pictures or more to a part
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub accumulate: usize,
    /// Compute activations again on the way back instead of keeping them: less memory, more time
    #[arg(long)]
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// Convolutions in bfloat16, the rest in f32: on libtorch and a CPU with AVX512-BF16 about twice as fast
    #[arg(long)]
    #[serde(default)]
    pub mixed_precision: bool,
    /// What of the network is not trained: none, backbone (all but its head), or for how many epochs the backbone is not.
    /// Batch norm of a frozen backbone keeps the statistics it came with; elsewhere it learns those of the training pictures
    #[arg(long, value_name = "none|backbone|N", default_value = "none", allow_hyphen_values = true)]
    pub freeze: Freeze,
    /// Optimizer
    #[arg(long, value_enum, default_value = "sgd")]
    pub optimizer: OptimizerName,
    /// Highest learning rate, after the warm-up; it falls to zero along a cosine [default: 0.1 for sgd, 0.001 for adamw]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Highest learning rate of all but the head, for a pretrained network [default: that of the head]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone_learning_rate: Option<f64>,
    /// Part of the steps in which the learning rate rises
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    pub warm_up: f64,
    /// Momentum of SGD
    #[arg(long, default_value_t = 0.9)]
    pub momentum: f64,
    /// Weight decay of convolutions and the head; batch norm and biases have none [default: 0.0005 for sgd, 0.05 for adamw]
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Label smoothing, 0 to below 1
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    pub label_smoothing: f64,
    /// Share of channels that dropout removes after each stage, picture by picture, 0 to below 0.9: networks trained with it say by
    /// dropout how uncertain they are (`bastion detector`)
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    #[serde(default, skip_serializing_if = "is_none_at_all")]
    pub dropout: f64,
    /// A trained model, or the folder of its run, whose answers to the pictures before any attack are part of what is learned
    #[arg(long, value_name = "DIR")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<PathBuf>,
    /// Part of the teacher's answers in what is learned, 0 to 1; the labels are the rest
    #[arg(long, value_name = "PART", default_value_t = 0.5)]
    #[serde(default = "half")]
    pub teacher_weight: f64,
    /// Temperature of the teacher's answers: they are softer above 1
    #[arg(long, value_name = "T", default_value_t = 2.0)]
    #[serde(default = "two")]
    pub teacher_temperature: f64,
    /// Decay of a moving average of the weights, which is then what is validated and exported; 0 is none
    #[arg(long, value_name = "DECAY", default_value_t = 0.0)]
    pub ema: f64,
    /// Side of the pictures in training: 64, or 32 to start cheaply
    #[arg(long, value_name = "PIXELS", default_value_t = 64)]
    pub image_size: usize,
    /// Pixels of padding from which crops are taken (at 64x64)
    #[arg(long, value_name = "PIXELS", default_value_t = 8)]
    pub crop_padding: usize,
    /// Smallest part of a picture's area that is enlarged to the whole: 0.25, say, where what the pictures show differs in
    /// size; 1 shifts the picture by the padding instead
    #[arg(long, value_name = "PART", default_value_t = 1.0)]
    #[serde(default = "one")]
    pub crop_scale: f64,
    /// Part of the pictures attacked while training that the paper's seven perturbations change first
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    #[serde(default)]
    pub perturbed: f64,
    /// Radius of the attacks in training and of the probe
    #[arg(long, default_value = "4/255")]
    pub epsilon: Epsilon,
    /// Part of the steps in which the radius rises from 0
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    pub epsilon_warm_up: f64,
    /// Steps of BIM in training, each of epsilon / 4
    #[arg(long, value_name = "N", default_value_t = BIM_STEPS)]
    pub bim_steps: usize,
    /// Steps of PGD in training, each of 2.5 epsilon / steps
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub pgd_steps: usize,
    /// Pictures of the held-out ones that PGD attacks at each validation, to see a collapse; 0 is none [default: as the recipe says]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub probe: usize,
    /// Steps of that PGD
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub probe_steps: usize,
    /// Training pictures of each class set aside to validate on, the same ones for every seed
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub held_out: usize,
    /// Validations and checkpoints an epoch
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub rounds: usize,
    /// Seed of weights, order, crops, perturbations and random starts
    #[arg(long, default_value_t = 0)]
    #[serde(serialize_with = "write_seed", deserialize_with = "read_seed")]
    pub seed: u64,
    /// The seven families of the augmented share; in a recipe file alone.
    #[arg(skip)]
    #[serde(default)]
    pub perturbations: Perturbations,
}

fn half() -> f64 {
    0.5
}

fn one() -> f64 {
    1.0
}

fn two() -> f64 {
    2.0
}

fn is_none_at_all(part: &f64) -> bool {
    *part == 0.0
}

/// Writes a seed as a number, and as a text where it is larger than a number of TOML may be.
fn write_seed<S: Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    match i64::try_from(*seed) {
        Ok(seed) => serializer.serialize_i64(seed),
        Err(_) => serializer.serialize_str(&seed.to_string()),
    }
}

/// Reads either form of a seed.
fn read_seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a whole number from 0 on")]
    enum Form {
        Number(u64),
        Text(String),
    }

    match Form::deserialize(deserializer)? {
        Form::Number(seed) => Ok(seed),
        Form::Text(seed) => {
            seed.parse().map_err(|_| D::Error::custom(format!("'{seed}' is no seed: 0 to {}", u64::MAX)))
        }
    }
}

/// Reads a number of pictures, and refuses the `"auto"` of earlier versions with what to write instead.
fn number_of_pictures<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "batch-size takes a number of pictures")]
    enum Form {
        Pictures(usize),
        Word(String),
    }

    match Form::deserialize(deserializer)? {
        Form::Pictures(pictures) => Ok(pictures),
        Form::Word(word) => Err(D::Error::custom(format!(
            "batch-size takes a number of pictures, such as 128, and not \"{word}\": take fewer where the memory does not suffice"
        ))),
    }
}

impl TrainConfig {
    /// Checks that all values are in range.
    ///
    /// # Errors
    /// Names the first value out of range.
    pub fn validate(&self) -> Result<()> {
        let between = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        let rate = self.learning_rate();
        ensure!((1..=10_000).contains(&self.epochs), "epochs must be 1 to 10000");
        ensure!(self.steps != Some(0), "steps must be 1 or more");
        ensure!((2..=65_536).contains(&self.batch_size), "batch-size must be 2 to 65536");
        ensure!(rate > 0.0 && rate <= 1.0, "learning-rate must be above 0 and at most 1");
        ensure!(
            self.backbone_learning_rate.is_none_or(|rate| rate > 0.0 && rate <= 1.0),
            "backbone-learning-rate must be above 0 and at most 1; to leave the backbone as it is, freeze it"
        );
        ensure!(
            self.backbone_learning_rate.is_none() || self.freeze != Freeze::Backbone,
            "backbone-learning-rate does not apply to a backbone that is frozen all the time"
        );
        ensure!(
            self.accumulate >= 1 && 2 * self.accumulate <= self.batch_size,
            "accumulate must be 1 or more, and leave at least 2 pictures of a batch to each part"
        );
        ensure!(between(self.warm_up, 0.0, 0.9), "warm-up must be 0 to 0.9");
        ensure!((0.0..1.0).contains(&self.momentum), "momentum must be 0 to below 1");
        ensure!(between(self.weight_decay(), 0.0, 1.0), "weight-decay must be 0 to 1");
        ensure!((0.0..1.0).contains(&self.label_smoothing), "label-smoothing must be 0 to below 1");
        ensure!((0.0..0.9).contains(&self.dropout), "dropout must be 0 to below 0.9");
        ensure!(between(self.teacher_weight, 0.0, 1.0), "teacher-weight must be 0 to 1");
        ensure!(between(self.teacher_temperature, 0.1, 100.0), "teacher-temperature must be 0.1 to 100");
        ensure!(
            self.teacher.is_none() || self.mix.iter().all(|share| share.crafted_by().is_none()),
            "a teacher answers to pictures before an attack, and the mix takes crafted ones: leave out one of the two"
        );
        ensure!(between(self.crop_scale, 0.05, 1.0), "crop-scale must be 0.05 to 1");
        ensure!(
            self.crop_scale == 1.0 || self.image_size == SIDE,
            "crop-scale is for pictures of 64: image-size must be 64"
        );
        ensure!(between(self.perturbed, 0.0, 1.0), "perturbed must be 0 to 1");
        ensure!(
            self.perturbed == 0.0 || self.mix.iter().any(|share| share.is_live()),
            "perturbed applies to pictures attacked while training, and the mix has none: add augmented to it instead"
        );
        ensure!((0.0..1.0).contains(&self.ema), "ema must be 0 to below 1");
        ensure!(
            (16..=SIDE).contains(&self.image_size) && SIDE.is_multiple_of(self.image_size),
            "image-size must be 64, 32 or 16"
        );
        ensure!(!self.mix.is_empty(), "mix must name a share or more");
        ensure!(
            self.mix.len() <= self.batch_size,
            "batch-size must be {} or more: each share of the recipe needs a picture",
            self.mix.len()
        );
        ensure!(self.crop_padding <= 32, "crop-padding must be at most 32");
        ensure!(between(self.epsilon_warm_up, 0.0, 1.0), "epsilon-warm-up must be 0 to 1");
        ensure!((1..=1000).contains(&self.bim_steps), "bim-steps must be 1 to 1000");
        ensure!((1..=1000).contains(&self.pgd_steps), "pgd-steps must be 1 to 1000");
        ensure!(self.probe == 0 || self.held_out > 0, "probe needs held-out pictures: held-out must be 1 or more");
        ensure!((1..=1000).contains(&self.probe_steps), "probe-steps must be 1 to 1000");
        ensure!((1..=1000).contains(&self.rounds), "rounds must be 1 to 1000");
        ensure!(self.strides.len() == 3, "strides takes three numbers, as in 2,2,2");
        Ok(self.perturbations.validate()?)
    }

    /// Returns the highest learning rate: the one that was set, or the optimizer's default.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.optimizer {
            OptimizerName::Sgd => 0.1,
            OptimizerName::Adamw => 1e-3,
        })
    }

    /// Returns the weight decay: the one that was set, or the optimizer's default.
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay.unwrap_or(match self.optimizer {
            OptimizerName::Sgd => 5e-4,
            OptimizerName::Adamw => 0.05,
        })
    }

    /// Returns the settings for a card: the teacher by the name of its folder, wherever that is.
    #[must_use]
    pub fn public(&self) -> Self {
        let name = |path: &PathBuf| path.file_name().map_or_else(|| path.clone(), PathBuf::from);
        Self { teacher: self.teacher.as_ref().map(name), ..self.clone() }
    }

    /// Returns the settings with all defaults filled in, which may differ in another version.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let (learning_rate, weight_decay) = (Some(self.learning_rate()), Some(self.weight_decay()));
        Self { learning_rate, weight_decay, ..self.clone() }
    }
}
