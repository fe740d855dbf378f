//! Sanity checks of maps (Adebayo et al., 2018, arXiv 1810.03292): weights are replaced by random ones from the head downward, and
//! the maps must change with them. A map that stays the same says something of the picture, and nothing of the network.
//!
//! Their second check, networks trained on shuffled labels, needs such networks, so it is not here.

use burn::prelude::*;
use serde::Serialize;

use super::{Attribution, ExplainError, Method, layers_from_the_head, randomised};
use crate::model::Classifier;

/// Similarity that must not be left once all weights are random.
pub const SIMILAR: f32 = 0.3;
/// Similarity from which on a map has not moved.
pub const STILL_THE_SAME: f32 = 0.9;
/// Side of the windows of the structural similarity, in cells.
const WINDOW: usize = 7;

/// How alike two maps are: 1 for the same, 0 for unrelated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Similarity {
    /// Spearman's rank correlation, -1 to 1.
    pub spearman: f32,
    /// Spearman's rank correlation of the absolute values, -1 to 1.
    pub spearman_absolute: f32,
    /// Structural similarity (Wang et al., 2004) of the maps, each scaled to `[0, 1]`: -1 to 1.
    pub ssim: f32,
}

impl Similarity {
    /// Returns the mean of several; zeros of none.
    pub fn mean(all: &[Self]) -> Self {
        let mean = |value: fn(&Self) -> f32| all.iter().map(value).sum::<f32>() / all.len().max(1) as f32;
        Self {
            spearman: mean(|one| one.spearman),
            spearman_absolute: mean(|one| one.spearman_absolute),
            ssim: mean(|one| one.ssim),
        }
    }

    /// Returns the largest of the three.
    pub fn largest(&self) -> f32 {
        self.spearman.max(self.spearman_absolute).max(self.ssim)
    }
}

/// Similarity of maps to the original ones, once some layers are random.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// The last layer made random: it and all behind it are.
    pub layer: String,
    /// Mean over the pictures.
    pub similarity: Similarity,
}

/// Similarities of the maps of one method, from the head downward.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sanity {
    /// The first is the head alone, the last the whole network.
    pub levels: Vec<Level>,
}

impl Sanity {
    /// Joins what was measured of several batches, each with its number of pictures.
    pub fn mean(batches: &[(usize, Self)]) -> Self {
        let Some((_, first)) = batches.first() else { return Self { levels: vec![] } };
        let level = |(place, level): (usize, &Level)| {
            let all: Vec<Similarity> = batches
                .iter()
                .flat_map(|(pictures, batch)| std::iter::repeat_n(batch.levels[place].similarity, *pictures))
                .collect();
            Level { layer: level.layer.clone(), similarity: Similarity::mean(&all) }
        };
        Self { levels: first.levels.iter().enumerate().map(level).collect() }
    }

    /// Returns whether a random head alone moves the maps: one similarity at least is below [`STILL_THE_SAME`].
    pub fn head_moves(&self) -> bool {
        let moved = |Similarity { spearman, spearman_absolute, ssim }| {
            [spearman, spearman_absolute, ssim].iter().any(|&alike| alike < STILL_THE_SAME)
        };
        self.levels.first().is_some_and(|level| moved(level.similarity))
    }

    /// Returns whether nothing is left once all is random: every similarity is below [`SIMILAR`].
    pub fn falls(&self) -> bool {
        self.levels.last().is_some_and(|level| level.similarity.largest() < SIMILAR)
    }

    /// Returns whether the method passes: a random head moves its maps, and a random network leaves nothing of them.
    pub fn passes(&self) -> bool {
        self.head_moves() && self.falls()
    }
}

