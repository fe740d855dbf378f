//! The one-pixel attack (Su et al., 2017, arXiv 1710.08864): differential evolution over candidates, each the places and colours of some
//! pixels. It takes logits and no gradient. A number of a child that leaves `[0, 1]` is clamped; scipy, which torchattacks uses, draws
//! another.

use burn::prelude::*;
use burn::tensor::{IndexingUpdateOp, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

use super::Ball;
use super::objective::Objective;
use super::rows::Rows;
use crate::model::Classifier;
use crate::seed::{Purpose, derive};

/// Numbers of a pixel in a candidate: column and row as parts of the side, and its colour, all in `[0, 1]`.
const NUMBERS: usize = 5;
/// Factor of the difference of two candidates in a child.
const FACTOR: f32 = 0.5;
/// Fitness of a candidate that fools, above every loss that f32 logits give in practice.
const FOOLS: f32 = 1e4;
/// Candidates that the network is asked about at once, of all images together.
const AT_ONCE: usize = 100;

/// Holds the state of the attack for each image.
#[derive(Clone, Debug)]
pub(super) struct Evolution {
    /// Pixels that may change.
    pixels: usize,
    /// The candidates of each image, `[batch, population, pixels * NUMBERS]`.
    parents: Tensor<3>,
    /// Fitness of each of them, `[batch, population]`: its loss, and more where it fools.
    fitness: Tensor<2>,
    /// Candidates that replace those of the same place if they are fitter.
    children: Tensor<3>,
    generations: Vec<Generation>,
}

/// The generation that an image is in, and the seed of its random numbers.
#[derive(Clone, Copy, Debug)]
struct Generation {
    seed: u64,
    number: usize,
}

impl Evolution {
    /// Returns the state before the first generation, which is drawn at random: places evenly, colours around grey, as the authors do.
    pub fn begin(ball: &Ball, population: usize, seeds: &[u64]) -> Self {
        let (pixels, batch, device) = (ball.pixels(), seeds.len(), ball.center().device());
        let of_image = |&seed: &u64| {
            let mut rng = StdRng::seed_from_u64(seed);
            let numbers = (0..population * pixels * NUMBERS).map(|index| match index % NUMBERS {
                0 | 1 => rng.random::<f32>(),
                _ => (rng.sample::<f32, _>(StandardNormal) * 127.0 + 128.0).clamp(0.0, 255.0) / 255.0,
            });
            numbers.collect::<Vec<_>>()
        };
        let numbers: Vec<f32> = seeds.iter().flat_map(of_image).collect();
        let first = Tensor::from_data(TensorData::new(numbers, [batch, population, pixels * NUMBERS]), &device);
        Self {
            pixels,
            parents: first.clone(),
            fitness: Tensor::full([batch, population], f32::MIN, &device),
            children: first,
            generations: seeds.iter().map(|&seed| Generation { seed, number: 0 }).collect(),
        }
    }

    /// Asks the network about the children, and draws the next ones. Returns the fittest images so far, and the state.
    pub fn next(self, model: &Classifier, ball: &Ball, objective: &Objective) -> (Tensor<4>, Self) {
        let Self { pixels, parents, fitness, children, mut generations } = self;
        if pixels == 0 {
            return (ball.center(), Self { pixels, parents, fitness, children, generations });
        }
        let [batch, population, numbers] = children.dims();
        let device = children.device();
        // Candidate by candidate, image by image.
        let all = children.clone().reshape([batch * population, numbers]);
        let mut found = Vec::new();
        for first in (0..batch * population).step_by(AT_ONCE) {
            let count = AT_ONCE.min(batch * population - first);
            let rows = Rows::new((first..first + count).map(|place| place / population), &device);
            let images = painted(rows.of(&ball.center()), all.clone().narrow(0, first, count), pixels);
            let (objective, logits) = (objective.select(&rows), model.forward(images));
            let fools = objective.is_reached(logits.clone()).float().mul_scalar(FOOLS);
            found.push(objective.values(logits).add(fools));
        }
        let found: Tensor<2> = Tensor::cat(found, 0).reshape([batch, population]);
        let fitter = found.clone().greater(fitness.clone());
        let fitness = fitness.mask_where(fitter.clone(), found);
        let fitter: Tensor<3, Bool> = fitter.reshape([batch, population, 1]).expand([batch, population, numbers]);
        let parents = parents.mask_where(fitter, children);

        let best = fitness.clone().argmax(1).reshape([batch, 1, 1]).expand([batch, 1, numbers]);
        let best = parents.clone().gather(1, best).reshape([batch, numbers]);
        let images = painted(ball.center(), best, pixels);

        generations.iter_mut().for_each(|generation| generation.number += 1);
        let drawn: Vec<[usize; 3]> =
            generations.iter().flat_map(|generation| generation.draw_parents(population)).collect();
        let of_parent = |which: usize| {
            let places: Vec<i64> = drawn.iter().map(|drawn| drawn[which] as i64).collect();
            let places = Tensor::<3, Int>::from_data(TensorData::new(places, [batch, population, 1]), &device);
            parents.clone().gather(1, places.expand([batch, population, numbers]))
        };
        let children = of_parent(0).add(of_parent(1).sub(of_parent(2)).mul_scalar(FACTOR)).clamp(0.0, 1.0);
        (images, Self { pixels, parents, fitness, children, generations })
    }

    /// Returns the state of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self {
            pixels: self.pixels,
            parents: rows.of(&self.parents),
            fitness: rows.of(&self.fitness),
            children: rows.of(&self.children),
            generations: rows.places().iter().map(|&place| self.generations[place]).collect(),
        }
    }

    /// Puts the rows of `other`, a state of the same attack, behind these.
    pub fn append(mut self, other: Self) -> Self {
        self.generations.extend(other.generations);
        Self {
            pixels: self.pixels,
            parents: Tensor::cat(vec![self.parents, other.parents], 0),
            fitness: Tensor::cat(vec![self.fitness, other.fitness], 0),
            children: Tensor::cat(vec![self.children, other.children], 0),
            generations: self.generations,
        }
    }
}

