//! Properties of attacks: the columns of the table in `kind`.

use std::fmt::{self, Display};

use super::Norm;

/// Number of gradient steps of an attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Steps {
    /// A fixed number.
    Always(usize),
    /// The number that the user gives; this one by default.
    Chosen(usize),
}

/// Length of a step where none is given.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum StepSize {
    /// Epsilon times this factor.
    OfEpsilon(f32),
    /// Epsilon times this factor, divided by the number of steps.
    OfEpsilonBySteps(f32),
    /// The attack's own at each step: none can be chosen.
    Own,
}

impl StepSize {
    /// Returns the length of a step, in the unit of `epsilon`; 0 for an attack's own.
    pub fn length(self, epsilon: f32, steps: usize) -> f32 {
        match self {
            Self::OfEpsilon(factor) => epsilon * factor,
            Self::OfEpsilonBySteps(factor) => factor * epsilon / steps.max(1) as f32,
            Self::Own => 0.0,
        }
    }
}

/// Writes `epsilon`, `epsilon/4`, `2.5 epsilon/steps`, `its own`.
impl Display for StepSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (factor, by) = match self {
            Self::OfEpsilon(factor) => (*factor, ""),
            Self::OfEpsilonBySteps(factor) => (*factor, "/steps"),
            Self::Own => return formatter.write_str("its own"),
        };
        match factor {
            1.0 => write!(formatter, "epsilon{by}"),
            // A part of epsilon is a division by a whole number.
            part if part < 1.0 && part.recip().fract() == 0.0 => write!(formatter, "epsilon{by}/{}", part.recip()),
            factor => write!(formatter, "{factor} epsilon{by}"),
        }
    }
}

/// The direction that a step follows to a larger loss.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Direction {
    /// The gradient at the image as it is now.
    Gradient,
    /// The gradients of all steps so far, each divided by its size, and all added up.
    Momentum {
        /// Factor of the sum before a gradient is added: 1 for a plain sum.
        decay: f32,
    },
    /// The gradient, with the movement of the step before added, and with steps that are halved where they do not help any more:
    /// APGD. The length of a step is that of the first one.
    Adaptive,
    /// The nearest point of the plane where the linearised network takes two classes for equally likely: FAB. Images may leave the
    /// ball on their way, and then do not count.
    Boundary,
    /// Squares drawn at random, kept where the loss grows: Square, which asks for no gradient.
    Search,
    /// The nearest of the planes where the linearised network takes the label and another class for equally likely, until the image is
    /// fooled: DeepFool. Images may leave the ball on their way, and then do not count.
    NearestClass,
    /// The gradient, to a sphere around the image whose radius shrinks while the image is fooled and grows while it is not: DDN.
    Sphere,
    /// Places and colours of pixels that are bred over generations: the one-pixel attack, which asks for no gradient.
    Evolution,
}

/// Where an attack begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// The image itself.
    Image,
    /// A point of the ball, drawn at random.
    RandomPoint,
    /// A corner of the ball: each value is moved equally far, up or down by the toss of a coin.
    RandomCorner,
}

/// Texts about an attack for visitors of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Words {
    /// Summary of the attack, in a sentence or two.
    pub summary: &'static str,
    /// Formula of a step.
    pub formula: &'static str,
    /// Authors and year of the paper, or the heading of the page's own explanation.
    pub source: &'static str,
}

/// Properties that distinguish an attack from the others.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Properties {
    /// Name on the command line, in files and in addresses: `bim`.
    pub name: &'static str,
    /// Name in print: `BIM`.
    pub label: &'static str,
    /// Norm of the ball that the attack stays in.
    pub norm: Norm,
    /// Number of gradient steps.
    pub steps: Steps,
    /// Length of a step where none is given.
    pub step_size: StepSize,
    /// The direction that a step follows.
    pub direction: Direction,
    /// Where the attack begins.
    pub start: Start,
    /// Whether an evaluation through a network's own gradients follows each image until it is fooled for the first time, at
    /// whatever step of whatever start; else an image counts as it is after the last step, as in the papers.
    pub until_fooled: bool,
}