/// Measures how the maps of `method` change while the layers of `model` become random from the head downward, and stay so.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]` in `[0, 1]`, plain device, as `model` is
/// - `classes`: `[batch]`, the same ones for every network
///
/// # Errors
///
/// [`ExplainError`] if there is another number of classes than of pictures, or the device fails.
pub async fn cascade(
    model: &Classifier,
    images: Tensor<4>,
    classes: Tensor<1, Int>,
    method: Method,
    seed: u64,
) -> Result<Sanity, ExplainError> {
    let original = Attribution::read(method.map(model, images.clone(), classes.clone())?).await?;
    let layers = layers_from_the_head(model);
    let mut levels = Vec::with_capacity(layers.len());
    for (place, layer) in layers.iter().enumerate() {
        let random = randomised(model, &layers[..=place], seed);
        let maps = Attribution::read(method.map(&random, images.clone(), classes.clone())?).await?;
        let all: Vec<Similarity> = original.iter().zip(&maps).map(|(one, other)| similarity(one, other)).collect();
        levels.push(Level { layer: layer.clone(), similarity: Similarity::mean(&all) });
    }
    Ok(Sanity { levels })
}

/// Returns how alike two maps of the same size are. A map that is the same everywhere is like no other: it ranks nothing.
pub fn similarity(one: &Attribution, other: &Attribution) -> Similarity {
    let absolute = |map: &Attribution| map.values.iter().map(|value| value.abs()).collect::<Vec<_>>();
    Similarity {
        spearman: spearman(&one.values, &other.values),
        spearman_absolute: spearman(&absolute(one), &absolute(other)),
        ssim: ssim(one, other),
    }
}

/// Returns Spearman's rank correlation; equal values share the mean of their ranks. 0 where one side ranks nothing.
fn spearman(one: &[f32], other: &[f32]) -> f32 {
    let (one, other) = (ranks(one), ranks(other));
    let [_, _, variance, variance_other, covariance] = moments(&one, &other);
    if variance > 0.0 && variance_other > 0.0 { (covariance / (variance * variance_other).sqrt()) as f32 } else { 0.0 }
}

/// Returns the rank of each value, from 0; of equal values the mean of their ranks.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut rank = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = rank as f64 + (equal.len() - 1) as f64 / 2.0;
        equal.iter().for_each(|&place| ranks[place] = mean);
        rank += equal.len();
    }
    ranks
}

/// Returns both means, both variances and the covariance of pairs.
fn moments(one: &[f64], other: &[f64]) -> [f64; 5] {
    let count = one.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let spread = |a: &[f64], of_a: f64, b: &[f64], of_b: f64| {
        a.iter().zip(b).map(|(a, b)| (a - of_a) * (b - of_b)).sum::<f64>() / count
    };
    [
        mean_one,
        mean_other,
        spread(one, mean_one, one, mean_one),
        spread(other, mean_other, other, mean_other),
        spread(one, mean_one, other, mean_other),
    ]
}

/// Returns the mean structural similarity over all windows of 7x7 cells, or of the whole map where it is smaller.
fn ssim(one: &Attribution, other: &Attribution) -> f32 {
    let (Some(first), Some(second)) = (scaled(&one.values), scaled(&other.values)) else { return 0.0 };
    let (rows, columns) = (one.height.min(WINDOW), one.width.min(WINDOW));
    // The constants of Wang et al. for values in [0, 1].
    let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
    let (mut sum, mut windows) = (0.0, 0);
    for top in 0..=one.height - rows {
        for left in 0..=one.width - columns {
            let cut = |values: &[f64]| -> Vec<f64> {
                (top..top + rows).flat_map(|row| values[row * one.width + left..][..columns].to_vec()).collect()
            };
            let [mean, mean_other, variance, variance_other, covariance] = moments(&cut(&first), &cut(&second));
            sum += (2.0 * mean * mean_other + c1) * (2.0 * covariance + c2)
                / ((mean.powi(2) + mean_other.powi(2) + c1) * (variance + variance_other + c2));
            windows += 1;
        }
    }
    (sum / f64::from(windows)) as f32
}

/// Scales values to `[0, 1]`; none where all are the same.
fn scaled(values: &[f32]) -> Option<Vec<f64>> {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (high > low).then(|| values.iter().map(|value| f64::from((value - low) / (high - low))).collect())
}

#[cfg(test)]
mod tests;
