use anyhow::Result;
use burn::prelude::*;
use shared::attack::{AttackRun, Goal, smallest_in_8_bits};
use shared::bundle::Bundle;
use shared::image::{Picture, ToTensor as _};

use crate::commands::attack_flags::ChosenAttack;
use crate::models;
use crate::progress::{Progress, Unit};

/// A picture that an attack has made.
pub(in crate::commands) struct Attacked {
    /// The picture, rounded to 8 bits within epsilon.
    pub picture: Picture,
    /// Whether any input gradient was other than zero, or the attack follows none.
    pub had_gradient: bool,
}

/// Attacks a picture with the network's own gradients, away from the class `label` or towards it.
///
/// # Errors
/// When a setting is out of range, or the device fails.
pub(in crate::commands) fn attacked(
    ChosenAttack { config, restarts, .. }: &ChosenAttack,
    picture: &Picture,
    bundle: &Bundle,
    label: usize,
    goal: Goal,
    device: &Device,
    progress: &Progress,
) -> Result<Attacked> {
    let labels = Tensor::from_data([label as i64], device);
    let mut run = AttackRun::new(config, picture.to_tensor(device), labels, goal)?.with_restarts(*restarts);
    let task = progress.start("Attacking", Some(run.steps_total() as u64), Unit::Steps);
    while !run.is_done() {
        run.step(&bundle.model);
        task.advance(1);
    }
    let values = models::read(run.adversarial())?;
    let had_gradient = config.kind.is_control() || models::read(run.slope())?.iter().any(|&slope| slope != 0.0);
    drop(task);
    let picture = match config.kind.ends_at_the_boundary() {
        true => pollster::block_on(smallest_in_8_bits(&bundle.model, picture, &values, config, label, goal, device))?,
        false => Picture::from_attacked(&values, picture, &config.threat())?,
    };
    Ok(Attacked { picture, had_gradient })
}
