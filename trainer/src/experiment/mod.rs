//! Experiments: several networks trained under one plan, measured, and reported together.
//!
//! An experiment is a list of stages, run one after the other (`stages`). Each stage leaves something in the folder of the
//! experiment that says that it is done (a trained network, a whole crafted set, scores), so an experiment that was stopped or
//! killed goes on where it was when the same command is given again.
//!
//! Networks are trained by child processes (`children`): `compare` measures the memory of each training, and goes on with
//! the next network when the system kills one.

mod children;
mod clock;
pub mod compare;
pub(crate) mod document;
pub(crate) mod plan;
pub mod reproduce;
mod stages;

pub use children::Workspace;
pub(crate) use clock::in_words;
