//! Gradient attacks within an L-infinity ball: FGSM, BIM and PGD are one loop with other settings.

mod config;
mod run;
mod threat;

pub use config::{AttackConfig, AttackError, AttackKind, Goal};
pub use run::{AttackRun, cross_entropy, loss_gradient};
pub use threat::LinfBall;
