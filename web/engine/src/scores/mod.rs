//! What the networks scored: `bastion evaluate --save` wrote it into their cards, and this groups it, puts it in order and into
//! words, and draws it as HTML. It needs neither browser nor tensors, and all of it is tested natively.

mod card;
mod chart;
mod draw;
mod headline;
mod measured;
mod plot;
mod sheet;

#[cfg(test)]
mod tests;

pub use card::{Fact, Value, mix, sections};
pub use chart::{Chart, charts};
pub use draw::draw;
pub use headline::{Headline, headline};
pub use plot::{Dot, Drawn, Plot};
pub use sheet::{Cell, Group, Protocol, Row, Sheet};

use terms::card::Card;

/// A network beside the others.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// What the page calls it.
    pub title: &'a str,
    /// What its card says.
    pub card: &'a Card,
}

/// Returns where an axis or a bar from 0 ends that holds this share: at a whole tenth, 1 at most.
fn round_up(share: f64) -> f64 {
    // A hair less, so that 0.3, which is no binary fraction, stays 0.3.
    ((share * 10.0 - 1e-9).ceil() / 10.0).clamp(0.1, 1.0)
}
