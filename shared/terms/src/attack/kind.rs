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

/// Steps of DeepFool where none are given: the authors'.
pub const DEEPFOOL_STEPS: usize = 50;

/// Steps of DDN where none are given: those of the authors' weaker and faster evaluation, and of Foolbox.
pub const DDN_STEPS: usize = 100;

/// Largest smallest change that counts where no epsilon is given, in L2 and pixel units.
pub const SMALLEST_LIMIT: f32 = 5.0;

/// Generations of the one-pixel attack where none are given: the most that the authors take.
pub const ONE_PIXEL_GENERATIONS: usize = 100;

/// Defines [`AttackKind`] from one row of properties an attack, so that none can be missing in a list, a name or a match.
macro_rules! attacks {
    ($($(#[$doc:meta])* $kind:ident { words: $words:expr, $($field:ident: $value:expr),* $(,)? })*) => {
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

            /// Returns the texts for visitors of the page. Apart from the properties, so that a program that shows none carries none.
            pub const fn words(self) -> &'static Words {
                match self {
                    $(Self::$kind => &$words,)*
                }
            }
        }
    };
}

attacks! {
    /// Fast gradient sign method (Goodfellow et al., 2014, arXiv 1412.6572): one step of epsilon.
    Fgsm {
        words: Words {
            summary: "Fast gradient sign method: one step, every pixel by epsilon.",
            formula: "x′ = x + ε · sign ∇ₓ loss",
            source: "Goodfellow et al., 2014",
        },
        name: "fgsm",
        label: "FGSM",
        norm: Norm::Linf,
        steps: Steps::Always(1),
        step_size: StepSize::OfEpsilon(1.0),
        direction: Direction::Gradient,
        start: Start::Image,
        until_fooled: false,
    }
    /// Basic iterative method (Kurakin et al., 2016, arXiv 1607.02533): small steps, projected, from the image itself.
    Bim {
        words: Words {
            summary: "Basic iterative method: many small steps, never further than epsilon.",
            formula: "xₙ₊₁ = clip(xₙ + α · sign ∇ₓ loss), α = ε/4",
            source: "Kurakin et al., 2016",
        },
        name: "bim",
        label: "BIM",
        norm: Norm::Linf,
        steps: Steps::Chosen(BIM_STEPS),
        step_size: StepSize::OfEpsilon(0.25),
        direction: Direction::Gradient,
        start: Start::Image,
        until_fooled: false,
    }
    /// Projected gradient descent (Madry et al., 2017, arXiv 1706.06083): BIM from a random start in the ball.
    Pgd {
        words: Words {
            summary: "Projected gradient descent: BIM from a random start within epsilon.",
            formula: "x₀ = x + U(−ε, ε), α = 2.5 ε/steps",
            source: "Madry et al., 2017",
        },
        name: "pgd",
        label: "PGD",
        norm: Norm::Linf,
        steps: Steps::Chosen(PGD_STEPS),
        step_size: StepSize::OfEpsilonBySteps(2.5),
        direction: Direction::Gradient,
        start: Start::RandomPoint,
        until_fooled: true,
    }
    /// Momentum iterative FGSM (Dong et al., 2017, arXiv 1710.06081): BIM whose steps follow the sum of all gradients so far, each
    /// divided by its L1 norm (equation 6), with steps of epsilon / steps.
    MiFgsm {
        words: Words {
            summary: "Momentum iterative method: BIM whose steps follow the gradients of all steps so far. It is made to fool other networks too.",
            formula: "g = g + ∇ₓ loss / ‖∇ₓ loss‖₁, xₙ₊₁ = clip(xₙ + α · sign g), α = ε/steps",
            source: "Dong et al., 2018",
        },
        name: "mi-fgsm",
        label: "MI-FGSM",
        norm: Norm::Linf,
        steps: Steps::Chosen(MI_FGSM_STEPS),
        step_size: StepSize::OfEpsilonBySteps(1.0),
        direction: Direction::Momentum { decay: 1.0 },
        start: Start::Image,
        until_fooled: false,
    }
    /// PGD in L2 (Madry et al., 2017, arXiv 1706.06083): steps along the gradient divided by its L2 norm, from a random start.
    PgdL2 {
        words: Words {
            summary: "PGD that limits the whole change instead of each pixel’s: some pixels may change much, most hardly at all.",
            formula: "xₙ₊₁ = clip(xₙ + α · ∇ₓ loss / ‖∇ₓ loss‖₂), α = 2.5 ε/steps",
            source: "Madry et al., 2017",
        },
        name: "pgd-l2",
        label: "L2-PGD",
        norm: Norm::L2,
        steps: Steps::Chosen(PGD_STEPS),
        step_size: StepSize::OfEpsilonBySteps(2.5),
        direction: Direction::Gradient,
        start: Start::RandomPoint,
        until_fooled: true,
    }
    /// Auto-PGD (Croce and Hein, 2020, arXiv 2003.01690): PGD with momentum whose first step is 2 epsilon long, and which halves its
    /// steps and goes back to the best point where the loss no longer grows.
    Apgd {
        words: Words {
            summary: "Auto-PGD: PGD that finds its own step size, halved wherever it no longer helps. The first part of AutoAttack.",
            formula: "z = clip(xₙ + η · sign ∇ₓ loss), xₙ₊₁ = clip(xₙ + ¾ (z − xₙ) + ¼ (xₙ − xₙ₋₁)), η = 2ε, ε, …",
            source: "Croce and Hein, 2020",
        },
        name: "apgd",
        label: "APGD",
        norm: Norm::Linf,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::OfEpsilon(2.0),
        direction: Direction::Adaptive,
        start: Start::RandomPoint,
        until_fooled: true,
    }
    /// Auto-PGD in L2 (Croce and Hein, 2020, arXiv 2003.01690).
    ApgdL2 {
        words: Words {
            summary: "Auto-PGD that limits the whole change instead of each pixel’s.",
            formula: "z = clip(xₙ + η · ∇ₓ loss / ‖∇ₓ loss‖₂), xₙ₊₁ = clip(xₙ + ¾ (z − xₙ) + ¼ (xₙ − xₙ₋₁)), η = 2ε, ε, …",
            source: "Croce and Hein, 2020",
        },
        name: "apgd-l2",
        label: "L2-APGD",
        norm: Norm::L2,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::OfEpsilon(2.0),
        direction: Direction::Adaptive,
        start: Start::RandomPoint,
        until_fooled: true,
    }
    /// FAB (Croce and Hein, 2019, arXiv 1907.02044): looks for the nearest image that is fooled, by steps onto the boundary of the
    /// linearised network; such an image counts if it is within epsilon.
    Fab {
        words: Words {
            summary: "Fast adaptive boundary: steps onto the nearest boundary between two classes, which may lie within epsilon or not.",
            formula: "xₙ₊₁ = the nearest x with z_t(x) = z_y(x), linearised at xₙ",
            source: "Croce and Hein, 2020",
        },
        name: "fab",
        label: "FAB",
        norm: Norm::Linf,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::Own,
        direction: Direction::Boundary,
        start: Start::Image,
        until_fooled: true,
    }
    /// FAB in L2 (Croce and Hein, 2019, arXiv 1907.02044).
    FabL2 {
        words: Words {
            summary: "Fast adaptive boundary in L2.",
            formula: "xₙ₊₁ = the nearest x with z_t(x) = z_y(x), linearised at xₙ",
            source: "Croce and Hein, 2020",
        },
        name: "fab-l2",
        label: "L2-FAB",
        norm: Norm::L2,
        steps: Steps::Chosen(APGD_STEPS),
        step_size: StepSize::Own,
        direction: Direction::Boundary,
        start: Start::Image,
        until_fooled: true,
    }
    /// Square (Andriushchenko et al., 2019, arXiv 1912.00049): a random search that asks for logits only, so that it finds out
    /// where a network's gradients are of no use.
    Square {
        words: Words {
            summary: "Random squares of colour, kept where they help. It asks the network for answers, never for its gradient.",
            formula: "xₙ₊₁ = xₙ ± 2ε in a random square, clipped; kept if the margin falls",
            source: "Andriushchenko et al., 2020",
        },
        name: "square",
        label: "Square",
        norm: Norm::Linf,
        steps: Steps::Chosen(SQUARE_QUERIES),
        step_size: StepSize::Own,
        direction: Direction::Search,
        start: Start::RandomCorner,
        until_fooled: true,
    }
    /// Square in L2 (Andriushchenko et al., 2019, arXiv 1912.00049).
    SquareL2 {
        words: Words {
            summary: "Random bumps of colour within an L2 radius, kept where they help. It asks for no gradient.",
            formula: "the change in one random window moves to another; kept if the margin falls",
            source: "Andriushchenko et al., 2020",
        },
        name: "square-l2",
        label: "L2-Square",
        norm: Norm::L2,
        steps: Steps::Chosen(SQUARE_QUERIES),
        step_size: StepSize::Own,
        direction: Direction::Search,
        start: Start::RandomCorner,
        until_fooled: true,
    }
    /// DeepFool (Moosavi-Dezfooli et al., 2016, arXiv 1511.04599): steps onto the nearest boundary of the linearised network, over the
    /// nine likeliest other classes, until another class is likelier.
    Deepfool {
        words: Words {
            summary: "Steps onto the nearest boundary to another class, over and over, until it is crossed: a small change that fools, whatever epsilon is. It counts where it is within epsilon.",
            formula: "xₙ₊₁ = xₙ + |f| ∇f / ‖∇f‖₂², f = z_k − z_y of the k whose boundary is nearest",
            source: "Moosavi-Dezfooli et al., 2016",
        },
        name: "deepfool",
        label: "DeepFool",
        norm: Norm::L2,
        steps: Steps::Chosen(DEEPFOOL_STEPS),
        step_size: StepSize::Own,
        direction: Direction::NearestClass,
        start: Start::Image,
        until_fooled: true,
    }
    /// Decoupled direction and norm (Rony et al., 2018, arXiv 1811.09600): steps along the gradient to a sphere around the image, which
    /// shrinks while the image is fooled and grows while it is not. The smallest change that fools counts.
    Ddn {
        words: Words {
            summary: "Decoupled direction and norm: follows the gradient on a sphere that shrinks while the picture fools and grows while it does not. The smallest change that fools counts.",
            formula: "ρₙ₊₁ = 0.95 ρₙ if fooled, else 1.05 ρₙ; xₙ₊₁ on the sphere of radius ρₙ₊₁ around x",
            source: "Rony et al., 2019",
        },
        name: "ddn",
        label: "DDN",
        norm: Norm::L2,
        steps: Steps::Chosen(DDN_STEPS),
        step_size: StepSize::Own,
        direction: Direction::Sphere,
        start: Start::Image,
        until_fooled: true,
    }
    /// One-pixel attack (Su et al., 2017, arXiv 1710.08864): differential evolution over the places and colours of epsilon pixels. It
    /// asks for logits only.
    OnePixel {
        words: Words {
            summary: "Changes epsilon pixels, as much as it likes: places and colours are bred over generations, and each child replaces its parent where it fools better. It asks for no gradient.",
            formula: "child = a + ½ (b − c), of three candidates (x, y, r, g, b) drawn at random",
            source: "Su et al., 2019",
        },
        name: "one-pixel",
        label: "One-pixel",
        norm: Norm::L0,
        steps: Steps::Chosen(ONE_PIXEL_GENERATIONS),
        step_size: StepSize::Own,
        direction: Direction::Evolution,
        start: Start::RandomPoint,
        until_fooled: true,
    }
    /// The control: every value moved by epsilon, up or down by the toss of a coin, as large a change as that of an attack in
    /// a random direction.
    Noise {
        words: Words {
            summary: "The control: every value up or down by epsilon, by the toss of a coin. It asks no network.",
            formula: "x′ = x ± ε",
            source: "why it matters",
        },
        name: "noise",
        label: "noise",
        norm: Norm::Linf,
        steps: Steps::Always(0),
        step_size: StepSize::OfEpsilon(1.0),
        direction: Direction::Gradient,
        start: Start::RandomCorner,
        until_fooled: false,
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

    /// Returns whether a length of its steps can be chosen: others find their own.
    pub fn takes_step_size(self) -> bool {
        self.takes_steps() && self.properties().step_size != StepSize::Own
    }

    /// Returns the loss where none is given: FAB, DeepFool and Square are defined on the margin.
    pub fn default_loss(self) -> Loss {
        match self.properties().direction {
            Direction::Boundary | Direction::NearestClass => Loss::TargetedMargin,
            Direction::Search => Loss::Margin,
            Direction::Gradient
            | Direction::Momentum { .. }
            | Direction::Adaptive
            | Direction::Sphere
            | Direction::Evolution => Loss::CrossEntropy,
        }
    }

    /// Returns the heading of the attack in a menu. Attacks with one heading follow each other in [`AttackKind::ALL`].
    pub fn group(self) -> &'static str {
        match self.properties().direction {
            _ if self.is_control() => "Control",
            Direction::Gradient | Direction::Momentum { .. } => "Gradient steps",
            Direction::Adaptive | Direction::Boundary | Direction::Search => "Parts of AutoAttack",
            Direction::NearestClass | Direction::Sphere => "Smallest change",
            Direction::Evolution => "Few pixels",
        }
    }

    /// Returns whether the answer of the attack is the smallest change that it finds, and epsilon only says up to which size a change
    /// counts.
    pub fn seeks_smallest(self) -> bool {
        matches!(self.properties().direction, Direction::NearestClass | Direction::Sphere)
    }

    /// Returns whether the attack ends barely beyond the boundary between two classes, so that rounding to 8 bits may undo it.
    pub fn ends_at_the_boundary(self) -> bool {
        self.seeks_smallest() || self.properties().direction == Direction::Boundary
    }

    /// Returns the radius where none is given, in pixel units: that of the norm, and for the smallest change one that is plainly
    /// visible, so that most changes count.
    pub fn default_epsilon(self) -> f32 {
        if self.seeks_smallest() { SMALLEST_LIMIT } else { self.norm().default_epsilon() }
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
        assert_eq!(
            [AttackKind::Bim, AttackKind::Fab, AttackKind::Ddn].map(AttackKind::takes_step_size),
            [true, false, false]
        );
        let words = AttackKind::ALL.map(|kind| kind.properties().step_size.to_string());
        assert_eq!(words[..4], ["epsilon", "epsilon/4", "2.5 epsilon/steps", "epsilon/steps"]);
    }

    #[test]
    fn attacks_of_one_heading_follow_each_other() {
        let mut groups = AttackKind::ALL.map(AttackKind::group).to_vec();
        groups.dedup();
        let names = ["Gradient steps", "Parts of AutoAttack", "Smallest change", "Few pixels", "Control"];
        assert_eq!(groups, names);
    }
}
