//! Checks of the methods that explain answers: whether their maps depend on the network (Adebayo et al., 2018), and whether they
//! find what matters better than a map that knows nothing but the middle of a picture (Petsiuk et al., 2018).

mod report;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use serde::Serialize;
use shared::bundle::Bundle;
use shared::explain::{
    Attribution, Method, Sanity, cascade, centred_gaussian, deletion_and_insertion, energy, order_by, random_order,
};
use shared::image::{Picture, SIDE, pictures_to_tensor};
use shared::metrics::{Proportion, top_k};

pub use report::{ExplainCheckReport, MethodCheck, MethodVerdict, NetworkChecks};

use crate::data::Split;
use crate::models;
use crate::progress::{Progress, Stop, Unit};

/// Number of pictures whose maps are made at once.
const BATCH: usize = 20;
/// Patches of 4x4 pixels that go or come in one step: 33 points a curve, of 256 patches.
const PER_STEP: usize = 8;
/// Passes of one picture for the two curves of one order.
const CURVES: u64 = 2 * (SIDE * SIDE / 16 / PER_STEP + 1) as u64;
/// Seed of the random weights.
const SEED: u64 = 0;

/// An order in which patches go and come, of a method or of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// By the map of a method.
    Method(Method),
    /// At random.
    Random,
    /// By the distance from the middle.
    CentredGaussian,
    /// By the mean absolute value of the last stage's maps, whatever the class.
    Energy,
}

impl Order {
    /// All orders: methods first, then controls.
    pub const ALL: [Self; 6] = [
        Self::Method(Method::Cam),
        Self::Method(Method::GradCam),
        Self::Method(Method::SmoothGradient),
        Self::Random,
        Self::CentredGaussian,
        Self::Energy,
    ];

    /// Returns the name in print.
    pub fn label(self) -> &'static str {
        match self {
            Self::Method(method) => method.label(),
            Self::Random => "random order",
            Self::CentredGaussian => "centred Gaussian",
            Self::Energy => "activation energy",
        }
    }
}

/// Areas under the curves of one order: a pair a picture, of deletion (the smaller the better) and of insertion.
#[derive(Clone, Debug)]
pub struct Areas {
    /// The order of the patches.
    pub order: Order,
    /// `[deletion, insertion]` of each picture, 0 to 1.
    pub pictures: Vec<[f32; 2]>,
}

/// What was measured of one network.
pub struct NetworkMeasured {
    /// Pictures that the network classifies correctly.
    pub clean: Proportion,
    /// What random weights leave of the maps of each method, in the order of [`Method::ALL`].
    pub sanity: Vec<(Method, Sanity)>,
    /// Areas of each order, in the order of [`Order::ALL`].
    pub areas: Vec<Areas>,
}

/// Measures one network on the pictures `indices` of `split`. The class that is explained is always the network's own answer.
///
/// # Errors
/// When there are no pictures, or the device fails; [`crate::error::Stopped`] after a request to stop.
pub fn measure(
    bundle: &Bundle,
    split: &Split,
    indices: &[usize],
    device: &Device,
    progress: &Progress,
    stop: &Stop,
) -> Result<NetworkMeasured> {
    ensure!(!indices.is_empty(), "there are no pictures to check on");
    let task = progress.start("Checking maps", Some(indices.len() as u64 * CURVES * 6), Unit::Passes);
    let mut sanity: Vec<(Method, Vec<(usize, Sanity)>)> = Method::ALL.map(|method| (method, vec![])).to_vec();
    let mut areas: Vec<Areas> = Order::ALL.map(|order| Areas { order, pictures: vec![] }).to_vec();
    let mut right = 0;
    for batch in indices.chunks(BATCH) {
        stop.check()?;
        let picture = |&index: &usize| Picture::from_rgb8(split.image(index).to_vec());
        let pictures = batch.iter().map(picture).collect::<Result<Vec<_>, _>>()?;
        let images = pictures_to_tensor(&pictures, device);
        let seen = bundle.model.stages(images.clone());
        let logits = models::read(seen.logits)?;
        let rows = logits.chunks_exact(bundle.card.classes.len());
        let answers = rows.map(|row| top_k(row, 1).first().copied().unwrap_or(0)).collect::<Vec<_>>();
        right += answers.iter().zip(batch).filter(|&(&answer, &index)| answer == split.label(index)).count();
        let named: Vec<i64> = answers.iter().map(|&answer| answer as i64).collect();
        let named = Tensor::<1, Int>::from_data(named.as_slice(), device);
        let last = seen.maps.last().context("the network has no stages")?;
        let energies = pollster::block_on(Attribution::read(energy(last.clone())))?;

        for (method, batches) in &mut sanity {
            stop.check()?;
            let found = pollster::block_on(cascade(&bundle.model, images.clone(), named.clone(), *method, SEED))?;
            batches.push((batch.len(), found));
        }
        for Areas { order, pictures } in &mut areas {
            let maps = match order {
                Order::Method(method) => {
                    let maps = method.map(&bundle.model, images.clone(), named.clone())?;
                    pollster::block_on(Attribution::read(maps))?
                }
                Order::Energy => energies.clone(),
                Order::Random | Order::CentredGaussian => vec![centred_gaussian(SIDE); batch.len()],
            };
            for (place, (map, &class)) in maps.iter().zip(&answers).enumerate() {
                stop.check()?;
                let patches = match order {
                    Order::Random => random_order(SIDE, batch[place] as u64),
                    _ => order_by(map, SIDE),
                };
                let image = images.clone().narrow(0, place, 1);
                let mean = bundle.card.mean;
                let both = deletion_and_insertion(&bundle.model, image, mean, &patches, PER_STEP, class);
                pictures.push(pollster::block_on(both)?);
                task.advance(CURVES);
            }
        }
    }
    let sanity = sanity.into_iter().map(|(method, batches)| (method, Sanity::mean(&batches))).collect();
    Ok(NetworkMeasured { clean: Proportion { hits: right, of: indices.len() }, sanity, areas })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::made;
    use crate::models::tests::bundle;

    #[test]
    fn every_order_has_two_areas_a_picture_and_every_method_its_levels() {
        let device = Device::flex();
        let split = Split {
            images: (0..3).flat_map(|index| made::picture(index, index as u64)).collect(),
            labels: vec![0, 1, 2],
        };
        let (progress, stop) = (Progress::silent(), Stop::default());
        let found = measure(&bundle("small", 2, &device), &split, &[0, 2], &device, &progress, &stop).unwrap();
        assert_eq!(found.clean.of, 2);
        for (areas, order) in found.areas.iter().zip(Order::ALL) {
            assert_eq!((areas.order, areas.pictures.len()), (order, 2));
            assert!(areas.pictures.iter().flatten().all(|area| (0.0..=1.0).contains(area)));
        }
        assert!(found.sanity.iter().all(|(_, sanity)| sanity.levels.len() == 6));
        let stopped = Stop::default();
        stopped.request();
        assert!(measure(&bundle("small", 2, &device), &split, &[0], &device, &progress, &stopped).is_err());
        assert!(measure(&bundle("small", 2, &device), &split, &[], &device, &progress, &stop).is_err());
    }
}
