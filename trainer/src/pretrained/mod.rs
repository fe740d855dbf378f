//! Weights of others: a state dict of PyTorch, as torchvision's are, loaded into a network that is then trained further.
//!
//! Names and shapes are read first, and a [`Plan`] says what becomes of each tensor; only a plan without objections is carried
//! out. Tensors are read one by one, straight into the network, so no second copy of the weights is ever in memory.

mod file;
mod formats;
mod plan;
mod shrink;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Result, bail, ensure};
use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use burn::store::{FloatCastAdapter, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter};
use burn::tensor::DType;
use shared::model::{Architecture, BuildNetwork, Classifier, HeadKind, ResNet, ResNetConfig, Stem};

use crate::data::PixelStats;
use crate::error::UsageError;

pub use file::{Format, WeightsFile};
pub use formats::Stored;
pub use plan::{Head, Misfit, Plan, shape_text};

/// Mean and standard deviation of ImageNet's pictures, as torchvision normalises by: the weights know such pictures.
pub const IMAGENET: PixelStats = PixelStats { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// A network with the weights of the file `path`, and what was done with each of them. What the file has none of, a head for
/// other classes, is drawn from `seed` as [`BuildNetwork::init_seeded`] draws it.
///
/// # Errors
/// When the file cannot be read or is of another kind, or a tensor is missing, left over, misshapen or damaged; the file is then
/// named, and the first few tensors are.
pub fn load(
    path: &Path,
    architecture: &Architecture,
    num_classes: usize,
    pixels: &PixelStats,
    seed: u64,
    device: &Device,
) -> Result<(Classifier, Plan)> {
    let model = architecture.init(num_classes, pixels.mean, pixels.std, device);
    let mut model = model.map_err(UsageError)?;
    let file = WeightsFile::open(path)?;
    let plan = Plan::new(&file, &model.backbone.state_shapes());
    if let Some(objection) = plan.objection() {
        bail!("{} does not fit {}: {objection}{}", path.display(), architecture.name(), advice(&file));
    }
    let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
    // The names of variants, such as that of the network's family, are not in the file.
    let result = model.backbone.apply(plan.tensors(file), None, Some(Box::new(adapter)), true);
    if let Some(error) = result.errors.first() {
        bail!("cannot load {}: {error}; the file may be damaged: get it again", path.display());
    }
    let head_is_drawn = matches!(plan.head, Head::Drawn { .. });
    let missing = result.missing.iter().find(|(name, _)| !(head_is_drawn && name.starts_with(plan::HEAD)));
    let mut finite = Finite(true);
    model.backbone.visit(&mut finite);
    ensure!(finite.0, "{} holds weights that are not finite numbers: get it again, or train it again", path.display());
    // The plan was made from the network's own names.
    ensure!(missing.is_none(), "{} was not loaded into {missing:?}", path.display());
    if head_is_drawn {
        model = model.draw_rest(seed);
    }
    Ok((model, plan))
}

/// Whether all weights that have values are numbers.
struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_initialized() {
            let largest = crate::models::read(param.val().abs().max()).unwrap_or_default();
            self.0 &= largest.iter().all(|value| value.is_finite());
        }
    }
}

/// Finds out whether the file `path` can be loaded into a network, by names and shapes alone.
///
/// # Errors
/// As [`load`], but for damaged values.
pub fn check(path: &Path, architecture: &Architecture) -> Result<()> {
    // Nothing is drawn for it. However many classes there are, a head that does not fit is no objection.
    let blank = architecture.init(1, IMAGENET.mean, IMAGENET.std, &Device::flex()).map_err(UsageError)?;
    let file = WeightsFile::open(path)?;
    match Plan::new(&file, &blank.backbone.state_shapes()).objection() {
        None => Ok(()),
        Some(objection) => {
            bail!("{} does not fit {}: {objection}{}", path.display(), architecture.name(), advice(&file))
        }
    }
}

/// Torchvision's networks that the file fits, each as flags of `bastion train` name it.
pub fn fitting(file: &WeightsFile) -> Vec<String> {
    let mut found = vec![];
    for (name, network) in ResNetConfig::TORCHVISION {
        for (stem, flag) in [(Stem::Conv7, ""), (Stem::Conv3, " --stem conv3")] {
            let config = ResNetConfig { stem, head: HeadKind::Plain, ..network.clone() };
            // Nothing is drawn for it: only names and shapes are asked for.
            let Ok(blank) = ResNet::new(&config, 1, &Device::flex()) else { continue };
            let plan = Plan::new(file, &shared::model::Backbone::ResNet(blank).state_shapes());
            // With a smaller stem, a 7x7 kernel fits as well.
            if plan.objection().is_none() && plan.shrunk.is_empty() {
                found.push(format!("{name}{flag}"));
            }
        }
    }
    found
}

/// What could be done about a file that does not fit, once it was said what is in it.
pub fn hint(file: &WeightsFile) -> String {
    let fitting = fitting(file);
    if !fitting.is_empty() {
        format!("It fits --arch {}", fitting.join(", or --arch "))
    } else if file.network().all(|(name, _)| name.starts_with("backbone.")) {
        "These are the weights of a model of Bastion, which --init takes, by its folder".into()
    } else {
        "No network of torchvision that is known here takes it".into()
    }
}

/// The same behind an error.
fn advice(file: &WeightsFile) -> String {
    format!(". {}; bastion weights inspect {} shows what is in it", hint(file), file.path.display())
}
