//! The flags of attacks, the same for every command that runs attacks.

use std::str::FromStr;

use anyhow::{Result, ensure};
use clap::Args;
use shared::attack::{AttackConfig, AttackKind, Norm, PAPER_EPSILON_STD};

use crate::epsilon::{EpsilonSpace, Radius};
use crate::error::UsageError;

/// The flags of attacks; [`AttackFlags::attacks`] converts them to attacks.
#[derive(Clone, Debug, Args)]
pub struct AttackFlags {
    #[arg(long = "attack", value_name = "ATTACK", value_delimiter = ',', help = attack_help(), long_help = attack_long_help())]
    attacks: Vec<AttackChoice>,
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, help = epsilon_help())]
    epsilon: Vec<Radius>,
    #[arg(
        long, value_name = "N", allow_negative_numbers = true, help = steps_help(),
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    steps: Option<u16>,
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true, help = step_size_help())]
    step_size: Option<Radius>,
    #[arg(
        long, value_name = "N", allow_negative_numbers = true, help = restarts_help(),
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    restarts: Option<u16>,
    #[arg(long, default_value_t = 0, help = format!("Seed of what is random in {}", in_words(AttackKind::is_random)))]
    seed: u64,
}

/// An attack, with the settings that a command runs it with.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenAttack {
    /// The attack, in range and in pixel units: for a radius in normalised space, the caller sets the channel scale.
    pub config: AttackConfig,
    /// Random starts, of which the worst counts; 1 for attacks without one.
    pub restarts: usize,
}

/// A value of `--attack`: `none`, or an attack with or without its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttackChoice {
    None,
    One(AttackKind, Option<u16>),
}

impl FromStr for AttackChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        if let Ok(kind) = text.parse() {
            return Ok(Self::One(kind, None));
        }
        let unknown =
            |text: &str| text.parse::<AttackKind>().map_err(|error| format!("{error}, or none{}", did_you_mean(text)));
        let Some((name, steps)) = text.rsplit_once('-') else { return unknown(text).map(|kind| Self::One(kind, None)) };
        let kind = name.parse::<AttackKind>().or_else(|_| unknown(text))?;
        if !kind.takes_steps() {
            return Err(format!(
                "{name} has no steps: only {} take them, as in pgd-50",
                in_words(AttackKind::takes_steps)
            ));
        }
        match steps.parse() {
            Ok(steps @ 1..=10_000) => Ok(Self::One(kind, Some(steps))),
            _ => Err(format!("{steps} is no number of steps: 1 to 10000, as in {name}-50")),
        }
    }
}

/// Returns ` (did you mean mi-fgsm?)` for a name that is written otherwise or nearly right; else nothing.
fn did_you_mean(text: &str) -> String {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let written = plain(text);
    let likeness = |kind: &AttackKind| {
        let forms =
            [kind.name(), kind.label()].map(|name| strsim::normalized_damerau_levenshtein(&written, &plain(name)));
        forms[0].max(forms[1])
    };
    let best = AttackKind::ALL.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.filter(|kind| likeness(kind) > 0.65).map(|kind| format!(" (did you mean {kind}?)")).unwrap_or_default()
}

impl AttackFlags {
    fn is_none(&self) -> bool {
        self.attacks == [AttackChoice::None]
    }

    /// Returns the attacks that the flags name, or those of `usual` where none is named, each at each radius. The default
    /// radius is that of `space`.
    ///
    /// # Errors
    /// [`UsageError`] when a number is out of range, or a flag has no effect: the user expects that it has one.
    pub fn attacks(&self, usual: &[AttackKind], space: EpsilonSpace) -> Result<Vec<ChosenAttack>> {
        let named: Vec<(AttackKind, Option<u16>)> = match self.attacks.is_empty() {
            true => usual.iter().map(|&kind| (kind, None)).collect(),
            false => self.named().collect(),
        };
        self.check_effect(&named)?;
        let mut chosen = Vec::new();
        for (kind, steps) in named {
            let norm = kind.norm();
            let usual = [Radius::usual(norm, space)];
            for radius in if self.epsilon.is_empty() { &usual[..] } else { &self.epsilon } {
                let epsilon = radius.in_norm(norm).map_err(|error| UsageError(format!("--epsilon: {error}")))?;
                let steps = steps.or(self.steps).map_or(kind.default_steps(), usize::from);
                let step_size = self.step_size.filter(|_| !kind.is_control()).map(|length| length.in_norm(norm));
                let step_size = step_size.transpose().map_err(|error| UsageError(format!("--step-size: {error}")))?;
                let config = AttackConfig { step_size, seed: self.seed, ..AttackConfig::new(kind, epsilon, steps) };
                config.validate().map_err(|error| UsageError(format!("--attack {kind}: {error}")))?;
                let restarts = config.starts(self.restarts.map_or(1, usize::from));
                chosen.push(ChosenAttack { config, restarts });
            }
        }
        Ok(chosen)
    }

