//! The science of Bastion: models, attacks, metrics, image decoding and deployable bundles.
//!
//! One preprocessing, one attack, one metric: the trainer and the page both use those of this crate and have none of their
//! own. The crate builds natively and for wasm32, without files, threads, DOM or command line; every function that reads a
//! tensor is `async`, because a browser cannot block.
//!
//! Images are `[N, 3, 64, 64]` tensors, RGB, in `[0, 1]`, at every public boundary; normalisation is the first layer of
//! a model, so epsilon always means pixels.

pub mod attack;
pub mod bundle;
pub mod corrupt;
pub mod detect;
pub mod device;
pub mod explain;
pub mod image;
pub mod model;
pub mod perturb;
pub mod seed;

pub use terms::{excerpt, explanation, index, metrics, sentence, standing};
