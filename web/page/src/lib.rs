//! Bastion's page: what runs on the browser's main thread.
//!
//! - [`app`] is the view, and nothing that computes.
//! - [`state`] is all that the view shows, changed by a reducer that knows no browser and is tested natively.
//! - [`text`] puts numbers into words.
//! - [`pictures`] and [`lines`] compute what is drawn: changes of pictures, and small charts.
//! - [`json`] writes the report of a run.
//!
//! What browser tests find elements by is listed in `docs/page-test-ids.md`.

pub mod app;
pub mod json;
pub mod lines;
pub mod pictures;
pub mod state;
pub mod text;
