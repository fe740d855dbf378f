//! The paper's experiment from end to end: five networks, four validation sets, two protocols, one report.
//!
//! Every stage leaves something that says that it is done (a trained network, a whole crafted set, the scores), so whatever
//! was stopped or killed goes on where it was when the same is said again.

pub(crate) mod document;
pub(crate) mod estimate;
pub(crate) mod findings;
mod paper;
mod plan;
mod report;
mod stages;
#[cfg(test)]
mod tests;

pub use plan::{MODELS, Plan, Subset};
pub use stages::{Interruption, reproduce};
