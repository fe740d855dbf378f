//! Attacks that follow each image until it is fooled, in a batch that stays full: new images take the places of done ones.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::attack::{AttackConfig, Goal, Loss, NewImage, UntilFooled};
use shared::bundle::Bundle;
use shared::metrics::top_k;
use shared::seed::{Purpose, derive};

use super::batch::Originals;
use super::image_result::{Change, ImageResult};
use super::{Attack, Evaluation, EvaluationBatch, GRADIENT, Trial, logits};
use crate::experiment::in_words;
use crate::kept::{Clock, Kept, Key};
use crate::progress::Task;

/// The classes that an image is judged by.
struct Classes {
    label: usize,
    target: usize,
}

impl Classes {
    fn result(&self, logits: &[f32], change: Option<Change>) -> ImageResult {
        ImageResult::new(logits, self.label, self.target, change)
    }
}

/// Images that wait for a place in the batch.
struct Queue {
    entries: Vec<NewImage>,
    /// The images of the entries, `[N, 3, height, width]`; `None` while there are no entries.
    images: Option<Tensor<4>>,
}

impl Queue {
    /// Takes the first `count` images, or all.
    fn take(&mut self, count: usize) -> Option<(Vec<NewImage>, Tensor<4>)> {
        let images = self.images.take()?;
        let (all, count) = (self.entries.len(), count.min(self.entries.len()));
        let rest = self.entries.split_off(count);
        if count < all {
            self.images = Some(images.clone().narrow(0, count, all - count));
        }
        Some((std::mem::replace(&mut self.entries, rest), images.narrow(0, 0, count)))
    }
}

/// A trial of one network whose images are attacked until they are fooled.
///
/// Each attack of the trial takes the images that the one before has left, of all hundreds together. An attack's results on a
/// hundred are kept once no image of the hundred is under attack.
pub(super) struct UntilFooledTrial<'a> {
    pub evaluation: &'a Evaluation<'a>,
    /// The trial, as results are kept under it.
    pub trial: &'a Trial,
    /// The attack of the trial, with its radius on this network.
    pub attack: &'a Attack,
    /// Place of the network.
    pub network: usize,
    pub bundle: &'a Bundle,
    pub kept: &'a Kept,
    /// The hundreds that are measured here.
    pub hundreds: Range<usize>,
}

/// A hundred of images in an attack.
#[derive(Default)]
struct Hundred {
    /// Results after the attack before, then after this one. Before the first attack there are none.
    results: Vec<Option<ImageResult>>,
    /// Images under attack.
    open: usize,
}

/// Holds an attack of a trial and the images that the attack has reached.
struct Stage {
    number: usize,
    /// The largest number of passes of an image in this attack.
    most_passes: u64,
    /// The largest number of passes of an image in this attack and those after it.
    passes_left: u64,
    /// The classes of the images under attack, by the place of the image.
    classes: HashMap<usize, Classes>,
    /// Hundreds that are not done.
    waiting: BTreeMap<usize, Hundred>,
    clock: Clock,
}

