use burn::prelude::*;
use burn::tensor::TensorData;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::ball::l2_norm;
use super::rows::Rows;
use super::{Ball, Norm};
use crate::seed::{Purpose, derive};

/// Share of the pixels that the first squares cover.
const FIRST_SHARE: f64 = 0.8;

/// Queries after which squares are half as large, of 10,000; after each of them the share of the pixels is halved.
const HALVINGS: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/// Holds the state of Square (Andriushchenko et al., 2019, arXiv 1912.00049) for each image: a random search that takes logits and
/// no gradient. Each query changes one square of the best image so far, and is kept if the margin falls. Each image has its own
/// random numbers (the authors draw one square for all images of a batch).
#[derive(Clone, Debug)]
pub(crate) struct Square {
    /// The image with the largest value so far. Shape of the images.
    best: Tensor<4>,
    /// That value, `[batch]`.
    best_value: Tensor<1>,
    searches: Vec<Search>,
}

/// An image's search: the seed of its random numbers, and how far it is.
#[derive(Clone, Copy, Debug)]
struct Search {
    seed: u64,
    queries: usize,
}

impl Search {
    /// Returns the random numbers of the next query.
    fn rng(self) -> StdRng {
        StdRng::seed_from_u64(derive(self.seed, self.queries as u64, Purpose::Query))
    }
}

impl Square {
    /// Returns the first queries of images, and the state before their answers: vertical stripes in L-infinity, tiles in L2.
    pub fn begin(ball: &Ball, seeds: &[u64]) -> (Tensor<4>, Self) {
        let searches: Vec<Search> = seeds.iter().map(|&seed| Search { seed, queries: 0 }).collect();
        let images = ball.center();
        let [batch, channels, height, width] = images.dims();
        let of_image = |&seed: &u64| {
            let rng = &mut StdRng::seed_from_u64(seed);
            match ball.norm() {
                Norm::Linf => stripes(rng, channels, height, width),
                // Square has no form in L0.
                Norm::L2 | Norm::L0 => tiles(rng, channels, height, width),
            }
        };
        let parts: Vec<f32> = seeds.iter().flat_map(of_image).collect();
        let change = upload(parts, images.dims(), &images.device());
        let first = of_length(ball, change);
        let best_value = Tensor::full([batch], f32::MIN, &images.device());
        (first.clone(), Self { best: first, best_value, searches })
    }

    /// Takes the answers to the last queries, `[batch]`, larger for the attacker's better, and returns the next of an attack of
    /// `total` queries.
    pub fn next(self, ball: &Ball, images: Tensor<4>, values: Tensor<1>, total: usize) -> (Tensor<4>, Self) {
        let Self { best, best_value, mut searches } = self;
        let [batch, channels, height, width] = images.dims();
        let better = values.clone().greater(best_value.clone());
        let best_value = best_value.mask_where(better.clone(), values);
        let better: Tensor<4, Bool> = better.reshape([batch, 1, 1, 1]).expand(images.dims());
        let best = best.mask_where(better, images);
        let size = |search: &Search| side(search.queries, total, height.min(width));
        let next = match ball.norm() {
            Norm::Linf => {
                let of_image = |search: &Search| square(&mut search.rng(), size(search), channels, height, width);
                let parts: Vec<f32> = searches.iter().flat_map(of_image).collect();
                // Twice epsilon, from one end of the range to the other, wherever the pixel is.
                let change = upload(parts, best.dims(), &best.device()).mul(ball.radius().mul_scalar(2.0));
                ball.project(best.clone().add(change))
            }
            Norm::L2 | Norm::L0 => {
                let of_image = |search: &Search| {
                    // Odd, so that a square has a middle.
                    let side = (size(search).max(3) | 1).min(height.min(width));
                    Windows::draw(&mut search.rng(), side, channels, height, width)
                };
                let windows: Vec<Windows> = searches.iter().map(of_image).collect();
                moved_between(ball, &best, &windows)
            }
        };
        searches.iter_mut().for_each(|search| search.queries += 1);
        (next, Self { best, best_value, searches })
    }

    /// Returns the best images so far.
    pub fn best(&self) -> Tensor<4> {
        self.best.clone()
    }

