//! Detectors of attacked pictures: their training, their measurement, and what an attacker who knows them leaves.

pub mod adaptive;
pub mod fit;
pub mod measure;
pub mod network;
pub mod pictures;
pub mod recipe;
pub mod report;
pub mod route;
pub mod sets;
pub mod store;
