//! Routing, an idea that the paper gave up: its network of three classes chooses which of three networks answers, the normal one, the
//! one trained on FGSM pictures, or the one trained on BIM pictures.

mod report;

use anyhow::{Result, ensure};
use burn::prelude::*;
use shared::bundle::{Bundle, CheckItem};
use shared::detect::{Detector, DetectorKind, Evaded, Evasion, EvasionConfig, NETWORK_CLASSES, Strategy};
use shared::metrics::{Proportion, top_k};
use shared::model::Classifier;
use shared::perturb::{Perturbations, draw, perturb};
use shared::seed::{Purpose, derive};

use super::adaptive::{LARGE, POINT, Strength, check_item};
use super::pictures::load;
use crate::data::{CraftedVal, Split};
use crate::error::Stopped;
use crate::evaluate::{AUGMENTED_SEED, BATCH};
use crate::models::read;
use crate::progress::{Progress, Stop, Unit};

pub use self::report::{Attacked, RoutingReport};

/// Networks that a picture is routed to, in the order of the router's classes.
pub const ROUTES: [&str; NETWORK_CLASSES] = ["normal", "fgsm", "bim"];
/// Sets of validation images, with the route of an oracle.
pub(super) const SETS: [(&str, usize); 4] = [("normal", 0), ("augmented", 0), ("FGSM", 1), ("BIM", 2)];
/// How an attacker of a router and one of its networks chooses steps, with the rank of the class that an attack leads to.
const TRIES: [(Strategy, Option<usize>); 6] = [
    (Strategy::Orthogonal, None),
    (Strategy::Sum { weight: 1.0 }, None),
    (Strategy::Sum { weight: 0.1 }, None),
    (Strategy::Sum { weight: 10.0 }, None),
    (Strategy::Orthogonal, Some(1)),
    (Strategy::Orthogonal, Some(2)),
];
/// Number of attacks on each defence, so that none is attacked harder than the other.
pub(super) const ATTACKS: usize = TRIES.len() * NETWORK_CLASSES;

/// A router with its networks, and the network that it is measured against.
pub struct Routing<'a> {
    /// The network of three classes that chooses.
    pub router: &'a Classifier,
    /// The networks of [`ROUTES`].
    pub networks: [&'a Bundle; NETWORK_CLASSES],
    /// The one network trained on all kinds of pictures.
    pub hardened: &'a Bundle,
    /// The validation pictures.
    pub split: &'a Split,
    /// The validation pictures attacked by FGSM and by BIM on the normal network.
    pub crafted: [&'a CraftedVal; 2],
    /// Plain device.
    pub device: &'a Device,
}

/// The defence under attack.
#[derive(Clone, Copy, PartialEq)]
enum Defence {
    Routed,
    Hardened,
}

/// An attack of one radius: its figures, and the images that router and networks, and the hardened network, still answer rightly.
pub struct Withstood {
    /// The figures.
    pub figures: Attacked,
    left: [Vec<usize>; 2],
}

/// An attack: a network, a detector whose score must not exceed a threshold, and the choice of steps.
struct Try<'a> {
    network: &'a Classifier,
    detector: Detector,
    threshold: f32,
    strategy: Strategy,
    target: Option<usize>,
}

