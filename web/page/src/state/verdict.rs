//! What an attack came to. Who is fooled was right before: where a picture's true class is known, that is what counts, and
//! where it is not, no more is said than whether the answer changed.

use super::{Progress, State};
use protocol::Slot;

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
    /// It answers as before, and the attack had no gradient to follow.
    NoGradient,
}

/// The moment of an attack that a verdict is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Its end.
    End,
    /// The last step that was taken of an attack that is under way, or was stopped.
    SoFar,
    /// A step before that.
    Earlier,
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

    /// Returns the name in attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Fooled => "fooled",
            Self::WrongAlready { .. } => "wrong-already",
            Self::Kept => "kept",
            Self::Changed => "changed",
            Self::Led => "led",
            Self::Pointless => "pointless",
            Self::NoGradient => "no-gradient",
        }
    }

    /// On its chip. That a network held so far, or at a step before the last, says nothing of the steps after it.
    pub fn chip(self, moment: Moment) -> &'static str {
        use Moment::{Earlier, End, SoFar};
        match (self, moment) {
            (Self::Held, End) => "held",
            (Self::Held, SoFar) => "held so far",
            (Self::Held, Earlier) => "held at this step",
            (Self::Fooled, End) => "fooled",
            (Self::Fooled, SoFar) => "fooled so far",
            (Self::Fooled, Earlier) => "fooled at this step",
            (Self::WrongAlready { .. }, _) => "was wrong already",
            (Self::Kept, End) => "answer kept",
            (Self::Kept, SoFar) => "kept so far",
            (Self::Kept, Earlier) => "kept at this step",
            (Self::Changed, End) => "answer changed",
            (Self::Changed, SoFar) => "changed so far",
            (Self::Changed, Earlier) => "changed at this step",
            (Self::Led, End) => "led to the target",
            (Self::Led, SoFar) => "at the target so far",
            (Self::Led, Earlier) => "at the target at this step",
            (Self::Pointless, _) => "target already",
            (Self::NoGradient, _) => "no gradient",
        }
    }
}

impl State {
    /// Returns what the attack that is shown came to, or has so far.
    pub fn verdict(&self, network: Slot) -> Option<Verdict> {
        let step = self.columns[network.index()].step()?;
        let verdict = self.judge(network, step.top.first()?.class, self.attack.latest.target)?;
        let held = matches!(verdict, Verdict::Held | Verdict::Kept);
        Some(if held && step.no_gradient { Verdict::NoGradient } else { verdict })
    }

    /// Returns what stands on a network's chip.
    pub fn chip(&self, network: Slot) -> &'static str {
        let column = &self.columns[network.index()];
        match (self.verdict(network), column.progress) {
            (Some(verdict), _) => verdict.chip(column.moment()),
            (None, Progress::Attacking) => "under attack",
            (None, _) => "not attacked",
        }
    }

    /// Returns what random noise of the attack's size came to; it aims at nothing.
    pub fn noise_verdict(&self, network: Slot) -> Option<Verdict> {
        let now = self.columns[network.index()].noise?.class;
        self.judge(network, now, None)
    }

    /// Returns the probability of the class aimed at, after the step that is shown; none where none was aimed at, or the
    /// columns show nothing of it.
    pub fn target_words(&self, network: Slot) -> Option<String> {
        let step = self.columns[network.index()].step()?;
        let name = self.class_name(self.attack.latest.target?);
        Some(format!("{name}, {}", crate::text::percent(step.target_share?.into())))
    }

    fn judge(&self, network: Slot, now: usize, target: Option<usize>) -> Option<Verdict> {
        let clean = self.columns[network.index()].clean.first()?.class;
        Some(Verdict::judge(clean, now, self.label(), target))
    }

    /// Returns the verdict in a sentence: what the network said before, and what it says now.
    pub fn verdict_words(&self, network: Slot) -> Option<String> {
        let verdict = self.verdict(network)?;
        let column = &self.columns[network.index()];
        let (before, now) = (column.clean.first()?.class, column.step()?.top.first()?.class);
        let (was, is) = (self.class_name(before), self.class_name(now));
        let aimed = match self.attack.latest.target {
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
            Verdict::NoGradient => format!(
                "Still {is}, but every gradient was zero: the attack had nothing to follow, which says nothing of how it holds."
            ),
        })
    }
}
