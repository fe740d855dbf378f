//! Accuracies of networks: on clean and on augmented images, under attacks through their own gradients (white-box), and on
//! images crafted on another network (transfer), during the evaluation or beforehand in a crafted set (the paper's protocol).
//! Labels are the true ones. An attack ends with its last step, or follows each image until it is fooled for the first time
//! ([`Attack::until_fooled`]), which is stronger and several times as fast. `bastion check` measures by [`Evaluation`]
//! too, so it checks the published scores.

mod batch;
mod charts;
mod image_result;
mod origins;
pub mod report;
mod results;
mod tally;
#[cfg(test)]
mod tests;
mod until_fooled;

use std::ops::Range;

use anyhow::{Result, ensure};
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use shared::attack::{AttackConfig, Goal};
use shared::bundle::{Bundle, ImageSet, Score};

pub(crate) use self::batch::{AUGMENTED_SEED, BATCH, EvaluationBatch, logits};
use self::batch::{Attacked, Originals, Shown};
pub(crate) use self::image_result::ImageResult;
pub use self::origins::Origins;
use self::until_fooled::UntilFooledTrial;
use crate::data::{CraftedVal, Split};
use crate::error::Stopped;
use crate::kept::{Clock, Kept, Key};
use crate::nodes::{Place, at_once};
use crate::progress::{Progress, Stop, Task, Unit};

/// Cost of a gradient, in passes of an image through a network without one.
pub(crate) const GRADIENT: u64 = 2;

/// One measurement of an evaluation: a set of images, and an attack on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Set of the images before the attack.
    pub set: ImageSet,
    /// The attack; `None` for images as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<Attack>,
    /// Place of the crafted set whose images are shown, among those of the evaluation. Then nothing is attacked, and `attack`
    /// is the attack that made the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crafted: Option<usize>,
}

/// An attack and how it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// The attack and its strength.
    pub config: AttackConfig,
    /// Whether the attack leads away from the true class, or towards a random other one.
    pub goal: Goal,
    /// Random starts, of which the worst counts.
    pub restarts: usize,
    /// Attacks on the images that the one before has left, each with one random start.
    pub then: Vec<AttackConfig>,
    /// Place of the network whose gradients are used, among those evaluated; `None` for each network's own.
    pub crafted_on: Option<usize>,
    /// Whether an image is attacked until it is fooled for the first time, at whatever step of whatever start; else the image
    /// counts as it is after the last step. For a network's own gradients alone: an image crafted on another network would be
    /// hardly past the boundary of that network.
    pub until_fooled: bool,
    /// Whether the radius is in standard deviations of the network whose gradients are used, each network's its own.
    pub normalized: bool,
}

impl Attack {
    /// Returns all attacks in order, each with its random starts.
    pub(crate) fn stages(&self) -> Vec<(AttackConfig, usize)> {
        let first = (self.config.clone(), self.restarts);
        std::iter::once(first).chain(self.then.iter().map(|config| (config.clone(), 1))).collect()
    }

    /// Returns the largest number of steps and starts of an image in the attacks up to number `last`.
    pub(crate) fn passes_through(&self, last: usize) -> u64 {
        let passes = |(config, restarts): (AttackConfig, usize)| config.starts(restarts) * (config.steps_total() + 1);
        self.stages().into_iter().take(last + 1).map(passes).sum::<usize>() as u64
    }
}

impl Trial {
    /// The validation images without an attack.
    pub const CLEAN: Self = Self::unattacked(ImageSet::Validation);
    /// The augmented images without an attack.
    pub const AUGMENTED: Self = Self::unattacked(ImageSet::Augmented);

    /// Returns the images of `set` without an attack.
    pub const fn unattacked(set: ImageSet) -> Self {
        Self { set, attack: None, crafted: None }
    }

    /// Returns an attack away from the true class, from one start, through the gradients of network `crafted_on` or, where it
    /// is `None`, of each network.
    pub fn attack(config: AttackConfig, crafted_on: Option<usize>) -> Self {
        let attack = Attack {
            config,
            goal: Goal::Untargeted,
            restarts: 1,
            then: vec![],
            crafted_on,
            until_fooled: false,
            normalized: false,
        };
        Self { set: ImageSet::Validation, attack: Some(attack), crafted: None }
    }

    /// Returns an attack away from the true class through the network's own gradients, until an image is fooled for the first
    /// time.
    pub fn until_fooled(config: AttackConfig) -> Self {
        let attack = Attack {
            config,
            goal: Goal::Untargeted,
            restarts: 1,
            then: vec![],
            crafted_on: None,
            until_fooled: true,
            normalized: false,
        };
        Self { set: ImageSet::Validation, attack: Some(attack), crafted: None }
    }