impl Routing<'_> {
    /// Counts right answers on the four sets, of each network alone, routed, and routed by an oracle who is told how an image was made.
    ///
    /// # Errors
    /// When the device fails or a stop was requested.
    pub fn answers(&self, indices: &[usize], progress: &Progress, stop: &Stop) -> Result<RoutingReport> {
        let mut report = RoutingReport::new(self.networks.into_iter().chain([self.hardened]));
        let task = progress.start("Routing", Some((SETS.len() * indices.len()) as u64), Unit::Pictures);
        for batch in indices.chunks(BATCH) {
            for (set, (_, of_oracle)) in SETS.iter().enumerate() {
                ensure!(!stop.requested(), Stopped("Stopped; nothing was saved".into()));
                let images = self.images(set, batch)?;
                let route = classes(self.router.forward(images.clone()))?;
                let networks = self.networks.into_iter().chain([self.hardened]);
                let networks = networks.map(|bundle| classes(bundle.model.forward(images.clone())));
                let networks = networks.collect::<Result<Vec<_>>>()?;
                for (row, &index) in batch.iter().enumerate() {
                    let is_right = |network: usize| networks[network][row] == self.split.label(index);
                    let alone = [0, 1, 2, NETWORK_CLASSES].map(is_right);
                    report.count(set, route[row], alone, is_right(*of_oracle));
                }
                task.advance(batch.len() as u64);
            }
        }
        Ok(report)
    }

    fn images(&self, set: usize, batch: &[usize]) -> Result<Tensor<4>> {
        match set {
            0 => load(self.split, batch, self.device),
            1 => {
                let drawn = |&index: &usize| draw(&Perturbations::default(), AUGMENTED_SEED, index as u64);
                Ok(perturb(load(self.split, batch, self.device)?, &batch.iter().map(drawn).collect::<Vec<_>>()))
            }
            _ => load(&self.crafted[set - 2].val, batch, self.device),
        }
    }

    /// Attacks router and networks together: an image is lost once a changed image within the radius gets a wrong answer through the
    /// router. Attacks the hardened network as often.
    ///
    /// # Errors
    /// When the device fails, the radius is out of range or a stop was requested.
    pub fn attacked(
        &self,
        indices: &[usize],
        epsilon: f32,
        strength: Strength,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Withstood> {
        let left = [Defence::Routed, Defence::Hardened].map(|defence| {
            let before = self.right(defence, indices)?;
            self.attack(defence, before, epsilon, strength, 0, progress, stop)
        });
        let [routed, hardened] = left;
        let (routed, hardened) = (routed?, hardened?);
        let share = |left: &[usize]| Proportion { hits: left.len(), of: indices.len() };
        let only = |these: &[usize], others: &[usize]| these.iter().filter(|index| !others.contains(index)).count();
        let Strength { steps, starts } = strength;
        let figures = Attacked {
            epsilon,
            steps,
            starts,
            routed: share(&routed),
            hardened: share(&hardened),
            discordant: [only(&routed, &hardened), only(&hardened, &routed)],
        };
        Ok(Withstood { figures, left: [routed, hardened] })
    }

    /// Checks that the attacks are no weak ones, on both defences.
    ///
    /// # Errors
    /// As for [`Self::attacked`].
    pub fn checks(
        &self,
        indices: &[usize],
        attacked: &[Withstood],
        strength: Strength,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Vec<CheckItem>> {
        let smallest = attacked.iter().min_by(|one, other| one.figures.epsilon.total_cmp(&other.figures.epsilon));
        let Some(weakest) = smallest else { return Ok(vec![]) };
        let large = self.attacked(indices, LARGE / 255.0, strength, progress, stop)?.figures;
        let twice = Strength { steps: 2 * strength.steps, ..strength };
        let allowed = ((POINT * indices.len() as f64) as usize).max(1);
        let mut items = vec![];
        let defences =
            [(Defence::Routed, "routed", large.routed), (Defence::Hardened, "hardened alone", large.hardened)];
        for ((defence, name, at_large), left) in defences.into_iter().zip(&weakest.left) {
            items.push(check_item(
                format!("{name}: nothing withstands {LARGE}/255"),
                format!("{} of {} withstand", at_large.hits, at_large.of),
                "none".into(),
                at_large.hits == 0,
            ));
            let epsilon = weakest.figures.epsilon;
            let again = self.attack(defence, left.clone(), epsilon, twice, strength.starts, progress, stop)?;
            let gained = left.len() - again.len();
            items.push(check_item(
                format!(
                    "{name}: other starts and twice the steps change nothing at {}",
                    shared::attack::in_255ths(epsilon)
                ),
                format!("{gained} images more are lost"),
                format!("{allowed} of {}", indices.len()),
                gained <= allowed,
            ));
        }
        Ok(items)
    }

    /// Returns the images of `left` that are still answered rightly after all attacks, from random starts of the numbers `first` on.
    #[expect(clippy::too_many_arguments, reason = "progress and stop go through every long function")]
    fn attack(
        &self,
        defence: Defence,
        mut left: Vec<usize>,
        epsilon: f32,
        strength: Strength,
        first: usize,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Vec<usize>> {
        let (before, tries) = (left.len(), self.tries(defence));
        let total = (tries.len() * strength.starts * before) as u64;
        let task = progress.start("Attacking all that defends", Some(total), Unit::Pictures);
        for (number, attack) in tries.iter().enumerate() {
            for start in first..first + strength.starts {
                let mut kept = vec![];
                for (place, batch) in left.chunks(BATCH).enumerate() {
                    let seed = derive(
                        derive(number as u64, start as u64, Purpose::Restart),
                        place as u64,
                        Purpose::BatchStarts,
                    );
                    let mut run = self.evasion(attack, batch, (epsilon, strength.steps), seed)?;
                    while !run.is_done() {
                        ensure!(!stop.requested(), Stopped("Stopped; nothing was saved".into()));
                        run.step(attack.network, &attack.detector);
                    }
                    kept.extend(self.right_of(defence, batch, run.best())?);
                }
                task.advance(left.len() as u64);
                task.skip((before - left.len()) as u64);
                left = kept;
            }
        }
        Ok(left)
    }

    fn tries(&self, defence: Defence) -> Vec<Try<'_>> {
        let routed = || {
            self.networks.iter().enumerate().flat_map(|(route, network)| {
                TRIES.iter().map(move |&(strategy, target)| {
                    let detector = Detector::Network(Box::new(self.router.clone()), route);
                    Try { network: &network.model, detector, threshold: 0.0, strategy, target }
                })
            })
        };
        // Below the threshold is every score, so that the sum is of the margin alone; half of the attacks are targeted.
        let alone = |number: usize| Try {
            network: &self.hardened.model,
            detector: Detector::Logits(DetectorKind::Energy),
            threshold: f32::MAX,
            strategy: Strategy::Sum { weight: 1.0 },
            target: (number >= ATTACKS / 2).then(|| number - ATTACKS / 2 + 1),
        };
        match defence {
            Defence::Routed => routed().collect(),
            Defence::Hardened => (0..ATTACKS).map(alone).collect(),
        }
    }

    fn evasion(&self, attack: &Try<'_>, batch: &[usize], (epsilon, steps): (f32, usize), seed: u64) -> Result<Evasion> {
        let images = load(self.split, batch, self.device)?;
        let integers =
            |values: Vec<i64>| Tensor::<1, Int>::from_data(TensorData::new(values, [batch.len()]), self.device);
        let targets = match attack.target {
            None => None,
            Some(rank) => {
                let logits = attack.network.forward(images.clone());
                let [_, classes] = logits.dims();
                let logits = read(logits)?;
                // The likeliest class but the true one has rank 1.
                let target = |(logits, &index): (&[f32], &usize)| {
                    let others = top_k(logits, rank + 1).into_iter().filter(|class| *class != self.split.label(index));
                    others.take(rank).last().map_or(0, |class| class as i64)
                };
                Some(integers(logits.chunks_exact(classes).zip(batch).map(target).collect()))
            }
        };
        let labels = integers(batch.iter().map(|&index| self.split.label(index) as i64).collect());
        let config = EvasionConfig { epsilon, steps, strategy: attack.strategy, threshold: attack.threshold, seed };
        Ok(Evasion::new(&config, images, Evaded { labels, targets, guides: None })?)
    }

    /// Returns the images that are answered rightly as they are.
    fn right(&self, defence: Defence, indices: &[usize]) -> Result<Vec<usize>> {
        let batches = indices.chunks(BATCH);
        let right = batches.map(|batch| self.right_of(defence, batch, load(self.split, batch, self.device)?));
        Ok(right.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Returns the images of a batch that are answered rightly when shown as `images`.
    fn right_of(&self, defence: Defence, batch: &[usize], images: Tensor<4>) -> Result<Vec<usize>> {
        let answers = match defence {
            Defence::Hardened => classes(self.hardened.model.forward(images))?,
            Defence::Routed => {
                let route = classes(self.router.forward(images.clone()))?;
                let networks = self.networks.map(|bundle| classes(bundle.model.forward(images.clone())));
                let networks = networks.into_iter().collect::<Result<Vec<_>>>()?;
                route.iter().enumerate().map(|(row, &route)| networks[route][row]).collect()
            }
        };
        let right = batch.iter().zip(answers).filter(|(index, answer)| self.split.label(**index) == *answer);
        Ok(right.map(|(index, _)| *index).collect())
    }
}

fn classes(logits: Tensor<2>) -> Result<Vec<usize>> {
    let [count, _] = logits.dims();
    let classes = read::<1>(logits.argmax(1).float().reshape([count]))?;
    Ok(classes.into_iter().map(|class| class as usize).collect())
}
