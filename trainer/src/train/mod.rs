//! Training: burn-train runs the loop, the dashboard and the checkpoints; here is what it is fed with.

mod config;
mod dashboard;
mod loader;
mod model;
mod renderer;
mod session;
#[cfg(test)]
mod tests;

pub use config::{OptimizerName, RecipeName, TrainConfig};
pub use dashboard::Dashboard;
pub use loader::{Batch, Position};
pub use model::TrainingModel;
pub use session::{Outcome, Session, find_checkpoint};
