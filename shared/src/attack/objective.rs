use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::largest::largest_places;
use super::rows::Rows;
use super::{Goal, Loss};

/// Keeps a quotient of equal logits finite, as the authors' code does.
const TINY: f32 = 1e-12;

/// Holds a loss that an attack maximises for some images, with the classes that the loss takes.
#[derive(Clone, Debug)]
pub(super) struct Objective {
    loss: Loss,
    goal: Goal,
    /// The class that the attack leads away from, or towards where the user chose it: `[batch]`.
    labels: Tensor<1, Int>,
    /// The class that a targeted loss leads to: `[batch]`.
    targets: Option<Tensor<1, Int>>,
}

impl Objective {
    /// Returns the objective of `loss` for images with `labels`; `targets` are the classes that a targeted loss leads to. Without
    /// them, or where the user has chosen the class to be led to, such a loss is its untargeted form: the margin, or ratio, of the
    /// label against the likeliest other class of the moment.
    pub fn new(loss: Loss, goal: Goal, labels: Tensor<1, Int>, targets: Option<Tensor<1, Int>>) -> Self {
        let leads = loss.is_targeted() && goal == Goal::Untargeted;
        Self { loss, goal, labels, targets: targets.filter(|_| leads) }
    }

    /// Returns the same objective with other classes, as many as before.
    pub fn with_classes(&self, labels: Tensor<1, Int>, targets: Option<Tensor<1, Int>>) -> Self {
        Self::new(self.loss, self.goal, labels, targets)
    }

    /// Returns the classes that the attack leads away from, or towards: `[batch]`.
    pub fn labels(&self) -> Tensor<1, Int> {
        self.labels.clone()
    }

    /// Returns whether the attack leads away from the label.
    pub fn leads_away(&self) -> bool {
        self.goal == Goal::Untargeted
    }

    /// Returns the likeliest other classes of each image, best first, as many as an attack with a targeted loss leads to, or as there
    /// are: `[batch, classes]` to `[batch, others]`.
    pub fn likeliest_others(&self, logits: &Tensor<2>) -> Tensor<2, Int> {
        let [_, classes] = logits.dims();
        let others = logits.clone().mask_fill(own_class(logits, &self.labels), f32::MIN);
        largest_places(others, Loss::TARGETS.min(classes.saturating_sub(1)))
    }

    /// Returns the value of each image, larger for the attacker's better: `[batch, classes]` to `[batch]`.
    pub fn values(&self, logits: Tensor<2>) -> Tensor<1> {
        let labels = on_device_of(&logits, &self.labels);
        let targets = self.targets.as_ref().map(|targets| on_device_of(&logits, targets));
        let values = match (self.loss, targets) {
            (Loss::CrossEntropy, _) => cross_entropy(logits, labels),
            (Loss::TargetedMargin, targets @ Some(_)) => margin_of(&logits, labels, targets),
            (Loss::TargetedDlr, Some(targets)) => {
                let [first, third, fourth] = ranked(&logits, [0, 2, 3]);
                let margin = margin_of(&logits, labels, Some(targets));
                margin.div(first.sub(third.add(fourth).mul_scalar(0.5)).add_scalar(TINY))
            }
            (Loss::Dlr | Loss::TargetedDlr, _) => {
                let [first, third] = ranked(&logits, [0, 2]);
                margin(&logits, labels).div(first.sub(third).add_scalar(TINY))
            }
            (Loss::Margin | Loss::TargetedMargin, _) => margin(&logits, labels),
        };
        match self.goal {
            Goal::Untargeted => values,
            Goal::Targeted => values.neg(),
        }
    }

    /// Tells for each image whether the attack is at its goal: `[batch, classes]` to `[batch]`.
    pub fn is_reached(&self, logits: Tensor<2>) -> Tensor<1, Bool> {
        let [batch, _] = logits.dims();
        let likeliest = logits.argmax(1).reshape([batch]);
        match self.goal {
            Goal::Untargeted => likeliest.not_equal(self.labels.clone()),
            Goal::Targeted => likeliest.equal(self.labels.clone()),
        }
    }

    /// Returns the objective of the images `rows` alone.
    pub fn select(&self, rows: &Rows) -> Self {
        let targets = self.targets.as_ref().map(|targets| rows.of(targets));
        Self { labels: rows.of(&self.labels), targets, ..self.clone() }
    }

    /// Puts the images of `other`, with the same loss and goal, behind these.
    pub fn append(self, other: Self) -> Self {
        let join = |classes, others| Tensor::cat(vec![classes, others], 0);
        let targets = self.targets.zip(other.targets).map(|(targets, others)| join(targets, others));
        Self { labels: join(self.labels, other.labels), targets, ..self }
    }
}

/// Returns classes on the device of the logits, which is an autodiff device where a gradient is wanted.
fn on_device_of(logits: &Tensor<2>, classes: &Tensor<1, Int>) -> Tensor<1, Int> {
    if logits.is_autodiff() { classes.clone().autodiff() } else { classes.clone() }
}

/// Returns the logit of one class of each image: `[batch]`.
fn of_class(logits: &Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    let [batch] = classes.dims();
    logits.clone().gather(1, classes.reshape([batch, 1])).reshape([batch])
}

/// Returns the logits of each image at those places of their order, the largest at 0: `[batch]` each. A network of fewer classes gives
/// its smallest logit instead.
fn ranked<const N: usize>(logits: &Tensor<2>, places: [usize; N]) -> [Tensor<1>; N] {
    let [batch, classes] = logits.dims();
    let count = places.iter().max().map_or(1, |last| last + 1).min(classes);
    let largest = logits.clone().gather(1, largest_places(logits.clone(), count));
    places.map(|place| largest.clone().narrow(1, place.min(count - 1), 1).reshape([batch]))
}

/// Returns the largest other logit minus the label's: `[batch]`.
fn margin(logits: &Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let others = logits.clone().mask_fill(own_class(logits, &labels), f32::MIN).max_dim(1).reshape([batch]);
    others.sub(of_class(logits, labels))
}

/// Returns the margin by which each image is fooled: the largest other logit, or that of the target, less the label's. `[batch, classes]`
/// and `[batch]` to `[batch]`.
pub(crate) fn margin_of(logits: &Tensor<2>, labels: Tensor<1, Int>, targets: Option<Tensor<1, Int>>) -> Tensor<1> {
    match targets {
        Some(targets) => of_class(logits, targets).sub(of_class(logits, labels)),
        None => margin(logits, labels),
    }
}

/// Tells which logit is the label's: `[batch, classes]`.
fn own_class(logits: &Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<2, Bool> {
    let [batch, classes] = logits.dims();
    let all = Tensor::<1, Int>::arange(0..classes as i64, &labels.device()).reshape([1, classes]);
    all.expand([batch, classes]).equal(labels.clone().reshape([batch, 1]).expand([batch, classes]))
}

/// Returns the cross entropy of each image on logits (never on probabilities): `[batch, classes]`, `[batch]` to `[batch]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    of_class(&log_softmax(logits, 1), labels).neg()
}
