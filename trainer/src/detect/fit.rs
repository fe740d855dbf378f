//! Fits detectors on the maps of a network.

use anyhow::{Result, anyhow, ensure};
use burn::module::Param;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::log_sigmoid;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use shared::detect::{Detector, DetectorKind, DetectorOf, Mahalanobis, MapHead, Statistics, middle, pooled};
use shared::model::Classifier;

use super::pictures::{Variety, in_8_bits, load, varieties};
use super::recipe::DetectorRecipe;
use crate::data::Split;
use crate::error::Stopped;
use crate::evaluate::BATCH;
use crate::models::read;
use crate::progress::{Progress, Stop, Unit};

/// Steps of a logistic regression.
const REGRESSION_STEPS: usize = 400;
/// Weight decay of a logistic regression on standardised features.
const DECAY: f32 = 1e-2;
/// Share of the pictures kept for the regression on the distances: one in so many. Means and covariance are fitted to the others, whose
/// own distances would be too small.
const APART: u32 = 4;

/// What a network computed of the training pictures, a row for each picture.
pub struct Features {
    varieties: Vec<Variety>,
    /// True classes.
    labels: Vec<usize>,
    /// Whether the picture fits the regression on the distances.
    apart: Vec<bool>,
    /// Maps of the middle stage, row by row, and their shape.
    middle: Vec<f32>,
    middle_shape: [usize; 3],
    /// Channel statistics, row by row.
    statistics: Vec<f32>,
    /// Pooled maps of each stage, row by row.
    pooled: Vec<Vec<f32>>,
}

