//! Batches in an order that the seed alone decides, so that a resumed run sees what an uninterrupted one would have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::prelude::*;
use burn::train::Interrupter;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use shared::seed::derive;

use crate::data::{SIDE, Split};

/// Pictures and labels on the device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[N, 3, size, size]` in `[0, 1]`.
    pub images: Tensor<4>,
    /// `[N]`.
    pub targets: Tensor<1, Int>,
}

/// Which pictures, and how they are prepared.
#[derive(Clone)]
pub struct Pictures {
    pub split: Arc<Split>,
    /// Those of the split that are used.
    pub indices: Arc<Vec<usize>>,
    /// Side in the batch: 64 divided by a whole number.
    pub image_size: usize,
}

/// How far a run is; shared by the loader, which moves it, and whoever saves checkpoints.
#[derive(Default)]
pub struct Position {
    steps_done: AtomicUsize,
    stop: Interrupter,
}

impl Position {
    /// Starts after `steps_done` steps.
    pub fn at(steps_done: usize) -> Self {
        Self { steps_done: steps_done.into(), stop: Interrupter::new() }
    }

    /// Steps whose batch was handed out.
    pub fn steps_done(&self) -> usize {
        self.steps_done.load(Ordering::SeqCst)
    }

    /// Asks for an end after the step that is being computed.
    pub fn request_stop(&self) {
        self.stop.stop(None);
    }

    /// For a dashboard that has a key for it.
    pub fn stop_handle(&self) -> Interrupter {
        self.stop.clone()
    }

    /// Whether an end was asked for.
    pub fn stop_requested(&self) -> bool {
        self.stop.should_stop()
    }
}

/// Shuffled, cropped and flipped batches: each `iter` is the next round of steps.
pub struct TrainLoader {
    pub pictures: Pictures,
    pub batch_size: usize,
    pub crop_padding: usize,
    pub seed: u64,
    /// Steps of the whole run.
    pub steps_total: usize,
    /// Steps from one checkpoint to the next.
    pub steps_per_round: usize,
    pub position: Arc<Position>,
    pub device: Device,
}

impl TrainLoader {
    /// Steps in which each picture is seen once; the incomplete last batch is dropped.
    pub fn steps_per_epoch(pictures: usize, batch_size: usize) -> usize {
        (pictures / batch_size).max(1)
    }

    /// The pictures of step `step`, and the generator of its crops and flips.
    fn plan(&self, step: usize, order: &mut Order) -> (Vec<usize>, StdRng) {
        let indices = &self.pictures.indices;
        let per_epoch = Self::steps_per_epoch(indices.len(), self.batch_size);
        let (epoch, step_in_epoch) = (step / per_epoch, step % per_epoch);
        if order.epoch != Some(epoch) {
            order.shuffled = indices.to_vec();
            order.shuffled.shuffle(&mut StdRng::seed_from_u64(derive(self.seed, epoch as u64, 1)));
            order.epoch = Some(epoch);
        }
        let start = step_in_epoch * self.batch_size;
        let end = (start + self.batch_size).min(indices.len());
        (order.shuffled[start..end].to_vec(), StdRng::seed_from_u64(derive(self.seed, step as u64, 2)))
    }
}

/// The order of an epoch, kept while it lasts.
#[derive(Default)]
struct Order {
    epoch: Option<usize>,
    shuffled: Vec<usize>,
}

impl DataLoader<Batch> for TrainLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let start = self.position.steps_done();
        Box::new(TrainIterator {
            loader: self,
            order: Order::default(),
            start,
            end: (start + self.steps_per_round).min(self.steps_total),
        })
    }

    fn num_items(&self) -> usize {
        self.steps_per_round * self.batch_size
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            pictures: self.pictures.clone(),
            position: self.position.clone(),
            device: device.clone(),
            ..*self
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let indices = self.pictures.indices[start.min(end)..end.min(self.pictures.indices.len())].to_vec();
        Arc::new(Self {
            pictures: Pictures { indices: Arc::new(indices), ..self.pictures.clone() },
            position: self.position.clone(),
            device: self.device.clone(),
            ..*self
        })
    }
}

