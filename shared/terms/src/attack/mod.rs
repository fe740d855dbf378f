//! Attacks: kinds, settings and goals.

mod config;
pub mod ensemble;
mod goal;
mod kind;
mod loss;
mod properties;
mod threat;

pub use config::{AttackConfig, AttackError, ONE_PIXEL_POPULATION, PAPER_EPSILON_STD, in_255ths};
pub use goal::Goal;
pub use kind::{
    APGD_STEPS, AttackKind, BIM_STEPS, DDN_STEPS, DEEPFOOL_STEPS, MI_FGSM_STEPS, ONE_PIXEL_GENERATIONS, PGD_STEPS,
    SMALLEST_LIMIT, SQUARE_QUERIES, UnknownAttack,
};
pub use loss::{Loss, UnknownLoss};
pub use properties::{Direction, Properties, Start, StepSize, Steps, Words};
pub use threat::{DEFAULT_EPSILON_255, DEFAULT_EPSILON_L2, Norm, ThreatModel};
