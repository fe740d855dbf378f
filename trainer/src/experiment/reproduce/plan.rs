//! What is reproduced: the models, the attacks, and what was asked for besides.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use shared::attack::{AttackConfig, AttackKind, PAPER_EPSILON_STD, PGD_STEPS};
use toml::Table;

use crate::evaluate::Trial;
use crate::experiment::plan::{Plan, differences};

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
        // The same may have been typed in another way.
        let rest =
            |plan: &Self| Table::try_from(Self { command: String::new(), settings: Table::new(), ..plan.clone() });
        Ok([differences(&rest(self)?, &rest(now)?), differences(&self.settings, &now.settings)].concat())
    }
}

/// Returns an attack of the paper's radius, in the normalised space of a network with these standard deviations.
pub fn attack(kind: AttackKind, std: [f32; 3]) -> AttackConfig {
    AttackConfig { channel_scale: std, ..AttackConfig::new(kind, PAPER_EPSILON_STD, kind.default_steps()) }
}

/// Returns what each model is shown, in the order of [`Column::ALL`](super::paper::Column::ALL); `std` are the normal model's
/// standard deviations. The crafted sets are in the order of [`CRAFTED`].
pub fn trials(std: [f32; 3]) -> Vec<Trial> {
    let own = |config| Trial::attack(config, None);
    let attacked = CRAFTED.map(|kind| own(attack(kind, std)));
    let saved = attacked.clone().into_iter().enumerate();
    let mut trials = vec![Trial::CLEAN, Trial::AUGMENTED];
    trials.extend(saved.map(|(place, trial)| Trial { crafted: Some(place), ..trial }));
    trials.extend(attacked);
    trials.push(own(AttackConfig::pgd(PGD_EPSILON, PGD_STEPS, 0)));
    trials.push(own(attack(AttackKind::Noise, std)));
    trials
}
