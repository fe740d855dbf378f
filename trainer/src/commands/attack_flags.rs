//! The flags of attacks, the same for every command that runs attacks.

use anyhow::{Result, ensure};
use clap::Args;
use shared::attack::{AttackConfig, AttackKind, Norm, PAPER_EPSILON_STD, SMALLEST_LIMIT, StepSize, ensemble};

use super::attack_choice::{AttackChoice, NamedAttack};
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
    /// Attacks on what the one before has left, where images are followed until they are fooled.
    pub then: Vec<AttackConfig>,
    /// Whether the attacks are one measurement, which none of them is alone: AutoAttack.
    pub is_sequence: bool,
}

/// Returns the attacks among choices, with the steps in their names; those of AutoAttack have their own.
fn named(choices: &[AttackChoice]) -> Vec<(AttackKind, Option<u16>)> {
    let own = |kind: AttackKind| (kind, u16::try_from(kind.default_steps()).ok());
    let of_choice = |choice: &AttackChoice| match choice {
        AttackChoice::None => None,
        AttackChoice::One(NamedAttack { kind, steps, .. }) => Some((*kind, *steps)),
        AttackChoice::AutoAttack(Norm::Linf) => Some(own(AttackKind::Apgd)),
        AttackChoice::AutoAttack(Norm::L2) => Some(own(AttackKind::ApgdL2)),
        // There is none in L0.
        AttackChoice::AutoAttack(Norm::L0) => None,
    };
    choices.iter().filter_map(of_choice).collect()
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
        let usual: Vec<AttackChoice> = usual.iter().map(|&kind| AttackChoice::One(kind.into())).collect();
        let choices = if self.attacks.is_empty() { &usual } else { &self.attacks };
        self.check_effect(&named(choices))?;
        let mut chosen = Vec::new();
        for choice in choices {
            let norm = match choice {
                AttackChoice::None => continue,
                AttackChoice::One(named) => named.kind.norm(),
                AttackChoice::AutoAttack(norm) => *norm,
            };
            let usual = [match choice {
                AttackChoice::One(named) if named.kind.seeks_smallest() => Radius::new(named.kind.default_epsilon()),
                _ => Radius::usual(norm, space),
            }];
            for radius in if self.epsilon.is_empty() { &usual[..] } else { &self.epsilon } {
                let epsilon = radius.in_norm(norm).map_err(|error| UsageError(format!("--epsilon: {error}")))?;
                chosen.push(match choice {
                    AttackChoice::One(named) => self.one(named, epsilon)?,
                    _ => self.autoattack(norm, epsilon)?,
                });
            }
        }
        Ok(chosen)
    }

    fn one(&self, named: &NamedAttack, epsilon: f32) -> Result<ChosenAttack> {
        let kind = named.kind;
        let steps = named.steps.or(self.steps).map_or(kind.default_steps(), usize::from);
        let step_size = self.step_size.filter(|_| has_step_size(kind)).map(|length| length.in_norm(kind.norm()));
        let step_size = step_size.transpose().map_err(|error| UsageError(format!("--step-size: {error}")))?;
        let usual = AttackConfig::new(kind, epsilon, steps);
        let config = AttackConfig { step_size, seed: self.seed, loss: named.loss.unwrap_or(usual.loss), ..usual };
        config.validate().map_err(|error| UsageError(format!("--attack {kind}: {error}")))?;
        let restarts = self.restarts.filter(|_| kind.is_random()).map_or(1, usize::from);
        // A loss that is named is meant alone.
        let then = if named.loss.is_none() { ensemble::margins_after(&config) } else { vec![] };
        Ok(ChosenAttack { config, restarts, then, is_sequence: false })
    }

    fn autoattack(&self, norm: Norm, epsilon: f32) -> Result<ChosenAttack> {
        let seed = self.seed;
        let mut attacks = ensemble::autoattack(norm, epsilon).into_iter().map(|config| AttackConfig { seed, ..config });
        let config = attacks.next().ok_or_else(|| UsageError("AutoAttack has no attacks".into()))?;
        config.validate().map_err(|error| UsageError(format!("--attack autoattack: {error}")))?;
        Ok(ChosenAttack { config, restarts: 1, then: attacks.collect(), is_sequence: true })
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
        let is_one = chosen.last().is_some_and(|chosen| !chosen.is_sequence);
        ensure!(
            is_one,
            UsageError("--attack autoattack is four attacks, for evaluate: name one, as apgd or square".into())
        );
        chosen.pop().ok_or_else(|| UsageError("--attack: name an attack".into()).into())
    }

    fn check_effect(&self, named: &[(AttackKind, Option<u16>)]) -> Result<()> {
        let any = |is: &dyn Fn(AttackKind) -> bool| named.iter().any(|(kind, _)| is(*kind));
        let norms = Norm::ALL.into_iter().filter(|norm| any(&|kind| kind.norm() == *norm)).count();
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
                self.step_size.is_some() && !any(&has_step_size),
                match only {
                    Some(kind) if kind.is_control() => takes(kind),
                    Some(kind) => format!("--step-size has no effect on {kind}, which finds the lengths of its steps itself"),
                    None => "--step-size has no effect without an attack that takes one".into(),
                },
            ),
            (
                self.restarts.is_some() && !any(&AttackKind::is_random),
                format!(
                    "--restarts is for {}, and --attack names none of them: the others have no random start",
                    in_words(AttackKind::is_random)
                ),
            ),
            (
                norms > 1 && (!self.epsilon.is_empty() || self.step_size.is_some()),
                "--epsilon and --step-size are lengths in one norm, and --attack names attacks in several: give a command for \
                 each norm"
                    .into(),
            ),
        ];
        match idle.into_iter().find(|(idle, _)| *idle) {
            Some((_, message)) => Err(UsageError(message).into()),
            None => Ok(()),
        }
    }
}

