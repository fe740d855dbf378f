//! Attacks within a ball around an image, in L-infinity, L2 or L0.
//!
//! Each attack is defined by one row of properties ([`AttackKind`]): the norm, where the attack begins, how long its
//! steps are, which direction they follow. One executor takes the steps of all of them; [`AttackRun`] takes every
//! image to the last step, [`UntilFooled`] until the image is fooled for the first time. Of an attack that looks for the smallest
//! change the smallest within epsilon counts.

mod adaptive;
mod ball;
mod ddn;
mod deepfool;
mod executor;
mod fab;
mod gradient_step;
mod in_8_bits;
mod largest;
mod n_fgsm;
mod objective;
mod one_pixel;
mod rows;
mod run;
mod square;
mod until_fooled;

use crate::seed::{Purpose, derive};

pub use ball::{Ball, Seeds};
pub use gradient_step::loss_gradient;
pub use in_8_bits::{RoundingError, smallest_in_8_bits};
pub use n_fgsm::n_fgsm;
pub use objective::cross_entropy;
pub(crate) use objective::margin_of;
pub use run::AttackRun;
pub(crate) use square::Square;
pub use terms::attack::*;
pub use until_fooled::{NewImage, Outcome, UntilFooled};

/// Returns the seed of a later start of an image, or of a batch, whose first one has the seed `seed`.
fn seed_of_restart(seed: u64, restart: usize) -> u64 {
    if restart == 0 { seed } else { derive(seed, restart as u64, Purpose::Restart) }
}
