use burn::prelude::*;
use burn::tensor::TensorData;

use super::ball::Seeds;
use super::executor::Executor;
use super::{AttackConfig, AttackError, Goal, seed_of_restart};
use crate::device::{DeviceError, read};
use crate::metrics::{l2_distance, linf_distance};
use crate::model::Classifier;

/// An attack that follows each image until it reaches its goal for the first time: at whatever step, from whatever random
/// start. Such an image leaves, and the caller may put another in its place, so that no pass is spent on a decided image and
/// the batch stays full. Images that never reach the goal have held at every step of every start: the worst case over all of
/// them, at most as many images as hold at the last steps (as in AutoAttack's evaluation; Croce and Hein, 2020, arXiv
/// 2003.01690).
///
/// An image takes the steps of an [`super::AttackRun`] on that image alone with its seed, whatever images are beside it.
#[derive(Debug)]
pub struct UntilFooled {
    config: AttackConfig,
    goal: Goal,
    starts: usize,
    /// Rows in the order of the executor's images.
    rows: Vec<Row>,
    /// `None` while there are no rows.
    executor: Option<Executor>,
}

/// An image that is to be attacked.
#[derive(Clone, Copy, Debug)]
pub struct NewImage {
    /// Number that the caller identifies the image by.
    pub id: usize,
    /// The class that the attack leads away from, or towards.
    pub label: usize,
    /// Seed of the first random start.
    pub seed: u64,
}

/// An image under attack.
#[derive(Clone, Copy, Debug)]
struct Row {
    image: NewImage,
    restart: usize,
    /// Steps taken from this start.
    steps_done: usize,
    passes: usize,
}

/// The outcome of an attack on an image.
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
    /// Number of passes of the image through the network, forward and back.
    pub passes: usize,
}

/// An image whose attack is done.
struct DoneRow {
    /// Place among the rows.
    place: usize,
    row: Row,
    reached: bool,
    logits: Vec<f32>,
}

/// The next action for a row.
enum NextAction {
    Step,
    Restart,
    Leave { reached: bool },
}

