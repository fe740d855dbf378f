use burn::prelude::*;

use super::pursuit::seed_of_restart;
use super::{AttackConfig, AttackError, AttackKind, AttackRun, Goal, cross_entropy};
use crate::model::Classifier;

/// Attacks with several random starts and keeps the worst result of each image: one that fools the model if there is any,
/// and of those the one with the largest loss (to a target: the smallest).
///
/// The first start is that of `config` itself. Attacks without a random start give the same each time, so they run once.
///
/// # Errors
///
/// As [`AttackRun::new`].
pub fn worst_of(
    restarts: usize,
    config: &AttackConfig,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
    goal: Goal,
    model: &Classifier,
) -> Result<Tensor<4>, AttackError> {
    let attack =
        |config: &AttackConfig| Ok(AttackRun::new(config, images.clone(), labels.clone(), goal)?.finish(model));
    let mut worst = attack(config)?;
    if matches!(config.kind, AttackKind::Fgsm | AttackKind::Bim) || restarts < 2 {
        return Ok(worst);
    }
    let [batch, ..] = images.dims();
    let mut damage_of_worst = damage(model, worst.clone(), labels.clone(), goal);
    for restart in 1..restarts {
        let seed = seed_of_restart(config.seed, restart);
        let other = attack(&AttackConfig { seed, ..config.clone() })?;
        let damage_of_other = damage(model, other.clone(), labels.clone(), goal);
        let worse = damage_of_other.clone().greater(damage_of_worst.clone());
        damage_of_worst = damage_of_worst.mask_where(worse.clone(), damage_of_other);
        let worse: Tensor<4, Bool> = worse.reshape([batch, 1, 1, 1]).expand(worst.dims());
        worst = worst.mask_where(worse, other);
    }
    Ok(worst)
}

/// `[batch]`: how well each image serves the attacker. Any that reaches the goal is above any that does not.
fn damage(model: &Classifier, images: Tensor<4>, labels: Tensor<1, Int>, goal: Goal) -> Tensor<1> {
    // Above every loss that f32 logits give in practice, and small enough to leave their order.
    const REACHED: f32 = 1e4;
    let logits = model.forward(images);
    let [batch, _] = logits.dims();
    let named = logits.clone().argmax(1).reshape([batch]).equal(labels.clone()).float();
    let loss = cross_entropy(logits, labels);
    match goal {
        Goal::Untargeted => loss.add(named.neg().add_scalar(1.0).mul_scalar(REACHED)),
        Goal::Targeted => loss.neg().add(named.mul_scalar(REACHED)),
    }
}