impl Features {
    /// Computes the features of the pictures `indices` of `split` in all varieties.
    ///
    /// # Errors
    /// When the device fails, an attack cannot be run, or a stop was requested.
    pub fn collect(
        recipe: &DetectorRecipe,
        model: &Classifier,
        (split, indices): (&Split, &[usize]),
        device: &Device,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Self> {
        let task = progress.start("Attacking training pictures", Some(indices.len() as u64), Unit::Pictures);
        let mut features = Self {
            varieties: vec![],
            labels: vec![],
            apart: vec![],
            middle: vec![],
            middle_shape: [0; 3],
            statistics: vec![],
            pooled: vec![],
        };
        let mut rng = StdRng::seed_from_u64(recipe.seed);
        for (number, batch) in indices.chunks(BATCH).enumerate() {
            ensure!(!stop.requested(), Stopped("Stopped; nothing was changed".into()));
            let apart: Vec<bool> = batch.iter().map(|_| rng.random_ratio(1, APART)).collect();
            let images = load(split, batch, device)?;
            for (variety, images) in varieties(recipe, model, &images, number * BATCH)? {
                let maps = model.stages(images).maps;
                let inner = maps[middle(maps.len())].clone();
                let [_, channels, height, width] = inner.dims();
                features.middle_shape = [channels, height, width];
                features.middle.extend(read(inner)?);
                features.statistics.extend(read(Statistics::features(&maps))?);
                features.pooled.resize(maps.len(), vec![]);
                for (stage, maps) in features.pooled.iter_mut().zip(maps) {
                    stage.extend(read(pooled(maps))?);
                }
                features.varieties.extend(batch.iter().map(|_| variety));
                features.labels.extend(batch.iter().map(|&index| split.label(index)));
                features.apart.extend(&apart);
            }
            task.advance(batch.len() as u64);
        }
        Ok(features)
    }

    fn len(&self) -> usize {
        self.varieties.len()
    }

    /// Returns the numbers of the rows that `keep` picks by their variety and by whether they fit the regression.
    fn rows(&self, keep: impl Fn(Variety, bool) -> bool) -> Vec<usize> {
        (0..self.len()).filter(|&row| keep(self.varieties[row], self.apart[row])).collect()
    }
}

/// Fits a detector of a kind with weights.
///
/// # Errors
/// When the device fails, or the features are no numbers.
pub fn fit(
    kind: DetectorKind,
    recipe: &DetectorRecipe,
    features: &Features,
    of: &DetectorOf<'_>,
    progress: &Progress,
) -> Result<Detector> {
    Ok(match kind {
        DetectorKind::Maps => Detector::Maps(Box::new(head(recipe, features, of.device, progress)?)),
        DetectorKind::Mahalanobis => Detector::Mahalanobis(mahalanobis(features, of)?),
        DetectorKind::Statistics => {
            let channels: Vec<usize> = of.architecture.stages().into_iter().map(|stage| stage.channels).collect();
            let columns = features.statistics.len() / features.len().max(1);
            let attacked: Vec<bool> = features.varieties.iter().map(|variety| variety.is_attack()).collect();
            let fc = regression(&features.statistics, columns, &attacked, of.device)?;
            Detector::Statistics(Statistics::new(&channels, of.device).with_regression(fc))
        }
        other => Detector::new(other, of, recipe.dropout, recipe.passes).map_err(|text| anyhow!(text))?,
    })
}

fn head(recipe: &DetectorRecipe, features: &Features, device: &Device, progress: &Progress) -> Result<MapHead> {
    let [channels, height, width] = features.middle_shape;
    let size = channels * height * width;
    let autodiff = device.clone().autodiff();
    autodiff.seed(recipe.seed);
    let mut head = MapHead::new(channels, &autodiff);
    let mut optimizer = AdamWConfig::new().with_weight_decay(1e-3).init();
    // Untouched pictures twice: they are fewer than the changed ones.
    let twice = (0..features.len()).filter(|&row| features.varieties[row] == Variety::Untouched);
    let mut order: Vec<usize> = (0..features.len()).chain(twice).collect();
    let mut rng = StdRng::seed_from_u64(recipe.seed);
    let steps = recipe.epochs * order.len().div_ceil(recipe.batch_size);
    let task = progress.start("Training the head", Some(steps as u64), Unit::Steps);
    for _ in 0..recipe.epochs {
        order.shuffle(&mut rng);
        for batch in order.chunks(recipe.batch_size) {
            let maps: Vec<f32> =
                batch.iter().flat_map(|&row| &features.middle[row * size..(row + 1) * size]).copied().collect();
            let maps = Tensor::from_data(TensorData::new(maps, [batch.len(), channels, height, width]), &autodiff);
            let classes: Vec<i64> = batch.iter().map(|&row| features.varieties[row] as i64).collect();
            let classes = Tensor::from_data(TensorData::new(classes, [batch.len()]), &autodiff);
            let loss = CrossEntropyLossConfig::new().init(&autodiff).forward(head.forward(maps), classes);
            let gradients = GradientsParams::from_grads(loss.backward(), &head);
            let turn = std::f64::consts::PI * task.done() as f64 / steps as f64;
            let rate = recipe.learning_rate * 0.5 * (1.0 + turn.cos());
            head = optimizer.step(rate, head, gradients);
            task.advance(1);
        }
    }
    Ok(head.valid())
}

/// Fits means and covariances to the untouched pictures, and the regression to other pictures, untouched and changed ones against those
/// attacked in one step, so that iterative attacks are unseen.
fn mahalanobis(features: &Features, of: &DetectorOf<'_>) -> Result<Mahalanobis> {
    let channels: Vec<usize> = of.architecture.stages().into_iter().map(|stage| stage.channels).collect();
    let picked = |table: &[f32], columns: usize, rows: &[usize]| -> Vec<f32> {
        rows.iter().flat_map(|row| &table[row * columns..(row + 1) * columns]).copied().collect()
    };
    let untouched = features.rows(|variety, apart| variety == Variety::Untouched && !apart);
    let apart = features.rows(|variety, apart| variety != Variety::Iterative && apart);
    ensure!(
        !untouched.is_empty() && !apart.is_empty(),
        "so few pictures are not enough to fit distances to some and a regression to others: take more (--images)"
    );
    let labels: Vec<usize> = untouched.iter().map(|&row| features.labels[row]).collect();
    let mut detector = Mahalanobis::new(&channels, of.classes, of.device);
    for (stage, &columns) in channels.iter().enumerate() {
        let values = picked(&features.pooled[stage], columns, &untouched);
        detector.fit_stage(stage, &values, &labels).map_err(|text| anyhow!(text))?;
    }
    let table = |(&columns, table): (&usize, &Vec<f32>)| {
        let values = picked(table, columns, &apart);
        Tensor::<4>::from_data(TensorData::new(values, [apart.len(), columns, 1, 1]), of.device)
    };
    let tables: Vec<Tensor<4>> = channels.iter().zip(&features.pooled).map(table).collect();
    let distances = read(detector.log_distances(&tables))?;
    let attacked: Vec<bool> = apart.iter().map(|&row| features.varieties[row].is_attack()).collect();
    let fc = regression(&distances, channels.len(), &attacked, of.device)?;
    Ok(detector.with_regression(fc))
}

/// Fits a logistic regression to a table, row by row: both kinds of rows have the same weight in all, columns are standardised, and
/// the standardisation is part of the layer that is returned.
fn regression(table: &[f32], columns: usize, positive: &[bool], device: &Device) -> Result<Linear> {
    let rows = positive.len();
    ensure!(rows > 0 && table.len() == rows * columns, "a regression needs a row for each picture");
    let (mut mean, mut deviation) = (vec![0.0f64; columns], vec![0.0f64; columns]);
    for row in table.chunks_exact(columns) {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) / rows as f64);
    }
    for row in table.chunks_exact(columns) {
        let squares = deviation.iter_mut().zip(row.iter().zip(&mean));
        squares.for_each(|(sum, (value, mean))| *sum += (f64::from(*value) - mean).powi(2) / rows as f64);
    }
    deviation.iter_mut().for_each(|variance| *variance = variance.sqrt().max(1e-6));
    let standard = |(place, value): (usize, &f32)| {
        let column = place % columns;
        ((f64::from(*value) - mean[column]) / deviation[column]) as f32
    };
    let values: Vec<f32> = table.iter().enumerate().map(standard).collect();
    let autodiff = device.clone().autodiff();
    let values = Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &autodiff);
    let attacked = positive.iter().filter(|positive| **positive).count();
    ensure!(attacked > 0 && attacked < rows, "a regression needs attacked pictures and others");
    let sign = |positive: &bool| if *positive { 1.0f32 } else { -1.0 };
    let weight = |positive: &bool| 0.5 / if *positive { attacked } else { rows - attacked } as f32;
    let column = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [rows, 1]), &autodiff);
    let (signs, weights) = (column(positive.iter().map(sign).collect()), column(positive.iter().map(weight).collect()));
    let mut fc = LinearConfig::new(columns, 1).init(&autodiff);
    fc.weight = Param::from_tensor(Tensor::zeros([columns, 1], &autodiff)).set_require_grad(true);
    fc.bias = Some(Param::from_tensor(Tensor::zeros([1], &autodiff)).set_require_grad(true));
    let mut optimizer = AdamWConfig::new().with_weight_decay(DECAY).init();
    for step in 0..REGRESSION_STEPS {
        let loss = log_sigmoid(fc.forward(values.clone()).mul(signs.clone())).neg().mul(weights.clone()).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &fc);
        let rate = 0.05 * (1.0 - step as f64 / REGRESSION_STEPS as f64);
        fc = optimizer.step(rate, fc, gradients);
    }
    let fc = fc.valid();
    let weight = read(fc.weight.val())?;
    let bias = match &fc.bias {
        Some(bias) => read(bias.val())?[0],
        None => 0.0,
    };
    let folded: Vec<f32> = weight.iter().zip(&deviation).map(|(w, d)| (f64::from(*w) / d) as f32).collect();
    let shift: f64 = folded.iter().zip(&mean).map(|(w, mean)| f64::from(*w) * mean).sum();
    let mut layer = LinearConfig::new(columns, 1).init(device);
    layer.weight = Param::from_tensor(Tensor::from_data(TensorData::new(folded, [columns, 1]), device));
    layer.bias = Some(Param::from_tensor(Tensor::from_data([bias - shift as f32], device)));
    Ok(layer)
}