impl UntilFooledTrial<'_> {
    /// Attacks the images of the hundreds. Returns their results, in the order of the evaluation's. `task` advances by
    /// [`Trial::work`] for each image that was not attacked before.
    ///
    /// # Errors
    /// When the device fails, or computes something that is not a number, or results cannot be written;
    /// [`crate::error::Stopped`] after a request to stop.
    pub fn run(&self, device: &Device, task: &Task) -> Result<Vec<ImageResult>> {
        let stages = self.attack.stages();
        let mut results: BTreeMap<usize, Vec<ImageResult>> =
            self.hundreds.clone().map(|hundred| (hundred, vec![])).collect();
        // All settings are checked before the first of hours of work.
        let attack = |(config, starts): &(AttackConfig, usize)| UntilFooled::new(config, *starts, self.attack.goal);
        let attacks = stages.iter().map(attack).collect::<Result<Vec<_>, _>>()?;
        for (number, (attack, (config, _))) in attacks.into_iter().zip(&stages).enumerate() {
            let mut waiting = BTreeMap::new();
            for (&hundred, results) in &mut results {
                match self.kept.get(&self.key(number, hundred))? {
                    Some(found) => *results = found,
                    None => {
                        let results = match number {
                            0 => vec![None; self.kept.places(hundred).len()],
                            _ => results.drain(..).map(Some).collect(),
                        };
                        waiting.insert(hundred, Hundred { results, open: 0 });
                    }
                }
            }
            if waiting.is_empty() {
                continue;
            }
            let last = self.attack.then.len();
            let before = if number == 0 { 0 } else { self.attack.passes_through(number - 1) };
            let stage = Stage {
                number,
                most_passes: attack.most_passes() as u64,
                passes_left: self.attack.passes_through(last) - before,
                classes: HashMap::new(),
                waiting,
                clock: Clock::start(),
            };
            self.run_stage(stage, attack, &mut results, device, task)?;
            if stages.len() > 1 {
                let held = results.values().flatten().filter(|result| result.has_held()).count();
                let of = results.values().map(Vec::len).sum::<usize>();
                let seconds = self.kept.seconds(self.network, self.trial, number, self.hundreds.clone())?;
                let images = if of == 1 { "image" } else { "images" };
                task.note(format!(
                    "{}: {config} leaves {held} of {of} {images}, after {}",
                    self.bundle.card.name,
                    in_words(Duration::from_secs_f64(seconds))
                ));
            }
        }
        Ok(results.into_values().flatten().collect())
    }

    /// Attacks the images of the hundreds that wait, and puts their results into `results`.
    fn run_stage(
        &self,
        mut stage: Stage,
        mut attack: UntilFooled,
        results: &mut BTreeMap<usize, Vec<ImageResult>>,
        device: &Device,
        task: &Task,
    ) -> Result<()> {
        let batch_size = self.kept.batch_size();
        let is_guided = !attack.config().kind.is_control();
        let mut not_begun = stage.waiting.keys().copied().collect::<Vec<_>>().into_iter();
        let mut queue = Queue { entries: Vec::new(), images: None };
        loop {
            self.evaluation.check_stop(self.kept)?;
            while attack.len() < batch_size {
                if let Some((entries, images)) = queue.take(batch_size - attack.len()) {
                    attack.add(&entries, images)?;
                } else if let Some(hundred) = not_begun.next() {
                    self.begin(&mut stage, hundred, &mut queue, device, task)?;
                    self.end(&mut stage, hundred, results)?;
                } else {
                    break;
                }
            }
            if attack.is_empty() {
                break;
            }
            task.advance(attack.len() as u64 * GRADIENT);
            for outcome in pollster::block_on(attack.step(&self.bundle.model))? {
                let finite = outcome.logits.iter().all(|logit| logit.is_finite());
                ensure!(finite, "{} computed something that is not a number", self.bundle.card.name);
                let most = if outcome.reached { stage.passes_left } else { stage.most_passes };
                task.skip((most - outcome.passes as u64) * GRADIENT);
                let change = Change::new(outcome.linf, outcome.l2, outcome.pixels, &outcome.image);
                let no_gradient = is_guided && outcome.slope == 0.0;
                let fooled_by = outcome.reached.then_some(stage.number);
                let classes = stage.classes.remove(&outcome.id).context("an image came out of the attack twice")?;
                let hundred = outcome.id / batch_size;
                if let Some(waiting) = stage.waiting.get_mut(&hundred) {
                    let result = &mut waiting.results[outcome.id % batch_size];
                    let before = result.as_ref().and_then(|result| result.change);
                    // Nor did any of the attacks before.
                    let no_gradient = no_gradient && before.is_none_or(|change| change.no_gradient);
                    let change = Change { no_gradient, ..change };
                    *result = Some(ImageResult { fooled_by, ..classes.result(&outcome.logits, Some(change)) });
                    waiting.open -= 1;
                }
                self.end(&mut stage, hundred, results)?;
            }
        }
        ensure!(stage.waiting.is_empty(), "an image was lost on its way through the attack");
        Ok(())
    }

    /// Keeps the results of a hundred, if none of its images is under attack.
    fn end(&self, stage: &mut Stage, hundred: usize, results: &mut BTreeMap<usize, Vec<ImageResult>>) -> Result<()> {
        if stage.waiting.get(&hundred).is_none_or(|waiting| waiting.open > 0) {
            return Ok(());
        }
        let done = stage.waiting.remove(&hundred).unwrap_or_default().results;
        let done: Vec<ImageResult> = done.into_iter().flatten().collect();
        self.kept.add(self.key(stage.number, hundred), &done, stage.clock.lap())?;
        results.insert(hundred, done);
        Ok(())
    }

    /// Classifies the images of a hundred that this attack is for. Puts those that are not at the goal of the attack into the empty
    /// `queue`.
    fn begin(&self, stage: &mut Stage, hundred: usize, queue: &mut Queue, device: &Device, task: &Task) -> Result<()> {
        let Some(waiting) = stage.waiting.get_mut(&hundred) else { return Ok(()) };
        let is_left = |result: &Option<ImageResult>| result.as_ref().is_none_or(ImageResult::has_held);
        let left = self.kept.places(hundred).zip(&waiting.results).filter(|(_, result)| is_left(result));
        let places: Vec<usize> = left.map(|(place, _)| place).collect();
        if places.is_empty() {
            return Ok(());
        }
        let indices: Vec<usize> = places.iter().map(|&place| self.evaluation.indices[place]).collect();
        let classes = self.bundle.card.classes.len();
        let batch = EvaluationBatch::new(self.evaluation.clean, &indices, hundred, classes, device)?;
        let images = Originals::new(&batch, self.trial.set).images;
        let rows = logits(self.bundle, images.clone())?;
        let leads_to_others = self.attack.stages().iter().any(|(config, _)| config.loss.is_targeted());
        let mut rest = Vec::new();
        for (row, (logits, &place)) in rows.iter().zip(&places).enumerate() {
            let image = Classes { label: batch.labels[row], target: batch.targets[row] };
            let label = match self.attack.goal {
                Goal::Untargeted => image.label,
                Goal::Targeted => image.target,
            };
            if stage.number == 0 && self.attack.goal.is_reached(logits, label) {
                waiting.results[place % self.kept.batch_size()] = Some(image.result(logits, None));
                task.skip(stage.passes_left * GRADIENT);
            } else {
                let seed = derive(self.attack.config.seed, indices[row] as u64, Purpose::ImageStart);
                let targets = if leads_to_others { likeliest_others(logits, label) } else { vec![] };
                queue.entries.push(NewImage { id: place, label, seed, targets });
                stage.classes.insert(place, image);
                rest.push(row as i64);
            }
        }
        if stage.number == 0 {
            task.advance(places.len() as u64);
        }
        waiting.open = rest.len();
        if !rest.is_empty() {
            let count = rest.len();
            let rest = Tensor::<1, Int>::from_data(TensorData::new(rest, [count]), device);
            queue.images = Some(images.select(0, rest));
        }
        Ok(())
    }

    /// Returns the work on a hundred whose results are in `kept` already, as [`Trial::work`] counts it.
    pub fn done(attack: &Attack, trial: &Trial, network: usize, hundred: usize, kept: &Kept) -> Result<u64> {
        for stage in (0..trial.stages()).rev() {
            let Some(results) = kept.get::<Vec<ImageResult>>(&Key::of_trial(network, trial, stage, hundred))? else {
                continue;
            };
            let work = |result: &ImageResult| match result.has_held() {
                true => 1 + attack.passes_through(stage) * GRADIENT,
                false => trial.work(1),
            };
            return Ok(results.iter().map(work).sum());
        }
        Ok(0)
    }

    fn key(&self, stage: usize, hundred: usize) -> Key {
        Key::of_trial(self.network, self.trial, stage, hundred)
    }
}

/// Returns the likeliest classes but one, best first, as many as an attack with a targeted loss leads to.
fn likeliest_others(logits: &[f32], label: usize) -> Vec<usize> {
    let others = top_k(logits, Loss::TARGETS + 1).into_iter().filter(|class| *class != label);
    others.take(Loss::TARGETS).collect()
}
