//! Batches in an order that the seed alone decides, so that a resumed run has the batches of an uninterrupted one.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use shared::perturb::{Drawn, Perturbations, draw, perturb};
use shared::seed::{Purpose, derive};

use super::mix::{Portion, Share, portions};
use super::pictures::{Crop, PictureView, Pictures};
use super::position::Position;

/// Pictures and labels on the device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[N, 3, size, size]` in `[0, 1]`.
    pub images: Tensor<4>,
    /// `[N]`, labels.
    pub targets: Tensor<1, Int>,
    /// The rows of each share, some of which are still to be attacked.
    pub portions: Vec<Portion>,
    /// Index of the first row in the whole batch: above 0 on the second of several devices.
    pub first_row: usize,
    /// Share of these rows in the whole batch: below 1 on each of several devices.
    pub part: f64,
    /// Number of the training step, from 0.
    pub step: usize,
    /// Whether this batch of validation pictures is attacked as well.
    pub probed: bool,
}

impl Batch {
    /// Returns the batch on another device, without autodiff.
    pub fn on(self, device: &Device) -> Self {
        let device = device.clone().inner();
        Self { images: self.images.to_device(&device), targets: self.targets.to_device(&device), ..self }
    }

    /// Splits the batch into `count` parts that differ by one row at most, or into fewer if there are fewer rows.
    pub fn parts(self, count: usize) -> Vec<Self> {
        let [rows] = self.targets.dims();
        let count = count.clamp(1, rows.max(1));
        if count == 1 {
            return vec![self];
        }
        let part = |index: usize| {
            let (start, end) = (index * rows / count, (index + 1) * rows / count);
            let within = |row: usize| row.clamp(start, end) - start;
            let portions = self
                .portions
                .iter()
                .map(|Portion { share, rows }| Portion { share: *share, rows: within(rows.start)..within(rows.end) });
            Self {
                images: self.images.clone().narrow(0, start, end - start),
                targets: self.targets.clone().narrow(0, start, end - start),
                portions: portions.filter(|portion| !portion.rows.is_empty()).collect(),
                first_row: self.first_row + start,
                part: self.part * (end - start) as f64 / rows as f64,
                step: self.step,
                probed: self.probed,
            }
        };
        (0..count).map(part).collect()
    }
}

/// Shuffled, cropped and flipped batches: each `iter` is the next round of steps.
#[derive(Clone)]
pub struct TrainLoader {
    pub pictures: Pictures,
    pub batch_size: usize,
    /// Rows of each batch that this loader gives; on several devices each has its own.
    pub rows: Range<usize>,
    pub mix: Vec<Share>,
    pub perturbations: Perturbations,
    pub crop_padding: usize,
    /// Smallest part of a picture's area that is enlarged to the whole; 1 crops from the padding instead.
    pub crop_scale: f64,
    /// Part of each live portion that is perturbed before it is attacked.
    pub perturbed: f64,
    pub seed: u64,
    /// Steps of the whole run.
    pub steps_total: usize,
    /// Steps from one checkpoint to the next.
    pub steps_per_round: usize,
    pub position: Arc<Position>,
    pub device: Device,
}

impl TrainLoader {
    /// Returns the steps in which each picture is seen once; the incomplete last batch is dropped.
    pub fn steps_per_epoch(pictures: usize, batch_size: usize) -> usize {
        (pictures / batch_size).max(1)
    }

    /// Returns the rows that are perturbed, counted from this loader's first one: all of the augmented portions, and the first
    /// rows of the live ones.
    fn perturbed_rows(&self) -> Vec<Range<usize>> {
        let whole = portions(&self.mix, self.batch_size, 0..self.batch_size);
        let chosen = whole.into_iter().map(|Portion { share, rows }| {
            let part = match share {
                Share::Augmented => 1.0,
                share if share.is_live() => self.perturbed,
                _ => 0.0,
            };
            rows.start..rows.start + (part * rows.len() as f64).round() as usize
        });
        let within = |row: usize| row.clamp(self.rows.start, self.rows.end) - self.rows.start;
        chosen.map(|rows| within(rows.start)..within(rows.end)).filter(|rows| !rows.is_empty()).collect()
    }

    /// Returns the indices of the pictures of step `step`.
    fn plan(&self, step: usize, order: &mut Order) -> Vec<usize> {
        let indices = &self.pictures.indices;
        let per_epoch = Self::steps_per_epoch(indices.len(), self.batch_size);
        let (epoch, step_in_epoch) = (step / per_epoch, step % per_epoch);
        if order.epoch != Some(epoch) {
            order.shuffled = indices.to_vec();
            order.shuffled.shuffle(&mut StdRng::seed_from_u64(derive(self.seed, epoch as u64, Purpose::Order)));
            order.epoch = Some(epoch);
        }
        let start = step_in_epoch * self.batch_size;
        order.shuffled[start..start + self.batch_size].to_vec()
    }

    /// Returns this loader's rows of the batch of the next step, which stays the next, on `device`.
    pub fn next_batch(&self, device: &Device) -> Batch {
        let step = self.position.steps_done().min(self.steps_total.saturating_sub(1));
        self.prepare(step, &mut Order::default()).on(device)
    }

