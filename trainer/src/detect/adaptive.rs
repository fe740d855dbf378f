//! Attacks on a network and its detector together, by an attacker who knows both; and checks that these attacks are no weak ones.

use std::ops::Range;

use anyhow::{Result, ensure};
use burn::prelude::*;
use shared::attack::{AttackConfig, AttackRun, Goal, in_255ths};
use shared::bundle::{Bundle, CheckItem};
use shared::detect::{Adaptive, Detector, DetectorCard, Evaded, Evasion, EvasionConfig, Strategy};
use shared::metrics::{Proportion, top_k};
use shared::seed::{Purpose, derive};

use super::pictures::load;
use crate::data::Split;
use crate::error::Stopped;
use crate::evaluate::BATCH;
use crate::models::read;
use crate::progress::{Progress, Stop, Unit};

/// Number of classes that targeted attacks lead to, the likeliest other ones first.
const TARGETS: usize = 9;
/// Radius at which every image must fall, in 255ths.
pub(super) const LARGE: f32 = 32.0;
/// Queries of the search without gradients, at least.
const QUERIES: usize = 1000;
/// Part of the images by which a check may differ, of at least one image.
pub(super) const POINT: f64 = 0.01;

/// Settings of the attacks.
#[derive(Clone, Copy, Debug)]
pub struct Strength {
    /// Steps of each attack.
    pub steps: usize,
    /// Random starts of each attack.
    pub starts: usize,
}

/// An attack in the order in which they are tried: a strategy, and the rank of the class that it leads to (1 is the likeliest other
/// class); none for the likeliest of the moment.
#[derive(Clone, Copy, Debug)]
struct Try {
    strategy: Strategy,
    target: Option<usize>,
}

impl Try {
    fn name(self) -> String {
        match self.target {
            Some(_) => format!("{}, targeted", self.strategy.name()),
            None if self.strategy == Strategy::Queries => format!("search, {QUERIES} queries or more"),
            None => self.strategy.name(),
        }
    }
}

/// Returns a check with its figure and its limit.
pub(super) fn check_item(name: String, figure: String, limit: String, passed: bool) -> CheckItem {
    CheckItem { name, figure, limit, passed: Some(passed) }
}

/// An attack on a network with a detector, and the images that are attacked.
pub struct Attacker<'a> {
    /// The network.
    pub own: &'a Bundle,
    /// What its card says of the detector.
    pub card: &'a DetectorCard,
    /// The detector.
    pub detector: &'a Detector,
    /// The pictures.
    pub split: &'a Split,
    /// Numbers of the images that are looked at.
    pub indices: &'a [usize],
    /// Plain device.
    pub device: &'a Device,
    /// Strength of each attack.
    pub strength: Strength,
    /// False-alarm rate of the threshold that must be evaded.
    pub rate: f64,
}

/// Images that are still defended.
#[derive(Clone)]
pub struct Defended {
    /// Numbers in the split.
    indices: Vec<usize>,
    /// Logits before an attack, `classes` an image.
    logits: Vec<Vec<f32>>,
    /// Numbers of all images that were defended before the first attack.
    at_first: Vec<usize>,
}

