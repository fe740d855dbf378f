use burn::prelude::*;

use super::{Detector, pooled};
use crate::attack::{AttackError, Ball, Norm, Seeds, Square, ThreatModel, margin_of};
use crate::model::{Classifier, Stages};
use crate::seed::{Purpose, derive};

/// Part of the ball that the first step is long.
const FIRST_STEP: f64 = 0.25;
/// Logits, and score, beyond a boundary after which neither is pushed further.
const ENOUGH: f32 = 0.5;
/// Logits beyond the boundary up to which the orthogonal attack follows the margin.
const FOOLED_BY: f32 = 0.3;

/// How an attack on network and detector together chooses its steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    /// Follows the sum of the margin and so many times what the score lies below the threshold, both up to half a logit (Carlini and
    /// Wagner, 2017, arXiv 1705.07263).
    Sum {
        /// Weight of the score.
        weight: f32,
    },
    /// Follows the part of the margin's gradient that leaves the score as it is, until the network is fooled, and then the part of the
    /// score's that leaves the margin (Bryniarski et al., 2021, arXiv 2106.15023, selective and with projection).
    Orthogonal,
    /// Follows the maps of a clean picture of another class (Carlini and Wagner, 2017, section on feature matching; needs guides).
    Features,
    /// Follows the sum, with weight 1, under ten fresh dropout masks a step: the expectation over masks (Athalye et al., 2018, arXiv
    /// 1802.00420).
    Expectation,
    /// Searches at random for the sum, with weight 1, without any gradient (Square: Andriushchenko et al., 2019, arXiv 1912.00049).
    Queries,
}

impl Strategy {
    /// Returns the name in reports.
    pub fn name(self) -> String {
        match self {
            Self::Sum { weight } => format!("sum, weight {weight}"),
            Self::Orthogonal => "orthogonal".into(),
            Self::Features => "feature matching".into(),
            Self::Expectation => "expectation over masks".into(),
            Self::Queries => "queries".into(),
        }
    }
}

/// Settings of an attack on network and detector together.
#[derive(Clone, Debug, PartialEq)]
pub struct EvasionConfig {
    /// Radius in L-infinity, pixel units.
    pub epsilon: f32,
    /// Number of steps.
    pub steps: usize,
    /// How steps are chosen.
    pub strategy: Strategy,
    /// Score from which the detector raises an alarm.
    pub threshold: f32,
    /// Seed of the random start.
    pub seed: u64,
}

/// Classes and guides of the images of an attack: on a plain device, one row an image.
#[derive(Clone, Debug)]
pub struct Evaded {
    /// `[batch]`: the true classes, which the attack leads away from.
    pub labels: Tensor<1, Int>,
    /// `[batch]`: classes that the attack leads to; without them the likeliest other class of the moment.
    pub targets: Option<Tensor<1, Int>>,
    /// Clean pictures of other classes, of the shape of the images, for [`Strategy::Features`].
    pub guides: Option<Tensor<4>>,
}

/// Holds an attack that must fool a network without an alarm of its detector; the caller steps the attack. The attacker knows weights,
/// threshold and masks. The best point of all steps is kept: fooled without an alarm, else fooled with the smallest score.
///
/// # Shapes
///
/// Images are `[batch, 3, height, width]` in `[0, 1]` on a plain device. Images of a batch do not influence each other.
#[derive(Clone, Debug)]
pub struct Evasion {
    config: EvasionConfig,
    ball: Ball,
    about: Evaded,
    images: Tensor<4>,
    search: Option<Square>,
    /// Pooled maps of the guides.
    guide_maps: Option<Vec<Tensor<2>>>,
    steps_done: usize,
    best: Tensor<4>,
    /// 2 for an image that fools the network without an alarm, 1 for one that fools the network alone, 0 for others; -1 before the first
    /// look. `[batch]`, as the next two.
    best_outcome: Tensor<1>,
    /// Larger for the better of two images of one outcome: minus the score of one that fools, else the margin.
    best_order: Tensor<1>,
    best_score: Tensor<1>,
    /// Largest absolute value of the score's gradient so far, `[batch]`.
    score_slope: Tensor<1>,
}

impl Evasion {
    /// Begins at a random point of the ball, or of its corners for queries.
    ///
    /// # Errors
    ///
    /// [`AttackError`] if epsilon is out of range, there is no step, or the labels do not fit the images.
    pub fn new(config: &EvasionConfig, images: Tensor<4>, about: Evaded) -> Result<Self, AttackError> {
        let threat = ThreatModel { norm: Norm::Linf, epsilon: config.epsilon, channel_scale: [1.0; 3] };
        threat.validate()?;
        let ([batch, ..], [labels]) = (images.dims(), about.labels.dims());
        if batch != labels {
            return Err(AttackError::Labels { images: batch, labels });
        }
        let device = images.device();
        let ball = Ball::new(images.clone(), threat);
        let (start, search) = match config.strategy {
            Strategy::Queries => {
                let (start, search) = Square::begin(&ball, &Seeds::Batch(config.seed).of_images(batch));
                (start, Some(search))
            }
            _ => (ball.random_start(Seeds::Batch(config.seed)), None),
        };
        Ok(Self {
            config: config.clone(),
            ball,
            about,
            images: start,
            search,
            guide_maps: None,
            steps_done: 0,
            best: images,
            best_outcome: Tensor::full([batch], -1.0, &device),
            best_order: Tensor::full([batch], f32::MIN, &device),
            best_score: Tensor::zeros([batch], &device),
            score_slope: Tensor::zeros([batch], &device),
        })
    }

