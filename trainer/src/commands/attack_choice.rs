//! The values of `--attack`.

use std::str::FromStr;

use shared::attack::{AttackKind, Direction, Loss, Norm};

use super::attack_flags::in_words;

/// Name of the sequence of attacks in L-infinity; with `-l2` behind it in L2.
const AUTOATTACK: &str = "autoattack";

/// A value of `--attack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttackChoice {
    /// `none`.
    None,
    /// An attack.
    One(NamedAttack),
    /// AutoAttack in a norm: four attacks, one after the other.
    AutoAttack(Norm),
}

/// An attack as its name says it: `pgd`, `pgd-50`, `pgd-margin-50`, `apgd-t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamedAttack {
    /// The attack.
    pub kind: AttackKind,
    /// The loss, where the name says one.
    pub loss: Option<Loss>,
    /// The steps, where the name says them.
    pub steps: Option<u16>,
}

impl From<AttackKind> for NamedAttack {
    fn from(kind: AttackKind) -> Self {
        Self { kind, loss: None, steps: None }
    }
}

impl FromStr for AttackChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => return Ok(Self::None),
            AUTOATTACK => return Ok(Self::AutoAttack(Norm::Linf)),
            _ if text.strip_prefix(AUTOATTACK) == Some("-l2") => return Ok(Self::AutoAttack(Norm::L2)),
            _ => {}
        }
        if let Some(named) = without_steps(text) {
            return Ok(Self::One(named));
        }
        let unknown = || {
            let error = text.parse::<AttackKind>().err().map(|error| error.to_string()).unwrap_or_default();
            format!("{error}, {AUTOATTACK} or none{}", did_you_mean(text))
        };
        let (name, steps) = text.rsplit_once('-').ok_or_else(unknown)?;
        let named = without_steps(name).ok_or_else(unknown)?;
        if !named.kind.takes_steps() {
            return Err(format!(
                "{name} has no steps: only {} take them, as in pgd-50",
                in_words(AttackKind::takes_steps)
            ));
        }
        match steps.parse() {
            Ok(steps @ 1..=10_000) => Ok(Self::One(NamedAttack { steps: Some(steps), ..named })),
            _ => Err(format!("{steps} is no number of steps: 1 to 10000, as in {name}-50")),
        }
    }
}

/// Returns the attack of a name without steps: a kind, or a kind that follows gradients with a loss.
fn without_steps(name: &str) -> Option<NamedAttack> {
    if let Ok(kind) = name.parse::<AttackKind>() {
        return Some(kind.into());
    }
    AttackKind::ALL.into_iter().filter(|kind| !kind.is_control()).find_map(|kind| {
        let loss = name.strip_prefix(kind.name())?.strip_prefix('-')?;
        match kind.properties().direction {
            // The authors name FAB by its targets: it has no other loss.
            Direction::Boundary => return (loss == Loss::TargetedDlr.name()).then(|| kind.into()),
            Direction::NearestClass => return None,
            _ => {}
        }
        Some(NamedAttack { loss: Some(loss.parse().ok()?), ..kind.into() })
    })
}

/// Returns ` (did you mean mi-fgsm?)` for a name that is written otherwise or nearly right; else nothing.
fn did_you_mean(text: &str) -> String {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let written = plain(text);
    let like = |name: &str| strsim::normalized_damerau_levenshtein(&written, &plain(name));
    let kinds =
        AttackKind::ALL.into_iter().map(|kind| (like(kind.name()).max(like(kind.label())), kind.name().to_owned()));
    let sequences = ["", "-l2"].map(|norm| format!("{AUTOATTACK}{norm}")).map(|name| (like(&name), name));
    match kinds.chain(sequences).max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((likeness, name)) if likeness > 0.65 => format!(" (did you mean {name}?)"),
        _ => String::new(),
    }
}