/// Returns whether the length of the attack's steps can be chosen: that of FGSM's one step, too.
fn has_step_size(kind: AttackKind) -> bool {
    !kind.is_control() && kind.properties().step_size != StepSize::Own
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
        Norm::L0 => format!("{kind} (in L0)"),
    });
    format!(
        "Attack: {}; or autoattack (with -l2 in L2), for evaluate: apgd-ce, apgd-t, fab-t and square, each on what the one before has \
         left. An attack may say its loss: pgd-margin, and any gradient attack so, follows the margin of Carlini and Wagner, \
         apgd-dlr the difference of logits ratio. Several with commas between them, or none, where the command takes them so; an attack may say its steps: \
         pgd-50 [default: {} for attack, {} for craft, {} for evaluate]",
        attacks.join(", "),
        super::attack::USUAL_ATTACK,
        super::craft::USUAL_ATTACK,
        super::evaluate::USUAL_ATTACKS.map(AttackKind::name).join(",")
    )
}

fn attack_long_help() -> String {
    let rows = AttackKind::ALL.map(|kind| format!("\n- {kind}: {}", kind.words().summary));
    format!("{}\n{}", attack_help(), rows.concat())
}

fn epsilon_help() -> String {
    format!(
        "Radius: how far each pixel may change, as 8/255 or as a decimal from 0 to 1; for attacks in L2 how long the whole \
         change may be, in pixel units, as 0.5; in L0 how many pixels may change. Of deepfool and ddn, which look for the smallest \
         change, up to which length one counts [default: {}, in L2 {}, of those two {SMALLEST_LIMIT}, in L0 1; in L-infinity in normalized space the \
         paper's {PAPER_EPSILON_STD}]",
        Norm::Linf.in_words(Norm::Linf.default_epsilon()),
        Norm::L2.default_epsilon()
    )
}

fn steps_help() -> String {
    let stepping = AttackKind::ALL.into_iter().filter(|kind| kind.takes_steps());
    let defaults: Vec<String> = stepping.map(|kind| format!("{} for {kind}", kind.default_steps())).collect();
    format!("Gradient steps, or queries or generations of attacks without gradients [default: {}]", defaults.join(", "))
}