/// Returns the scores of untouched pictures under a detector, in order.
///
/// # Errors
/// When the device fails, or a stop was requested.
pub fn scores(
    detector: &Detector,
    model: &Classifier,
    (split, indices): (&Split, &[usize]),
    device: &Device,
    progress: &Progress,
    stop: &Stop,
) -> Result<Vec<f32>> {
    let task = progress.start("Taking thresholds", Some(indices.len() as u64), Unit::Pictures);
    let mut scores = Vec::with_capacity(indices.len());
    for batch in indices.chunks(BATCH) {
        ensure!(!stop.requested(), Stopped("Stopped; nothing was changed".into()));
        task.advance(batch.len() as u64);
        let images = in_8_bits(load(split, batch, device)?);
        let stages = model.stages(images.clone());
        scores.extend(read(detector.score(model, images, &stages))?);
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regression_separates_what_can_be_separated_in_its_own_units() {
        let device = Device::flex();
        // The second column decides, far from zero and in large units; the first is of no use.
        let rows: Vec<f32> = (0..200).flat_map(|n| [(n % 7) as f32, 1000.0 + 10.0 * n as f32]).collect();
        let positive: Vec<bool> = (0..200).map(|n| n >= 100).collect();
        let fc = regression(&rows, 2, &positive, &device).unwrap();
        let table = Tensor::<2>::from_data(TensorData::new(rows, [200, 2]), &device);
        let odds = read(fc.forward(table)).unwrap();
        let right = odds.iter().zip(&positive).filter(|(odds, positive)| (**odds > 0.0) == **positive).count();
        assert!(right >= 196, "{right} of 200");
        assert!(regression(&[1.0, 2.0], 1, &[true, true], &device).is_err());
    }
}
