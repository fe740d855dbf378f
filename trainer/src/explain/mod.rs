//! Explanations of a network's answer to a picture: measurements, figures and words, and checks of the methods.

pub mod check;
mod figures;
mod measure;
mod text;

pub use figures::{feature_maps, panel};
pub use measure::{AttackedReport, ChosenStage, Explanation, Measured, StageReport, Subject, measure};
pub use text::{Shown, summary};
