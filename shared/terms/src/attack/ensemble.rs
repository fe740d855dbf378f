//! Attacks one after the other, each on the images that the one before has left.

use super::{AttackConfig, AttackKind, Loss, Norm};

/// Returns AutoAttack (Croce and Hein, 2020, arXiv 2003.01690; "standard" of the authors' code): APGD on cross entropy, APGD on the
/// targeted DLR loss, FAB towards the same classes, and Square. There is none in L0.
pub fn autoattack(norm: Norm, epsilon: f32) -> Vec<AttackConfig> {
    let [apgd, fab, square] = match norm {
        Norm::Linf => [AttackKind::Apgd, AttackKind::Fab, AttackKind::Square],
        Norm::L2 => [AttackKind::ApgdL2, AttackKind::FabL2, AttackKind::SquareL2],
        Norm::L0 => return vec![],
    };
    let of = |kind: AttackKind, loss| AttackConfig { loss, ..AttackConfig::new(kind, epsilon, kind.default_steps()) };
    vec![
        of(apgd, Loss::CrossEntropy),
        of(apgd, Loss::TargetedDlr),
        of(fab, fab.default_loss()),
        of(square, square.default_loss()),
    ]
}

/// Returns the attacks that follow PGD on what cross entropy has left: the same steps on the margin, away from the label, then
/// towards the likeliest other classes. None for other attacks, and for a loss that is named.
pub fn margins_after(config: &AttackConfig) -> Vec<AttackConfig> {
    if !matches!(config.kind, AttackKind::Pgd | AttackKind::PgdL2) || config.loss != Loss::CrossEntropy {
        return vec![];
    }
    [Loss::Margin, Loss::TargetedMargin].map(|loss| AttackConfig { loss, ..config.clone() }).into()
}

/// Returns the name of a sequence of attacks in print: AutoAttack's where the attacks are its four, else that of the first, and
/// what follows it: `AutoAttack at 8/255`, `PGD-50 at 8/255, then margin, margin-t`.
pub fn name(first: &AttackConfig, then: &[AttackConfig]) -> String {
    let unseeded = |config: &AttackConfig| AttackConfig { seed: 0, ..config.clone() };
    let all: Vec<AttackConfig> = std::iter::once(first).chain(then).map(unseeded).collect();
    if then.is_empty() {
        first.to_string()
    } else if all == autoattack(first.kind.norm(), first.epsilon) {
        format!("AutoAttack at {}", first.threat())
    } else if then.iter().all(|config| (config.kind, config.steps) == (first.kind, first.steps)) {
        let losses: Vec<&str> = then.iter().map(|config| config.loss.name()).collect();
        format!("{first}, then {}", losses.join(", "))
    } else {
        let names = all.iter().map(|config| config.to_string().split(" at ").next().unwrap_or_default().to_owned());
        format!("{} at {}", names.collect::<Vec<_>>().join(", "), first.threat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn autoattack_is_the_authors_standard() {
        for (norm, names) in [
            (Norm::Linf, ["APGD-CE-100", "APGD-T-100", "FAB-T-100", "Square-5000"]),
            (Norm::L2, ["L2-APGD-CE-100", "L2-APGD-T-100", "L2-FAB-T-100", "L2-Square-5000"]),
        ] {
            let attacks = autoattack(norm, 0.03);
            let found: Vec<_> = attacks.iter().map(ToString::to_string).collect();
            assert!(
                found.iter().zip(names).all(|(found, name)| found.starts_with(&format!("{name} at "))),
                "{found:?}"
            );
            assert!(name(&attacks[0], &attacks[1..]).starts_with("AutoAttack at "));
            assert!(!name(&attacks[0], &attacks[1..2]).contains("AutoAttack"), "not with a part missing");
        }
    }

    #[test]
    fn pgd_is_followed_by_its_margins() {
        let pgd = AttackConfig::pgd(8.0 / 255.0, 50, 0);
        let then = margins_after(&pgd);
        assert_eq!(name(&pgd, &then), "PGD-50 at 8/255, then margin, margin-t");
        assert!(margins_after(&AttackConfig::bim(0.1, 5)).is_empty() && margins_after(&then[0]).is_empty());
    }
}