    /// Returns the state of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self {
            best: rows.of(&self.best),
            best_value: rows.of(&self.best_value),
            searches: rows.places().iter().map(|&place| self.searches[place]).collect(),
        }
    }

    /// Puts the rows of `other`, a state of the same attack, behind these.
    pub fn append(mut self, other: Self) -> Self {
        self.searches.extend(other.searches);
        Self {
            best: Tensor::cat(vec![self.best, other.best], 0),
            best_value: Tensor::cat(vec![self.best_value, other.best_value], 0),
            searches: self.searches,
        }
    }
}

/// Returns the side of the square of a query, in pixels.
fn side(query: usize, total: usize, longest: usize) -> usize {
    let of_10_000 = query * 10_000 / total.max(1);
    let halvings = HALVINGS.iter().filter(|after| of_10_000 > **after).count();
    let share = FIRST_SHARE / f64::powi(2.0, halvings as i32);
    let side = (share * (longest * longest) as f64).sqrt().round() as usize;
    side.clamp(1, longest)
}

fn sign(rng: &mut StdRng) -> f32 {
    if rng.random() { 1.0 } else { -1.0 }
}

/// Draws vertical stripes: a sign for each column of each channel.
fn stripes(rng: &mut StdRng, channels: usize, height: usize, width: usize) -> Vec<f32> {
    let mut parts = Vec::with_capacity(channels * height * width);
    for _ in 0..channels {
        let row: Vec<f32> = (0..width).map(|_| sign(rng)).collect();
        (0..height).for_each(|_| parts.extend_from_slice(&row));
    }
    parts
}

/// Draws a square of one sign a channel; the rest is 0.
fn square(rng: &mut StdRng, side: usize, channels: usize, height: usize, width: usize) -> Vec<f32> {
    let (top, left) = (rng.random_range(0..=height - side), rng.random_range(0..=width - side));
    let mut parts = vec![0.0; channels * height * width];
    for channel in 0..channels {
        let sign = sign(rng);
        for row in top..top + side {
            let start = (channel * height + row) * width + left;
            parts[start..start + side].fill(sign);
        }
    }
    parts
}

/// Draws 5 x 5 tiles of bumps, each of one sign a channel.
fn tiles(rng: &mut StdRng, channels: usize, height: usize, width: usize) -> Vec<f32> {
    const TILES: usize = 5;
    let side = (height.min(width) / TILES).max(1);
    let mut parts = vec![0.0; channels * height * width];
    for top in (0..=height - side).step_by(side) {
        for left in (0..=width - side).step_by(side) {
            let bump = turned_bump(rng, side);
            for channel in 0..channels {
                let sign = sign(rng);
                for (index, value) in bump.iter().enumerate() {
                    parts[(channel * height + top + index / side) * width + left + index % side] = sign * value;
                }
            }
        }
    }
    parts
}

/// Returns a square of values that fall from the middle outwards, in one half above zero and in the other below, of length 1
/// (section 4 of the paper, "eta").
fn bump(side: usize) -> Vec<f32> {
    let half = |rows: usize| -> Vec<f32> {
        let columns = side;
        let mut values = vec![0.0_f32; rows * columns];
        let (mut top, mut left) = ((rows / 2) as i64, (columns / 2) as i64);
        for ring in 0..(rows / 2 + 1).max(columns / 2 + 1) as i64 {
            let (first_row, first_column) = (top.max(0), left.max(0));
            let last_row = (top + 2 * ring + 1).clamp(0, rows as i64);
            let last_column = (left + 2 * ring + 1).clamp(0, columns as i64);
            for row in first_row..last_row {
                for column in first_column..last_column {
                    values[row as usize * columns + column as usize] += 1.0 / ((ring + 1) as f32).powi(2);
                }
            }
            (top, left) = (top - 1, left - 1);
        }
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.iter().map(|value| value / length.max(f32::MIN_POSITIVE)).collect()
    };
    let above = half(side / 2);
    let below = half(side - side / 2);
    let all: Vec<f32> = above.into_iter().chain(below.into_iter().map(|value| -value)).collect();
    let length = all.iter().map(|value| value * value).sum::<f32>().sqrt();
    all.into_iter().map(|value| value / length.max(f32::MIN_POSITIVE)).collect()
}

/// Returns a bump, on its side by the toss of a coin.
fn turned_bump(rng: &mut StdRng, side: usize) -> Vec<f32> {
    let values = bump(side);
    if rng.random() {
        (0..side * side).map(|index| values[index % side * side + index / side]).collect()
    } else {
        values
    }
}