struct TrainIterator<'a> {
    loader: &'a TrainLoader,
    order: Order,
    start: usize,
    end: usize,
}

impl Iterator for TrainIterator<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let loader = self.loader;
        let step = loader.position.steps_done();
        if step >= self.end || loader.position.stop_requested() {
            return None;
        }
        loader.position.steps_done.fetch_add(1, Ordering::SeqCst);
        let (indices, mut random) = loader.plan(step, &mut self.order);
        let crops: Vec<Crop> = indices.iter().map(|_| Crop::random(loader.crop_padding, &mut random)).collect();
        Some(Ok(loader.pictures.batch(&indices, &crops, &loader.device)))
    }
}

impl DataLoaderIterator<Batch> for TrainIterator<'_> {
    fn progress(&self) -> Progress {
        let done = self.loader.position.steps_done() - self.start;
        Progress::new(
            done * self.loader.batch_size,
            (self.end - self.start) * self.loader.batch_size,
            Some("pictures".into()),
        )
    }
}

/// Pictures as they are, in order; nothing once a stop was asked for.
pub struct ValidLoader {
    pub pictures: Pictures,
    pub batch_size: usize,
    pub position: Arc<Position>,
    pub device: Device,
}

impl DataLoader<Batch> for ValidLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        Box::new(ValidIterator { loader: self, next: 0 })
    }

    fn num_items(&self) -> usize {
        self.pictures.indices.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            pictures: self.pictures.clone(),
            position: self.position.clone(),
            device: device.clone(),
            ..*self
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let indices = self.pictures.indices[start.min(end)..end.min(self.pictures.indices.len())].to_vec();
        Arc::new(Self {
            pictures: Pictures { indices: Arc::new(indices), ..self.pictures.clone() },
            position: self.position.clone(),
            device: self.device.clone(),
            ..*self
        })
    }
}

struct ValidIterator<'a> {
    loader: &'a ValidLoader,
    next: usize,
}

impl Iterator for ValidIterator<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let indices = &self.loader.pictures.indices;
        if self.next >= indices.len() || self.loader.position.stop_requested() {
            return None;
        }
        let end = (self.next + self.loader.batch_size).min(indices.len());
        let chosen = &indices[self.next..end];
        self.next = end;
        Some(Ok(self.loader.pictures.batch(chosen, &vec![Crop::NONE; chosen.len()], &self.loader.device)))
    }
}

impl DataLoaderIterator<Batch> for ValidIterator<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.next, self.loader.pictures.indices.len(), Some("pictures".into()))
    }
}

/// Where a picture is cut from its padded self, and whether it is mirrored.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Crop {
    dx: isize,
    dy: isize,
    flip: bool,
}

impl Crop {
    const NONE: Self = Self { dx: 0, dy: 0, flip: false };

    fn random(padding: usize, random: &mut StdRng) -> Self {
        let padding = padding as i32;
        let mut shift = || random.random_range(-padding..=padding) as isize;
        let (dx, dy) = (shift(), shift());
        Self { dx, dy, flip: random.random_bool(0.5) }
    }
}

impl Pictures {
    fn batch(&self, indices: &[usize], crops: &[Crop], device: &Device) -> Batch {
        let (size, count) = (self.image_size, indices.len());
        let mut pixels = vec![0.0f32; count * 3 * size * size];
        pixels
            .par_chunks_mut(3 * size * size)
            .zip(indices.par_iter().zip(crops))
            .for_each(|(out, (&index, &crop))| prepare(self.split.image(index), crop, size, out));
        let labels: Vec<i64> = indices.iter().map(|&index| self.split.label(index) as i64).collect();
        let device = device.clone().inner();
        Batch {
            images: Tensor::from_data(TensorData::new(pixels, [count, 3, size, size]), &device),
            targets: Tensor::from_data(TensorData::new(labels, [count]), &device),
        }
    }
}

