//! The held-out pictures, to validate on and for the probe.

use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::prelude::*;

use super::loader::Batch;
use super::pictures::{Crop, PictureView, Pictures};
use super::position::Position;

/// A loader of pictures in order, without augmentation; empty once a stop was requested.
#[derive(Clone)]
pub struct ValidLoader {
    pub pictures: Pictures,
    pub batch_size: usize,
    /// Number of pictures to attack as well, rounded up to whole batches.
    pub probe: usize,
    pub position: Arc<Position>,
    pub device: Device,
}

impl ValidLoader {
    /// Returns the number of pictures attacked, after rounding.
    pub fn probed(&self) -> usize {
        (self.probe.div_ceil(self.batch_size) * self.batch_size).min(self.pictures.indices.len())
    }
}

impl DataLoader<Batch> for ValidLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        Box::new(ValidIterator { loader: self, next: 0 })
    }

    fn num_items(&self) -> usize {
        self.pictures.indices.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self { device: device.clone(), ..self.clone() })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let indices = self.pictures.indices[start.min(end)..end.min(self.pictures.indices.len())].to_vec();
        let pictures = Pictures { indices: Arc::new(indices), ..self.pictures.clone() };
        Arc::new(Self { pictures, ..self.clone() })
    }
}

struct ValidIterator<'a> {
    loader: &'a ValidLoader,
    next: usize,
}

impl Iterator for ValidIterator<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let ValidLoader { pictures, position, device, .. } = self.loader;
        if self.next >= pictures.indices.len() || position.stop_requested() {
            return None;
        }
        let (start, end) = (self.next, (self.next + self.loader.batch_size).min(pictures.indices.len()));
        self.next = end;
        let device = device.clone().inner();
        let chosen = &pictures.indices[start..end];
        let views: Vec<PictureView> =
            chosen.iter().map(|&index| PictureView { index, crafted: None, crop: Crop::NONE }).collect();
        Some(Ok(Batch {
            images: Tensor::from_data(pictures.pixels(&views), &device),
            targets: Tensor::from_data(pictures.labels(chosen), &device),
            portions: vec![],
            first_row: 0,
            part: 1.0,
            step: position.steps_done(),
            probed: start < self.loader.probe,
        }))
    }
}

impl DataLoaderIterator<Batch> for ValidIterator<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.next, self.loader.pictures.indices.len(), Some("pictures".into()))
    }
}
