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

/// What an attack had come to after some steps. All of it is about the 8-bit picture in `attacked`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Steps taken: 0 is where the attack began.
    pub done: u32,
    /// Steps there will be; those taken, once the attack has ended.
    pub total: u32,
    /// The attacked picture, rounded to 8 bits.
    pub attacked: Pixels,
    /// Largest change of a channel, in 255ths.
    pub largest_change: u8,
    /// Length of the whole change in L2, in pixel units.
    pub l2: f32,
    /// Cross entropy of the network's answer with the class that the attack moves away from or towards, in nats.
    pub loss: f32,
    /// The network's best guesses, best first.
    pub top: Vec<Guess>,
    /// Probability of the answer that the network gave before the attack.
    pub own_share: f32,
    /// Probability of the class that the attack aims at, if it aims at one.
    pub target_share: Option<f32>,
    /// Whether the attack has ended and every input gradient that it met was zero: there was nothing to follow.
    pub no_gradient: bool,
    /// Time spent on this network since the attack began.
    pub elapsed_ms: f64,
}

/// What an attack with a certain epsilon came to.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Epsilon in units of the attack's norm ([`crate::Radius`]).
    pub units: u16,
    /// Cross entropy with the class that the attack moves away from or towards, in nats.
    pub loss: f32,
    /// Probability of the answer that the network gave before the attack.
    pub own_share: f32,
    /// The network's best guess.
    pub best: Guess,
    /// Whether the answer is another one, or the target if there is one.
    pub fooled: bool,
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
