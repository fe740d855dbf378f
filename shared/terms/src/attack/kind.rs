use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Direction, Loss, Norm, Properties, Start, StepSize, Steps, Words};

/// Steps of BIM where none are given: the paper's.
pub const BIM_STEPS: usize = 5;
/// Steps of PGD where none are given, in L-infinity and in L2.
pub const PGD_STEPS: usize = 20;
/// Steps of MI-FGSM where none are given: the paper's.
pub const MI_FGSM_STEPS: usize = 10;

/// Steps of APGD where none are given: the authors'.
pub const APGD_STEPS: usize = 100;

/// Queries of Square where none are given: the authors'.
pub const SQUARE_QUERIES: usize = 5000;

/// Defines [`AttackKind`] from one row of properties an attack, so that none can be missing in a list, a name or a match.
macro_rules! attacks {
    ($($(#[$doc:meta])* $kind:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        /// A kind of attack.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum AttackKind {
            $($(#[$doc])* $kind,)*
        }

        impl AttackKind {
            /// All attacks, in the order of a menu, and the control.
            pub const ALL: [Self; [$(stringify!($kind)),*].len()] = [$(Self::$kind),*];

            /// Returns the row of this attack.
            pub const fn properties(self) -> &'static Properties {
                match self {
                    $(Self::$kind => &Properties { $($field: $value),* },)*
                }
            }
        }
    };
}

attacks! {
    /// Fast gradient sign method (Goodfellow et al., 2014, arXiv 1412.6572): one step of epsilon.
    Fgsm {
        name: "fgsm",
        label: "FGSM",
        norm: Norm::Linf,
        steps: Steps::Always(1),
        step_size: StepSize::OfEpsilon(1.0),
        direction: Direction::Gradient,
        start: Start::Image,
        until_fooled: false,
        words: Words {
            summary: "Fast gradient sign method: one step, every pixel by epsilon.",
            formula: "x′ = x + ε · sign ∇ₓ loss",
            source: "Goodfellow et al., 2014",
        },
    }
    /// Basic iterative method (Kurakin et al., 2016, arXiv 1607.02533): small steps, projected, from the image itself.
    Bim {
        name: "bim",
        label: "BIM",
        norm: Norm::Linf,
        steps: Steps::Chosen(BIM_STEPS),
        step_size: StepSize::OfEpsilon(0.25),
        direction: Direction::Gradient,
        start: Start::Image,
        until_fooled: false,
        words: Words {
            summary: "Basic iterative method: many small steps, never further than epsilon.",
            formula: "xₙ₊₁ = clip(xₙ + α · sign ∇ₓ loss), α = ε/4",
            source: "Kurakin et al., 2016",
        },
    }
    /// Projected gradient descent (Madry et al., 2017, arXiv 1706.06083): BIM from a random start in the ball.
    Pgd {
        name: "pgd",
        label: "PGD",
        norm: Norm::Linf,
        steps: Steps::Chosen(PGD_STEPS),
        step_size: StepSize::OfEpsilonBySteps(2.5),
        direction: Direction::Gradient,
        start: Start::RandomPoint,
        until_fooled: true,
        words: Words {
            summary: "Projected gradient descent: BIM from a random start within epsilon.",
            formula: "x₀ = x + U(−ε, ε), α = 2.5 ε/steps",
            source: "Madry et al., 2017",
        },
    }
    /// Momentum iterative FGSM (Dong et al., 2017, arXiv 1710.06081): BIM whose steps follow the sum of all gradients so far, each
    /// divided by its L1 norm (equation 6), with steps of epsilon / steps.
    MiFgsm {
        name: "mi-fgsm",
        label: "MI-FGSM",
        norm: Norm::Linf,
        steps: Steps::Chosen(MI_FGSM_STEPS),
        step_size: StepSize::OfEpsilonBySteps(1.0),
        direction: Direction::Momentum { decay: 1.0 },
        start: Start::Image,
        until_fooled: false,
        words: Words {
            summary: "Momentum iterative method: BIM whose steps follow the gradients of all steps so far. It is made to fool other networks too.",
            formula: "g = g + ∇ₓ loss / ‖∇ₓ loss‖₁, xₙ₊₁ = clip(xₙ + α · sign g), α = ε/steps",
            source: "Dong et al., 2018",
        },
    }
    /// PGD in L2 (Madry et al., 2017, arXiv 1706.06083): steps along the gradient divided by its L2 norm, from a random start.
    PgdL2 {
        name: "pgd-l2",
        label: "L2-PGD",
        norm: Norm::L2,
        steps: Steps::Chosen(PGD_STEPS),
        step_size: StepSize::OfEpsilonBySteps(2.5),
        direction: Direction::Gradient,
        start: Start::RandomPoint,
        until_fooled: true,
        words: Words {
            summary: "PGD that limits the whole change instead of each pixel’s: some pixels may change much, most hardly at all.",
            formula: "xₙ₊₁ = clip(xₙ + α · ∇ₓ loss / ‖∇ₓ loss‖₂), α = 2.5 ε/steps",
            source: "Madry et al., 2017",
        },
    }
    /// Auto-PGD (Croce and Hein, 2020, arXiv 2003.01690): PGD with momentum whose first step is 2 epsilon long, and which halves its
    /// steps and goes back to the best point where the loss no longer grows.
    Apgd {
        name: "apgd",
        label: "APGD",
        norm: Norm::Linf,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::OfEpsilon(2.0),
        direction: Direction::Adaptive,
        start: Start::RandomPoint,
        until_fooled: true,
        words: Words {
            summary: "Auto-PGD: PGD that finds its own step size, halved wherever it no longer helps. The first part of AutoAttack.",
            formula: "z = clip(xₙ + η · sign ∇ₓ loss), xₙ₊₁ = clip(xₙ + ¾ (z − xₙ) + ¼ (xₙ − xₙ₋₁)), η = 2ε, ε, …",
            source: "Croce and Hein, 2020",
        },
    }
    /// Auto-PGD in L2 (Croce and Hein, 2020, arXiv 2003.01690).
    ApgdL2 {
        name: "apgd-l2",
        label: "L2-APGD",
        norm: Norm::L2,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::OfEpsilon(2.0),
        direction: Direction::Adaptive,
        start: Start::RandomPoint,
        until_fooled: true,
        words: Words {
            summary: "Auto-PGD that limits the whole change instead of each pixel’s.",
            formula: "z = clip(xₙ + η · ∇ₓ loss / ‖∇ₓ loss‖₂), xₙ₊₁ = clip(xₙ + ¾ (z − xₙ) + ¼ (xₙ − xₙ₋₁)), η = 2ε, ε, …",
            source: "Croce and Hein, 2020",
        },
    }
    /// FAB (Croce and Hein, 2019, arXiv 1907.02044): looks for the nearest image that is fooled, by steps onto the boundary of the
    /// linearised network; such an image counts if it is within epsilon.
    Fab {
        name: "fab",
        label: "FAB",
        norm: Norm::Linf,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::OfEpsilon(1.0),
        direction: Direction::Boundary,
        start: Start::Image,
        until_fooled: true,
        words: Words {
            summary: "Fast adaptive boundary: steps onto the nearest boundary between two classes, which may lie within epsilon or not.",
            formula: "xₙ₊₁ = the nearest x with z_t(x) = z_y(x), linearised at xₙ",
            source: "Croce and Hein, 2020",
        },
    }
    /// FAB in L2 (Croce and Hein, 2019, arXiv 1907.02044).
    FabL2 {
        name: "fab-l2",
        label: "L2-FAB",
        norm: Norm::L2,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::OfEpsilon(1.0),
        direction: Direction::Boundary,
        start: Start::Image,
        until_fooled: true,
        words: Words {
            summary: "Fast adaptive boundary in L2.",
            formula: "xₙ₊₁ = the nearest x with z_t(x) = z_y(x), linearised at xₙ",
            source: "Croce and Hein, 2020",
        },
    }
    /// Square (Andriushchenko et al., 2019, arXiv 1912.00049): a random search that asks for logits only, so that it finds out
    /// where a network's gradients are of no use.
    Square {
        name: "square",
        label: "Square",
        norm: Norm::Linf,
        steps: Steps::Chosen(SQUARE_QUERIES),
        step_size: StepSize::OfEpsilon(2.0),
        direction: Direction::Search,
        start: Start::RandomCorner,
        until_fooled: true,
        words: Words {
            summary: "Random squares of colour, kept where they help. It asks the network for answers, never for its gradient.",
            formula: "xₙ₊₁ = xₙ ± 2ε in a random square, clipped; kept if the margin falls",
            source: "Andriushchenko et al., 2020",
        },
    }
    /// Square in L2 (Andriushchenko et al., 2019, arXiv 1912.00049).
    SquareL2 {
        name: "square-l2",
        label: "L2-Square",
        norm: Norm::L2,
        steps: Steps::Chosen(SQUARE_QUERIES),
        step_size: StepSize::OfEpsilon(2.0),
        direction: Direction::Search,
        start: Start::RandomCorner,
        until_fooled: true,
        words: Words {
            summary: "Random bumps of colour within an L2 radius, kept where they help. It asks for no gradient.",
            formula: "the change in one random window moves to another; kept if the margin falls",
            source: "Andriushchenko et al., 2020",
        },
    }
    /// The control: every value moved by epsilon, up or down by the toss of a coin, as large a change as that of an attack in
    /// a random direction.
    Noise {
        name: "noise",
        label: "noise",
        norm: Norm::Linf,
        steps: Steps::Always(0),
        step_size: StepSize::OfEpsilon(1.0),
        direction: Direction::Gradient,
        start: Start::RandomCorner,
        until_fooled: false,
        words: Words {
            summary: "The control: every value up or down by epsilon, by the toss of a coin. It asks no network.",
            formula: "x′ = x ± ε",
            source: "why it matters",
        },
    }
}

impl AttackKind {
    /// Returns the name on the command line, in files and in addresses: `bim`.
    pub fn name(self) -> &'static str {
        self.properties().name
    }

    /// Returns the name in print: `BIM`.
    pub fn label(self) -> &'static str {
        self.properties().label
    }

    /// Returns the norm of the ball that the attack stays in.
    pub fn norm(self) -> Norm {
        self.properties().norm
    }

    /// Returns the number of gradient steps where none is given.
    pub fn default_steps(self) -> usize {
        match self.properties().steps {
            Steps::Always(steps) | Steps::Chosen(steps) => steps,
        }
    }

    /// Returns the number of gradient steps where `requested` are requested; FGSM and noise ignore `requested`.
    pub fn steps(self, requested: usize) -> usize {
        match self.properties().steps {
            Steps::Always(steps) => steps,
            Steps::Chosen(_) => requested,
        }
    }

    /// Returns whether the attack takes as many steps as are requested: FGSM and noise do not.
    pub fn takes_steps(self) -> bool {
        matches!(self.properties().steps, Steps::Chosen(_))
    }

    /// Returns whether the attack begins at a random point, so that its seed matters.
    pub fn is_random(self) -> bool {
        self.properties().start != Start::Image
    }

    /// Returns the loss where none is given: FAB and Square are defined on the margin.
    pub fn default_loss(self) -> Loss {
        match self.properties().direction {
            Direction::Boundary => Loss::TargetedMargin,
            Direction::Search => Loss::Margin,
            Direction::Gradient | Direction::Momentum { .. } | Direction::Adaptive => Loss::CrossEntropy,
        }
    }

    /// Returns whether the attack is a part of AutoAttack, made for evaluations: the page does not explain these.
    pub fn is_of_autoattack(self) -> bool {
        matches!(self.properties().direction, Direction::Adaptive | Direction::Boundary | Direction::Search)
    }

    /// Returns whether the attack is the control, which needs no gradient.
    pub fn is_control(self) -> bool {
        self.properties().steps == Steps::Always(0)
    }
}

