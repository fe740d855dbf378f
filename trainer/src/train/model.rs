//! The classifier with its training step and validation step for burn-train.

use std::sync::Arc;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use burn::tensor::ExecutionError;
use burn::tensor::kind::Autodiff;
use burn::train::metric::{AccuracyInput, Adaptor, ItemLazy, LossInput};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use rand::SeedableRng;
use rand::rngs::StdRng;
use shared::attack::{AttackConfig, AttackRun, Goal};
use shared::detect::dropout::drop_channels;
use shared::model::{Classifier, checkpointed};
use shared::seed::{Purpose, derive};

use super::config::TrainConfig;
use super::ema::Ema;
use super::live::LiveAttacks;
use super::loader::Batch;
use super::position::Position;
use super::probe::ProbeInput;
use super::spread::Spread;
use super::teacher::Teacher;

/// A classifier with its recipe's attacks and loss.
#[derive(Module, Debug)]
pub struct TrainingModel {
    pub classifier: Classifier,
    #[module(skip)]
    pub attacks: LiveAttacks,
    #[module(skip)]
    pub label_smoothing: f64,
    /// Channel dropout after each stage.
    #[module(skip)]
    pub dropout: ChannelDropout,
    /// The network whose answers are part of the targets, if any; on one device, and on no copy of the model.
    #[module(skip)]
    pub teacher: Option<Teacher>,
    /// The average that is validated in place of the classifier, if any.
    #[module(skip)]
    pub ema: Option<Ema>,
    #[module(skip)]
    pub position: Arc<Position>,
    /// The attack of the probe.
    #[module(skip)]
    pub probe: AttackConfig,
    #[module(skip)]
    pub saving: Saving,
    /// The nodes that take the steps in parts, if there are several.
    #[module(skip)]
    pub spread: Option<Spread>,
}

/// Channel dropout after each stage, with masks for each picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelDropout {
    /// Share of channels that is removed, in `[0, 1)`; 0 for none.
    pub rate: f32,
    /// Seed of the run.
    pub seed: u64,
}

impl ChannelDropout {
    /// Returns the logits of images, `[batch, 3, height, width]`, under masks that depend on the step and on the place of the first
    /// image in the step's batch.
    fn forward(&self, classifier: &Classifier, images: Tensor<4>, [step, first_row]: [usize; 2]) -> Tensor<2> {
        if self.rate <= 0.0 {
            return classifier.forward(images);
        }
        let seed = derive(derive(self.seed, step as u64, Purpose::Dropout), first_row as u64, Purpose::Dropout);
        let rng = &mut StdRng::seed_from_u64(seed);
        classifier.forward_by_stages(images, &mut |_, maps| {
            let [batch, channels, ..] = maps.dims();
            drop_channels(maps, [batch, channels], self.rate, rng)
        })
    }
}

/// The settings of a step that save memory or freeze weights.
#[derive(Clone, Copy, Debug)]
pub struct Saving {
    /// Parts that a batch is computed in, one after the other.
    pub parts: usize,
    /// Whether the classifier has gradient checkpointing.
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
    /// Creates the model of a run with `config`; `classifier` is on a device without autodiff.
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
            dropout: ChannelDropout { rate: config.dropout as f32, seed: config.seed },
            teacher: None,
            ema,
            position,
            probe: AttackConfig::pgd(config.epsilon.value(), config.probe_steps, 0),
            saving: Saving {
                parts: config.accumulate,
                checkpointing,
                frozen_steps: config.freeze.steps(steps_per_epoch),
            },
            spread: None,
        }
    }

    /// Creates a model without a recipe, for weights to be read into.
    pub fn blank(classifier: Classifier) -> Self {
        Self {
            classifier,
            attacks: LiveAttacks::none(),
            label_smoothing: 0.0,
            dropout: ChannelDropout::default(),
            teacher: None,
            ema: None,
            position: Arc::default(),
            probe: AttackConfig::fgsm(0.0),
            saving: Saving::default(),
            spread: None,
        }
    }

    /// Returns a copy to train on another device: with running statistics of its own, which clones would share.
    pub fn on(&self, device: &Device) -> Self {
        let classifier = self.classifier.valid().to_device(&device.clone().inner()).train();
        let classifier = if self.saving.checkpointing { classifier.with_gradient_checkpointing() } else { classifier };
        Self { classifier, ema: None, teacher: None, spread: None, ..self.clone() }
    }

    /// Returns a copy to validate on another device.
    pub fn to_validate_on(&self, device: &Device) -> Self {
        let classifier = self.classifier.valid().to_device(device);
        let ema = self.ema.as_ref().map(|ema| ema.on(device));
        Self { classifier, ema, teacher: None, spread: None, ..self.clone() }
    }

    /// Returns the classifier for a step, which shares weights and running statistics with `self.classifier`.
    fn at_step(&self, step: usize) -> Classifier {
        let classifier = self.classifier.clone();
        if step < self.saving.frozen_steps { classifier.freeze_backbone() } else { classifier }
    }

    /// Returns a tensor with the autodiff and checkpointing of the classifier's weights.
    fn tracked<const D: usize, K: Autodiff>(&self, tensor: Tensor<D, K>) -> Tensor<D, K> {
        let tensor = tensor.autodiff();
        if self.saving.checkpointing { checkpointed(tensor) } else { tensor }
    }

    /// Returns the output for the metrics, with the mean loss.
    pub fn output(&self, logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: Option<f32>) -> ClassificationOutput {
        let loss = CrossEntropyLossConfig::new()
            .with_smoothing(smoothing)
            .init(&logits.device())
            .forward(logits.clone(), targets.clone());
        ClassificationOutput::new(loss, logits, targets)
    }
}