impl Generation {
    /// Draws three different parents for each child, none of them the candidate that it would replace.
    fn draw_parents(self, population: usize) -> Vec<[usize; 3]> {
        let mut rng = StdRng::seed_from_u64(derive(self.seed, self.number as u64, Purpose::Query));
        let of_child = |child: usize| {
            let others = rand::seq::index::sample(&mut rng, population - 1, 3);
            // The places after the candidate's own are one further on.
            std::array::from_fn(|which| others.index(which) + usize::from(others.index(which) >= child))
        };
        (0..population).map(of_child).collect()
    }
}

/// Returns `images`, `[N, channels, height, width]`, each with the pixels of one of the `candidates`, `[N, pixels * NUMBERS]`. Of
/// several pixels at one place the last counts.
fn painted(images: Tensor<4>, candidates: Tensor<2>, pixels: usize) -> Tensor<4> {
    let [count, channels, height, width] = images.dims();
    let device = images.device();
    let numbers = candidates.reshape([count, pixels, NUMBERS]);
    let number = |which: usize| numbers.clone().narrow(2, which, 1).reshape([count, pixels]);
    let place_on = |number: Tensor<2>, side: usize| {
        // Of 64 equal parts; 1 itself belongs to the last.
        number.mul_scalar(side as f32).floor().clamp(0.0, (side - 1) as f32)
    };
    let (columns, rows) = (place_on(number(0), width), place_on(number(1), height));
    let places = rows.mul_scalar(width as f32).add(columns).int();
    let counts: Vec<Tensor<2>> = (0..pixels)
        .map(|pixel| {
            let place = places.clone().narrow(1, pixel, 1);
            let later =
                (pixel + 1..pixels).map(|later| places.clone().narrow(1, later, 1).not_equal(place.clone()).float());
            later.fold(Tensor::<2>::ones([count, 1], &device), Tensor::mul)
        })
        .collect();
    let counts = Tensor::cat(counts, 1);
    let spread = |values: Tensor<2>| {
        let none = Tensor::<2>::zeros([count, height * width], &device);
        none.scatter(1, places.clone(), values, IndexingUpdateOp::Add).reshape([count, 1, height, width])
    };
    let kept = spread(counts.clone()).neg().add_scalar(1.0);
    let colours = (0..channels).map(|channel| spread(number(2 + channel).mul(counts.clone()))).collect();
    images.mul(kept).add(Tensor::cat(colours, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::read;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        pollster::block_on(read(tensor)).unwrap()
    }

    #[test]
    fn pixels_are_painted_where_a_candidate_says_and_the_last_counts() {
        let device = Device::flex();
        let images = Tensor::<4>::full([2, 3, 8, 8], 0.5, &device);
        let at = |column: f32, row: f32, colour: [f32; 3]| {
            [(column + 0.5) / 8.0, (row + 0.5) / 8.0, colour[0], colour[1], colour[2]]
        };
        let (red, black) = ([1.0, 0.0, 0.0], [0.0; 3]);
        let candidates =
            [at(2.0, 5.0, red), at(2.0, 5.0, black), at(7.0, 0.0, red), [1.0, 1.0, 0.0, 1.0, 0.0]].concat();
        let candidates = Tensor::from_data(TensorData::new(candidates, [2, 10]), &device);
        let found = values(painted(images, candidates, 2));
        let mut expected = vec![0.5; 2 * 3 * 64];
        for channel in 0..3 {
            expected[channel * 64 + 5 * 8 + 2] = 0.0;
            expected[(3 + channel) * 64 + 7] = red[channel];
            expected[(3 + channel) * 64 + 63] = [0.0, 1.0, 0.0][channel];
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn the_parents_of_a_child_are_three_others() {
        let drawn = Generation { seed: 1, number: 4 }.draw_parents(6);
        for (child, [a, b, c]) in drawn.iter().enumerate() {
            assert!(a != b && b != c && a != c && ![a, b, c].contains(&&child), "{child}: {a} {b} {c}");
            assert!([a, b, c].into_iter().all(|parent| *parent < 6));
        }
        assert_ne!(drawn, Generation { seed: 1, number: 5 }.draw_parents(6));
    }
}
