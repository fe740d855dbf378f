use burn::prelude::*;

use super::Ball;
use super::rows::Rows;

/// Share of the steps since the last look at which the loss has to have risen.
const RISES: f32 = 0.75;
/// Weight of a step against the movement of the step before.
const STEP_WEIGHT: f32 = 0.75;

/// Holds the state of APGD for each image (Croce and Hein, 2020, arXiv 2003.01690, algorithm 1): tensors with one row an image. Images
/// may be at different steps. After each step the loss at the new point is compared; at some steps, the *looks*, the step is
/// halved, and the image goes back to its best point, where the loss rose too seldom or nothing has changed since the last look.
#[derive(Clone, Debug)]
pub(super) struct Adaptive {
    /// The image before the last step. Shape of the images, as the next two.
    before: Tensor<4>,
    /// The point with the largest loss so far.
    best: Tensor<4>,
    /// The gradient there.
    best_gradient: Tensor<4>,
    /// The rest: `[batch]` each.
    numbers: Numbers,
}

/// A number for each image: `[batch]`.
#[derive(Clone, Debug)]
struct Numbers {
    /// Length of a step, in the unit of epsilon.
    length: Tensor<1>,
    /// Steps taken.
    steps: Tensor<1>,
    /// The largest loss so far.
    best: Tensor<1>,
    /// The loss at the point before. The authors' code compares the first step's loss with 0, and so does this.
    last: Tensor<1>,
    /// Steps since the last look.
    since: Tensor<1>,
    /// Steps from the last look to the next.
    period: Tensor<1>,
    /// Steps since the last look at which the loss rose.
    rises: Tensor<1>,
    /// The largest loss at the last look.
    best_then: Tensor<1>,
    /// 1 where the step was halved at the last look, or there was none yet; else 0.
    halved_then: Tensor<1>,
}

impl Numbers {
    /// Applies a function to each number.
    fn map(&self, of: impl Fn(&Tensor<1>) -> Tensor<1>) -> Self {
        let Self { length, steps, best, last, since, period, rises, best_then, halved_then } = self;
        let [length, steps, best, last] = [length, steps, best, last].map(&of);
        let [since, period, rises, best_then, halved_then] = [since, period, rises, best_then, halved_then].map(&of);
        Self { length, steps, best, last, since, period, rises, best_then, halved_then }
    }

    fn append(self, other: Self) -> Self {
        let join = |one, other| Tensor::cat(vec![one, other], 0);
        Self {
            length: join(self.length, other.length),
            steps: join(self.steps, other.steps),
            best: join(self.best, other.best),
            last: join(self.last, other.last),
            since: join(self.since, other.since),
            period: join(self.period, other.period),
            rises: join(self.rises, other.rises),
            best_then: join(self.best_then, other.best_then),
            halved_then: join(self.halved_then, other.halved_then),
        }
    }
}

/// When an attack of so many steps looks: after 22% of them, then after each time 3% less, but 6% at least.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    first: f32,
    shortest: f32,
    shorter_by: f32,
}

impl Schedule {
    fn of(steps: usize) -> Self {
        let share = |percent: usize| (percent * steps / 100).max(1) as f32;
        Self { first: share(22), shortest: share(6), shorter_by: share(3) }
    }
}

impl Adaptive {
    /// Returns the state before the first step from `images`; `length` is that of the first step.
    pub fn begin(images: &Tensor<4>, length: f32, steps: usize) -> Self {
        let [batch, ..] = images.dims();
        let all = |value: f32| Tensor::<1>::full([batch], value, &images.device());
        let numbers = Numbers {
            length: all(length),
            steps: all(0.0),
            best: all(f32::MIN),
            last: all(0.0),
            since: all(0.0),
            period: all(Schedule::of(steps).first),
            rises: all(0.0),
            best_then: all(f32::MIN),
            halved_then: all(1.0),
        };
        Self { before: images.clone(), best: images.clone(), best_gradient: images.zeros_like(), numbers }
    }

