use burn::prelude::*;

use super::ball::Seeds;
use super::executor::Executor;
use super::gradient_step::Classes;
use super::rows::{Rows, integers};
use super::{AttackConfig, AttackError, Goal, seed_of_restart};
use crate::device::{DeviceError, read};
use crate::metrics::{l0_distance, l2_distance, linf_distance};
use crate::model::Classifier;

/// An attack that follows each image until the image reaches the goal for the first time: at whatever step, from whatever random
/// start. Such an image leaves, and the caller may put another in its place, so that no pass
/// is spent on a decided image and the batch stays full. Images that never reach the goal have held at every step of every start:
/// the worst case over all of them, at most as many images as hold at the last steps (as in AutoAttack's evaluation; Croce and
/// Hein, 2020, arXiv 2003.01690).
///
/// An image takes the steps of an [`super::AttackRun`] on that image alone with its seed, whatever images are beside
/// it. An attack that goes on to smaller changes takes all its steps, and its smallest change counts.
#[derive(Debug)]
pub struct UntilFooled {
    config: AttackConfig,
    starts: usize,
    goal: Goal,
    /// Rows in the order of the executor's images.
    rows: Vec<Row>,
    /// `None` while there are no rows.
    executor: Option<Executor>,
}

/// Share of the radius by which rounding may carry an image out of its ball.
const ROUNDING: f32 = 1e-5;

/// An image that is to be attacked.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// Number that the caller identifies the image by.
    pub id: usize,
    /// The class that the attack leads away from, or towards.
    pub label: usize,
    /// Seed of the first random start.
    pub seed: u64,
    /// The likeliest other classes, best first: an attack with a targeted loss leads to one of them from each start, so that there
    /// are no more starts than these. Empty where no loss is targeted; then, and without other classes, there is one start.
    pub targets: Vec<usize>,
}

/// An image under attack.
#[derive(Clone, Debug)]
struct Row {
    image: NewImage,
    start: usize,
    /// Steps taken from this start.
    steps_done: usize,
    passes: usize,
}

/// The outcome of the attack on an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Number of the image, as in [`NewImage`].
    pub id: usize,
    /// Whether the image reached the goal.
    pub reached: bool,
    /// Logits of the image as it was when it reached the goal, or after the last step of the last start.
    pub logits: Vec<f32>,
    /// Values of the image that has these logits, `[3, height, width]`.
    pub image: Vec<f32>,
    /// Largest change of a value from the image as it was given, in pixel units.
    pub linf: f32,
    /// Euclidean distance from the image as it was given, in pixel units.
    pub l2: f32,
    /// Number of pixels that differ from those of the image as it was given.
    pub pixels: usize,
    /// Number of passes of the image through the network, forward and back.
    pub passes: usize,
    /// Largest absolute value of the image's input gradients over all starts. Where it is 0, there was no gradient to follow, and
    /// that the network held says nothing about it.
    pub slope: f32,
}

/// An image that leaves the attack.
struct Leaving {
    /// Place among the rows.
    place: usize,
    row: Row,
    reached: bool,
    logits: Vec<f32>,
}

/// How an image was before a step.
#[derive(Clone, Copy)]
struct Now {
    /// Whether it was outside of the ball.
    is_outside: bool,
    /// Whether it does not move any more if it was fooled, even outside of the ball.
    stays_once_fooled: bool,
    /// Whether it moves on to a smaller change if it was fooled.
    goes_on_once_fooled: bool,
}

/// The rows after a step, with their places before it.
#[derive(Default)]
struct Sorted {
    going: Vec<(usize, Row)>,
    again: Vec<(usize, Row)>,
    leaving: Vec<Leaving>,
}

impl UntilFooled {
    /// Returns an attack without images, with `restarts` random starts; an attack without a random start has one.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if a setting is out of range. The seed of `config` is not used: each image has its own.
    pub fn new(config: &AttackConfig, restarts: usize, goal: Goal) -> Result<Self, AttackError> {
        config.validate()?;
        let starts = config.starts(restarts);
        Ok(Self { config: config.clone(), starts, goal, rows: Vec::new(), executor: None })
    }

    /// Returns the settings of the attack.
    pub fn config(&self) -> &AttackConfig {
        &self.config
    }

    /// Returns the number of images under attack.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether no image is under attack.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the largest number of passes of an image through the network.
    pub fn most_passes(&self) -> usize {
        self.starts * (self.config.steps_total() + 1)
    }

    /// Adds `images`, `[N, 3, height, width]` on a plain device, with one entry for each.
    ///
    /// # Errors
    ///
    /// [`AttackError::Labels`] if there is not one entry an image.
    pub fn add(&mut self, entries: &[NewImage], images: Tensor<4>) -> Result<(), AttackError> {
        if entries.is_empty() {
            return Ok(());
        }
        let row = |image: &NewImage| Row { image: image.clone(), start: 0, steps_done: 0, passes: 0 };
        let rows: Vec<Row> = entries.iter().map(row).collect();
        let classes = self.classes(&rows, &images.device());
        let seeds: Vec<u64> = entries.iter().map(|image| image.seed).collect();
        let executor = Executor::new(&self.config, images, classes, self.goal, Seeds::Each(&seeds))?;
        self.join(rows, executor);
        Ok(())
    }

