//! Gradient attacks within an L-infinity ball: FGSM, BIM and PGD are one loop with other settings.

mod ascent;
mod n_fgsm;
mod pursuit;
mod restarts;
mod run;
mod threat;

pub use ascent::{cross_entropy, loss_gradient};
pub use n_fgsm::n_fgsm;
pub use pursuit::{Outcome, Pursued, Pursuit};
pub use restarts::worst_of;
pub use run::AttackRun;
pub use terms::attack::*;
pub use threat::LinfBall;