impl Display for AttackKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that no attack has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no attack '{name}': take {}", AttackKind::ALL.map(AttackKind::name).join(", "))]
pub struct UnknownAttack {
    /// The name that was given.
    pub name: String,
}

impl FromStr for AttackKind {
    type Err = UnknownAttack;

    fn from_str(name: &str) -> Result<Self, UnknownAttack> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownAttack { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_in_files_and_lead_back() {
        for kind in AttackKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let error = "cw".parse::<AttackKind>().unwrap_err().to_string();
        assert!(error.contains("'cw'") && error.contains("fgsm, bim, pgd"), "{error}");
    }

    #[test]
    fn steps_are_those_that_are_asked_for_or_the_attacks_own() {
        let steps = |kind: AttackKind| (kind.steps(7), kind.default_steps());
        assert_eq!([AttackKind::Fgsm, AttackKind::Bim, AttackKind::Noise].map(steps), [(1, 1), (7, 5), (0, 0)]);
        assert_eq!(AttackKind::ALL.into_iter().filter(|kind| kind.is_control()).count(), 1);
        // Both as in the papers: 5 steps of a quarter of epsilon, 10 of a tenth.
        let length = |kind: AttackKind| kind.properties().step_size.length(1.0, kind.default_steps());
        assert_eq!([AttackKind::Bim, AttackKind::MiFgsm].map(length), [0.25, 0.1]);
        let words = AttackKind::ALL.map(|kind| kind.properties().step_size.to_string());
        assert_eq!(words[..4], ["epsilon", "epsilon/4", "2.5 epsilon/steps", "epsilon/steps"]);
    }
}
