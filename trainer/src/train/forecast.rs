//! What nodes are worth, measured before a run: the bytes of a step, its time on the nodes, and its time without them.

use std::time::{Duration, Instant};

use anyhow::Result;
use burn::module::Module as _;
use burn::prelude::*;
use burn::train::TrainStep;
use indicatif::DecimalBytes;

use super::loader::Batch;
use super::model::TrainingModel;
use crate::models::read;
use crate::nodes::Node;
use crate::progress::Progress;

/// Pictures that this machine's own device is timed by.
const ROWS: usize = 8;

/// Bytes that a step moves.
#[derive(Debug, PartialEq, Eq)]
pub struct Traffic {
    /// To all nodes together.
    pub up: u64,
    /// From all nodes together.
    pub down: u64,
}

impl Traffic {
    /// Returns the traffic of a step with `values` weights and running statistics on `nodes` nodes; `images` are the batch's.
    ///
    /// One node keeps the weights. Several get them for each step, and give as many gradients. Operations come besides.
    pub fn of(values: usize, nodes: usize, images: &[usize], classes: usize) -> Self {
        let four = |count: usize| 4 * count as u64;
        let rows = images.first().copied().unwrap_or(0);
        let weights = if nodes > 1 { four(values * nodes) } else { 0 };
        let labels = 8 * rows as u64;
        Self { up: weights + four(images.iter().product()) + labels, down: weights + four(rows * classes + nodes) }
    }
}

/// Measures a step of `model` on `batch`, and notes what `nodes` are worth beside the device `own`. Leaves the model as it is.
///
/// # Errors
/// When a node, or the device, fails.
pub fn announce(
    model: &TrainingModel,
    batch: &Batch,
    classes: usize,
    nodes: &[Node],
    own: &Device,
    progress: &Progress,
) -> Result<()> {
    let Traffic { up, down } = Traffic::of(model.classifier.num_params(), nodes.len(), &batch.images.dims(), classes);
    progress.note(format!(
        "A step moves {} to the nodes and {} back, and its operations besides",
        DecimalBytes(up),
        DecimalBytes(down)
    ));
    let rows = batch.targets.dims()[0];
    let few = batch.clone().parts(rows.div_ceil(ROWS)).swap_remove(0);
    let share = rows as f64 / few.targets.dims()[0] as f64;
    let alone = timed(&model.on(own), &few, own)?.mul_f64(share);
    let together = match nodes {
        [node] => timed(&model.on(&node.device), batch, &node.device)?,
        // The copy's statistics are its own.
        _ => timed(&TrainingModel { spread: model.spread.clone(), ..model.on(own) }, batch, own)?,
    };
    let times = alone.as_secs_f64() / together.as_secs_f64().max(1e-9);
    let verdict = if times < 1.0 { ": this machine alone is faster, without --nodes" } else { "" };
    progress.note(format!(
        "A step takes {:.2} s there and would take {:.2} s here, so expect {times:.1} times the speed{verdict}",
        together.as_secs_f64(),
        alone.as_secs_f64()
    ));
    Ok(())
}

/// Returns the time of a step, after another that compiles and warms up.
fn timed(model: &TrainingModel, batch: &Batch, device: &Device) -> Result<Duration> {
    let step = || -> Result<Duration> {
        let start = Instant::now();
        let output = TrainStep::step(model, batch.clone().on(device));
        read(output.item.classification.loss.inner())?;
        Ok(start.elapsed())
    };
    step()?;
    step()
}
