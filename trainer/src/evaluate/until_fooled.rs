//! Attacks that follow each image until it is fooled, in a batch that stays full: new images take the places of done ones.

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::attack::{Goal, Loss, NewImage, UntilFooled};
use shared::bundle::Bundle;
use shared::metrics::top_k;
use shared::seed::{Purpose, derive};

use super::batch::Originals;
use super::image_result::{Change, ImageResult};
use super::{Attack, Evaluation, EvaluationBatch, GRADIENT, Trial, logits};
use crate::progress::Task;

/// The classes that an image is judged by.
struct Classes {
    label: usize,
    target: usize,
}

impl Classes {
    fn result(&self, logits: &[f32], change: Option<Change>) -> ImageResult {
        ImageResult::new(logits, self.label, self.target, change)
    }
}

/// Images that wait for a place in the batch.
struct Queue {
    entries: Vec<NewImage>,
    /// The images of the entries, `[N, 3, height, width]`; `None` while there are no entries.
    images: Option<Tensor<4>>,
}

impl Queue {
    /// Takes the first `count` images, or all.
    fn take(&mut self, count: usize) -> Option<(Vec<NewImage>, Tensor<4>)> {
        let images = self.images.take()?;
        let (all, count) = (self.entries.len(), count.min(self.entries.len()));
        let rest = self.entries.split_off(count);
        if count < all {
            self.images = Some(images.clone().narrow(0, count, all - count));
        }
        Some((std::mem::replace(&mut self.entries, rest), images.narrow(0, 0, count)))
    }
}

/// A trial of one network whose images are attacked until they are fooled.
pub(super) struct UntilFooledTrial<'a> {
    pub evaluation: &'a Evaluation<'a>,
    pub trial: &'a Trial,
    pub attack: &'a Attack,
    pub bundle: &'a Bundle,
    pub batch_size: usize,
    /// Number of the first batch: above 0 where other devices have those before.
    pub first_batch: usize,
}

impl UntilFooledTrial<'_> {
    /// Attacks all images. Returns their results, in the order of the evaluation's. `task` advances by [`Trial::work`] for each
    /// image.
    ///
    /// # Errors
    /// When the device fails, or computes something that is not a number; [`crate::error::Stopped`] after a request to stop.
    pub fn run(&self, device: &Device, task: &Task) -> Result<Vec<ImageResult>> {
        let indices = self.evaluation.indices;
        let mut run = UntilFooled::new(&self.attack.stages(), self.attack.goal)?;
        let most_passes = run.most_passes();
        let mut classes: Vec<Classes> = Vec::with_capacity(indices.len());
        let mut results: Vec<Option<ImageResult>> = vec![None; indices.len()];
        let mut queue = Queue { entries: Vec::new(), images: None };
        loop {
            self.evaluation.check_stop()?;
            while run.len() < self.batch_size {
                if let Some((entries, images)) = queue.take(self.batch_size - run.len()) {
                    run.add(&entries, images)?;
                } else if classes.len() < indices.len() {
                    let classified = self.classify_next(&mut classes, &mut queue, &mut results, device)?;
                    task.advance(classified.total + classified.done * most_passes as u64 * GRADIENT);
                } else {
                    break;
                }
            }
            if run.is_empty() {
                break;
            }
            task.advance(run.len() as u64 * GRADIENT);
            for outcome in pollster::block_on(run.step(&self.bundle.model))? {
                let finite = outcome.logits.iter().all(|logit| logit.is_finite());
                ensure!(finite, "{} computed something that is not a number", self.bundle.card.name);
                task.advance((most_passes - outcome.passes) as u64 * GRADIENT);
                let change = Change::new(outcome.linf, outcome.l2, &outcome.image);
                let fooled_by = outcome.reached.then_some(outcome.stage);
                let result = classes[outcome.id].result(&outcome.logits, Some(change));
                results[outcome.id] = Some(ImageResult { fooled_by, ..result });
            }
        }
        results.into_iter().collect::<Option<_>>().context("an image was lost on its way through the attack")
    }

    /// Classifies the next batch of images. Puts the images that are not at the goal of the attack into the empty `queue`.
    fn classify_next(
        &self,
        classes: &mut Vec<Classes>,
        queue: &mut Queue,
        results: &mut [Option<ImageResult>],
        device: &Device,
    ) -> Result<Classified> {
        let first = classes.len();
        let indices = &self.evaluation.indices[first..];
        let indices = &indices[..indices.len().min(self.batch_size)];
        let number = self.first_batch + first / self.batch_size;
        let batch =
            EvaluationBatch::new(self.evaluation.clean, indices, number, self.bundle.card.classes.len(), device)?;
        let images = Originals::new(&batch, self.trial.set).images;
        let rows = logits(self.bundle, images.clone())?;
        let leads_to_others = self.attack.stages().iter().any(|(config, _)| config.loss.is_targeted());
        let mut rest = Vec::new();
        for (row, logits) in rows.iter().enumerate() {
            let (id, image) = (first + row, Classes { label: batch.labels[row], target: batch.targets[row] });
            let label = match self.attack.goal {
                Goal::Untargeted => image.label,
                Goal::Targeted => image.target,
            };
            if self.attack.goal.is_reached(logits, label) {
                results[id] = Some(image.result(logits, None));
            } else {
                let seed = derive(self.attack.config.seed, indices[row] as u64, Purpose::ImageStart);
                let targets = if leads_to_others { likeliest_others(logits, label) } else { vec![] };
                queue.entries.push(NewImage { id, label, seed, targets });
                rest.push(row as i64);
            }
            classes.push(image);
        }
        let count = rest.len();
        if count > 0 {
            let rest = Tensor::<1, Int>::from_data(TensorData::new(rest, [count]), device);
            queue.images = Some(images.select(0, rest));
        }
        Ok(Classified { total: indices.len() as u64, done: (indices.len() - count) as u64 })
    }
}

/// Returns the likeliest classes but one, best first, as many as an attack with a targeted loss leads to.
fn likeliest_others(logits: &[f32], label: usize) -> Vec<usize> {
    let others = top_k(logits, Loss::TARGETS + 1).into_iter().filter(|class| *class != label);
    others.take(Loss::TARGETS).collect()
}

/// Counts of images that were classified before their attack.
struct Classified {
    total: u64,
    /// Images that need no attack.
    done: u64,
}
