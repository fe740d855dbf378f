//! The classifier as burn-train sees it: a training step and a validation step.

use std::sync::Arc;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::tensor::kind::Autodiff;
use burn::train::metric::{AccuracyInput, Adaptor, ItemLazy, LossInput};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use shared::attack::{AttackConfig, AttackRun, Goal};
use shared::model::{Classifier, checkpointed};

use super::config::TrainConfig;
use super::ema::Ema;
use super::live::LiveAttacks;
use super::loader::Batch;
use super::position::Position;
use super::probe::ProbeInput;

/// A classifier with what its recipe does to a batch.
#[derive(Module, Debug)]
pub struct TrainingModel {
    pub classifier: Classifier,
    #[module(skip)]
    pub attacks: LiveAttacks,
    #[module(skip)]
    pub label_smoothing: f64,
    /// What is validated in place of the classifier.
    #[module(skip)]
    pub ema: Option<Ema>,
    #[module(skip)]
    pub position: Arc<Position>,
    /// The attack of the probe.
    #[module(skip)]
    pub probe: AttackConfig,
    #[module(skip)]
    pub saving: Saving,
}

/// How a step keeps to the memory and to what is to be trained.
#[derive(Clone, Copy, Debug)]
pub struct Saving {
    /// Parts that a batch is computed in, one after the other.
    pub parts: usize,
    /// Whether the classifier is one with gradient checkpointing.
    pub checkpointing: bool,
    /// Steps, from the run's first one on, in which only the head is trained.
    pub frozen_steps: usize,
}

impl Default for Saving {
    fn default() -> Self {
        Self { parts: 1, checkpointing: false, frozen_steps: 0 }
    }
}

impl TrainingModel {
    /// That of a run with `config`, whose attacks, average and position are given. `classifier` is on a plain device.
    pub fn new(
        config: &TrainConfig,
        classifier: Classifier,
        attacks: LiveAttacks,
        ema: Option<Ema>,
        position: Arc<Position>,
        steps_per_epoch: usize,
    ) -> Self {
        let classifier = classifier.train();
        let classifier = if config.mixed_precision { classifier.in_mixed_precision() } else { classifier };
        let checkpointing = config.gradient_checkpointing;
        Self {
            classifier: if checkpointing { classifier.with_gradient_checkpointing() } else { classifier },
            attacks,
            label_smoothing: config.label_smoothing,
            ema,
            position,
            probe: AttackConfig::pgd(config.epsilon.value(), config.probe_steps, 0),
            saving: Saving {
                parts: config.accumulate,
                checkpointing,
                frozen_steps: config.freeze.steps(steps_per_epoch),
            },
        }
    }

    /// One without a recipe, for weights to be read into.
    pub fn blank(classifier: Classifier) -> Self {
        Self {
            classifier,
            attacks: LiveAttacks::none(),
            label_smoothing: 0.0,
            ema: None,
            position: Arc::default(),
            probe: AttackConfig::fgsm(0.0),
            saving: Saving::default(),
        }
    }

    /// The classifier for a step, which shares its weights and running statistics with the one that is kept.
    fn at_step(&self, step: usize) -> Classifier {
        let classifier = self.classifier.clone();
        if step < self.saving.frozen_steps { classifier.freeze_backbone() } else { classifier }
    }

    /// A tensor as the classifier's weights are.
    fn tracked<const D: usize, K: Autodiff>(&self, tensor: Tensor<D, K>) -> Tensor<D, K> {
        let tensor = tensor.autodiff();
        if self.saving.checkpointing { checkpointed(tensor) } else { tensor }
    }

    fn output(&self, logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: Option<f32>) -> ClassificationOutput {
        let loss = CrossEntropyLossConfig::new()
            .with_smoothing(smoothing)
            .init(&logits.device())
            .forward(logits.clone(), targets.clone());
        ClassificationOutput::new(loss, logits, targets)
    }
}

/// What the parts of a batch gave, as one; each with its part of the whole batch.
fn joined(mut outputs: Vec<(ClassificationOutput, f64)>) -> ClassificationOutput {
    if outputs.len() == 1 {
        return outputs.remove(0).0;
    }
    let whole: f64 = outputs.iter().map(|(_, part)| part).sum();
    let losses = outputs.iter().map(|(output, part)| output.loss.clone().inner().mul_scalar(part / whole)).collect();
    let logits = outputs.iter().map(|(output, _)| output.output.clone().inner()).collect();
    let targets = outputs.iter().map(|(output, _)| output.targets.clone().inner()).collect();
    ClassificationOutput::new(Tensor::cat(losses, 0).sum(), Tensor::cat(logits, 0), Tensor::cat(targets, 0))
}

/// What a step tells the metrics.
pub struct StepOutput {
    pub classification: ClassificationOutput,
    pub probe: ProbeInput,
}

impl TrainStep for TrainingModel {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> TrainOutput<StepOutput> {
        // Batch norm in inference mode, and no gradient for any weight.
        let current = self.classifier.valid();
        let classifier = self.at_step(batch.step);
        let smoothing = (self.label_smoothing > 0.0).then_some(self.label_smoothing as f32);
        let mut gradients = GradientsAccumulator::new();
        let mut outputs = Vec::with_capacity(self.saving.parts);
        for Batch { images, targets, portions, first_row, part, step, .. } in batch.parts(self.saving.parts) {
            let images = self.attacks.apply(images, &targets, &portions, first_row, step, &current);
            let logits = classifier.forward(self.tracked(images));
            let output = self.output(logits, self.tracked(targets), smoothing);
            // Gradients of parts, on one device or on several, are summed: each counts with its part of the batch, and the sum
            // is that of the mean.
            let loss = if part < 1.0 { output.loss.clone().mul_scalar(part) } else { output.loss.clone() };
            gradients.accumulate(&self.classifier, GradientsParams::from_grads(loss.backward(), &self.classifier));
            outputs.push((output, part));
        }
        TrainOutput { grads: gradients.grads(), item: StepOutput { classification: joined(outputs), probe: None } }
    }

    /// One step, once for however many devices: the average follows what comes out of it.
    fn optimize(self, optim: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        let trained = optim.step(rate, self, gradients);
        if let Some(ema) = &trained.ema {
            ema.update(&trained.classifier.valid(), trained.position.steps_done());
        }
        trained
    }
}

impl InferenceStep for TrainingModel {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> StepOutput {
        let Batch { images, targets, probed, .. } = batch;
        // Not the average: it is the weights that collapse, and the average follows late.
        let probe = probed.then(|| {
            let attack = AttackRun::new(&self.probe, images.clone(), targets.clone(), Goal::Untargeted)
                // The settings were checked before the run, and there is a label for each image.
                .expect("an attack that was checked, on as many labels as images");
            (self.classifier.forward(attack.finish(&self.classifier)), targets.clone())
        });
        let classifier = match &self.ema {
            Some(ema) => ema.average(),
            None => self.classifier.clone(),
        };
        let classification = self.output(classifier.forward(images), targets, None);
        StepOutput { classification, probe }
    }
}

impl ItemLazy for StepOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(Self { classification: self.classification.sync()?, probe: self.probe })
    }
}

impl Adaptor<AccuracyInput> for StepOutput {
    fn adapt(&self) -> AccuracyInput {
        self.classification.adapt()
    }
}

impl Adaptor<LossInput> for StepOutput {
    fn adapt(&self) -> LossInput {
        self.classification.adapt()
    }
}

impl Adaptor<ProbeInput> for StepOutput {
    fn adapt(&self) -> ProbeInput {
        self.probe.clone()
    }
}