    /// Moves `images` by one step of an attack of `steps` steps, given the loss at the images, `[batch]`, and its gradient.
    pub fn step(
        self,
        ball: &Ball,
        images: Tensor<4>,
        loss: Tensor<1>,
        gradient: Tensor<4>,
        steps: usize,
    ) -> (Tensor<4>, Self) {
        let Self { before, best, best_gradient, numbers: n } = self;
        let is_first = n.steps.clone().equal_elem(0.0);

        let is_best = loss.clone().greater(n.best.clone());
        let best = select(&is_best, images.clone(), best);
        let best_gradient = select(&is_best, gradient.clone(), best_gradient);
        let best_loss = n.best.mask_where(is_best, loss.clone());
        // The point where the attack begins is compared with nothing.
        let best_then = n.best_then.mask_where(is_first.clone(), best_loss.clone());
        let rose = loss.clone().greater(n.last).float();
        let rises = n.rises.add(rose).mask_fill(is_first.clone(), 0.0);
        let since = n.since.add_scalar(1.0).mask_fill(is_first.clone(), 0.0);
        let last = loss.mask_fill(is_first.clone(), 0.0);

        let looks = since.clone().equal(n.period.clone()).bool_and(is_first.clone().bool_not());
        let seldom = rises.clone().lower_equal(n.period.clone().mul_scalar(RISES));
        let nothing =
            n.halved_then.clone().equal_elem(0.0).bool_and(best_then.clone().greater_equal(best_loss.clone()));
        let halves = seldom.bool_or(nothing);
        let halved = looks.clone().bool_and(halves.clone());
        let length = n.length.clone().mask_where(halved.clone(), n.length.mul_scalar(0.5));
        let images = select(&halved, best.clone(), images);
        let gradient = select(&halved, best_gradient.clone(), gradient);
        let Schedule { shortest, shorter_by, .. } = Schedule::of(steps);
        let next_period = n.period.clone().sub_scalar(shorter_by).clamp_min(shortest);

        // The first step has none before it.
        let [batch, ..] = images.dims();
        let weight = Tensor::full([batch], STEP_WEIGHT, &images.device()).mask_fill(is_first, 1.0);
        let weight: Tensor<4> = weight.reshape([batch, 1, 1, 1]);
        let moved = ball.project(ball.ascend(images.clone(), gradient, length.clone()));
        let along = moved.sub(images.clone()).mul(weight.clone());
        let drift = images.clone().sub(before).mul(weight.neg().add_scalar(1.0));
        let next = ball.project(images.clone().add(along).add(drift));
        let numbers = Numbers {
            length,
            steps: n.steps.add_scalar(1.0),
            last,
            since: since.mask_fill(looks.clone(), 0.0),
            rises: rises.mask_fill(looks.clone(), 0.0),
            period: n.period.mask_where(looks.clone(), next_period),
            best_then: best_then.mask_where(looks.clone(), best_loss.clone()),
            halved_then: n.halved_then.mask_where(looks, halves.float()),
            best: best_loss,
        };
        (next, Self { before: images, best, best_gradient, numbers })
    }

    /// Returns the state of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        Self {
            before: rows.of(&self.before),
            best: rows.of(&self.best),
            best_gradient: rows.of(&self.best_gradient),
            numbers: self.numbers.map(|number| rows.of(number)),
        }
    }

    /// Puts the rows of `other`, a state of the same attack, behind these.
    pub fn append(self, other: Self) -> Self {
        let join = |images, others| Tensor::cat(vec![images, others], 0);
        Self {
            before: join(self.before, other.before),
            best: join(self.best, other.best),
            best_gradient: join(self.best_gradient, other.best_gradient),
            numbers: self.numbers.append(other.numbers),
        }
    }
}

/// Takes each image of `these` where the mask, `[batch]`, is set, and of `others` elsewhere.
fn select(mask: &Tensor<1, Bool>, these: Tensor<4>, others: Tensor<4>) -> Tensor<4> {
    let mask: Tensor<4, Bool> = mask.clone().reshape([these.dims()[0], 1, 1, 1]).expand(these.dims());
    others.mask_where(mask, these)
}