fn step_size_help() -> String {
    let stepping = AttackKind::ALL.into_iter().filter(|&kind| has_step_size(kind));
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
            let config = AttackConfig::new(kind, kind.default_epsilon(), kind.default_steps());
            let then = ensemble::margins_after(&config);
            assert_eq!(chosen, [ChosenAttack { config, restarts: 1, then, is_sequence: false }]);
        }
        assert_eq!(names(&[]), ["FGSM at 4/255", "BIM-5 at 4/255"]);
        let mixed = names(&["--attack", "mi-fgsm,pgd-l2-7,pgd-50", "--steps", "3", "--restarts", "2"]);
        assert_eq!(mixed, ["MI-FGSM-3 at 4/255", "L2-PGD-7 at L2 0.5", "PGD-50 at 4/255"]);
        let restarts = attacks(&["--attack", "bim,pgd-l2", "--restarts", "2"]).unwrap();
        assert_eq!(restarts.iter().map(|chosen| chosen.restarts).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(names(&["--attack", "pgd-l2", "--epsilon", "0.5,3"]), ["L2-PGD-20 at L2 0.5", "L2-PGD-20 at L2 3"]);
    }

    #[test]
    fn names_say_losses_and_autoattack_is_its_four_attacks() {
        // Carlini and Wagner's margin, with every attack that follows a gradient.
        let with_margin = names(&["--attack", "fgsm-margin,bim-margin,pgd-margin,mi-fgsm-margin,apgd-margin"]);
        let expected = ["FGSM-margin", "BIM-margin-5", "PGD-margin-20", "MI-FGSM-margin-10", "APGD-MARGIN-100"];
        assert_eq!(with_margin, expected.map(|name| format!("{name} at 4/255")));
        let in_l2 = names(&["--attack", "pgd-l2-margin,apgd-l2-margin,ddn-margin"]);
        assert_eq!(in_l2, ["L2-PGD-margin-20 at L2 0.5", "L2-APGD-MARGIN-100 at L2 0.5", "DDN-margin-100 at L2 5"]);
        let named = names(&["--attack", "pgd-margin-7,apgd-ce,apgd-t,apgd-dlr-9,fab-t,square"]);
        let expected = ["PGD-margin-7", "APGD-CE-100", "APGD-T-100", "APGD-DLR-9", "FAB-T-100", "Square-5000"];
        assert_eq!(named, expected.map(|name| format!("{name} at 4/255")));
        let auto = attacks(&["--attack", "autoattack", "--epsilon", "4/255,8/255", "--seed", "3"]).unwrap();
        let name = |chosen: &ChosenAttack| ensemble::name(&chosen.config, &chosen.then);
        assert_eq!(auto.iter().map(name).collect::<Vec<_>>(), ["AutoAttack at 4/255", "AutoAttack at 8/255"]);
        assert!(auto[0].then.iter().all(|config| config.seed == 3));
        assert_eq!(name(&attacks(&["--attack", "autoattack-l2"]).unwrap()[0]), "AutoAttack at L2 0.5");
        assert_eq!(name(&attacks(&["--attack", "pgd-50"]).unwrap()[0]), "PGD-50 at 4/255, then margin, margin-t");
        assert_eq!(name(&attacks(&["--attack", "pgd-ce-50"]).unwrap()[0]), "PGD-50 at 4/255");
        let refused = |flags: &[&str]| attacks(flags).unwrap_err().to_string();
        assert!(refused(&["--attack", "autoattack", "--steps", "5"]).contains("--steps"));
        assert!(refused(&["--attack", "pgd-hinge"]).contains("hinge is no number of steps"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (flags, says) in [
            (&["--attack", "cw"][..], "there is no attack 'cw': take fgsm, bim"),
            (&["--attack", "FGSM"], "did you mean fgsm?"),
            (&["--attack", "autoatack"], "did you mean autoattack?"),
            (&["--attack", "AutoAttack_L2"], "did you mean autoattack-l2?"),
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
            (&["--attack", "ddn,fab", "--step-size", "0.1"], "without an attack that takes one"),
            (&["--attack", "deepfool", "--step-size", "0.1"], "finds the lengths of its steps itself"),
            (&["--attack", "one-pixel", "--epsilon", "0.5"], "a whole number of pixels, 0 to 4096"),
            (&["--attack", "one-pixel,ddn", "--epsilon", "3"], "lengths in one norm"),
            (&["--attack", "deepfool-margin"], "margin is no number of steps"),
            (&["--attack", "bim", "--step-size", "2"], "--step-size: 2 is not from 0 to 1"),
            (&["--attack", "bim", "--step-size", "2"], "did you mean 2/255?"),
            (&["--attack", "pgd-l2", "--step-size", "111"], "0 to 110.9"),
        ] {
            let error = attacks(flags).unwrap_err().to_string();
            assert!(error.contains(says), "{flags:?}: {error}");
        }
    }
}
