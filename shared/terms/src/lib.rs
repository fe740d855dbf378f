//! The terms of Bastion's domain, without tensors: attacks, perturbations, architectures, cards, scores, crops and metrics.
//!
//! The page, the engine, the trainer and `xtask` read and write the same files and messages, so each term is defined once, in
//! serde types and plain arithmetic. The crate never depends on burn, not even optionally: burn's kernels register themselves
//! at start, so a program that links burn carries megabytes, and the page must not. `shared` re-exports these terms beside
//! the code that computes with tensors.

pub mod attack;
pub mod card;
mod card_check;
pub mod corruption;
pub mod detection;
mod excerpt;
pub mod explanation;
pub mod index;
pub mod metrics;
pub mod model;
pub mod perturb;
pub mod picture;
pub mod score;
pub mod sentence;
mod severity;
pub mod standing;

pub use excerpt::excerpt;
