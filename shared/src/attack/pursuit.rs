use burn::prelude::*;
use burn::tensor::TensorData;

use super::ascent::Ascent;
use super::{AttackConfig, AttackError, Goal};
use crate::device::{DeviceError, read};
use crate::metrics::{l2_distance, linf_distance};
use crate::model::Classifier;
use crate::seed::{Purpose, derive};

/// The seed of a later start of an image whose first one has the seed `seed`.
pub(super) fn seed_of_restart(seed: u64, restart: usize) -> u64 {
    if restart == 0 { seed } else { derive(seed, restart as u64, Purpose::Restart) }
}

/// An attack that follows each image until it reaches its goal for the first time: at whatever step, from whatever random
/// start. Such an image leaves, and its owner may put another in its place, so that no pass is wasted on what is decided and
/// the batch stays full. What is left has held at every step of every start: the worst case over all of them, which is at
/// most what the last steps alone would leave.
///
/// An image's way is that of an [`super::AttackRun`] on it alone with its seed, whatever images are beside it.
#[derive(Debug)]
pub struct Pursuit {
    config: AttackConfig,
    goal: Goal,
    restarts: usize,
    /// In the order of the tensors.
    rows: Vec<Row>,
    /// The attack and the images as they are now; none while there are no rows.
    held: Option<(Ascent, Tensor<4>)>,
}

/// An image that is to be attacked.
#[derive(Clone, Copy, Debug)]
pub struct Pursued {
    /// How its owner knows it.
    pub id: usize,
    /// The class to lead it away from, or towards.
    pub label: usize,
    /// Seed of its first random start.
    pub seed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    image: Pursued,
    restart: usize,
    /// Of this start.
    steps_done: usize,
    passes: usize,
}

/// What became of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// As in [`Pursued`].
    pub id: usize,
    /// Whether it reached the goal.
    pub reached: bool,
    /// Of the image as it was when it reached the goal, or after the last step of the last start.
    pub logits: Vec<f32>,
    /// How far that is from the image as it was given, in pixel units.
    pub linf: f32,
    /// The same as a Euclidean distance.
    pub l2: f32,
    /// How often it went through the network, forward and back.
    pub passes: usize,
}

/// What comes next for a row.
enum Next {
    Step,
    Restart,
    Leave { reached: bool },
}

impl Pursuit {
    /// An attack with so many random starts; those without a random start have one. Has no images yet.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if a setting is out of range. The seed of `config` is not used: each image has its own.
    pub fn new(config: &AttackConfig, goal: Goal, restarts: usize) -> Result<Self, AttackError> {
        config.validate()?;
        let restarts = if config.kind.is_random() { restarts.max(1) } else { 1 };
        Ok(Self { config: config.clone(), goal, restarts, rows: Vec::new(), held: None })
    }

    /// Images under way.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The most often that an image goes through the network.
    pub fn most_passes(&self) -> usize {
        self.restarts * (self.config.steps_total() + 1)
    }

    /// Takes in `images`, `[N, 3, height, width]` on a plain device, with what is to be known of each.
    ///
    /// # Errors
    ///
    /// [`AttackError::Labels`] if there is not one entry an image.
    pub fn add(&mut self, entries: &[Pursued], images: Tensor<4>) -> Result<(), AttackError> {
        if entries.is_empty() {
            return Ok(());
        }
        let labels: Vec<i64> = entries.iter().map(|entry| entry.label as i64).collect();
        let labels = Tensor::from_data(TensorData::new(labels, [entries.len()]), &images.device());
        let ascent = Ascent::new(&self.config, images, labels, self.goal)?;
        let rows: Vec<Row> = entries.iter().map(|&image| Row { image, restart: 0, steps_done: 0, passes: 0 }).collect();
        self.begin(&rows, ascent);
        Ok(())
    }

    /// Puts `rows` at the beginning of a start, behind those under way.
    fn begin(&mut self, rows: &[Row], ascent: Ascent) {
        let seeds: Vec<u64> = rows.iter().map(|row| seed_of_restart(row.image.seed, row.restart)).collect();
        let images = ascent.starts(self.config.kind, &seeds);
        self.rows.extend(rows);
        self.held = Some(match self.held.take() {
            None => (ascent, images),
            Some((held, before)) => (held.append(ascent), Tensor::cat(vec![before, images], 0)),
        });
    }