    /// Returns whether all steps are taken, and the last point was looked at.
    pub fn is_done(&self) -> bool {
        self.steps_done > self.config.steps
    }

    /// Looks at the images as they are, and moves them by one step, unless all are taken.
    pub fn step(&mut self, model: &Classifier, detector: &Detector) {
        if self.is_done() {
            return;
        }
        let deployed = model.stages(self.images.clone());
        let score = detector.score(model, self.images.clone(), &deployed);
        self.keep_best(deployed.logits.clone(), score.clone());
        self.steps_done += 1;
        if self.is_done() {
            return;
        }
        if let Some(search) = self.search.take() {
            let value = self.value_of_sum(deployed.logits, score, 1.0);
            let (next, search) = search.next(&self.ball, self.images.clone(), value, self.config.steps);
            (self.images, self.search) = (next, Some(search));
            return;
        }
        let along = self.direction(model, detector);
        let turn = std::f64::consts::PI * (self.steps_done - 1) as f64 / self.config.steps as f64;
        let length = FIRST_STEP * f64::from(self.config.epsilon) * 0.5 * (1.0 + turn.cos());
        let length = Tensor::from_floats([length as f32], &self.images.device());
        self.images = self.ball.project(self.ball.ascend(self.images.clone(), along, length));
    }

    /// Takes all steps that are left.
    #[must_use]
    pub fn finish(mut self, model: &Classifier, detector: &Detector) -> Self {
        while !self.is_done() {
            self.step(model, detector);
        }
        self
    }

    /// Returns the best images found.
    pub fn best(&self) -> Tensor<4> {
        self.best.clone()
    }

    /// Returns 2 for each image that fools the network without an alarm, 1 for one that fools the network alone, 0 for others: `[batch]`.
    pub fn outcome(&self) -> Tensor<1> {
        self.best_outcome.clone().clamp_min(0.0)
    }

    /// Returns the detector's scores of the best images: `[batch]`.
    pub fn best_score(&self) -> Tensor<1> {
        self.best_score.clone()
    }

    /// Returns the largest absolute value of the gradient of the score so far, `[batch]`: where it is 0, the attack was blind to the
    /// detector.
    pub fn score_slope(&self) -> Tensor<1> {
        self.score_slope.clone()
    }

    fn keep_best(&mut self, logits: Tensor<2>, score: Tensor<1>) {
        let [batch, _] = logits.dims();
        let margin = margin_of(&logits, self.about.labels.clone(), None);
        let likeliest = logits.argmax(1).reshape([batch]);
        let fooled = likeliest.not_equal(self.about.labels.clone());
        // An alarm is a score above the threshold.
        let evades = score.clone().lower_equal_elem(self.config.threshold).bool_and(fooled.clone());
        let outcome = fooled.clone().float().add(evades.float());
        let order = margin.mask_where(fooled, score.clone().neg());
        let same = outcome.clone().equal(self.best_outcome.clone());
        let better = outcome.clone().greater(self.best_outcome.clone());
        let better = better.bool_or(same.bool_and(order.clone().greater(self.best_order.clone())));
        self.best_outcome = self.best_outcome.clone().mask_where(better.clone(), outcome);
        self.best_order = self.best_order.clone().mask_where(better.clone(), order);
        self.best_score = self.best_score.clone().mask_where(better.clone(), score);
        let better: Tensor<4, Bool> = better.reshape([batch, 1, 1, 1]).expand(self.images.dims());
        self.best = self.best.clone().mask_where(better, self.images.clone());
    }

    /// Returns `min(margin, 1/2) + weight * min(threshold - score, 1/2)`.
    fn value_of_sum(&self, logits: Tensor<2>, score: Tensor<1>, weight: f32) -> Tensor<1> {
        let margin = margin_of(&logits, self.about.labels.clone(), self.about.targets.clone());
        let below = score.neg().add_scalar(self.config.threshold);
        margin.clamp_max(ENOUGH).add(below.clamp_max(ENOUGH).mul_scalar(weight))
    }

