//! Architectures compared under the same budget, as section 2.1 of the paper does it: each is trained with the same settings
//! in a process of its own, measured on the validation images in another, and set beside the others.
//!
//! Each is a run folder as of `bastion train`, so whatever was stopped or killed goes on where it was when the same is said
//! again, and what is done is not done again.

mod charts;
mod measure;
mod plan;
mod report;
mod stages;
#[cfg(test)]
mod tests;
mod training;

pub use measure::Measured;
pub use plan::{Asked, Plan};
pub use stages::Comparison;
pub use training::Interruption;