    /// Shows all images under way to `model`, which is on a plain device, lets those go that are done, and moves the others.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Failed`] if the device cannot be read; then the pursuit is over.
    pub async fn step(&mut self, model: &Classifier) -> Result<Vec<Outcome>, DeviceError> {
        let Some((ascent, images)) = self.held.take() else { return Ok(vec![]) };
        let rows = std::mem::take(&mut self.rows);
        let (moved, logits) = ascent.step(model, images.clone());
        let classes = logits.dims()[1];
        let logits = read(logits).await?;
        let (mut going, mut again, mut done) = (vec![], vec![], vec![]);
        for (place, (row, logits)) in rows.iter().zip(logits.chunks_exact(classes)).enumerate() {
            let row = Row { passes: row.passes + 1, ..*row };
            match self.next(&row, logits) {
                Next::Step => going.push((place, Row { steps_done: row.steps_done + 1, ..row })),
                Next::Restart => again.push((place, Row { steps_done: 0, restart: row.restart + 1, ..row })),
                Next::Leave { reached } => done.push((place, row, reached, logits.to_vec())),
            }
        }
        let device = images.device();
        if going.len() == rows.len() {
            self.held = Some((ascent.clone(), moved));
        } else if !going.is_empty() {
            let places = places(going.iter().map(|(place, _)| *place), &device);
            self.held = Some((ascent.select(places.clone()), moved.select(0, places)));
        }
        self.rows = going.into_iter().map(|(_, row)| row).collect();
        if !again.is_empty() {
            let restarted = ascent.select(places(again.iter().map(|(place, _)| *place), &device));
            let rows: Vec<Row> = again.into_iter().map(|(_, row)| row).collect();
            self.begin(&rows, restarted);
        }
        if done.is_empty() {
            return Ok(vec![]);
        }
        let places = places(done.iter().map(|(place, ..)| *place), &device);
        let before = read(ascent.ball.center().select(0, places.clone())).await?;
        let after = read(images.select(0, places)).await?;
        let size = before.len() / done.len();
        let pairs = before.chunks_exact(size).zip(after.chunks_exact(size));
        let outcome = |((_, row, reached, logits), (before, after)): ((usize, Row, bool, Vec<f32>), _)| Outcome {
            id: row.image.id,
            reached,
            logits,
            linf: linf_distance(before, after),
            l2: l2_distance(before, after),
            passes: row.passes,
        };
        Ok(done.into_iter().zip(pairs).map(outcome).collect())
    }

    fn next(&self, row: &Row, logits: &[f32]) -> Next {
        if self.goal.is_reached(logits, row.image.label) {
            Next::Leave { reached: true }
        } else if row.steps_done < self.config.steps_total() {
            Next::Step
        } else if row.restart + 1 < self.restarts {
            Next::Restart
        } else {
            Next::Leave { reached: false }
        }
    }
}