    /// Returns the direction of the next step, of the shape of the images.
    fn direction(&mut self, model: &Classifier, detector: &Detector) -> Tensor<4> {
        match self.config.strategy {
            Strategy::Sum { weight } => {
                self.gradient(model, detector, |this, logits, score| this.value_of_sum(logits, score, weight)).0
            }
            Strategy::Expectation => {
                let seed = derive(self.config.seed, self.steps_done as u64, Purpose::Dropout);
                let fresh = detector.with_masks(seed, 10);
                self.gradient(model, &fresh, |this, logits, score| this.value_of_sum(logits, score, 1.0)).0
            }
            Strategy::Orthogonal => self.orthogonal(model, detector),
            Strategy::Features => self.towards_guides(model),
            // A search has no direction.
            Strategy::Queries => self.images.zeros_like(),
        }
    }

    fn orthogonal(&mut self, model: &Classifier, detector: &Detector) -> Tensor<4> {
        let (of_margin, margin) = self.gradient(model, detector, |this, logits, _| {
            margin_of(&logits, this.about.labels.clone(), this.about.targets.clone())
        });
        let (of_score, _) = self.gradient(model, detector, |_, _, score| score);
        self.score_slope = self.score_slope.clone().max_pair(largest(of_score.clone()));
        let along_margin = without(of_margin.clone(), of_score.clone());
        let along_score = without(of_score, of_margin).neg();
        let fooled: Tensor<4, Bool> =
            margin.greater_elem(FOOLED_BY).reshape([along_margin.dims()[0], 1, 1, 1]).expand(along_margin.dims());
        along_margin.mask_where(fooled, along_score)
    }

    fn towards_guides(&mut self, model: &Classifier) -> Tensor<4> {
        let Some(guides) = self.about.guides.clone() else { return self.images.zeros_like() };
        let pooled_maps = |stages: Stages| stages.maps.into_iter().map(pooled).collect::<Vec<_>>();
        let wanted = self.guide_maps.get_or_insert_with(|| pooled_maps(model.stages(guides))).clone();
        let images = self.images.clone().autodiff().require_grad();
        let maps = pooled_maps(model.for_input_gradient().stages(images.clone()));
        let [batch, ..] = images.dims();
        let apart = maps.into_iter().zip(wanted).map(|(maps, wanted)| {
            let scale = wanted.clone().powi_scalar(2).sum_dim(1).clamp_min(f32::MIN_POSITIVE);
            maps.sub(wanted.autodiff()).powi_scalar(2).sum_dim(1).div(scale.autodiff()).reshape([batch])
        });
        // The last stage alone would leave detectors on the stages before it a free hand.
        let apart = apart.reduce(Tensor::<1>::add);
        let Some(apart) = apart else { return self.images.zeros_like() };
        let gradients = apart.neg().sum().backward();
        images.grad(&gradients).unwrap_or_else(|| self.images.zeros_like())
    }

    /// Returns the gradient of the summed values with respect to the images, and the values, `[batch]`.
    fn gradient(
        &mut self,
        model: &Classifier,
        detector: &Detector,
        value: impl FnOnce(&Self, Tensor<2>, Tensor<1>) -> Tensor<1>,
    ) -> (Tensor<4>, Tensor<1>) {
        let images = self.images.clone().autodiff().require_grad();
        let model = model.for_input_gradient();
        let stages = model.stages(images.clone());
        let score = detector.for_input_gradient().score_of(&model, images.clone(), &stages, true);
        let on_autodiff = Self { about: self.about.autodiff(), ..self.clone() };
        let values = value(&on_autodiff, stages.logits, score);
        let gradients = values.clone().sum().backward();
        let gradient = images.grad(&gradients).unwrap_or_else(|| self.images.zeros_like());
        (gradient, values.inner())
    }
}

impl Evaded {
    fn autodiff(&self) -> Self {
        Self {
            labels: self.labels.clone().autodiff(),
            targets: self.targets.clone().map(Tensor::autodiff),
            guides: self.guides.clone(),
        }
    }
}

/// Returns `one` without its part along `other`, image by image; both divided by their largest value, which keeps squares in range.
fn without(one: Tensor<4>, other: Tensor<4>) -> Tensor<4> {
    let [batch, ..] = one.dims();
    let scaled = |tensor: Tensor<4>| {
        let size = largest(tensor.clone()).clamp_min(f32::MIN_POSITIVE);
        tensor.div(size.reshape([batch, 1, 1, 1]))
    };
    let (one, other) = (scaled(one), scaled(other));
    let dot = |a: &Tensor<4>, b: &Tensor<4>| -> Tensor<4> {
        a.clone().mul(b.clone()).flatten::<2>(1, 3).sum_dim(1).reshape([batch, 1, 1, 1])
    };
    let share = dot(&one, &other).div(dot(&other, &other).clamp_min(f32::MIN_POSITIVE));
    one.sub(other.mul(share))
}

/// Returns the largest absolute value of each image, `[batch]`.
fn largest(images: Tensor<4>) -> Tensor<1> {
    let [batch, ..] = images.dims();
    images.abs().flatten::<2>(1, 3).max_dim(1).reshape([batch])
}