/// Two windows of an image in L2: the change in the second is taken away, and its length goes into the first.
struct Windows {
    /// 1 in the window, `[height, width]`.
    into: Vec<f32>,
    from: Vec<f32>,
    /// A bump of one sign a channel in the first window, `[channels, height, width]`.
    bump: Vec<f32>,
}

impl Windows {
    fn draw(rng: &mut StdRng, side: usize, channels: usize, height: usize, width: usize) -> Self {
        let mut corner = || (rng.random_range(0..=height - side), rng.random_range(0..=width - side));
        let (first, second) = (corner(), corner());
        let window = |(top, left): (usize, usize)| {
            let mut mask = vec![0.0; height * width];
            (top..top + side).for_each(|row| mask[row * width + left..row * width + left + side].fill(1.0));
            mask
        };
        let values = turned_bump(rng, side);
        let mut bump = vec![0.0; channels * height * width];
        for channel in 0..channels {
            let sign = sign(rng);
            for (index, value) in values.iter().enumerate() {
                let (row, column) = (first.0 + index / side, first.1 + index % side);
                bump[(channel * height + row) * width + column] = sign * value;
            }
        }
        Self { into: window(first), from: window(second), bump }
    }
}

/// Returns images whose change in one window was moved into another (algorithm 3 of the paper).
fn moved_between(ball: &Ball, best: &Tensor<4>, windows: &[Windows]) -> Tensor<4> {
    let device = best.device();
    let [batch, channels, height, width] = best.dims();
    let mask = |of: fn(&Windows) -> &Vec<f32>| {
        let values = windows.iter().flat_map(|windows| of(windows).iter().copied()).collect();
        upload(values, [batch, 1, height, width], &device)
    };
    let (into, from) = (mask(|windows| &windows.into), mask(|windows| &windows.from));
    let bump = upload(windows.iter().flat_map(|windows| windows.bump.iter().copied()).collect(), best.dims(), &device);
    let change = best.clone().sub(ball.center());
    let by_channel = |values: Tensor<4>| -> Tensor<4> {
        values.square().reshape([batch, channels, height * width]).sum_dim(2).sqrt().reshape([batch, channels, 1, 1])
    };
    let both = into.clone().max_pair(from);
    let in_first = change.clone().mul(into.clone());
    let shape = bump.add(in_first.clone().div(by_channel(in_first).add_scalar(1e-12)));
    let left = l2_norm(change.clone()).square().neg().add_scalar(ball.epsilon() * ball.epsilon()).clamp_min(0.0);
    let length = by_channel(change.clone().mul(both.clone())).square().add(left.div_scalar(channels as f32)).sqrt();
    let lengths = by_channel(shape.clone()).add_scalar(1e-12);
    let new = shape.div(lengths).mul(length);
    of_length(ball, change.mul(both.neg().add_scalar(1.0)).add(new.mul(into)))
}

/// Returns the point of the ball in the direction of a change: at distance epsilon, values then clamped to `[0, 1]`.
fn of_length(ball: &Ball, change: Tensor<4>) -> Tensor<4> {
    let scaled = match ball.norm() {
        Norm::Linf => change.mul(ball.radius()),
        Norm::L2 | Norm::L0 => {
            let length = l2_norm(change.clone()).clamp_min(f32::MIN_POSITIVE);
            change.div(length).mul_scalar(ball.epsilon())
        }
    };
    ball.project(ball.center().add(scaled))
}

fn upload(values: Vec<f32>, shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_shrink_as_the_authors_do() {
        // 64 x 64 pixels, 5,000 queries: 0.8 of the pixels at first, 0.4 after 10 of 10,000, ...
        let sides = [0, 5, 6, 26, 101, 251, 4001].map(|query| side(query, 5000, 64));
        assert_eq!(sides, [57, 57, 40, 29, 20, 14, 3]);
    }

    #[test]
    fn a_bump_has_length_1_and_two_halves() {
        for side in [3, 5, 12, 13] {
            let bump = bump(side);
            let length: f32 = bump.iter().map(|value| value * value).sum::<f32>();
            assert!((length - 1.0).abs() < 1e-4, "{side}");
            let above = bump[..side * (side / 2)].iter().all(|value| *value >= 0.0);
            assert!(above && bump[side * (side / 2)..].iter().all(|value| *value <= 0.0), "{side}: {bump:?}");
        }
    }
}