    /// Returns the images of `set`, which is at `place` among the crafted sets of the evaluation.
    pub fn saved(place: usize, set: &CraftedVal) -> Self {
        Self { crafted: Some(place), ..Self::attack(set.made.attack.clone(), None) }
    }

    /// Returns the trial with the radius that it has on a network that normalises by the deviation `std`.
    fn on(&self, std: [f32; 3]) -> Self {
        let mut trial = self.clone();
        if let Some(attack) = trial.attack.as_mut().filter(|attack| attack.normalized) {
            attack.config.channel_scale = std;
            attack.then.iter_mut().for_each(|config| config.channel_scale = std);
        }
        trial
    }

    /// Returns the attack, if it follows images until they are fooled.
    fn attack_until_fooled(&self) -> Option<&Attack> {
        let own = |attack: &&Attack| attack.until_fooled && attack.crafted_on.is_none();
        self.attack.as_ref().filter(own).filter(|_| self.crafted.is_none())
    }

    /// Returns the number of measurements one after the other: of the attacks that follow images until they are fooled.
    pub(crate) fn stages(&self) -> usize {
        self.attack_until_fooled().map_or(1, |attack| 1 + attack.then.len())
    }

    /// Returns the cost of the trial for each image and so many networks, in passes through a network: where images may leave
    /// early, the highest possible.
    pub(crate) fn work(&self, networks: usize) -> u64 {
        let networks = networks as u64;
        let Some(attack) = self.attack.as_ref().filter(|_| self.crafted.is_none()) else { return networks };
        let (starts, steps) = (attack.restarts as u64, attack.config.steps_total() as u64);
        match (self.attack_until_fooled(), attack.crafted_on) {
            (Some(attack), _) => networks * (1 + attack.passes_through(attack.then.len()) * GRADIENT),
            (None, None) => networks * (1 + starts * steps * GRADIENT),
            (None, Some(_)) => networks + starts * steps * GRADIENT,
        }
    }
}

/// Returns the numbers of `limit` images of a set (all without a limit), as evenly spread over the classes as possible,
/// ascending.
pub fn spread(labels: &[u16], limit: Option<usize>) -> Vec<usize> {
    let mut seen = std::collections::HashMap::<u16, usize>::new();
    let place_in_class = labels.iter().map(|&label| {
        let place = seen.entry(label).or_default();
        *place += 1;
        *place
    });
    let mut order: Vec<(usize, usize)> = place_in_class.zip(0..).collect();
    order.sort_unstable();
    let mut chosen: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
    chosen.truncate(limit.unwrap_or(labels.len()));
    chosen.sort_unstable();
    chosen
}

/// Networks, images and trials that are evaluated together.
pub struct Evaluation<'a> {
    /// The networks, all with the same classes.
    pub bundles: &'a [Bundle],
    /// The clean images.
    pub clean: &'a Split,
    /// Numbers of the clean images that are used.
    pub indices: &'a [usize],
    /// Sets crafted from the clean images, for trials to name by their place.
    pub crafted: &'a [CraftedVal],
    /// The first must be [`Trial::CLEAN`], which the success of attacks is counted from.
    pub trials: &'a [Trial],
    /// The request to stop early.
    pub stop: &'a Stop,
}

