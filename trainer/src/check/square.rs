//! A search without gradients, after the Square Attack (Andriushchenko et al., 2020, arXiv 1912.00049). Images that it finds
//! and gradient attacks do not are a sign of masked gradients.

use anyhow::{Result, ensure};
use burn::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use shared::seed::{Purpose, derive};

use super::checked_model::{CheckedModel, TrialOutcome};
use crate::data::{IMAGE_BYTES, SIDE};
use crate::evaluate::{EvaluationBatch, logits};
use crate::models::read;

/// Changes that are tried on each image, one after the other.
pub const QUERIES: usize = 100;
/// Passes of each image: one for each change, and one for the image itself.
pub const PASSES: u64 = QUERIES as u64 + 1;
/// Part of the image that squares would cover before they are halved for the first time.
const LARGEST_PART: f64 = 0.3;
/// Points at which squares become half as large, as parts of all queries: the paper's schedule for 10,000 queries.
const HALVED_AT: [f64; 9] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];
/// Number of channels: red, green, blue.
const CHANNELS: usize = 3;

/// State of the search for one image.
struct SearchState {
    original: Vec<f32>,
    /// The image with the largest loss so far.
    worst: Vec<f32>,
    candidate: Vec<f32>,
    rng: StdRng,
}

impl SearchState {
    /// Draws the first change: a stripe of one colour for each column, every channel up or down by `epsilon`.
    fn stripes(original: &[f32], epsilon: f32, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut candidate = original.to_vec();
        for channel in candidate.chunks_exact_mut(SIDE * SIDE) {
            let moves: Vec<f32> = (0..SIDE).map(|_| random_sign(&mut rng, epsilon)).collect();
            for row in channel.chunks_exact_mut(SIDE) {
                row.iter_mut().zip(&moves).for_each(|(value, by)| *value = (*value + by).clamp(0.0, 1.0));
            }
        }
        Self { original: original.to_vec(), worst: original.to_vec(), candidate, rng }
    }

    /// Draws another change of the worst so far: a square of one colour with `side` pixels a side.
    fn square(&mut self, side: usize, epsilon: f32) {
        self.candidate.copy_from_slice(&self.worst);
        let [top, left] = [(); 2].map(|()| self.rng.random_range(0..=SIDE - side));
        for channel in 0..CHANNELS {
            let by = random_sign(&mut self.rng, epsilon);
            for row in top..top + side {
                let first = (channel * SIDE + row) * SIDE + left;
                for index in first..first + side {
                    self.candidate[index] = (self.original[index] + by).clamp(0.0, 1.0);
                }
            }
        }
    }
}

/// Returns `epsilon` or `-epsilon`, each with probability 1/2.
fn random_sign(rng: &mut StdRng, epsilon: f32) -> f32 {
    if rng.random() { epsilon } else { -epsilon }
}

/// Returns the side in pixels of the squares of query `query`, counted from 1.
fn side(query: usize) -> usize {
    let done = query as f64 / QUERIES as f64;
    let halvings = HALVED_AT.iter().filter(|&&at| done > at).count();
    let part = LARGEST_PART / f64::from(1 << halvings);
    ((part * (SIDE * SIDE) as f64).sqrt().round() as usize).clamp(1, SIDE - 1)
}

/// Returns the network's outcome on the image with the largest loss that the search finds for each image.
pub fn search(model: &CheckedModel<'_>) -> Result<TrialOutcome> {
    let mut found = TrialOutcome::default();
    for batch in model.batches() {
        let of_batch = search_batch(&batch?, model)?;
        found.right.extend(of_batch.right);
        found.loss.extend(of_batch.loss);
    }
    Ok(found)
}

fn search_batch(batch: &EvaluationBatch, model: &CheckedModel<'_>) -> Result<TrialOutcome> {
    let values = read(batch.images.clone())?;
    ensure!(values.len() == batch.labels.len() * IMAGE_BYTES, "the images are not {SIDE}x{SIDE}");
    let mut images: Vec<SearchState> = values
        .chunks_exact(IMAGE_BYTES)
        .zip(&batch.indices)
        .map(|(image, &index)| {
            SearchState::stripes(image, model.plan.epsilon, derive(0, index as u64, Purpose::SquareSearch))
        })
        .collect();
    // The images themselves are in the ball too.
    let mut worst = TrialOutcome::default();
    worst.add(&logits(model.bundle(), batch.images.clone())?, &batch.labels);
    for query in 1..=QUERIES {
        if query > 1 {
            images.iter_mut().for_each(|image| image.square(side(query), model.plan.epsilon));
        }
        let candidates: Vec<f32> = images.iter().flat_map(|image| image.candidate.iter().copied()).collect();
        let candidates = Tensor::from_data(TensorData::new(candidates, batch.images.dims()), &batch.images.device());
        let mut now = TrialOutcome::default();
        now.add(&logits(model.bundle(), candidates)?, &batch.labels);
        for (place, image) in images.iter_mut().enumerate() {
            if now.loss[place] > worst.loss[place] {
                (worst.loss[place], worst.right[place]) = (now.loss[place], now.right[place]);
                std::mem::swap(&mut image.worst, &mut image.candidate);
            }
        }
    }
    model.advance(batch.labels.len(), PASSES);
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_shrink_to_a_few_pixels() {
        let sides: Vec<usize> = (1..=QUERIES).map(side).collect();
        assert!(sides.is_sorted_by(|one, next| one >= next), "{sides:?}");
        assert_eq!((sides[1], sides[QUERIES - 1]), (18, 2));
    }

    #[test]
    fn every_change_keeps_to_the_ball_and_to_pixels() {
        let original: Vec<f32> = (0..IMAGE_BYTES).map(|index| (index % 256) as f32 / 255.0).collect();
        let epsilon = 8.0 / 255.0;
        let mut image = SearchState::stripes(&original, epsilon, 7);
        let moved = |image: &SearchState| {
            let mut moved = 0;
            for (before, after) in original.iter().zip(&image.candidate) {
                assert!((after - before).abs() <= epsilon + 1e-6 && (0.0..=1.0).contains(after));
                moved += usize::from(before != after);
            }
            moved
        };
        assert!(moved(&image) > IMAGE_BYTES * 9 / 10, "stripes are everywhere");
        image.square(10, epsilon);
        let of_square = moved(&image);
        assert!((250..=300).contains(&of_square), "a square of 10 by 10, but where white is moved up: {of_square}");
        std::mem::swap(&mut image.worst, &mut image.candidate);
        (0..50).for_each(|_| image.square(12, epsilon));
        moved(&image);
    }
}
