//! Attacks that follow each image until it is fooled: a batch that stays full while images come and go.

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::attack::{Goal, NewImage, UntilFooled};
use shared::bundle::Bundle;
use shared::metrics::rank;
use shared::seed::{Purpose, derive};

use super::batch::Originals;
use super::{Attack, Batch, Evaluation, GRADIENT, Trial, logits};
use crate::progress::Task;

/// What became of one image.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    /// Of the true class.
    pub rank: usize,
    /// Whether the target of a targeted attack came first.
    pub on_target: bool,
    /// How far it was moved in pixel units, L-infinity and L2; none if it was where the attack wanted it before.
    pub distance: Option<(f32, f32)>,
}

/// Where an image is led from or to, and what its true class is.
struct Known {
    label: usize,
    target: usize,
}

impl Known {
    fn fate(&self, logits: &[f32], distance: Option<(f32, f32)>) -> Fate {
        Fate { rank: rank(logits, self.label), on_target: rank(logits, self.target) == 0, distance }
    }
}

/// Images that wait for room.
struct Queue {
    entries: Vec<NewImage>,
    /// As many; none while there are no entries.
    images: Option<Tensor<4>>,
}

impl Queue {
    /// The first `count`, or all.
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
pub(super) struct Chase<'a> {
    pub evaluation: &'a Evaluation<'a>,
    pub trial: &'a Trial,
    pub attack: &'a Attack,
    pub bundle: &'a Bundle,
    pub batch_size: usize,
}

impl Chase<'_> {
    /// What became of each image, in the order of the evaluation's. `task` advances as [`Trial::work`] says.
    ///
    /// # Errors
    /// When the device fails, or computes something that is not a number; [`crate::error::Stopped`] when it was to end.
    pub fn run(&self, device: &Device, task: &Task) -> Result<Vec<Fate>> {
        let indices = self.evaluation.indices;
        let mut pursuit = UntilFooled::new(&self.attack.config, self.attack.goal, self.attack.restarts)?;
        let most_passes = pursuit.most_passes();
        let mut known: Vec<Known> = Vec::with_capacity(indices.len());
        let mut fates: Vec<Option<Fate>> = vec![None; indices.len()];
        let mut queue = Queue { entries: Vec::new(), images: None };
        loop {
            self.evaluation.check_stop()?;
            while pursuit.len() < self.batch_size {
                if let Some((entries, images)) = queue.take(self.batch_size - pursuit.len()) {
                    pursuit.add(&entries, images)?;
                } else if known.len() < indices.len() {
                    let decided = self.arrive(&mut known, &mut queue, &mut fates, device)?;
                    task.advance(decided.arrived + decided.done * most_passes as u64 * GRADIENT);
                } else {
                    break;
                }
            }
            if pursuit.is_empty() {
                break;
            }
            task.advance(pursuit.len() as u64 * GRADIENT);
            for outcome in pollster::block_on(pursuit.step(&self.bundle.model))? {
                let finite = outcome.logits.iter().all(|logit| logit.is_finite());
                ensure!(finite, "{} computed something that is not a number", self.bundle.card.name);
                task.advance((most_passes - outcome.passes) as u64 * GRADIENT);
                let distance = Some((outcome.linf, outcome.l2));
                fates[outcome.id] = Some(known[outcome.id].fate(&outcome.logits, distance));
            }
        }
        fates.into_iter().collect::<Option<_>>().context("an image was lost on its way through the attack")
    }

    /// Looks at the next batch of images: those that are not where the attack wants them wait in the empty `queue`.
    fn arrive(
        &self,
        known: &mut Vec<Known>,
        queue: &mut Queue,
        fates: &mut [Option<Fate>],
        device: &Device,
    ) -> Result<Arrived> {
        let first = known.len();
        let indices = &self.evaluation.indices[first..];
        let indices = &indices[..indices.len().min(self.batch_size)];
        let classes = self.bundle.card.classes.len();
        let batch = Batch::new(self.evaluation.clean, indices, first / self.batch_size, classes, device)?;
        let images = Originals::new(&batch, self.trial.set).images;
        let rows = logits(self.bundle, images.clone())?;
        let mut rest = Vec::new();
        for (row, logits) in rows.iter().enumerate() {
            let (id, image) = (first + row, Known { label: batch.labels[row], target: batch.targets[row] });
            let label = match self.attack.goal {
                Goal::Untargeted => image.label,
                Goal::Targeted => image.target,
            };
            if self.attack.goal.is_reached(logits, label) {
                fates[id] = Some(image.fate(logits, None));
            } else {
                let seed = derive(self.attack.config.seed, indices[row] as u64, Purpose::ImageStart);
                queue.entries.push(NewImage { id, label, seed });
                rest.push(row as i64);
            }
            known.push(image);
        }
        let count = rest.len();
        if count > 0 {
            let rest = Tensor::<1, Int>::from_data(TensorData::new(rest, [count]), device);
            queue.images = Some(images.select(0, rest));
        }
        Ok(Arrived { arrived: indices.len() as u64, done: (indices.len() - count) as u64 })
    }
}

/// Images that were looked at, and those of them that need no attack.
struct Arrived {
    arrived: u64,
    done: u64,
}