impl Evaluation<'_> {
    /// Scores each network in each trial: one list a network, one score a trial. Keeps nothing of a run that is stopped.
    ///
    /// # Errors
    /// When there are no images, a crafted set has other labels than the clean one, or the device fails or computes something
    /// that is not a number; [`crate::error::Stopped`] after a request to stop.
    pub fn run(&self, device: &Device, progress: &Progress) -> Result<Vec<Vec<Score>>> {
        self.run_in(BATCH, device, progress)
    }

    /// Scores each network in each trial, as [`Evaluation::run`] does, with so many images at once.
    ///
    /// # Errors
    /// Under the conditions of [`Evaluation::run`].
    pub fn run_in(&self, batch_size: usize, device: &Device, progress: &Progress) -> Result<Vec<Vec<Score>>> {
        self.run_kept(&Kept::nothing(self.indices.len(), batch_size), device, progress)
    }

    /// Scores each network in each trial on the images of `kept`, which takes each result that is done, and whose results are not
    /// measured again.
    ///
    /// # Errors
    /// Under the conditions of [`Evaluation::run`], or when results cannot be written.
    pub fn run_kept(&self, kept: &Kept, device: &Device, progress: &Progress) -> Result<Vec<Vec<Score>>> {
        self.run_on(&[Place { name: "", device, on_it: self.bundles }], kept, progress)
    }

    /// Scores each network in each trial, as [`Evaluation::run_kept`] does, on several devices at once: each has all networks, and
    /// measures a part of the hundreds. The hundreds, and what is random in them, are the same on any number of devices.
    ///
    /// # Errors
    /// Under the conditions of [`Evaluation::run_kept`].
    pub fn run_on(&self, places: &[Place<'_, [Bundle]>], kept: &Kept, progress: &Progress) -> Result<Vec<Vec<Score>>> {
        if self.bundles.is_empty() {
            return Ok(vec![]);
        }
        ensure!(!self.indices.is_empty(), "there are no images to evaluate on");
        ensure!(self.trials.first() == Some(&Trial::CLEAN), "the first trial must be that of clean images");
        for set in self.crafted {
            ensure!(set.val.labels == self.clean.labels, "{} has other labels than the clean set", set.dir.display());
        }
        let networks: Vec<usize> = (0..self.bundles.len()).collect();
        let work = self.trials.iter().map(|trial| trial.work(networks.len())).sum::<u64>();
        let done = self.done(self.trials, &networks, kept)?;
        let task = progress.start("Evaluating", Some(work * kept.images() as u64), Unit::Passes);
        task.skip(done);
        let origins = self.origins();
        let mut scores: Vec<Vec<Score>> = vec![Vec::with_capacity(self.trials.len()); networks.len()];
        let mut clean: Option<Vec<Vec<ImageResult>>> = None;
        for trial in self.trials {
            let results = self.results_on(places, trial, &networks, kept, &task)?;
            let clean = clean.get_or_insert_with(|| results.clone());
            for (network, ((scores, results), clean)) in scores.iter_mut().zip(&results).zip(clean).enumerate() {
                scores.push(origins.score(trial, network, results, clean));
            }
        }
        Ok(scores)
    }

    /// Measures one trial on `places`, each with a part of the hundreds of `kept`. Returns what [`Evaluation::results`] does.
    fn results_on(
        &self,
        places: &[Place<'_, [Bundle]>],
        trial: &Trial,
        networks: &[usize],
        kept: &Kept,
        task: &Task,
    ) -> Result<Vec<Vec<ImageResult>>> {
        let hundreds = kept.hundreds();
        let begins = |place: usize| hundreds.start + place * hundreds.len() / places.len();
        let shares: Vec<_> = (0..places.len()).map(|place| begins(place)..begins(place + 1)).collect();
        let work = |place: &Place<'_, [Bundle]>, share: &Range<usize>| {
            let part = Evaluation { bundles: place.on_it, ..*self };
            part.results(trial, networks, share.clone(), kept, place.device, task)
        };
        // After a failure the evaluation is over, and the other devices need not go on.
        let done = at_once(places, &shares, work, || self.stop.request());
        let (done, failed): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        let (stopped, failed): (Vec<_>, Vec<_>) =
            failed.into_iter().filter_map(Result::err).partition(anyhow::Error::is::<Stopped>);
        if let Some(error) = failed.into_iter().chain(stopped).next() {
            return Err(error);
        }
        let mut joined = vec![Vec::with_capacity(kept.images()); networks.len()];
        for of_networks in done.into_iter().flatten() {
            joined.iter_mut().zip(of_networks).for_each(|(joined, results)| joined.extend(results));
        }
        Ok(joined)
    }

    /// Returns the work of what is in `kept` already, as [`Trial::work`] counts it.
    ///
    /// # Errors
    /// When a result cannot be understood.
    pub(crate) fn done(&self, trials: &[Trial], networks: &[usize], kept: &Kept) -> Result<u64> {
        let mut done = 0;
        for (trial, hundred) in trials.iter().flat_map(|trial| kept.hundreds().map(move |hundred| (trial, hundred))) {
            match trial.attack_until_fooled() {
                Some(attack) => {
                    for &network in networks {
                        done += UntilFooledTrial::done(attack, trial, network, hundred, kept)?;
                    }
                }
                None => {
                    let has = |network: &usize| kept.has(&Key::of_trial(*network, trial, 0, hundred));
                    let all = networks.iter().map(has).collect::<Result<Vec<_>>>()?.into_iter().all(|has| has);
                    done += u64::from(all) * trial.work(networks.len()) * kept.places(hundred).len() as u64;
                }
            }
        }
        Ok(done)
    }

    /// Measures one trial on the images of `hundreds`. Returns their results, in the order of the evaluation's, for each of
    /// `networks`, which are places in the evaluation's. `task` advances by [`Trial::work`] for each image that was not measured
    /// before.
    ///
    /// # Errors
    /// When the device fails or computes something that is not a number, or results cannot be written;
    /// [`crate::error::Stopped`] after a request to stop.
    pub(crate) fn results(
        &self,
        trial: &Trial,
        networks: &[usize],
        hundreds: Range<usize>,
        kept: &Kept,
        device: &Device,
        task: &Task,
    ) -> Result<Vec<Vec<ImageResult>>> {
        if trial.attack_until_fooled().is_some() {
            let of_network = |&network: &usize| {
                let bundle = &self.bundles[network];
                let on_network = trial.on(bundle.card.std);
                let Some(attack) = on_network.attack_until_fooled() else { return Ok(vec![]) };
                let hundreds = hundreds.clone();
                UntilFooledTrial { evaluation: self, trial, attack, network, bundle, kept, hundreds }.run(device, task)
            };
            return networks.iter().map(of_network).collect();
        }
        let mut results = vec![Vec::with_capacity(hundreds.len() * kept.batch_size()); networks.len()];
        let mut clock = Clock::start();
        for hundred in hundreds {
            let get = |&network: &usize| kept.get(&Key::of_trial(network, trial, 0, hundred));
            let mut found: Vec<Option<Vec<ImageResult>>> = networks.iter().map(get).collect::<Result<_>>()?;
            if found.iter().any(Option::is_none) {
                self.check_stop(kept)?;
                let batch = self.batch(hundred, kept, device)?;
                let originals = Originals::new(&batch, trial.set);
                let common = self.common(&batch, &originals, trial)?;
                let mut measured_now = 0;
                for (&network, found) in networks.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
                    measured_now += 1;
                    let bundle = &self.bundles[network];
                    let measured = match &common {
                        Some(shown) => shown.results(&batch, bundle)?,
                        None => {
                            let images = batch.attacked(&originals.images, &trial.on(bundle.card.std), bundle)?;
                            Shown::attacked(&originals, images)?.results(&batch, bundle)?
                        }
                    };
                    kept.add(Key::of_trial(network, trial, 0, hundred), &measured, clock.lap())?;
                    *found = Some(measured);
                }
                let (all, now) = (trial.work(networks.len()), trial.work(measured_now));
                task.skip((all - now) * batch.labels.len() as u64);
                task.advance(now * batch.labels.len() as u64);
            }
            results.iter_mut().zip(found).for_each(|(results, found)| results.extend(found.into_iter().flatten()));
        }
        Ok(results)
    }

    /// Returns the images of a hundred.
    ///
    /// # Errors
    /// When there is no network, or an image cannot be read.
    pub(crate) fn batch(&self, hundred: usize, kept: &Kept, device: &Device) -> Result<EvaluationBatch> {
        let classes = self.bundles.first().map_or(0, |bundle| bundle.card.classes.len());
        EvaluationBatch::new(self.clean, &self.indices[kept.places(hundred)], hundred, classes, device)
    }

    /// Checks that no stop was requested.
    ///
    /// # Errors
    /// [`crate::error::Stopped`] when one was; the text says what is kept.
    pub(crate) fn check_stop(&self, kept: &Kept) -> Result<()> {
        if self.stop.requested() { Err(kept.stopped()) } else { Ok(()) }
    }

    /// Returns the images of the trial where they are the same for every network, so that they are made, and compared with the
    /// originals, once; `None` for attacks through each network's own gradients.
    fn common(&self, batch: &EvaluationBatch, originals: &Originals, trial: &Trial) -> Result<Option<Shown>> {
        let images = match (&trial.attack, trial.crafted) {
            (None, _) => return Ok(Some(Shown::as_they_are(originals))),
            (Some(_), Some(set)) => Attacked::before(batch.images_of(&self.crafted[set].val)?),
            (Some(Attack { crafted_on: Some(source), .. }), None) => {
                let source = &self.bundles[*source];
                batch.attacked(&originals.images, &trial.on(source.card.std), source)?
            }
            (Some(Attack { crafted_on: None, .. }), None) => return Ok(None),
        };
        Shown::attacked(originals, images).map(Some)
    }

    fn origins(&self) -> Origins<'_> {
        Origins {
            networks: self.bundles.iter().map(|bundle| (bundle.card.name.as_str(), bundle.card.std)).collect(),
            crafted: self.crafted.iter().map(|set| (&set.made, set.sha256.as_str())).collect(),
        }
    }
}
