//! The paper's detector: a network of the classifier's kind, with three classes.

use anyhow::{Result, anyhow, ensure};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use shared::attack::AttackKind;
use shared::detect::{Detector, DetectorOf, NETWORK_CLASSES};
use shared::model::BuildNetwork as _;

use super::pictures::load;
use super::recipe::DetectorRecipe;
use crate::data::{Cache, Dataset, Split};
use crate::error::{Stopped, UsageError};
use crate::progress::{Progress, Stop, Unit};

/// Crafted sets of the two attacks, FGSM first.
pub struct CraftedPair {
    fgsm: Split,
    bim: Split,
}

impl CraftedPair {
    /// Loads two crafted sets, in any order.
    ///
    /// # Errors
    /// [`UsageError`] when the sets are not one of FGSM and one of BIM, crafted from `dataset`, or are from different
    /// networks; others when a set cannot be read.
    pub fn load(dirs: &[std::path::PathBuf], dataset: &Dataset) -> Result<Self> {
        let (mut fgsm, mut bim, mut sources) = (None, None, vec![]);
        for dir in dirs {
            let cache = Cache::open(dir)?;
            let crafted = cache.meta().crafted.clone();
            let crafted = crafted.filter(|crafted| crafted.data_sha256 == dataset.sha256).ok_or_else(|| {
                UsageError(format!("{} is no set crafted from this data set (`bastion craft`)", dir.display()))
            })?;
            sources.push(crafted.weights_sha256);
            match crafted.attack.kind {
                AttackKind::Fgsm => fgsm = Some(cache.train()?),
                AttackKind::Bim => bim = Some(cache.train()?),
                _ => {}
            }
        }
        let both = fgsm.zip(bim).filter(|_| dirs.len() == 2);
        let (fgsm, bim) = both.ok_or_else(|| {
            UsageError("the paper's detector needs two crafted sets: --crafted data/fgsm,data/bim".into())
        })?;
        ensure!(
            sources.windows(2).all(|pair| pair[0] == pair[1]),
            UsageError("the two crafted sets are from different networks: craft both from one".into())
        );
        ensure!(fgsm.len() == dataset.train.len() && bim.len() == fgsm.len(), "a crafted set has not all pictures");
        Ok(Self { fgsm, bim })
    }
}

/// Trains the network on equal thirds of normal, FGSM and BIM pictures: in each epoch each picture is seen once, in one of the three
/// kinds, which change from epoch to epoch.
///
/// # Errors
/// When the device fails or a stop was requested.
pub fn train(
    recipe: &DetectorRecipe,
    (dataset, indices): (&Dataset, &[usize]),
    crafted: &CraftedPair,
    of: &DetectorOf<'_>,
    progress: &Progress,
    stop: &Stop,
) -> Result<Detector> {
    let autodiff = of.device.clone().autodiff();
    let network = of.architecture.init_seeded(NETWORK_CLASSES, of.mean, of.std, recipe.seed, of.device);
    let mut network = network.map_err(|text| anyhow!(text))?.train();
    let mut optimizer = AdamWConfig::new().with_weight_decay(1e-3).init();
    let sets = [&dataset.train, &crafted.fgsm, &crafted.bim];
    let mut order = indices.to_vec();
    let mut rng = StdRng::seed_from_u64(recipe.seed);
    let steps = recipe.epochs * order.len().div_ceil(recipe.batch_size);
    let task = progress.start("Training the paper's detector", Some(steps as u64), Unit::Steps);
    for epoch in 0..recipe.epochs {
        order.shuffle(&mut rng);
        for batch in order.chunks(recipe.batch_size) {
            ensure!(!stop.requested(), Stopped("Stopped; nothing was changed".into()));
            let (mut parts, mut classes) = (vec![], vec![]);
            for (class, set) in sets.iter().enumerate() {
                let of_class: Vec<usize> =
                    batch.iter().copied().filter(|index| (index + epoch) % sets.len() == class).collect();
                if !of_class.is_empty() {
                    parts.push(load(set, &of_class, of.device)?);
                    classes.extend(of_class.iter().map(|_| class as i64));
                }
            }
            let mut images = Tensor::cat(parts, 0);
            // A mirrored attack is an attack still, which crops in between pixels would not be.
            if rng.random() {
                images = images.flip([3]);
            }
            let count = classes.len();
            let classes = Tensor::from_data(TensorData::new(classes, [count]), &autodiff);
            let loss =
                CrossEntropyLossConfig::new().init(&autodiff).forward(network.forward(images.autodiff()), classes);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            let turn = std::f64::consts::PI * task.done() as f64 / steps as f64;
            let rate = recipe.learning_rate * 0.5 * (1.0 + turn.cos());
            network = optimizer.step(rate, network, gradients);
            task.advance(1);
        }
    }
    Ok(Detector::Network(Box::new(network.valid()), 0))
}