/// Joins the outputs of a batch's parts, each with its share of the whole batch.
fn join(mut outputs: Vec<(ClassificationOutput, f64)>) -> ClassificationOutput {
    if outputs.len() == 1 {
        return outputs.remove(0).0;
    }
    let whole: f64 = outputs.iter().map(|(_, part)| part).sum();
    let losses = outputs.iter().map(|(output, part)| output.loss.clone().inner().mul_scalar(part / whole)).collect();
    let logits = outputs.iter().map(|(output, _)| output.output.clone().inner()).collect();
    let targets = outputs.iter().map(|(output, _)| output.targets.clone().inner()).collect();
    ClassificationOutput::new(Tensor::cat(losses, 0).sum(), Tensor::cat(logits, 0), Tensor::cat(targets, 0))
}

/// The output of a step for the metrics.
pub struct StepOutput {
    pub classification: ClassificationOutput,
    pub probe: ProbeInput,
}

impl TrainStep for TrainingModel {
    type Input = Batch;
    type Output = StepOutput;

    fn step(&self, batch: Batch) -> TrainOutput<StepOutput> {
        if let Some(spread) = &self.spread {
            return spread.train(self, batch);
        }
        // Batch norm in inference mode, and no gradient for any weight.
        let current = self.classifier.valid();
        let classifier = self.at_step(batch.step);
        let smoothing = (self.label_smoothing > 0.0).then_some(self.label_smoothing as f32);
        let mut gradients = GradientsAccumulator::new();
        let mut outputs = Vec::with_capacity(self.saving.parts);
        for Batch { images, targets, portions, first_row, part, step, .. } in batch.parts(self.saving.parts) {
            let taught = self.teacher.as_ref().map(|teacher| (teacher, teacher.probabilities(&images)));
            let images = self.attacks.apply(images, &targets, &portions, first_row, step, &current);
            let logits = self.dropout.forward(&classifier, self.tracked(images), [step, first_row]);
            let mut output = self.output(logits, self.tracked(targets), smoothing);
            if let Some((teacher, probabilities)) = taught {
                output.loss = teacher.blend(output.loss, output.output.clone(), self.tracked(probabilities));
            }
            // Gradients of parts, on one device or on several, are summed: each counts with its part of the batch, and the sum
            // is that of the mean.
            let loss = if part < 1.0 { output.loss.clone().mul_scalar(part) } else { output.loss.clone() };
            gradients.accumulate(&self.classifier, GradientsParams::from_grads(loss.backward(), &self.classifier));
            outputs.push((output, part));
        }
        TrainOutput { grads: gradients.grads(), item: StepOutput { classification: join(outputs), probe: None } }
    }

    /// Takes one step, once for all devices, and updates the average by the new weights.
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
        if let Some(spread) = &self.spread {
            return spread.validate(self, batch);
        }
        let Batch { images, targets, probed, .. } = batch;
        // The current weights and not their average, which would show a collapse late.
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
