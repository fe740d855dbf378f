//! What a node gives back of its part of a batch: gradients, running statistics, loss and logits, in one tensor. One read is
//! one question and answer; a read for each tensor would wait for the line as often as a network has weights.

use std::collections::HashMap;

use burn::module::{ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::prelude::*;
use shared::model::Classifier;

/// A place in the values that a node gives back.
#[derive(Clone)]
struct Piece {
    id: ParamId,
    shape: Vec<usize>,
    is_gradient: bool,
}

/// The values of a part of a batch, on the caller's machine.
pub struct Given {
    values: Vec<f32>,
    pieces: Vec<Piece>,
    /// Times that the part has moved the running statistics.
    pub updates: usize,
}

/// The same values, still on the node.
pub struct Packed {
    /// All values, one after another.
    pub tensor: Tensor<1>,
    pieces: Vec<Piece>,
}

impl Packed {
    /// Packs `gradients`, the running statistics of `trained` (a copy on the node's device, without autodiff), and `rest`.
    pub fn new(trained: &Classifier, gradients: GradientsParams, rest: [Tensor<1>; 2]) -> Self {
        let mut packing = Packing { gradients, around: vec![], tensors: vec![], pieces: vec![] };
        trained.visit(&mut packing);
        packing.tensors.extend(rest);
        Self { tensor: Tensor::cat(packing.tensors, 0), pieces: packing.pieces }
    }

    /// Returns the values after they were read from the tensor.
    pub fn given(self, values: Vec<f32>, updates: usize) -> Given {
        Given { values, pieces: self.pieces, updates }
    }
}

struct Packing {
    gradients: GradientsParams,
    /// Names of the modules around a parameter, outermost first.
    around: Vec<String>,
    tensors: Vec<Tensor<1>>,
    pieces: Vec<Piece>,
}

impl ModuleVisitor for Packing {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.around.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.around.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.remove::<D>(param.id);
        let is_gradient = gradient.is_some();
        let is_statistic = self.around.last().is_some_and(|name| name.starts_with("running_"));
        // A weight that is frozen has no gradient.
        let Some(tensor) = gradient.or_else(|| is_statistic.then(|| param.val())) else { return };
        let tensor = tensor.without_autodiff();
        self.pieces.push(Piece { id: param.id, shape: tensor.dims().to_vec(), is_gradient });
        let count = tensor.shape().num_elements();
        self.tensors.push(tensor.reshape([count]));
    }
}

impl Given {
    /// Returns the gradients, on `device`.
    pub fn gradients(&self, model: &Classifier, device: &Device) -> GradientsParams {
        let mut filling = Filling { given: self.by_id(true), device, gradients: GradientsParams::new() };
        model.visit(&mut filling);
        filling.gradients
    }

    /// Returns the values behind gradients and statistics: the loss, and the logits.
    pub fn loss_and_logits(&self) -> (f32, &[f32]) {
        let taken: usize = self.pieces.iter().map(Piece::count).sum();
        let rest = self.values.get(taken..).unwrap_or(&[]);
        (rest.first().copied().unwrap_or(f32::NAN), rest.get(1..).unwrap_or(&[]))
    }

    fn by_id(&self, gradients: bool) -> HashMap<ParamId, &[f32]> {
        let mut start = 0;
        let mut found = HashMap::new();
        for piece in &self.pieces {
            let end = start + piece.count();
            if piece.is_gradient == gradients {
                found.insert(piece.id, self.values.get(start..end).unwrap_or(&[]));
            }
            start = end;
        }
        found
    }
}

impl Piece {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

struct Filling<'a> {
    given: HashMap<ParamId, &'a [f32]>,
    device: &'a Device,
    gradients: GradientsParams,
}

impl ModuleVisitor for Filling<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(values) = self.given.get(&param.id) else { return };
        let data = TensorData::new(values.to_vec(), param.lazy_shape());
        self.gradients.register(param.id, Tensor::<D>::from_data(data, self.device));
    }
}

/// Moves the running statistics of `model`, which its clones share, as if one device had computed the parts one after another.
/// `momentum` is the share of a batch in the new value.
pub fn move_statistics(model: &Classifier, parts: &[Given], momentum: f64) {
    let parts =
        parts.iter().map(|part| (part.by_id(false), (1.0 - momentum).powi(part.updates as i32) as f32)).collect();
    // Only the statistics are written: they lie behind a lock that the copy shares, and weights are returned as they are.
    let _ = model.clone().map(&mut Moving { parts });
}

struct Moving<'a> {
    /// Of each part its statistics, and what they keep of the value before.
    parts: Vec<(HashMap<ParamId, &'a [f32]>, f32)>,
}

impl ModuleMapper for Moving<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let found: Option<Vec<_>> =
            self.parts.iter().map(|(part, kept)| Some((*part.get(&param.id)?, *kept))).collect();
        let Some(parts) = found.filter(|parts| !parts.is_empty()) else { return param };
        let device = param.val().device();
        let shape = param.val().shape();
        // The caller's own device, which has just computed a step: reading from it is not what fails.
        let before = crate::models::read(param.val().without_autodiff()).unwrap_or_default();
        let moved = before.iter().enumerate().map(|(place, &before)| {
            // A part gives `kept * before + own`, with its own share of the new value.
            let own = |after: &[f32], kept: f32| after.get(place).copied().unwrap_or(f32::NAN) - kept * before;
            parts.iter().fold(before, |value, &(after, kept)| kept * value + own(after, kept))
        });
        let data = TensorData::new(moved.collect::<Vec<_>>(), shape);
        param.map(|_| Tensor::from_data(data, &device))
    }
}
