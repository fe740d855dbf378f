//! `bastion`: imports the data set, trains, evaluates and exports classifiers, and attacks pictures from the command line.

pub mod check;
pub mod child;
pub mod cli;
pub mod commands;
pub mod craft;
pub mod data;
pub mod detect;
pub mod device;
pub mod epsilon;
pub mod error;
pub mod evaluate;
pub mod experiment;
pub mod explain;
pub mod figures;
pub mod files;
pub mod kept;
pub mod lock;
pub mod memory;
pub mod models;
mod montage;
pub mod nodes;
pub(crate) mod output;
pub mod pretrained;
pub mod progress;
pub mod train;