    /// Prepares this loader's rows of the batch of step `step`, without the device.
    fn prepare(&self, step: usize, order: &mut Order) -> Prepared {
        let indices = self.plan(step, order);
        let mut random = StdRng::seed_from_u64(derive(self.seed, step as u64, Purpose::Crops));
        // Drawn for all rows, so that a row does not depend on the number of devices.
        let draw_crop = |_| match self.crop_scale < 1.0 {
            true => Crop::resized(self.crop_scale, &mut random),
            false => Crop::random(self.crop_padding, &mut random),
        };
        let crops: Vec<Crop> = indices.iter().map(draw_crop).collect();
        let (indices, crops) = (&indices[self.rows.clone()], &crops[self.rows.clone()]);
        let portions = portions(&self.mix, self.batch_size, self.rows.clone());
        let perturbed = self.perturbed_rows();
        let mut views = Vec::with_capacity(indices.len());
        for Portion { share, rows } in &portions {
            views.extend(rows.clone().map(|row| PictureView {
                index: indices[row],
                crafted: share.crafted_by(),
                // The seven perturbations shift and mirror by themselves.
                crop: if perturbed.iter().any(|rows| rows.contains(&row)) { Crop::NONE } else { crops[row] },
            }));
        }
        // A picture's perturbations differ in every epoch.
        let number = |row: usize| (step * self.batch_size + self.rows.start + row) as u64;
        let draw = |row: usize| draw(&self.perturbations, self.seed, number(row));
        Prepared {
            pixels: self.pictures.pixels(&views),
            labels: self.pictures.labels(indices),
            perturbed: perturbed.into_iter().map(|rows| (rows.clone(), rows.map(draw).collect())).collect(),
            portions,
            first_row: self.rows.start,
            part: self.rows.len() as f64 / self.batch_size as f64,
            step,
        }
    }

    /// Prepares the batches of `steps` in a thread of its own, one ahead of the one that is asked for, so that a device computes
    /// meanwhile.
    fn prepare_ahead(&self, steps: Range<usize>) -> Receiver<Prepared> {
        let (sender, receiver) = sync_channel(1);
        let loader = self.clone();
        thread::spawn(move || {
            let mut order = Order::default();
            for step in steps {
                // The receiver is gone after a stop.
                if sender.send(loader.prepare(step, &mut order)).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

/// A batch that is not on the device yet, nor perturbed.
struct Prepared {
    pixels: TensorData,
    labels: TensorData,
    /// Rows to be perturbed, with the perturbation of each.
    perturbed: Vec<(Range<usize>, Vec<Drawn>)>,
    portions: Vec<Portion>,
    first_row: usize,
    part: f64,
    step: usize,
}

impl Prepared {
    /// Returns the batch on `device`, without autodiff.
    fn on(self, device: &Device) -> Batch {
        let device = device.clone().inner();
        let Self { pixels, labels, perturbed, portions, first_row, part, step } = self;
        let mut images = Tensor::<4>::from_data(pixels, &device);
        let [_, channels, height, width] = images.dims();
        for (rows, drawn) in perturbed {
            let perturbed = perturb(images.clone().narrow(0, rows.start, rows.len()), &drawn);
            images = images.slice_assign([rows, 0..channels, 0..height, 0..width], perturbed);
        }
        let targets = Tensor::from_data(labels, &device);
        Batch { images, targets, portions, first_row, part, step, probed: false }
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
        // Rounds begin at the same steps, even after a stop between.
        let end = ((start / self.steps_per_round + 1) * self.steps_per_round).min(self.steps_total);
        Box::new(TrainIterator { loader: self, prepared: self.prepare_ahead(start..end), start, next: start, end })
    }

    fn num_items(&self) -> usize {
        self.steps_per_round * self.batch_size
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self { device: device.clone(), ..self.clone() })
    }

    /// Returns a loader of one device's rows of each batch: `start..end` of [`Self::num_items`].
    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let row = |item: usize| (item * self.batch_size).div_ceil(self.num_items()).min(self.batch_size);
        Arc::new(Self { rows: row(start)..row(end), ..self.clone() })
    }
}

struct TrainIterator<'a> {
    loader: &'a TrainLoader,
    prepared: Receiver<Prepared>,
    start: usize,
    next: usize,
    end: usize,
}

impl Iterator for TrainIterator<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let TrainLoader { position, rows, .. } = self.loader;
        // The first of several devices leads: the others take each step that it has taken.
        let leads = rows.start == 0;
        let may_go_on = if leads { !position.stop_requested() } else { self.next < position.steps_done() };
        if self.next >= self.end || !may_go_on {
            return None;
        }
        let step = self.next;
        self.next += 1;
        if leads {
            position.move_to(self.next);
        }
        // A thread that has panicked sends nothing: the same panic comes here.
        let prepared = self.prepared.recv().unwrap_or_else(|_| self.loader.prepare(step, &mut Order::default()));
        Some(Ok(prepared.on(&self.loader.device)))
    }
}

