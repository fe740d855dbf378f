//! What a trial of `--batch-size auto` does: training steps as those of a run, on made pictures.

use shared::model::BuildNetwork as _;
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::data::dataloader::DataLoader;
use burn::prelude::*;
use burn::train::TrainStep;

use super::config::TrainConfig;
use super::ema::Ema;
use super::fit::least;
use super::live::LiveAttacks;
use super::loader::{Batch, TrainLoader};
use super::model::TrainingModel;
use super::optim::optimizer;
use super::pictures::Pictures;
use super::position::Position;
use crate::data::{IMAGE_BYTES, Split};
use crate::error::UsageError;

/// Takes two steps as a run with `config` does. The first is small and makes what stays until the next one (momentum,
/// averages); the second is of full size.
///
/// # Errors
/// When a setting is out of range or the device fails.
pub fn take_steps(config: &TrainConfig, classes: usize, device: &Device) -> Result<()> {
    let pictures = config.batch_size.number()?;
    let architecture = config.architecture()?;
    let classifier = architecture.init_seeded(classes, [0.5; 3], [0.25; 3], config.seed, device).map_err(UsageError)?;
    let small = least(config).min(pictures);
    let ema = (config.ema > 0.0).then(|| Ema::new(config.ema, classifier.clone()));
    // An epoch of no steps: what is frozen for some epochs takes its memory after them.
    let mut model = TrainingModel::new(config, classifier, LiveAttacks::new(config, 2, 0), ema, Arc::default(), 0);
    let mut optimizer = optimizer(config)?;
    for size in [small, pictures] {
        let output = TrainStep::step(&model, batch(config, size, classes, device)?);
        crate::models::read(output.item.classification.loss)?;
        model = model.optimize(&mut optimizer, config.learning_rate().into(), output.grads);
    }
    // A GPU has not done yet what it was told.
    Ok(device.sync()?)
}

/// A batch as a run's loader makes it, of grey pictures.
fn batch(config: &TrainConfig, size: usize, classes: usize, device: &Device) -> Result<Batch> {
    let labels = (0..size).map(|index| (index % classes) as u16).collect();
    let split = Arc::new(Split { images: vec![128; size * IMAGE_BYTES], labels });
    let crafted = config.mix.iter().filter_map(|share| share.crafted_by()).map(|kind| (kind, split.clone())).collect();
    let indices = Arc::new((0..size).collect());
    let loader = TrainLoader {
        pictures: Pictures { split: split.clone(), crafted, indices, image_size: config.image_size },
        batch_size: size,
        rows: 0..size,
        mix: config.mix.clone(),
        perturbations: config.perturbations.clone(),
        crop_padding: config.crop_padding,
        seed: config.seed,
        steps_total: 1,
        steps_per_round: 1,
        position: Arc::new(Position::at(0)),
        device: device.clone().autodiff(),
    };
    let batch = loader.iter().next().context("a loader of made pictures has none")?;
    Ok(batch?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::*;

    #[test]
    fn steps_are_those_of_the_run_whatever_its_batch_is_made_of() {
        for flags in
            [&[][..], &["--mix", "normal,augmented,crafted-bim,n-fgsm", "--ema", "0.9", "--optimizer", "adamw"]]
        {
            take_steps(&config(&[flags, &["--batch-size", "5"]].concat()), 3, &Device::flex()).unwrap();
        }
        let error = take_steps(&config(&["--depth", "12"]), 3, &Device::flex()).unwrap_err();
        assert!(error.is::<UsageError>(), "{error:#}");
    }
}