impl Attacker<'_> {
    /// Runs all attacks at radius `epsilon`, each on the images that the ones before have left. Returns what they left, and the images.
    ///
    /// # Errors
    /// When the device fails, a setting is out of range or a stop was requested.
    pub fn run(&self, epsilon: f32, progress: &Progress, stop: &Stop) -> Result<(Adaptive, Defended)> {
        let mut defended = self.defended()?;
        let before = Proportion { hits: defended.indices.len(), of: self.indices.len() };
        let left = self.run_on(&mut defended, epsilon, 0, progress, stop)?;
        let Strength { steps, starts } = self.strength;
        Ok((Adaptive { epsilon, rate: self.rate, steps, starts, defended: before, left }, defended))
    }

    /// Runs all attacks on `defended`, from random starts of the numbers `first` on. Returns how many images each attack left.
    fn run_on(
        &self,
        defended: &mut Defended,
        epsilon: f32,
        first: usize,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Vec<(String, usize)>> {
        let tries = self.tries();
        let before = defended.indices.len();
        let starts = self.strength.starts;
        let total = tries.len() * starts * before;
        let task = progress.start("Evading the detector", Some(total as u64), Unit::Pictures);
        let mut left: Vec<(String, usize)> = vec![];
        for (number, attack) in tries.iter().enumerate() {
            for start in first..first + starts {
                let count = defended.indices.len();
                let seed = derive(number as u64, start as u64, Purpose::Restart);
                self.attack(*attack, epsilon, seed, defended, stop)?;
                task.advance(count as u64);
                task.skip((before - count) as u64);
            }
            match left.last_mut().filter(|(name, _)| *name == attack.name()) {
                Some((_, images)) => *images = defended.indices.len(),
                None => left.push((attack.name(), defended.indices.len())),
            }
        }
        Ok(left)
    }

    /// Returns the attacks on a detector: those that follow gradients, those of its kind, and last the search.
    fn tries(&self) -> Vec<Try> {
        let plain = |strategy| Try { strategy, target: None };
        let mut tries = vec![plain(Strategy::Orthogonal)];
        tries.extend([1.0, 0.1, 10.0].map(|weight| plain(Strategy::Sum { weight })));
        if matches!(self.detector, Detector::Dropout(..)) {
            tries.push(plain(Strategy::Expectation));
        }
        let targets = TARGETS.min(self.own.card.classes.len() - 1);
        tries.extend((1..=targets).map(|rank| Try { strategy: Strategy::Orthogonal, target: Some(rank) }));
        if matches!(self.detector, Detector::Maps(_) | Detector::Mahalanobis(_) | Detector::Statistics(_)) {
            tries.push(plain(Strategy::Features));
        }
        tries.push(plain(Strategy::Queries));
        tries
    }

    /// Finds the images that are right and raise no alarm.
    fn defended(&self) -> Result<Defended> {
        let threshold = self.threshold();
        let mut defended = Defended { indices: vec![], logits: vec![], at_first: vec![] };
        for batch in self.indices.chunks(BATCH) {
            let images = load(self.split, batch, self.device)?;
            let stages = self.own.model.stages(images.clone());
            let scores = read(self.detector.score(&self.own.model, images, &stages))?;
            let classes = self.own.card.classes.len();
            let logits = read(stages.logits)?;
            for ((&index, score), logits) in batch.iter().zip(scores).zip(logits.chunks_exact(classes)) {
                if score <= threshold && top_k(logits, 1) == [self.split.label(index)] {
                    defended.indices.push(index);
                    defended.logits.push(logits.to_vec());
                }
            }
        }
        defended.at_first.clone_from(&defended.indices);
        Ok(defended)
    }

    fn threshold(&self) -> f32 {
        self.card.calibration.threshold(self.rate)
    }

    /// Takes one attack of all defended images, and removes those that it brings to a wrong answer without an alarm.
    fn attack(&self, attack: Try, epsilon: f32, seed: u64, defended: &mut Defended, stop: &Stop) -> Result<()> {
        let mut evaded = vec![];
        for (number, batch) in defended.indices.chunks(BATCH).enumerate() {
            let first = number * BATCH;
            let seed = derive(seed, first as u64, Purpose::BatchStarts);
            let mut run = self.evasion(attack, epsilon, seed, first..first + batch.len(), defended)?;
            while !run.is_done() {
                ensure!(!stop.requested(), Stopped("Stopped; nothing was saved".into()));
                run.step(&self.own.model, self.detector);
            }
            evaded.extend(read(run.outcome())?.into_iter().map(|outcome| outcome > 1.5));
        }
        let kept = |place: &usize| !evaded[*place];
        let places: Vec<usize> = (0..evaded.len()).filter(kept).collect();
        defended.indices = places.iter().map(|&place| defended.indices[place]).collect();
        defended.logits = places.iter().map(|&place| std::mem::take(&mut defended.logits[place])).collect();
        Ok(())
    }

    fn evasion(
        &self,
        attack: Try,
        epsilon: f32,
        seed: u64,
        rows: Range<usize>,
        defended: &Defended,
    ) -> Result<Evasion> {
        let (batch, logits) = (&defended.indices[rows.clone()], &defended.logits[rows]);
        let images = load(self.split, batch, self.device)?;
        let integers =
            |values: Vec<i64>| Tensor::<1, Int>::from_data(TensorData::new(values, [batch.len()]), self.device);
        let labels: Vec<i64> = batch.iter().map(|&index| self.split.label(index) as i64).collect();
        let of_rank = |rank: usize| {
            // The likeliest class is the true one: the images are right.
            let target = |logits: &Vec<f32>| top_k(logits, rank + 1).last().map_or(0, |&class| class as i64);
            logits.iter().take(batch.len()).map(target).collect::<Vec<i64>>()
        };
        let guides = match attack.strategy {
            Strategy::Features => Some(self.guides(&of_rank(1), &defended.at_first)?),
            _ => None,
        };
        let about =
            Evaded { labels: integers(labels), targets: attack.target.map(|rank| integers(of_rank(rank))), guides };
        // A query costs a third of a step, and a search needs many more.
        let steps = match attack.strategy {
            Strategy::Queries => QUERIES.max(self.strength.steps),
            _ => self.strength.steps,
        };
        let config = EvasionConfig { epsilon, steps, strategy: attack.strategy, threshold: self.threshold(), seed };
        Ok(Evasion::new(&config, images, about)?)
    }

    /// Returns a picture of each class that the network calls by its class and that raises no alarm; of a class without such a picture the
    /// first of the class, or of all.
    fn guides(&self, classes: &[i64], defended: &[usize]) -> Result<Tensor<4>> {
        let is_of = |index: &usize, class: i64| self.split.label(*index) as i64 == class;
        let guide = |class: &i64| {
            let accepted = defended.iter().copied().find(|index| is_of(index, *class));
            accepted.or_else(|| (0..self.split.len()).find(|index| is_of(index, *class))).unwrap_or(0)
        };
        let indices: Vec<usize> = classes.iter().map(guide).collect();
        load(self.split, &indices, self.device)
    }

    /// Checks that the attacks of [`Self::run`] are no weak ones.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub fn checks(
        &self,
        adaptive: &[(Adaptive, Defended)],
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Vec<CheckItem>> {
        let smallest = adaptive.iter().min_by(|(one, _), (other, _)| one.epsilon.total_cmp(&other.epsilon));
        let Some((weakest, left)) = smallest else { return Ok(vec![]) };
        if weakest.defended.hits == 0 {
            // Nothing was attacked, so nothing can be checked.
            return Ok(vec![CheckItem {
                name: "some images are right and raise no alarm before an attack".into(),
                figure: format!("none of {}", weakest.defended.of),
                limit: String::new(),
                passed: None,
            }]);
        }
        let mut items = vec![];
        let (large, _) = self.run(LARGE / 255.0, progress, stop)?;
        let withstood = large.withstood();
        items.push(check_item(
            format!("at {LARGE}/255 every image evades the detector"),
            format!("{} of {} withstand", withstood.hits, large.defended.hits),
            "none".into(),
            withstood.hits == 0,
        ));
        // Images that evaded once stay lost: only the others can change.
        let twice = Strength { steps: 2 * self.strength.steps, ..self.strength };
        let mut again = left.clone();
        Self { strength: twice, ..*self }.run_on(&mut again, weakest.epsilon, twice.starts, progress, stop)?;
        let gained = left.indices.len() - again.indices.len();
        let allowed = ((POINT * weakest.defended.of as f64) as usize).max(1);
        items.push(check_item(
            format!("other starts and twice the steps change nothing at {}", in_255ths(weakest.epsilon)),
            format!("{gained} images more evade"),
            format!("{allowed} of {}", weakest.defended.of),
            gained <= allowed,
        ));
        items.push(self.not_blind(weakest.epsilon)?);
        items.push(self.not_weaker_than_plain(weakest)?);
        let at_8 = adaptive.iter().find(|(one, _)| (one.epsilon * 255.0 - 8.0).abs() < 0.01);
        if let Some((at_8, _)) = at_8 {
            let robust = self.robust(4.0 / 255.0)?;
            items.push(check_item(
                "what withstands at 8/255 with the detector is no more than what is robust at 4/255 without it".into(),
                format!("{} and {robust} of {}", at_8.withstood().hits, self.indices.len()),
                format!("{allowed} more"),
                at_8.withstood().hits <= robust + allowed,
            ));
        }
        Ok(items)
    }

    /// Checks that the score has a gradient to follow on each image.
    fn not_blind(&self, epsilon: f32) -> Result<CheckItem> {
        let defended = self.defended()?;
        let batch = &defended.indices[..defended.indices.len().min(BATCH)];
        let attack = Try { strategy: Strategy::Orthogonal, target: None };
        let mut run = self.evasion(attack, epsilon, 0, 0..batch.len(), &defended)?;
        (0..2).for_each(|_| run.step(&self.own.model, self.detector));
        let blind = read(run.score_slope())?.into_iter().filter(|slope| *slope == 0.0 || slope.is_nan()).count();
        Ok(CheckItem {
            name: "the score has a gradient on every image".into(),
            figure: format!("{blind} of {} without", batch.len()),
            limit: "none".into(),
            passed: Some(blind == 0),
        })
    }

    /// Checks that PGD, which does not know of the detector, evades it on no image more.
    fn not_weaker_than_plain(&self, adaptive: &Adaptive) -> Result<CheckItem> {
        let defended = self.defended()?;
        let threshold = self.threshold();
        let mut evaded = 0;
        for batch in defended.indices.chunks(BATCH) {
            let images = load(self.split, batch, self.device)?;
            let labels: Vec<i64> = batch.iter().map(|&index| self.split.label(index) as i64).collect();
            let on_device = Tensor::from_data(TensorData::new(labels.clone(), [batch.len()]), self.device);
            let config = AttackConfig::pgd(adaptive.epsilon, self.strength.steps, 0);
            let attacked = AttackRun::new(&config, images, on_device, Goal::Untargeted)?.finish(&self.own.model);
            let stages = self.own.model.stages(attacked.clone());
            let scores = read(self.detector.score(&self.own.model, attacked, &stages))?;
            let answers = read::<1>(stages.logits.argmax(1).float().reshape([batch.len()]))?;
            let is_evasion =
                |(score, (answer, label)): (f32, (&f32, &i64))| score <= threshold && *answer as i64 != *label;
            evaded += scores.into_iter().zip(answers.iter().zip(&labels)).filter(|one| is_evasion(*one)).count();
        }
        let adaptive_evaded = adaptive.evaded().hits;
        Ok(CheckItem {
            name: format!("PGD alone evades no more at {}", in_255ths(adaptive.epsilon)),
            figure: format!("{evaded}, and {adaptive_evaded} with knowledge of the detector"),
            limit: "no more".into(),
            passed: Some(evaded <= adaptive_evaded),
        })
    }

    /// Counts the images that are right under PGD without a detector.
    fn robust(&self, epsilon: f32) -> Result<usize> {
        let mut robust = 0;
        for batch in self.indices.chunks(BATCH) {
            let images = load(self.split, batch, self.device)?;
            let labels: Vec<i64> = batch.iter().map(|&index| self.split.label(index) as i64).collect();
            let on_device = Tensor::from_data(TensorData::new(labels.clone(), [batch.len()]), self.device);
            let config = AttackConfig::pgd(epsilon, 50, 0);
            let attacked = AttackRun::new(&config, images, on_device, Goal::Untargeted)?.finish(&self.own.model);
            let answers = self.own.model.forward(attacked).argmax(1).float().reshape([batch.len()]);
            robust +=
                read::<1>(answers)?.iter().zip(&labels).filter(|(answer, label)| **answer as i64 == **label).count();
        }
        Ok(robust)
    }
}