    /// Returns the outcomes of images that are done, given all images before the step. An image that may be outside
    /// of the ball counts as it is once it is brought into the ball, and one that goes on to smaller changes as it was at the smallest.
    async fn outcomes(
        &self,
        mut done: Vec<Leaving>,
        before: &Executor,
        model: &Classifier,
    ) -> Result<Vec<Outcome>, DeviceError> {
        if done.is_empty() {
            return Ok(vec![]);
        }
        let selected = before.select(&Rows::new(done.iter().map(|image| image.place), &before.images().device()));
        let mut images = selected.images();
        if before.may_leave_the_ball() || before.goes_on_once_fooled() {
            images = selected.result();
            let logits = model.forward(images.clone());
            let classes = logits.dims()[1];
            let logits = read(logits).await?;
            for (image, logits) in done.iter_mut().zip(logits.chunks_exact(classes)) {
                image.reached = self.goal.is_reached(logits, image.row.image.label);
                image.logits = logits.to_vec();
            }
        }
        let (originals, images) = (read(selected.originals()).await?, read(images).await?);
        let slopes = read(selected.slope()).await?;
        let size = originals.len() / done.len();
        let pairs = originals.chunks_exact(size).zip(images.chunks_exact(size));
        let outcome = |done: Leaving, slope: f32, original: &[f32], image: &[f32]| Outcome {
            id: done.row.image.id,
            reached: done.reached,
            logits: done.logits,
            linf: linf_distance(original, image),
            l2: l2_distance(original, image),
            pixels: l0_distance(original, image),
            image: image.to_vec(),
            passes: done.row.passes,
            slope,
        };
        let all = done.into_iter().zip(slopes).zip(pairs);
        Ok(all.map(|((done, slope), (original, image))| outcome(done, slope, original, image)).collect())
    }

    /// Returns the classes that rows are led from, or to, from their starts.
    fn classes(&self, rows: &[Row], device: &Device) -> Classes {
        let labels = integers(rows.iter().map(|row| row.image.label), device);
        let target = |row: &Row| row.image.targets.get(row.start).copied();
        let targets: Option<Vec<usize>> = rows.iter().map(target).collect();
        let targets = targets.filter(|_| self.config.loss.is_targeted());
        Classes { labels, targets: targets.map(|targets| integers(targets.into_iter(), device)) }
    }

    /// Puts rows and their images behind those under attack.
    fn join(&mut self, rows: impl IntoIterator<Item = Row>, executor: Executor) {
        self.rows.extend(rows);
        self.executor = Some(match self.executor.take() {
            None => executor,
            Some(before) => before.append(executor),
        });
    }

    /// Takes one step of all images against `model`, which is on a plain device. Removes the images that are done, and returns
    /// their outcomes.
    ///
    /// # Errors
    ///
    /// [`DeviceError`] if the device cannot be read; then the attack is over.
    pub async fn step(&mut self, model: &Classifier) -> Result<Vec<Outcome>, DeviceError> {
        let Some(before) = self.executor.take() else { return Ok(vec![]) };
        let rows = std::mem::take(&mut self.rows);
        let count = rows.len();
        let mut moved = before.clone();
        let logits = moved.step(model);
        let classes = logits.dims()[1];
        let logits = read(logits).await?;
        let now = Now {
            is_outside: false,
            stays_once_fooled: before.stays_once_fooled(),
            goes_on_once_fooled: before.goes_on_once_fooled(),
        };
        let outside = match before.may_leave_the_ball() {
            true => read(before.share_of_radius()).await?.iter().map(|share| *share > 1.0 + ROUNDING).collect(),
            false => vec![false; count],
        };
        let answers =
            logits.chunks_exact(classes).zip(outside).map(|(logits, is_outside)| (logits, Now { is_outside, ..now }));
        let Sorted { going, again, leaving } = self.sorted(rows, answers);
        let device = before.images().device();
        if going.len() == count {
            self.executor = Some(moved);
        } else if !going.is_empty() {
            self.executor = Some(moved.select(&Rows::new(going.iter().map(|(place, _)| *place), &device)));
        }
        self.rows = going.into_iter().map(|(_, row)| row).collect();
        if !again.is_empty() {
            let from = before.select(&Rows::new(again.iter().map(|(place, _)| *place), &device));
            let rows: Vec<Row> = again.into_iter().map(|(_, row)| row).collect();
            let seeds: Vec<u64> = rows.iter().map(|row| seed_of_restart(row.image.seed, row.start)).collect();
            let executor = from.restarted(self.classes(&rows, &device), Seeds::Each(&seeds));
            self.join(rows, executor);
        }
        self.outcomes(leaving, &before, model).await
    }

    /// Sorts rows by what comes next for them, given their logits before the step and how they were then.
    fn sorted<'a>(&self, rows: Vec<Row>, answers: impl Iterator<Item = (&'a [f32], Now)>) -> Sorted {
        let mut sorted = Sorted::default();
        for (place, (mut row, (logits, now))) in rows.into_iter().zip(answers).enumerate() {
            row.passes += 1;
            // No more starts than there are targets.
            let starts =
                if self.config.loss.is_targeted() { self.starts.min(row.image.targets.len()) } else { self.starts };
            let fooled = self.goal.is_reached(logits, row.image.label);
            let reached = fooled && !now.is_outside && !now.goes_on_once_fooled;
            if reached || (fooled && now.stays_once_fooled) {
                sorted.leaving.push(Leaving { place, row, reached, logits: logits.to_vec() });
            } else if row.steps_done < self.config.steps_total() {
                row.steps_done += 1;
                sorted.going.push((place, row));
            } else if row.start + 1 < starts {
                (row.start, row.steps_done) = (row.start + 1, 0);
                sorted.again.push((place, row));
            } else {
                sorted.leaving.push(Leaving { place, row, reached: false, logits: logits.to_vec() });
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests;
