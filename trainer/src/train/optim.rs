//! Optimizer and learning rate schedule of a run.

use anyhow::{Result, anyhow, bail};
use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::optim::lr_scheduler::sequential::SequentialLrSchedulerConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, ModuleOptimizer, SgdConfig};

use super::config::{OptimizerName, TrainConfig};

/// Pattern of the parameters without weight decay: batch norm and biases.
const WITHOUT_DECAY: &str = r"\.(gamma|beta|bias)$";

/// Returns the optimizer of `config`.
///
/// # Errors
/// When burn rejects the groups, which a test rules out.
pub fn optimizer(config: &TrainConfig) -> Result<ModuleOptimizer> {
    let without_decay = ParamGroup::from_regex(WITHOUT_DECAY).map_err(|error| anyhow!("{error:?}"))?;
    Ok(match config.optimizer {
        OptimizerName::Sgd => {
            let sgd = || {
                // burn's default dampening of 0.1 is not PyTorch's, nor any paper's.
                let momentum = MomentumConfig::new().with_momentum(config.momentum).with_dampening(0.0);
                SgdConfig::new().with_momentum(Some(momentum.with_nesterov(true)))
            };
            let decay = WeightDecayConfig::new(config.weight_decay() as f32);
            sgd().with_weight_decay(Some(decay)).init().with_group(without_decay, sgd().build(), None)
        }
        OptimizerName::Adamw => {
            let adamw = |decay: f64| AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay as f32);
            adamw(config.weight_decay()).init().with_group(without_decay, adamw(0.0).build(), None)
        }
    })
}

/// Pattern of all parameters but the head's.
const BACKBONE: &str = r"\.(conv\w*|bn\d|layer\d|blocks)\b";

/// Returns the schedule of the learning rate: a linear warm-up, then a cosine to zero, also for the backbone's own rate.
///
/// # Errors
/// When a rate is out of range.
pub fn scheduler(config: &TrainConfig, steps_total: usize) -> Result<ModuleLrScheduler> {
    let warm_up = (config.warm_up * steps_total as f64).round() as usize;
    let mut scheduler = ModuleLrSchedulerConfig::new(way(config.learning_rate(), warm_up, steps_total));
    if let Some(rate) = config.backbone_learning_rate {
        let backbone = ParamGroup::from_regex(BACKBONE).map_err(|error| anyhow!("{error:?}"))?;
        scheduler = scheduler.with_group(backbone, way(rate, warm_up, steps_total));
    }
    match scheduler.init() {
        Ok(scheduler) => Ok(scheduler),
        Err(error) => bail!("no learning rate schedule can be made of these settings: {error}"),
    }
}

fn way(peak: f64, warm_up: usize, steps_total: usize) -> LrSchedulerConfig {
    let cosine = CosineAnnealingLrSchedulerConfig::new(peak, (steps_total - warm_up).max(1));
    if warm_up == 0 {
        return LrSchedulerConfig::Cosine(cosine);
    }
    let linear = LinearLrSchedulerConfig::new(peak / warm_up as f64, peak, warm_up);
    let both = vec![LrSchedulerConfig::Linear(linear), LrSchedulerConfig::Cosine(cosine)];
    LrSchedulerConfig::Sequential(SequentialLrSchedulerConfig::new(both, vec![warm_up]))
}

#[cfg(test)]
mod tests {
    use burn::module::ParamId;
    use burn::prelude::*;
    use shared::model::{Architecture, BuildNetwork as _, EfficientNetLiteConfig, ResNetConfig, WideResNetConfig};

    use super::*;

    #[test]
    fn the_backbone_is_all_but_the_head_in_every_family() {
        let group = ParamGroup::from_regex(BACKBONE).unwrap();
        for architecture in [
            Architecture::WideResNet(WideResNetConfig::new(10, 1)),
            Architecture::ResNet(ResNetConfig { layers: [1; 4], ..ResNetConfig::resnet50() }),
            Architecture::EfficientNetLite(EfficientNetLiteConfig::lite(0)),
        ] {
            let model = architecture.init(5, [0.5; 3], [0.25; 3], &Device::flex()).unwrap();
            for (name, _) in model.backbone.state_shapes() {
                let path = format!("classifier.backbone.{name}");
                assert_eq!(group.matches(&ParamId::from(0), Some(&path)), !name.starts_with("fc."), "{path}");
            }
        }
    }
}