impl UntilFooled {
    /// Returns an attack of `restarts` random starts, without images; attacks without a random start have one start.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if a setting is out of range. The seed of `config` is not used: each image has its own.
    pub fn new(config: &AttackConfig, goal: Goal, restarts: usize) -> Result<Self, AttackError> {
        config.validate()?;
        Ok(Self { config: config.clone(), goal, starts: config.starts(restarts), rows: Vec::new(), executor: None })
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
        let labels: Vec<i64> = entries.iter().map(|entry| entry.label as i64).collect();
        let labels = Tensor::from_data(TensorData::new(labels, [entries.len()]), &images.device());
        let seeds: Vec<u64> = entries.iter().map(|entry| entry.seed).collect();
        let executor = Executor::new(&self.config, images, labels, self.goal, Seeds::Each(&seeds))?;
        self.join(entries.iter().map(|&image| Row { image, restart: 0, steps_done: 0, passes: 0 }), executor);
        Ok(())
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
    /// [`DeviceError::Failed`] if the device cannot be read; then the attack is over.
    pub async fn step(&mut self, model: &Classifier) -> Result<Vec<Outcome>, DeviceError> {
        let Some(before) = self.executor.take() else { return Ok(vec![]) };
        let rows = std::mem::take(&mut self.rows);
        let mut moved = before.clone();
        let logits = moved.step(model);
        let classes = logits.dims()[1];
        let logits = read(logits).await?;
        let (mut going, mut again, mut done) = (vec![], vec![], vec![]);
        for (place, (row, logits)) in rows.iter().zip(logits.chunks_exact(classes)).enumerate() {
            let row = Row { passes: row.passes + 1, ..*row };
            match self.next(&row, logits) {
                NextAction::Step => going.push((place, Row { steps_done: row.steps_done + 1, ..row })),
                NextAction::Restart => again.push((place, Row { steps_done: 0, restart: row.restart + 1, ..row })),
                NextAction::Leave { reached } => done.push(DoneRow { place, row, reached, logits: logits.to_vec() }),
            }
        }
        let device = before.images().device();
        if going.len() == rows.len() {
            self.executor = Some(moved);
        } else if !going.is_empty() {
            self.executor = Some(moved.select(&places(going.iter().map(|(place, _)| *place), &device)));
        }
        self.rows = going.into_iter().map(|(_, row)| row).collect();
        if !again.is_empty() {
            let seed = |(_, row): &(usize, Row)| seed_of_restart(row.image.seed, row.restart);
            let seeds: Vec<u64> = again.iter().map(seed).collect();
            let restarted = before.select(&places(again.iter().map(|(place, _)| *place), &device));
            self.join(again.into_iter().map(|(_, row)| row), restarted.restarted(Seeds::Each(&seeds)));
        }
        if done.is_empty() {
            return Ok(vec![]);
        }
        let selected = before.select(&places(done.iter().map(|row| row.place), &device));
        let (originals, images) = (read(selected.originals()).await?, read(selected.images()).await?);
        let size = originals.len() / done.len();
        let pairs = originals.chunks_exact(size).zip(images.chunks_exact(size));
        let outcome = |(done, (original, image)): (DoneRow, (&[f32], &[f32]))| Outcome {
            id: done.row.image.id,
            reached: done.reached,
            logits: done.logits,
            linf: linf_distance(original, image),
            l2: l2_distance(original, image),
            image: image.to_vec(),
            passes: done.row.passes,
        };
        Ok(done.into_iter().zip(pairs).map(outcome).collect())
    }

    fn next(&self, row: &Row, logits: &[f32]) -> NextAction {
        if self.goal.is_reached(logits, row.image.label) {
            NextAction::Leave { reached: true }
        } else if row.steps_done < self.config.steps_total() {
            NextAction::Step
        } else if row.restart + 1 < self.starts {
            NextAction::Restart
        } else {
            NextAction::Leave { reached: false }
        }
    }
}

/// Returns row numbers as a tensor on `device`.
fn places(places: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let places: Vec<i64> = places.map(|place| place as i64).collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{AttackKind, AttackRun};
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

    /// Attacks an image alone. Returns whether it reaches the goal after any step of any start, and whether after the last
    /// step of the first start.
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

    /// Attacks all images in a batch of at most `room`: new images take the places of those that leave.
    fn fool(config: &AttackConfig, labels: &[usize], goal: Goal, room: usize, model: &Classifier) -> Vec<Outcome> {
        let images = images(&Device::flex());
        let mut attack = UntilFooled::new(config, goal, RESTARTS).unwrap();
        let (mut next, mut outcomes) = (0, Vec::new());
        while next < IMAGES || !attack.is_empty() {
            let count = (room - attack.len()).min(IMAGES - next);
            let entries: Vec<NewImage> = (next..next + count)
                .map(|id| NewImage { id, label: labels[id], seed: config.seed + id as u64 })
                .collect();
            if count > 0 {
                attack.add(&entries, images.clone().narrow(0, next, count)).unwrap();
            }
            next += count;
            outcomes.extend(pollster::block_on(attack.step(model)).unwrap());
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
                let outcomes = fool(&config, labels, goal, 3, &model);
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
            let outcomes = fool(&config, &labels, Goal::Untargeted, room, &model);
            outcomes.into_iter().map(|outcome| (outcome.reached, outcome.passes)).collect::<Vec<_>>()
        };
        assert_eq!(reached(1), reached(4));
        assert_eq!(reached(4), reached(IMAGES));
    }

    #[test]
    fn what_steps_remember_stays_with_its_image() {
        let device = Device::flex();
        let model = network(&device);
        let labels: Vec<usize> = logits_of(&model, images(&device))
            .chunks_exact(CLASSES)
            .map(|row| crate::metrics::top_k(row, 1)[0])
            .collect();
        let l2 = |epsilon| AttackConfig { step_size: Some(epsilon / 6.0), ..AttackConfig::pgd_l2(epsilon, 6, 5) };
        let (half, one) = (0.5 / 255.0, 1.0 / 255.0);
        let attacks = [AttackConfig::mi_fgsm(half, 6), AttackConfig::mi_fgsm(one, 6), l2(0.25), l2(0.5), l2(1.0)];
        let mut apart_in_time = Vec::new();
        for config in attacks {
            // Images leave after different numbers of steps, and others take their places.
            let outcomes = fool(&config, &labels, Goal::Untargeted, 3, &model);
            if outcomes.iter().any(|outcome| outcome.passes != outcomes[0].passes) {
                apart_in_time.push(config.kind);
            }
            for (index, outcome) in outcomes.iter().enumerate() {
                let config = AttackConfig { seed: config.seed + index as u64, ..config.clone() };
                let (image, label) = (images(&device).narrow(0, index, 1), labels[index] as i64);
                let mut run =
                    AttackRun::new(&config, image, Tensor::from_ints([label], &device), Goal::Untargeted).unwrap();
                let steps = (outcome.passes - 1) % (config.steps_total() + 1);
                let restart = (outcome.passes - 1) / (config.steps_total() + 1);
                if restart > 0 {
                    continue;
                }
                (0..steps).for_each(|_| run.step(&model));
                let alone = pollster::block_on(read(run.adversarial())).unwrap();
                let apart = alone.iter().zip(&outcome.image).filter(|(a, b)| (*a - *b).abs() > 1e-6).count();
                // Sums in another order may turn the sign of a gradient of nearly zero.
                assert!(apart < alone.len() / 100, "{config}, image {index}: {apart} values differ");
            }
        }
        for kind in [AttackKind::MiFgsm, AttackKind::PgdL2] {
            assert!(apart_in_time.contains(&kind), "all images leave {kind} at once");
        }
    }

    #[test]
    fn attacks_without_a_random_start_have_one_start() {
        let attack = |config: AttackConfig| UntilFooled::new(&config, Goal::Untargeted, 9).unwrap();
        assert_eq!(attack(AttackConfig::bim(0.1, 5)).most_passes(), 6);
        assert_eq!(attack(AttackConfig::pgd(0.1, 5, 0)).most_passes(), 54);
        assert!(UntilFooled::new(&AttackConfig::fgsm(2.0), Goal::Untargeted, 1).is_err());
    }
}
