//! What an attack came to. Who is fooled was right before: where a picture's true class is known, that is what counts, and
//! where it is not, no more is said than whether the answer changed.

use super::State;
use crate::protocol::Slot;

/// What an attack came to, for one network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was right and still is.
    Held,
    /// It was right and no longer is.
    Fooled,
    /// It was wrong before any attack.
    WrongAlready {
        /// Whether it answers something else now, be it right or wrong.
        changed: bool,
    },
    /// The true class is not known: it answers as before.
    Kept,
    /// The true class is not known: it answers something else.
    Changed,
    /// The true class is not known: it answers the class aimed at.
    Led,
    /// It answered the class aimed at from the start.
    Pointless,
}

impl Verdict {
    /// Judges an answer: `clean` before, `now` after, `truth` if it is known, `target` if a class was aimed at.
    pub fn judge(clean: usize, now: usize, truth: Option<usize>, target: Option<usize>) -> Self {
        if target == Some(clean) {
            return Self::Pointless;
        }
        match truth {
            Some(truth) if clean != truth => Self::WrongAlready { changed: now != clean },
            Some(truth) if now == truth => Self::Held,
            Some(_) => Self::Fooled,
            None if now == clean => Self::Kept,
            None if target == Some(now) => Self::Led,
            None => Self::Changed,
        }
    }

    /// Its name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Fooled => "fooled",
            Self::WrongAlready { .. } => "wrong-already",
            Self::Kept => "kept",
            Self::Changed => "changed",
            Self::Led => "led",
            Self::Pointless => "pointless",
        }
    }

    /// On its chip. While an attack is under way, or after it was stopped, it is `interim`: that a network held so far says
    /// nothing of the steps that were not taken.
    pub fn chip(self, interim: bool) -> &'static str {
        match (self, interim) {
            (Self::Held, false) => "held",
            (Self::Held, true) => "held so far",
            (Self::Fooled, false) => "fooled",
            (Self::Fooled, true) => "fooled so far",
            (Self::WrongAlready { .. }, _) => "was wrong already",
            (Self::Kept, false) => "answer kept",
            (Self::Kept, true) => "kept so far",
            (Self::Changed, false) => "answer changed",
            (Self::Changed, true) => "changed so far",
            (Self::Led, false) => "led to the target",
            (Self::Led, true) => "at the target so far",
            (Self::Pointless, _) => "target already",
        }
    }
}

impl State {
    /// What the attack that is shown came to, or has so far.
    pub fn verdict(&self, network: Slot) -> Option<Verdict> {
        let now = self.columns[network.index()].step()?.top.first()?.class;
        self.judge(network, now, self.attacked_with.target)
    }

    /// What random noise of the attack's size came to; it aims at nothing.
    pub fn noise_verdict(&self, network: Slot) -> Option<Verdict> {
        let now = self.columns[network.index()].noise?.class;
        self.judge(network, now, None)
    }

    fn judge(&self, network: Slot, now: usize, target: Option<usize>) -> Option<Verdict> {
        let clean = self.columns[network.index()].clean.first()?.class;
        Some(Verdict::judge(clean, now, self.label(), target))
    }

    /// The verdict in a sentence: what the network said before, and what it says now.
    pub fn verdict_words(&self, network: Slot) -> Option<String> {
        let verdict = self.verdict(network)?;
        let column = &self.columns[network.index()];
        let (before, now) = (column.clean.first()?.class, column.step()?.top.first()?.class);
        let (was, is) = (self.class_name(before), self.class_name(now));
        let aimed = match self.attacked_with.target {
            Some(target) if target == now => ", the target",
            Some(_) => ", which is not the target",
            None => "",
        };
        Some(match verdict {
            Verdict::Held => format!("Still {is}, which is right."),
            Verdict::Fooled => format!("It said {was}, which is right, and now says {is}{aimed}."),
            Verdict::WrongAlready { changed } => {
                let truth = self.label().map(|truth| self.class_name(truth)).unwrap_or_default();
                let now = match changed {
                    true if self.label() == Some(now) => format!("now says {is}, which is right"),
                    true => format!("now says {is}{aimed}"),
                    false => "still does".into(),
                };
                format!("It took this {truth} for {was} before any attack, and {now}.")
            }
            Verdict::Kept => format!("Still {is}."),
            Verdict::Changed | Verdict::Led => format!("It said {was}, and now says {is}{aimed}."),
            Verdict::Pointless => format!("It said {was} from the start, which is the target."),
        })
    }
}