    /// Returns the one attack that the flags name, or `usual` where none is named.
    ///
    /// # Errors [`UsageError`] under the conditions of [`AttackFlags::attacks`], and when several attacks or radii are named,
    /// or `--attack none`.
    pub fn one_attack(&self, usual: AttackKind, space: EpsilonSpace) -> Result<ChosenAttack> {
        ensure!(!self.is_none(), UsageError("--attack none is no attack: name one".into()));
        ensure!(self.attacks.len() < 2, UsageError("--attack: name one attack".into()));
        ensure!(self.epsilon.len() < 2, UsageError("--epsilon: name one radius".into()));
        let mut chosen = self.attacks(&[usual], space)?;
        chosen.pop().ok_or_else(|| UsageError("--attack: name an attack".into()).into())
    }

    /// Returns the attacks that `--attack` names, with the steps in their names.
    fn named(&self) -> impl Iterator<Item = (AttackKind, Option<u16>)> {
        self.attacks.iter().filter_map(|choice| match choice {
            AttackChoice::One(kind, steps) => Some((*kind, *steps)),
            AttackChoice::None => None,
        })
    }

    fn check_effect(&self, named: &[(AttackKind, Option<u16>)]) -> Result<()> {
        let any = |is: &dyn Fn(AttackKind) -> bool| named.iter().any(|(kind, _)| is(*kind));
        let norms = [Norm::Linf, Norm::L2].map(|norm| any(&|kind| kind.norm() == norm));
        let follows = |(kind, own): &(AttackKind, Option<u16>), asked| own.is_none() && kind.steps(asked) == asked;
        let only = match named {
            [(kind, _)] => Some(*kind),
            _ => None,
        };
        let none_takes_steps = match only.filter(|kind| !kind.takes_steps()) {
            Some(kind) => takes(kind),
            None => format!(
                "--steps is for {}, and --attack names none of them, or says their steps",
                in_words(AttackKind::takes_steps)
            ),
        };
        let idle = [
            (
                self.attacks.contains(&AttackChoice::None) && self.attacks.len() > 1,
                "--attack none excludes other attacks".to_string(),
            ),
            (self.is_none() && !self.epsilon.is_empty(), "--epsilon has no effect with --attack none".into()),
            (
                self.steps.is_some_and(|asked| !named.iter().any(|named| follows(named, usize::from(asked)))),
                none_takes_steps,
            ),
            (
                self.step_size.is_some() && !any(&|kind| !kind.is_control()),
                only.map_or("--step-size has no effect without an attack".into(), takes),
            ),
            (
                self.restarts.is_some() && !any(&AttackKind::is_random),
                format!(
                    "--restarts is for {}, and --attack names none of them: the others have no random start",
                    in_words(AttackKind::is_random)
                ),
            ),
            (
                norms == [true; 2] && (!self.epsilon.is_empty() || self.step_size.is_some()),
                "--epsilon and --step-size are lengths in one norm, and --attack names attacks in L-inf and in L2: give two \
                 commands"
                    .into(),
            ),
        ];
        match idle.into_iter().find(|(idle, _)| *idle) {
            Some((_, message)) => Err(UsageError(message).into()),
            None => Ok(()),
        }
    }
}

/// Returns why `--steps` or `--step-size` is not for an attack.
fn takes(kind: AttackKind) -> String {
    let steps = if kind.is_control() { "no steps" } else { "one step" };
    format!("{kind} takes {steps}; those that take some are {}", in_words(AttackKind::takes_steps))
}

/// Returns the names of the attacks for which `is` holds: `fgsm, bim and pgd`.
pub(super) fn in_words(is: fn(AttackKind) -> bool) -> String {
    let names: Vec<&str> = AttackKind::ALL.into_iter().filter(|&kind| is(kind)).map(AttackKind::name).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}

fn attack_help() -> String {
    let attacks = AttackKind::ALL.map(|kind| match kind.norm() {
        _ if kind.is_control() => format!("{kind} (the control)"),
        Norm::Linf => kind.to_string(),
        Norm::L2 => format!("{kind} (in L2)"),
    });
    format!(
        "Attack: {}. Several with commas between them, or none, where the command takes them so; an attack may say its steps: \
         pgd-50 [default: {} for attack, {} for craft, {} for evaluate]",
        attacks.join(", "),
        super::attack::USUAL_ATTACK,
        super::craft::USUAL_ATTACK,
        super::evaluate::USUAL_ATTACKS.map(AttackKind::name).join(",")
    )
}

fn attack_long_help() -> String {
    let rows = AttackKind::ALL.map(|kind| {
        let words = kind.properties().words;
        format!("\n- {kind}: {}", words.summary)
    });
    format!("{}\n{}", attack_help(), rows.concat())
}

