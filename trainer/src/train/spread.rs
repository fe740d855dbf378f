//! Steps of training and validation that several nodes share: each takes a part of the batch, all at once, and the caller sums
//! what they give.
//!
//! burn-train's own strategy for several devices would have nodes send weights and gradients to one another, at the addresses
//! that the caller knows them by; behind ssh, and after one of them was started anew, they do not reach each other so
//! (docs/remote.md). Here everything goes through the caller. The parts are those of gradient accumulation, so that the weights
//! are those of one device that takes the batch in as many parts.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use burn::nn::BatchNormConfig;
use burn::optim::GradientsAccumulator;
use burn::prelude::*;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};

use super::loader::Batch;
use super::model::{StepOutput, TrainingModel};
use super::wire::{Given, Packed, move_statistics};
use crate::models::read;
use crate::nodes::{Node, NodeError, Pool};

/// The nodes that share the steps of a run. Clones share the nodes.
#[derive(Clone)]
pub struct Spread {
    pool: Arc<Pool>,
    /// Copies of the weights on the nodes, from one validation to the next step.
    copies: Vec<Arc<Mutex<Option<TrainingModel>>>>,
}

impl fmt::Debug for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Spread({})", self.pool.nodes())
    }
}

impl Spread {
    /// Spreads steps over `nodes`.
    pub fn new(nodes: &[Node]) -> Self {
        Self { pool: Arc::new(Pool::new(nodes)), copies: nodes.iter().map(|_| Arc::default()).collect() }
    }

    /// Takes a training step of `model` on `batch`, as [`TrainStep::step`] does on one device.
    ///
    /// # Errors
    /// When a node fails.
    fn try_train(&self, model: &TrainingModel, batch: Batch) -> Result<TrainOutput<StepOutput>, NodeError> {
        self.copies.iter().for_each(|copy| *unlocked(copy) = None);
        let (device, targets) = (batch.images.device(), batch.targets.clone());
        let parts = batch.parts(self.pool.nodes());
        let rows: Vec<usize> = parts.iter().map(|part| part.targets.dims()[0]).collect();
        let jobs = parts.into_iter().map(|part| {
            let model = model.clone();
            move |node: &Device| train_part(&model, part, node)
        });
        let given = self.pool.each(jobs.collect())?;
        let mut gradients = GradientsAccumulator::new();
        for part in &given {
            gradients.accumulate(&model.classifier, part.gradients(&model.classifier, &device));
        }
        // The networks have burn's own value.
        move_statistics(&model.classifier, &given, BatchNormConfig::new(1).momentum);
        let all = rows.iter().sum::<usize>() as f32;
        let outputs: Vec<_> = given.iter().map(Given::loss_and_logits).collect();
        let loss = outputs.iter().zip(&rows).map(|((loss, _), &rows)| loss * rows as f32 / all).sum::<f32>();
        let logits = outputs.iter().flat_map(|(_, logits)| *logits).copied().collect();
        let classification = ClassificationOutput::new(
            Tensor::from_data(TensorData::new(vec![loss], [1]), &device),
            rows_of(logits, rows.iter().sum(), &device),
            targets,
        );
        Ok(TrainOutput { grads: gradients.grads(), item: StepOutput { classification, probe: None } })
    }

    /// Takes a training step.
    ///
    /// # Panics
    /// With the text of a [`NodeError`] when a node fails: burn-train's steps return no errors.
    pub fn train(&self, model: &TrainingModel, batch: Batch) -> TrainOutput<StepOutput> {
        self.try_train(model, batch).unwrap_or_else(|error| resume_unwind(Box::new(error.to_string())))
    }

    /// Takes a validation step of `model`, which is on the caller's device without autodiff.
    ///
    /// # Panics
    /// As [`Spread::train`] does.
    pub fn validate(&self, model: &TrainingModel, batch: Batch) -> StepOutput {
        let (device, targets, probed) = (batch.images.device(), batch.targets.clone(), batch.probed);
        let jobs = batch.parts(self.pool.nodes()).into_iter().zip(&self.copies).map(|(part, copy)| {
            let (model, copy) = (model.clone(), copy.clone());
            move |node: &Device| validate_part(&model, &mut unlocked(&copy), part, node)
        });
        let given = self.pool.each(jobs.collect());
        let given = given.unwrap_or_else(|error| resume_unwind(Box::new(error.to_string())));
        let count = targets.dims()[0];
        let (logits, attacked): (Vec<_>, Vec<_>) = given.into_iter().unzip();
        let probe = probed.then(|| (rows_of(attacked.concat(), count, &device), targets.clone()));
        StepOutput { classification: model.output(rows_of(logits.concat(), count, &device), targets, None), probe }
    }
}

/// Computes the gradients of a part of a batch on `node`.
fn train_part(model: &TrainingModel, part: Batch, node: &Device) -> Result<Given> {
    let updates = model.saving.parts.clamp(1, part.targets.dims()[0].max(1));
    let model = model.on(node);
    let TrainOutput { grads, item } = TrainStep::step(&model, part.on(node));
    let ClassificationOutput { loss, output, .. } = item.classification;
    let rest = [loss.inner().reshape([1]), flat(output.inner())];
    let packed = Packed::new(&model.classifier.valid(), grads, rest);
    let values = read(packed.tensor.clone())?;
    Ok(packed.given(values, updates))
}

/// Returns the logits of a part of a batch, and those of its attacked pictures if the batch is probed.
fn validate_part(
    model: &TrainingModel,
    copy: &mut Option<TrainingModel>,
    part: Batch,
    node: &Device,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let copy = copy.get_or_insert_with(|| model.to_validate_on(node));
    let output = InferenceStep::step(copy, part.on(node));
    let logits = read(output.classification.output)?;
    let attacked = output.probe.map_or(Ok(vec![]), |(logits, _)| read(logits))?;
    Ok((logits, attacked))
}

fn flat(tensor: Tensor<2>) -> Tensor<1> {
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

fn rows_of(values: Vec<f32>, rows: usize, device: &Device) -> Tensor<2> {
    let columns = values.len() / rows.max(1);
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// A lock that a panic has poisoned still holds the copy, which the run's end drops.
fn unlocked<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
