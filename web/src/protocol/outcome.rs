//! What the networks answered, and what an attack came to. What that is worth, the page judges: see `state::Verdict`.

use serde::{Deserialize, Serialize};

/// A class and the share of the answer it has.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Guess {
    /// Index of the class.
    pub class: usize,
    /// Probability, 0 to 1.
    pub share: f32,
}

/// What one step of an attack came to. All of it is about the 8-bit picture in `attacked`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Steps taken, from 1.
    pub done: u32,
    /// Steps there will be.
    pub total: u32,
    /// The attacked picture, rounded to 8 bits.
    pub attacked: Pixels,
    /// The change, amplified around mid-grey.
    pub perturbation: Pixels,
    /// How many times it is amplified.
    pub gain: f32,
    /// Largest change of a channel, in 255ths.
    pub largest_change: u8,
    /// The network's best guesses, best first.
    pub top: Vec<Guess>,
    /// Time spent on this network since the attack began.
    pub elapsed_ms: f64,
}

/// A 64x64 picture as a canvas takes it: RGBA, rows from the top.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pixels(#[serde(with = "serde_bytes")] pub Vec<u8>);

impl std::fmt::Debug for Pixels {
    /// Leaves out sixteen thousand numbers.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Pixels({} bytes)", self.0.len())
    }
}