fn epsilon_help() -> String {
    format!(
        "Radius: how far each pixel may change, as 8/255 or as a decimal from 0 to 1; for attacks in L2 how long the whole \
         change may be, in pixel units, as 0.5 [default: {}, in L2 {}; in L-infinity in normalized space the \
         paper's {PAPER_EPSILON_STD}]",
        Norm::Linf.in_words(Norm::Linf.default_epsilon()),
        Norm::L2.default_epsilon()
    )
}

fn steps_help() -> String {
    let stepping = AttackKind::ALL.into_iter().filter(|kind| kind.takes_steps());
    let defaults: Vec<String> = stepping.map(|kind| format!("{} for {kind}", kind.default_steps())).collect();
    format!("Gradient steps [default: {}]", defaults.join(", "))
}

fn step_size_help() -> String {
    let stepping = AttackKind::ALL.into_iter().filter(|kind| !kind.is_control());
    let defaults: Vec<String> = stepping.map(|kind| format!("{} for {kind}", kind.properties().step_size)).collect();
    format!("Length of a step, in the unit of epsilon [default: {}]", defaults.join(", "))
}

fn restarts_help() -> String {
    format!(
        "Random starts of {}; an image counts as fooled if any of them fools [default: 1]",
        in_words(AttackKind::is_random)
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        attack: AttackFlags,
    }

    fn attacks(flags: &[&str]) -> Result<Vec<ChosenAttack>> {
        let flags = Flags::try_parse_from(["x"].iter().chain(flags))?;
        flags.attack.attacks(&[AttackKind::Fgsm, AttackKind::Bim], EpsilonSpace::Pixel)
    }

    fn names(flags: &[&str]) -> Vec<String> {
        attacks(flags).unwrap().iter().map(|chosen| chosen.config.to_string()).collect()
    }

    #[test]
    fn every_attack_has_its_own_defaults() {
        for kind in AttackKind::ALL {
            let chosen = attacks(&["--attack", kind.name()]).unwrap();
            let expected = AttackConfig::new(kind, kind.norm().default_epsilon(), kind.default_steps());
            assert_eq!(chosen, [ChosenAttack { config: expected, restarts: 1 }]);
        }
        assert_eq!(names(&[]), ["FGSM at 4/255", "BIM-5 at 4/255"]);
        let mixed = names(&["--attack", "mi-fgsm,pgd-l2-7,pgd-50", "--steps", "3", "--restarts", "2"]);
        assert_eq!(mixed, ["MI-FGSM-3 at 4/255", "L2-PGD-7 at L2 0.5", "PGD-50 at 4/255"]);
        let restarts = attacks(&["--attack", "bim,pgd-l2", "--restarts", "2"]).unwrap();
        assert_eq!(restarts.iter().map(|chosen| chosen.restarts).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(names(&["--attack", "pgd-l2", "--epsilon", "0.5,3"]), ["L2-PGD-20 at L2 0.5", "L2-PGD-20 at L2 3"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (flags, says) in [
            (&["--attack", "cw"][..], "there is no attack 'cw': take fgsm, bim"),
            (&["--attack", "FGSM"], "did you mean fgsm?"),
            (&["--attack", "mi_fgsm"], "did you mean mi-fgsm?"),
            (&["--attack", "MI_FGSM-7"], "did you mean mi-fgsm?"),
            (&["--attack", "L2-PGD"], "did you mean pgd-l2?"),
            (&["--attack", "pgd_l2"], "did you mean pgd-l2?"),
            (&["--attack", "fsgm"], "did you mean fgsm?"),
            (&["--attack", "pdg"], "did you mean pgd?"),
            (&["--attack", "pgd", "--epsilon", "9"], "--epsilon: 9 is not from 0 to 1"),
            (&["--attack", "mi-fgsm-0"], "0 is no number of steps"),
            (&["--attack", "fgsm-3"], "fgsm has no steps"),
            (&["--attack", "pgd", "--epsilon", "8"], "did you mean 8/255?"),
            (&["--attack", "pgd-l2", "--epsilon", "111"], "0 to 110.9"),
            (&["--attack", "pgd-l2", "--epsilon", "-1"], "0 to 110.9"),
            (&["--attack", "pgd,pgd-l2", "--epsilon", "0.5"], "lengths in one norm"),
            (&["--attack", "fgsm", "--steps", "5"], "fgsm takes one step"),
            (&["--attack", "noise", "--step-size", "0.1"], "noise takes no steps"),
            (&["--attack", "mi-fgsm", "--restarts", "2"], "no random start"),
            (&["--attack", "none,bim"], "--attack none excludes"),
            (&["--attack", "bim", "--step-size", "2"], "--step-size: 2 is not from 0 to 1"),
            (&["--attack", "bim", "--step-size", "2"], "did you mean 2/255?"),
            (&["--attack", "pgd-l2", "--step-size", "111"], "0 to 110.9"),
        ] {
            let error = attacks(flags).unwrap_err().to_string();
            assert!(error.contains(says), "{flags:?}: {error}");
        }
    }
}