impl DataLoaderIterator<Batch> for TrainIterator<'_> {
    fn progress(&self) -> Progress {
        let pictures = |steps: usize| steps * self.loader.batch_size;
        Progress::new(pictures(self.next - self.start), pictures(self.end - self.start), Some("pictures".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use shared::attack::AttackKind;

    use super::super::pictures::tests::picture;
    use super::*;
    use crate::data::{SIDE, Split};

    fn loader(steps_done: usize) -> TrainLoader {
        let split = Split { images: picture().repeat(10), labels: (0..10).collect() };
        TrainLoader {
            pictures: Pictures {
                split: Arc::new(split),
                crafted: HashMap::new(),
                indices: Arc::new((0..10).collect()),
                image_size: 64,
            },
            batch_size: 3,
            rows: 0..3,
            mix: vec![Share::Normal],
            perturbations: Perturbations::default(),
            crop_padding: 4,
            crop_scale: 1.0,
            perturbed: 0.0,
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
        let resumed = loader(2);
        assert_eq!([labels(&resumed), labels(&resumed)].concat(), whole[2..8]);
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

    #[test]
    fn rounds_begin_at_the_same_steps_after_a_stop_between() {
        assert_eq!(labels(&loader(0)).len(), 4);
        assert_eq!(labels(&loader(3)).len(), 1);
        assert_eq!(labels(&loader(4)).len(), 4);
    }

    #[test]
    fn devices_share_the_rows_of_each_batch() {
        let whole = labels(&loader(0));
        let loader = loader(0);
        let (first, second) = (loader.slice(0, 8), loader.slice(8, loader.num_items()));
        let (mut first, mut second) = (first.iter(), second.iter());
        for rows in whole {
            // In the order of burn-train: one after the other.
            let parts = [first.next().unwrap().unwrap(), second.next().unwrap().unwrap()];
            assert!((parts[0].part + parts[1].part - 1.0).abs() < 1e-9);
            let labels = parts.map(|part| part.targets.into_data().try_into_vec_as::<i64>().unwrap()).concat();
            assert_eq!(labels, rows);
        }
        assert!(first.next().is_none() && second.next().is_none());
    }

    #[test]
    fn a_part_of_the_attacked_pictures_is_perturbed_first() {
        let mix = vec![Share::Normal, Share::Augmented, Share::NFgsm];
        let rows = |perturbed: f64, rows: Range<usize>| {
            let loader = TrainLoader { batch_size: 12, rows, mix: mix.clone(), perturbed, ..loader(0) };
            loader.perturbed_rows().into_iter().map(|rows| (rows.start, rows.end)).collect::<Vec<_>>()
        };
        assert_eq!(rows(0.0, 0..12), [(4, 8)]);
        assert_eq!(rows(0.5, 0..12), [(4, 8), (8, 10)]);
        // Two devices perturb the rows that one does.
        assert_eq!((rows(0.5, 0..6), rows(0.5, 6..12)), (vec![(4, 6)], vec![(0, 2), (2, 4)]));
        // The same picture ten times: only the perturbed ones differ.
        let mix = vec![Share::NFgsm];
        let loader = TrainLoader { batch_size: 4, rows: 0..4, mix, perturbed: 0.5, crop_padding: 0, ..loader(0) };
        let values = loader.next_batch(&Device::flex()).images.into_data().try_into_vec::<f32>().unwrap();
        let plain = picture().iter().map(|&byte| f32::from(byte) / 255.0).sum::<f32>();
        let near = |row: &[f32]| (row.iter().sum::<f32>() - plain).abs() < 0.01 * plain;
        let unchanged: Vec<bool> = values.chunks_exact(3 * SIDE * SIDE).map(near).collect();
        assert_eq!(unchanged[2..], [true, true]);
        assert!(unchanged[..2].contains(&false));
    }

    #[test]
    fn shares_come_from_their_sets_and_perturbations_change_with_the_step() {
        let attacked = Split { images: vec![255; 10 * SIDE * SIDE * 3], labels: (0..10).collect() };
        let plain = loader(0);
        let loader = TrainLoader {
            pictures: Pictures {
                crafted: HashMap::from([(AttackKind::Bim, Arc::new(attacked))]),
                ..plain.pictures.clone()
            },
            mix: vec![Share::Normal, Share::Augmented, Share::CraftedBim],
            crop_padding: 0,
            ..plain
        };
        let rows = |step: usize| {
            let batch = loader.prepare(step, &mut Order::default()).on(&Device::flex());
            let values = batch.images.into_data().try_into_vec::<f32>().unwrap();
            values.chunks_exact(3 * SIDE * SIDE).map(<[f32]>::to_vec).collect::<Vec<_>>()
        };
        let first = rows(0);
        assert!(first[2].iter().all(|&value| value == 1.0), "not the crafted set's");
        assert!(first[0].iter().any(|&value| value < 0.9));
        // The same picture ten times: only the perturbations differ.
        assert_ne!(first[1], rows(1)[1]);
        assert_eq!(first[1], rows(0)[1]);
    }
}