/// Row numbers as a device wants them.
fn places(places: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let places: Vec<i64> = places.map(|place| place as i64).collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::AttackRun;
    use crate::model::{Architecture, BuildNetwork as _, WideResNetConfig};

    const IMAGES: usize = 7;
    const CLASSES: usize = 5;
    const STEPS: usize = 3;
    const RESTARTS: usize = 2;

    fn network(device: &Device) -> Classifier {
        let architecture =
            Architecture::WideResNet(WideResNetConfig { strides: [2, 2, 2], ..WideResNetConfig::new(10, 1) });
        architecture.init_seeded(CLASSES, [0.5; 3], [0.25; 3], 1, device).unwrap().valid()
    }

    fn images(device: &Device) -> Tensor<4> {
        let shape = [IMAGES, 3, 64, 64];
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|index: usize| 0.5 + 0.4 * ((index / 12288 + 1) as f32 * 0.013 * (index % 12288) as f32).sin())
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn logits_of(model: &Classifier, images: Tensor<4>) -> Vec<f32> {
        pollster::block_on(read(model.forward(images))).unwrap()
    }

    /// What each image alone is after each step of each start: whether one of them reaches the goal, and whether the last of
    /// the first start does.
    fn alone(config: &AttackConfig, image: Tensor<4>, label: usize, goal: Goal, model: &Classifier) -> (bool, bool) {
        let device = image.device();
        let (mut ever, mut last) = (false, false);
        for restart in 0..RESTARTS {
            let config = AttackConfig { seed: seed_of_restart(config.seed, restart), ..config.clone() };
            let label_tensor = Tensor::from_ints([label as i64], &device);
            let mut run = AttackRun::new(&config, image.clone(), label_tensor, goal).unwrap();
            loop {
                let now = goal.is_reached(&logits_of(model, run.adversarial()), label);
                ever |= now;
                if run.is_done() {
                    last |= restart == 0 && now;
                    break;
                }
                run.step(model);
            }
        }
        (ever, last)
    }

    /// All images through a batch of `room`, new ones for those that leave.
    fn pursue(config: &AttackConfig, labels: &[usize], goal: Goal, room: usize, model: &Classifier) -> Vec<Outcome> {
        let images = images(&Device::flex());
        let mut pursuit = Pursuit::new(config, goal, RESTARTS).unwrap();
        let (mut next, mut outcomes) = (0, Vec::new());
        while next < IMAGES || !pursuit.is_empty() {
            let count = (room - pursuit.len()).min(IMAGES - next);
            let entries: Vec<Pursued> = (next..next + count)
                .map(|id| Pursued { id, label: labels[id], seed: config.seed + id as u64 })
                .collect();
            if count > 0 {
                pursuit.add(&entries, images.clone().narrow(0, next, count)).unwrap();
            }
            next += count;
            outcomes.extend(pollster::block_on(pursuit.step(model)).unwrap());
        }
        outcomes.sort_by_key(|outcome| outcome.id);
        outcomes
    }

    #[test]
    fn verdicts_are_those_of_each_image_alone_and_no_image_holds_that_its_last_step_loses() {
        let device = Device::flex();
        let model = network(&device);
        let seen: Vec<usize> = logits_of(&model, images(&device))
            .chunks_exact(CLASSES)
            .map(|row| crate::metrics::top_k(row, 1)[0])
            .collect();
        let others: Vec<usize> = seen.iter().map(|class| (class + 1) % CLASSES).collect();
        let mut verdicts = [0, 0];
        for (goal, labels) in [(Goal::Untargeted, &seen), (Goal::Targeted, &others)] {
            for epsilon in [0.1, 1.0, 2.0, 12.0].map(|epsilon_255: f32| epsilon_255 / 255.0) {
                let config = AttackConfig::pgd(epsilon, STEPS, 5);
                let outcomes = pursue(&config, labels, goal, 3, &model);
                assert_eq!(outcomes.iter().map(|outcome| outcome.id).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
                for outcome in &outcomes {
                    let config = AttackConfig { seed: config.seed + outcome.id as u64, ..config.clone() };
                    let image = images(&device).narrow(0, outcome.id, 1);
                    let (ever, last) = alone(&config, image, labels[outcome.id], goal, &model);
                    assert_eq!(outcome.reached, ever, "{goal:?} {epsilon} {outcome:?}");
                    assert!(outcome.reached || !last);
                    assert!(outcome.linf <= epsilon + 1e-6);
                    assert!(outcome.reached || outcome.passes == RESTARTS * (STEPS + 1), "{outcome:?}");
                    verdicts[usize::from(outcome.reached)] += 1;
                }
            }
        }
        assert!(verdicts.iter().all(|&count| count > 3), "there must be some of both: {verdicts:?}");
    }

    #[test]
    fn the_batch_does_not_matter() {
        let device = Device::flex();
        let model = network(&device);
        let config = AttackConfig::pgd(1.0 / 255.0, STEPS, 5);
        let labels: Vec<usize> = (0..IMAGES).map(|index| index % CLASSES).collect();
        let reached = |room| {
            let outcomes = pursue(&config, &labels, Goal::Untargeted, room, &model);
            outcomes.into_iter().map(|outcome| (outcome.reached, outcome.passes)).collect::<Vec<_>>()
        };
        assert_eq!(reached(1), reached(4));
        assert_eq!(reached(4), reached(IMAGES));
    }

    #[test]
    fn attacks_without_a_random_start_have_one_start() {
        let pursuit = |config: AttackConfig| Pursuit::new(&config, Goal::Untargeted, 9).unwrap();
        assert_eq!(pursuit(AttackConfig::bim(0.1, 5)).most_passes(), 6);
        assert_eq!(pursuit(AttackConfig::pgd(0.1, 5, 0)).most_passes(), 54);
        assert!(Pursuit::new(&AttackConfig::fgsm(2.0), Goal::Untargeted, 1).is_err());
    }
}
