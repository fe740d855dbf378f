//! What is reproduced: the models, the attacks, and what was asked for besides.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use shared::attack::{AttackConfig, AttackKind, PAPER_EPSILON_STD, PGD_STEPS};
use toml::Table;

use crate::evaluate::Trial;
use crate::experiment::plan::{Plan, differences};
use crate::pretrained::IMAGENET;
use crate::train::Pretrained;

/// The paper's models, by the recipes that train them, in the order of its Table 1.
pub const MODELS: [&str; 5] = ["normal", "augmented", "fgsm", "bim", "hardened"];

/// The attacks by which pictures are crafted on the normal model.
pub const CRAFTED: [AttackKind; 2] = [AttackKind::Fgsm, AttackKind::Bim];

/// Radius of PGD, in pixel units, as is usual in the field.
const PGD_EPSILON: f32 = 4.0 / 255.0;

/// How much of the data set is used: so many classes, and pictures of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataPart {
    /// Classes.
    pub classes: usize,
    /// Training pictures of each class.
    pub per_class: usize,
    /// Validation pictures of each class.
    pub val_per_class: usize,
}

/// What was asked for: `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReproductionPlan {
    /// The command that began it.
    pub command: String,
    /// SHA-256 of the data set that was given.
    pub data_sha256: String,
    /// The part of the data set that is used; none means all of it.
    pub subset: Option<DataPart>,
    /// Settings of training that differ from those of the recipes, the same for all models.
    pub settings: Table,
    /// The file of weights that all models start from; none means from scratch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<Pretrained>,
    /// Validation images that are evaluated on; none means all.
    pub limit: Option<usize>,
}

impl Plan for ReproductionPlan {
    const NOUN: &'static str = "reproduction";
    const MADE_BEFORE: Option<&'static str> = Some("data");

    fn command(&self) -> &str {
        &self.command
    }

    fn differences(&self, now: &Self) -> Result<Vec<String>> {
        // The same may have been typed in another way, and the same weights lie elsewhere.
        let rest = |plan: &Self| {
            let pretrained = plan.pretrained.clone().map(|weights| Pretrained { file: PathBuf::new(), ..weights });
            Table::try_from(Self { command: String::new(), settings: Table::new(), pretrained, ..plan.clone() })
        };
        Ok([differences(&rest(self)?, &rest(now)?), differences(&self.settings, &now.settings)].concat())
    }
}

/// Returns an attack of the paper's radius: 0.2 in the space normalised by ImageNet's standard deviations, which the paper's
/// network expects, whatever the network here normalises by.
pub fn attack(kind: AttackKind) -> AttackConfig {
    AttackConfig { channel_scale: IMAGENET.std, ..AttackConfig::new(kind, PAPER_EPSILON_STD, kind.default_steps()) }
}

/// Returns what each model is shown, in the order of [`Column::ALL`](super::paper::Column::ALL). The crafted sets are in the order
/// of [`CRAFTED`].
pub fn trials() -> Vec<Trial> {
    let own = |config| Trial::attack(config, None);
    let attacked = CRAFTED.map(|kind| own(attack(kind)));
    let saved = attacked.clone().into_iter().enumerate();
    let mut trials = vec![Trial::CLEAN, Trial::AUGMENTED];
    trials.extend(saved.map(|(place, trial)| Trial { crafted: Some(place), ..trial }));
    trials.extend(attacked);
    trials.push(own(AttackConfig::pgd(PGD_EPSILON, PGD_STEPS, 0)));
    trials.push(own(attack(AttackKind::Noise)));
    trials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_weights_may_lie_elsewhere_and_others_are_named() {
        let plan = |file: &str, sha256: &str| ReproductionPlan {
            command: "bastion reproduce".into(),
            data_sha256: "d".into(),
            subset: None,
            settings: Table::new(),
            pretrained: Some(Pretrained { file: file.into(), sha256: sha256.into() }),
            limit: None,
        };
        let begun = plan("/a/lite0.pth", "one");
        assert_eq!(begun.differences(&plan("/b/lite0.whl", "one")).unwrap(), [""; 0]);
        let differences = begun.differences(&plan("/a/lite0.pth", "two")).unwrap();
        assert!(differences.len() == 1 && differences[0].starts_with("pretrained was "), "{differences:?}");
        assert!(differences[0].contains("one") && differences[0].contains("two"), "{differences:?}");
    }

    #[test]
    fn the_papers_radius_is_eleven_and_a_half_steps_of_255() {
        let attack = attack(AttackKind::Fgsm);
        let steps = attack.channel_scale.map(|std| 255.0 * attack.epsilon * std);
        assert!(steps.iter().all(|steps| (11.4..11.7).contains(steps)), "{steps:?}");
    }
}
