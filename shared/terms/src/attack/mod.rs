//! Attacks: which there are, what they are set to, and what they aim at.

mod config;
mod goal;
mod kind;

pub use config::{AttackConfig, AttackError, DEFAULT_EPSILON_255, PAPER_EPSILON_STD, in_255ths};
pub use goal::Goal;
pub use kind::{AttackKind, BIM_STEPS, Norm, PGD_STEPS, Properties, Start, StepSize, Steps, UnknownAttack, Words};
