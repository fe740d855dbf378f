//! Pretrained weights: a state dict of PyTorch, such as torchvision's, loaded into a network for fine-tuning.
//!
//! Names and shapes are read first, and a [`LoadPlan`] decides how each tensor is used; only a plan without objections is carried
//! out. Tensors are read one by one, straight into the network, so no second copy of the weights is ever in memory.

mod file;
mod formats;
mod plan;
mod root;
mod shrink;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Result, bail, ensure};
use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;
use burn::store::{FloatCastAdapter, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter};
use burn::tensor::DType;
use shared::model::{Architecture, BuildNetwork, Classifier, EfficientNetLiteConfig, HeadKind, ResNetConfig, Stem};

use crate::data::PixelStats;
use crate::error::UsageError;

pub use file::{Format, WeightsFile};
pub use formats::Stored;
pub use plan::{Head, LoadPlan, Misfit, shape_text};

/// Mean and standard deviation of ImageNet's pictures, by which torchvision normalises: its weights need the same.
pub const IMAGENET: PixelStats = PixelStats { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// Mean and standard deviation by which the published weights of an EfficientNet-Lite normalise: `(x - 127) / 128` for bytes `x`.
const LITE: PixelStats = PixelStats { mean: [127.0 / 255.0; 3], std: [128.0 / 255.0; 3] };

/// Returns the mean and standard deviation by which the published weights of a network normalise.
pub fn pixels_of(architecture: &Architecture) -> PixelStats {
    match architecture {
        Architecture::EfficientNetLite(_) => LITE,
        Architecture::WideResNet(_) | Architecture::ResNet(_) => IMAGENET,
    }
}

/// Returns a network with the weights of the file `path`, and the plan that they were loaded by. A head that the file lacks, or
/// has for other classes, is drawn from `seed` as [`BuildNetwork::init_seeded`] draws it.
///
/// # Errors
/// When the file cannot be read or has another format, or a tensor is missing, left over, misshapen or damaged. Names the file
/// and the first few tensors.
pub fn load(
    path: &Path,
    architecture: &Architecture,
    num_classes: usize,
    pixels: &PixelStats,
    seed: u64,
    device: &Device,
) -> Result<(Classifier, LoadPlan)> {
    let model = architecture.init(num_classes, pixels.mean, pixels.std, device);
    let mut model = model.map_err(UsageError)?;
    let file = WeightsFile::open(path)?;
    let plan = LoadPlan::new(&file, &model.backbone.state_shapes());
    if let Some(objection) = plan.objection() {
        bail!("{} does not fit {}: {objection}{}", path.display(), architecture.name(), advice(&file));
    }
    let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
    // The names of variants, such as that of the network's family, are not in the file.
    let result = model.backbone.apply(plan.tensors(&file), None, Some(Box::new(adapter)), true);
    if let Some(error) = result.errors.first() {
        bail!("cannot load {}: {error}; the file may be damaged: get it again", path.display());
    }
    let head_is_drawn = matches!(plan.head, Head::Drawn { .. });
    let missing = result.missing.iter().find(|(name, _)| !(head_is_drawn && name.starts_with(plan::HEAD)));
    ensure!(
        is_finite(&model.backbone),
        "{} holds weights that are not finite numbers: get it again, or train it again",
        path.display()
    );
    // The plan was made from the network's own names.
    ensure!(missing.is_none(), "{} was not loaded into {missing:?}", path.display());
    if head_is_drawn {
        model = model.init_missing(seed);
    }
    Ok((model, plan))
}

/// Returns whether all initialised weights of `module` are finite.
pub(crate) fn is_finite(module: &impl Module) -> bool {
    let mut finite = Finite(true);
    module.visit(&mut finite);
    finite.0
}

/// A visitor that finds whether all initialised weights are finite.
struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_initialized() {
            let largest = crate::models::read(param.val().abs().max()).unwrap_or_default();
            self.0 &= largest.iter().all(|value| value.is_finite());
        }
    }
}

/// Checks that the file `path` can be loaded into a network, by names and shapes alone.
///
/// # Errors
/// As for [`load`], except for damaged values.
pub fn check(path: &Path, architecture: &Architecture) -> Result<()> {
    // No weights are drawn. The number of classes does not matter: a head that does not fit is no objection.
    let blank = architecture.init(1, IMAGENET.mean, IMAGENET.std, &Device::flex()).map_err(UsageError)?;
    let file = WeightsFile::open(path)?;
    match LoadPlan::new(&file, &blank.backbone.state_shapes()).objection() {
        None => Ok(()),
        Some(objection) => {
            bail!("{} does not fit {}: {objection}{}", path.display(), architecture.name(), advice(&file))
        }
    }
}

/// Returns the networks for ImageNet that the file fits, each as the flags of `bastion train`.
pub fn fitting(file: &WeightsFile) -> Vec<String> {
    let mut networks = vec![];
    for (name, network) in ResNetConfig::TORCHVISION {
        for (stem, flag) in [(Stem::Conv7, ""), (Stem::Conv3, " --stem conv3")] {
            let config = ResNetConfig { stem, head: HeadKind::Plain, ..network.clone() };
            networks.push((Architecture::ResNet(config), format!("{name}{flag}")));
        }
    }
    networks.extend((0..3).map(EfficientNetLiteConfig::lite).map(|config| {
        let name = config.name();
        (Architecture::EfficientNetLite(config), name)
    }));
    let fits = |(architecture, _): &(Architecture, String)| {
        // No weights are drawn: only names and shapes are read.
        let Ok(blank) = architecture.init(1, IMAGENET.mean, IMAGENET.std, &Device::flex()) else { return false };
        let plan = LoadPlan::new(file, &blank.backbone.state_shapes());
        // With a smaller stem, a 7x7 kernel fits as well.
        plan.objection().is_none() && plan.shrunk.is_empty()
    };
    networks.into_iter().filter(fits).map(|(_, flags)| flags).collect()
}

/// Returns advice for a file that does not fit: the networks that do, if any.
pub fn hint(file: &WeightsFile) -> String {
    let fitting = fitting(file);
    if !fitting.is_empty() {
        format!("It fits --arch {}", fitting.join(", or --arch "))
    } else {
        "No network that is known here takes it".into()
    }
}

/// Returns [`hint`] as the end of an error.
fn advice(file: &WeightsFile) -> String {
    format!(". {}; bastion weights inspect {} shows what is in it", hint(file), file.path.display())
}
