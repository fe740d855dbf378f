//! The classifier as burn-train sees it: a training step and a validation step.

use std::sync::Arc;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::train::metric::{AccuracyInput, Adaptor, ItemLazy, LossInput};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use shared::attack::{AttackConfig, AttackRun, Goal};
use shared::model::Classifier;

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
}

impl TrainingModel {
    /// One without a recipe, for weights to be read into.
    pub fn blank(classifier: Classifier) -> Self {
        Self {
            classifier,
            attacks: LiveAttacks::none(),
            label_smoothing: 0.0,
            ema: None,
            position: Arc::default(),
            probe: AttackConfig::fgsm(0.0),
        }
    }

    fn output(&self, logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: Option<f32>) -> ClassificationOutput {
        let loss = CrossEntropyLossConfig::new()
            .with_smoothing(smoothing)
            .init(&logits.device())
            .forward(logits.clone(), targets.clone());
        ClassificationOutput::new(loss, logits, targets)
    }
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
        let Batch { images, targets, portions, first_row, part, step, .. } = batch;
        // Batch norm in inference mode, and no gradient for any weight.
        let current = self.classifier.valid();
        let images = self.attacks.apply(images, &targets, &portions, first_row, step, &current);
        let logits = self.classifier.forward(images.autodiff());
        let smoothing = (self.label_smoothing > 0.0).then_some(self.label_smoothing as f32);
        let classification = self.output(logits, targets.autodiff(), smoothing);
        // Several devices' gradients are summed: each counts with its part of the batch, and the sum is that of the mean.
        let gradients = if part < 1.0 {
            classification.loss.clone().mul_scalar(part).backward()
        } else {
            classification.loss.backward()
        };
        TrainOutput::new(self, gradients, StepOutput { classification, probe: None })
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
