//! Gradient attacks within an L-infinity ball: FGSM, BIM and PGD are one loop with other settings.

mod ascent;
mod config;
mod n_fgsm;
mod pursuit;
mod restarts;
mod run;
mod threat;

pub use ascent::{cross_entropy, loss_gradient};
pub use config::{
    AttackConfig, AttackError, AttackKind, BIM_STEPS, DEFAULT_EPSILON_255, Goal, PAPER_EPSILON_STD, PGD_STEPS,
    in_255ths,
};
pub use n_fgsm::n_fgsm;
pub use pursuit::{Outcome, Pursued, Pursuit};
pub use restarts::worst_of;
pub use run::AttackRun;
pub use threat::LinfBall;
