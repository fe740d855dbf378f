//! The classifier as burn-train sees it: a training step and a validation step.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::prelude::*;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use shared::attack::{AttackConfig, AttackRun, Goal};
use shared::model::Classifier;

use super::loader::Batch;

/// A classifier with what its recipe does to a batch.
#[derive(Module, Debug)]
pub struct TrainingModel {
    pub classifier: Classifier,
    /// The attacks of a hardened batch, each on a quarter of it.
    #[module(skip)]
    pub attacks: Vec<AttackConfig>,
    #[module(skip)]
    pub label_smoothing: f64,
}

impl TrainingModel {
    /// The batch with a quarter of it replaced for each attack, by images crafted against the network as it is now.
    ///
    /// They lead away from what the network sees in the clean images, not from the true class (eq. 3 of the paper): a
    /// single step away from the true class leaks it, and the network learns to read the attack (Kurakin et al., 2016,
    /// arXiv 1611.01236).
    fn harden(&self, images: Tensor<4>) -> Tensor<4> {
        let [batch, ..] = images.dims();
        let quarter = batch / 4;
        if self.attacks.is_empty() || quarter == 0 {
            return images;
        }
        // Batch norm in inference mode, and no gradient for any weight.
        let target_model = self.classifier.valid();
        let clean = batch - quarter * self.attacks.len();
        let mut parts = vec![images.clone().narrow(0, 0, clean)];
        for (index, attack) in self.attacks.iter().enumerate() {
            let start = clean + index * quarter;
            let part = images.clone().narrow(0, start, quarter);
            let labels = target_model.forward(part.clone()).argmax(1).reshape([quarter]);
            let run = AttackRun::new(attack, part, labels, Goal::Untargeted)
                // The configuration was validated before the run, and the parts have equal lengths.
                .expect("a validated attack on as many labels as images");
            parts.push(run.finish(&target_model));
        }
        Tensor::cat(parts, 0)
    }

    fn output(&self, logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: Option<f32>) -> ClassificationOutput {
        let loss = CrossEntropyLossConfig::new()
            .with_smoothing(smoothing)
            .init(&logits.device())
            .forward(logits.clone(), targets.clone());
        ClassificationOutput::new(loss, logits, targets)
    }
}

impl TrainStep for TrainingModel {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let images = self.harden(batch.images);
        let logits = self.classifier.forward(images.autodiff());
        let smoothing = (self.label_smoothing > 0.0).then_some(self.label_smoothing as f32);
        let output = self.output(logits, batch.targets.autodiff(), smoothing);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for TrainingModel {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        let logits = self.classifier.forward(batch.images);
        self.output(logits, batch.targets, None)
    }
}