/// `[64, 64, 3]` bytes to `[3, size, size]` in `[0, 1]`: cropped from zero padding, mirrored, averaged over squares.
fn prepare(picture: &[u8], crop: Crop, size: usize, out: &mut [f32]) {
    let factor = SIDE / size;
    let scale = 1.0 / (255.0 * (factor * factor) as f32);
    let side = SIDE as isize;
    for y in 0..SIDE {
        let from_y = y as isize + crop.dy;
        if !(0..side).contains(&from_y) {
            continue;
        }
        for x in 0..SIDE {
            let from_x = if crop.flip { SIDE - 1 - x } else { x } as isize + crop.dx;
            if !(0..side).contains(&from_x) {
                continue;
            }
            let from = 3 * (from_y as usize * SIDE + from_x as usize);
            for channel in 0..3 {
                out[(channel * size + y / factor) * size + x / factor] += f32::from(picture[from + channel]) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Vec<u8> {
        (0..SIDE * SIDE * 3).map(|i| (i * 7 % 251) as u8).collect()
    }

    fn prepared(crop: Crop, size: usize) -> Vec<f32> {
        let mut out = vec![0.0; 3 * size * size];
        prepare(&picture(), crop, size, &mut out);
        out
    }

    #[test]
    fn without_crop_the_channels_are_the_pixels() {
        let (picture, out) = (picture(), prepared(Crop::NONE, 64));
        for (channel, y, x) in [(0, 0, 0), (1, 5, 9), (2, 63, 63)] {
            let expected = f32::from(picture[3 * (y * SIDE + x) + channel]) / 255.0;
            assert!((out[(channel * 64 + y) * 64 + x] - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_flip_mirrors_and_a_shift_pads_with_black() {
        let (plain, flipped) = (prepared(Crop::NONE, 64), prepared(Crop { flip: true, ..Crop::NONE }, 64));
        assert_eq!(plain[10], flipped[53]);
        let shifted = prepared(Crop { dx: 8, dy: -8, flip: false }, 64);
        assert_eq!(shifted[8 * 64], plain[8]);
        assert!(shifted[..8 * 64].iter().all(|&value| value == 0.0));
    }

    #[test]
    fn smaller_pictures_are_averages() {
        let (plain, half) = (prepared(Crop::NONE, 64), prepared(Crop::NONE, 32));
        let mean = (plain[0] + plain[1] + plain[64] + plain[65]) / 4.0;
        assert!((half[0] - mean).abs() < 1e-6);
    }

    fn loader(steps_done: usize) -> TrainLoader {
        let split = Split { images: picture().repeat(10), labels: (0..10).collect() };
        TrainLoader {
            pictures: Pictures { split: Arc::new(split), indices: Arc::new((0..10).collect()), image_size: 64 },
            batch_size: 3,
            crop_padding: 4,
            seed: 5,
            steps_total: 8,
            steps_per_round: 4,
            position: Arc::new(Position::at(steps_done)),
            device: Device::flex(),
        }
    }

    fn labels(loader: &TrainLoader) -> Vec<Vec<i64>> {
        loader.iter().map(|batch| batch.unwrap().targets.into_data().try_into_vec_as::<i64>().unwrap()).collect()
    }

    #[test]
    fn an_epoch_sees_each_picture_at_most_once_and_epochs_differ() {
        let loader = loader(0);
        let (first, second) = (labels(&loader), labels(&loader));
        assert_eq!((first.len(), second.len()), (4, 4));
        assert!(labels(&loader).is_empty(), "the run is over after its last step");
        let mut seen = first[..3].concat();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 9);
        assert_ne!(first[..3], [first[3].clone(), second[0].clone(), second[1].clone()]);
    }

    #[test]
    fn a_run_that_starts_in_the_middle_sees_what_it_would_have_seen() {
        let whole = [labels(&loader(0)), labels(&loader(4))].concat();
        assert_eq!(labels(&loader(2)), whole[2..6]);
    }

    #[test]
    fn a_stop_ends_the_round_and_keeps_the_place() {
        let loader = loader(0);
        let mut batches = loader.iter();
        assert!(batches.next().is_some());
        loader.position.request_stop();
        assert!(batches.next().is_none());
        assert_eq!(loader.position.steps_done(), 1);
    }
}
