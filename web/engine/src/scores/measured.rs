//! What tables and curves go by of a score.

use std::cmp::Ordering;

use terms::attack::{AttackConfig, AttackKind, Norm};
use terms::score::{ImageSet, Score};

/// What an epsilon is measured in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EpsilonUnit {
    /// 255ths of a channel's range.
    Levels,
    /// Standard deviations of the training pictures, a channel each.
    Deviations,
    /// Pixel units of the whole change's length in L2.
    L2,
    /// Pixels that change.
    Pixels,
}

impl EpsilonUnit {
    /// Writes a radius with its unit: `8/255`, `0.2 std`, `L2 0.5`, `3 pixels`.
    pub fn write(self, number: &str) -> String {
        match self {
            Self::Levels => format!("{number}/255"),
            Self::Deviations => format!("{number} std"),
            Self::L2 => format!("L2 {number}"),
            Self::Pixels if number == "1" => "1 pixel".into(),
            Self::Pixels => format!("{number} pixels"),
        }
    }
}

/// Returns an attack's radius, and what it is measured in.
pub(super) fn radius(attack: &AttackConfig) -> (f64, EpsilonUnit) {
    match (attack.channel_scale == [1.0; 3], attack.kind.norm()) {
        (true, Norm::Linf) => (f64::from(attack.epsilon * 255.0), EpsilonUnit::Levels),
        (true, Norm::L2) => (attack.epsilon.into(), EpsilonUnit::L2),
        (_, Norm::L0) => (attack.epsilon.into(), EpsilonUnit::Pixels),
        (false, _) => (attack.epsilon.into(), EpsilonUnit::Deviations),
    }
}

/// Returns what was done to the pictures, but not through whose gradients: `clean`, `BIM-5 at 4/255`.
pub(super) fn what(score: &Score) -> String {
    Score { crafted_on: None, ..score.clone() }.to_string()
}

/// Returns all of an attack but its radius: `BIM-5`; `augmented, PGD-50, 10 restarts`.
pub(super) fn family(score: &Score, attack: &AttackConfig) -> String {
    let with_radius = attack.to_string();
    let name = with_radius.split_once(" at ").map_or(with_radius.as_str(), |(name, _)| name);
    what(score).replacen(&with_radius, name, 1)
}

/// Orders pictures before attacks, and weak attacks before strong ones.
pub(super) fn in_order(one: &Score, other: &Score) -> Ordering {
    let set = |score: &Score| match score.set {
        ImageSet::Validation => 0,
        ImageSet::Augmented => 1,
        ImageSet::Photos => 2,
        ImageSet::Corrupted { .. } => 3,
    };
    let key = |score: &Score| {
        let attack = score.attack.as_ref().map(|attack| {
            let rank = AttackKind::ALL.iter().position(|kind| *kind == attack.kind);
            (rank, attack.steps_total(), radius(attack).1, family(score, attack))
        });
        (attack.is_some(), set(score), attack)
    };
    let epsilon = |score: &Score| score.attack.as_ref().map_or(0.0, |attack| radius(attack).0);
    key(one).cmp(&key(other)).then(epsilon(one).total_cmp(&epsilon(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_told_with_its_radius_apart_from_its_family() {
        let json = r#"{"set": "augmented", "attack": {"kind": "pgd", "epsilon": 0.03137255, "steps": 50, "step_size": null,
            "seed": 0}, "restarts": 10, "crafted_on": "standard", "top1": {"hits": 1, "of": 4},
            "top1_interval": [0.0456, 0.6994], "top5": {"hits": 2, "of": 4}}"#;
        let score: Score = serde_json::from_str(json).unwrap();
        assert_eq!(what(&score), "augmented, PGD-50 at 8/255, 10 restarts");
        let attack = score.attack.as_ref().unwrap();
        assert_eq!(family(&score, attack), "augmented, PGD-50, 10 restarts");
        let (epsilon, unit) = radius(attack);
        assert!((epsilon - 8.0).abs() < 1e-4 && unit == EpsilonUnit::Levels, "{epsilon} {unit:?}");
    }

    #[test]
    fn a_radius_in_l2_is_no_number_of_255ths() {
        assert_eq!(radius(&AttackConfig::pgd_l2(0.5, 20, 0)), (0.5, EpsilonUnit::L2));
        assert_eq!(EpsilonUnit::L2.write("0.5"), "L2 0.5");
    }

    #[test]
    fn the_paper_measures_epsilon_in_deviations() {
        let paper = AttackConfig { channel_scale: [0.277, 0.269, 0.282], ..AttackConfig::bim(0.2, 5) };
        let (epsilon, unit) = radius(&paper);
        assert!((epsilon - 0.2).abs() < 1e-6 && unit == EpsilonUnit::Deviations, "{epsilon} {unit:?}");
    }
}
