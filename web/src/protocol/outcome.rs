//! What the networks answered, and what an attack came to.

use serde::{Deserialize, Serialize};

/// A class and the share of the answer it has.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Guess {
    /// Index of the class.
    pub class: usize,
    /// Probability, 0 to 1.
    pub share: f32,
}

/// Whether a network withstood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It still gives its own first answer.
    Holds,
    /// Its answer changed, but not to the class asked for.
    Swayed,
    /// Its answer changed; to the class asked for, if one was.
    Fooled,
    /// It gave the class asked for from the start.
    Pointless,
}

impl Verdict {
    /// Judges an answer: `clean` before, `now` after, `target` if a class was asked for.
    pub fn judge(clean: usize, now: usize, target: Option<usize>) -> Self {
        match target {
            Some(target) if clean == target => Self::Pointless,
            _ if now == clean => Self::Holds,
            Some(target) if now != target => Self::Swayed,
            _ => Self::Fooled,
        }
    }

    /// Its name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Swayed => "swayed",
            Self::Fooled => "fooled",
            Self::Pointless => "pointless",
        }
    }
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
    /// Whether it withstood so far.
    pub verdict: Verdict,
    /// Time spent on this network since the attack began.
    pub elapsed_ms: f64,
}

/// What random noise of the attack's size did.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Noise {
    /// The best guess.
    pub best: Guess,
    /// Whether the network withstood.
    pub verdict: Verdict,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        assert_eq!(Verdict::judge(1, 1, None), Verdict::Holds);
        assert_eq!(Verdict::judge(1, 2, None), Verdict::Fooled);
        assert_eq!(Verdict::judge(1, 1, Some(3)), Verdict::Holds);
        assert_eq!(Verdict::judge(1, 2, Some(3)), Verdict::Swayed);
        assert_eq!(Verdict::judge(1, 3, Some(3)), Verdict::Fooled);
        assert_eq!(Verdict::judge(3, 3, Some(3)), Verdict::Pointless);
    }
}
