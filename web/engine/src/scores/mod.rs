//! What the networks scored: `bastion evaluate --save` wrote it into their cards, and this groups it, puts it in order and into
//! words, and draws it as HTML. It knows no browser, so all of it is tested natively. The engine alone calls it.

mod card;
mod chart;
mod draw;
mod headline;
mod info;
mod plot;
mod sheet;

#[cfg(test)]
mod tests;

pub use card::{Fact, Value, sections};
pub use chart::{Chart, charts};
pub use draw::draw;
pub use headline::{Headline, headline};
pub use info::{AttackLine, CheckLine, Checks, EpsilonUnit, ModelInfo, PictureSet, ScoreLine};
pub use plot::{Dot, Drawn, Plot};
pub use sheet::{Cell, Group, Protocol, Row, Sheet};

/// A network beside the others.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a> {
    /// What the page calls it.
    pub title: &'a str,
    /// What its card says.
    pub info: &'a ModelInfo,
}

/// Where an axis or a bar from 0 ends that holds this share: at a whole tenth, 1 at most.
fn round_up(share: f64) -> f64 {
    // A hair less, so that 0.3, which is no binary fraction, stays 0.3.
    ((share * 10.0 - 1e-9).ceil() / 10.0).clamp(0.1, 1.0)
}
