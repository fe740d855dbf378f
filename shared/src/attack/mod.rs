//! Gradient attacks within an L-infinity ball: FGSM, BIM and PGD are one loop with other settings.

mod config;
mod restarts;
mod run;
mod threat;

pub use config::{AttackConfig, AttackError, AttackKind, Goal, in_255ths};
pub use restarts::worst_of;
pub use run::{AttackRun, cross_entropy, loss_gradient};
pub use threat::LinfBall;
