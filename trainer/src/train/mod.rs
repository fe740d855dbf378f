//! Training: burn-train runs the loop, the dashboard and the checkpoints; the settings, batches and steps are here.

mod checkpoint;
mod checkpoint_files;
#[cfg(test)]
mod checkpoint_tests;
mod config;
mod crash;
mod dashboard;
mod ema;
mod forecast;
mod freeze;
mod history;
mod job;
mod live;
mod loader;
mod metric_log;
mod mix;
mod model;
mod network;
mod optim;
mod pictures;
mod position;
mod probe;
mod recipe;
mod renderer;
mod run_dir;
#[cfg(test)]
mod saving_tests;
mod session;
mod sets;
mod spread;
#[cfg(test)]
mod spread_tests;
mod teacher;
#[cfg(test)]
mod tests;
mod validation;
mod watch;
mod wire;

pub use config::{OptimizerName, TrainConfig};
pub(crate) use crash::caught;
pub use crash::survive;
pub use dashboard::Dashboard;
pub use job::{Job, NewRun, Places};
pub use mix::Share;
pub use network::ArchName;
pub(crate) use network::{heads, stems};
pub use position::Position;
pub use recipe::{ConfigFlags, from_toml, resolve, to_toml};
pub use run_dir::{Pretrained, RunDir};
pub use session::Outcome;
pub use sets::CraftedSet;
