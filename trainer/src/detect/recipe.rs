//! What detectors are trained on: recipes as files.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use shared::attack::{AttackConfig, AttackKind, in_255ths};
use shared::detect::{DetectorKind, PASSES};

use crate::epsilon::Epsilon;
use crate::error::UsageError;

/// Recipes that come with Bastion; each file begins with a description.
const RECIPES: [(&str, &str); 3] = [
    ("usual", include_str!("../../recipes/detectors/usual.toml")),
    ("dropout", include_str!("../../recipes/detectors/dropout.toml")),
    ("paper", include_str!("../../recipes/detectors/paper.toml")),
];

/// Settings of the training of detectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DetectorRecipe {
    /// Detectors that are made.
    pub detectors: Vec<DetectorKind>,
    /// Number of training pictures, spread over all classes.
    pub images: usize,
    /// Radii of attacks and noise, L-infinity in pixel units; each picture has one of them in turn.
    pub epsilons: Vec<Epsilon>,
    /// Whether noise and the seven perturbations are among the pictures that must raise no alarm.
    pub harmless: bool,
    /// Attacks, away from what the network sees in the picture.
    pub attacks: Vec<TrainedAttack>,
    /// Times that each picture is seen in training a network.
    pub epochs: usize,
    /// Pictures of a training step.
    pub batch_size: usize,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Share of channels that a dropout mask removes after each stage.
    pub dropout: f32,
    /// Passes under dropout masks.
    pub passes: usize,
    /// Seed of every draw.
    pub seed: u64,
}

/// An attack that a detector is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedAttack {
    /// Kind of the attack.
    pub kind: AttackKind,
    /// Number of steps; 1 for an attack of one step.
    #[serde(default = "one")]
    pub steps: usize,
}

fn one() -> usize {
    1
}

impl TrainedAttack {
    /// Returns the attack of radius `epsilon`.
    pub fn config(&self, epsilon: f32, seed: u64) -> AttackConfig {
        AttackConfig { seed, ..AttackConfig::new(self.kind, epsilon, self.steps) }
    }

    /// Returns the name in print: `bim-5`.
    pub fn name(&self) -> String {
        if self.steps > 1 { format!("{}-{}", self.kind.name(), self.steps) } else { self.kind.name().into() }
    }
}

impl Default for DetectorRecipe {
    fn default() -> Self {
        Self {
            detectors: vec![],
            images: 8000,
            epsilons: vec![],
            harmless: false,
            attacks: vec![],
            epochs: 5,
            batch_size: 128,
            learning_rate: 0.005,
            dropout: 0.1,
            passes: PASSES,
            seed: 0,
        }
    }
}

impl DetectorRecipe {
    /// Returns the names of the recipes that come with Bastion.
    pub fn names() -> Vec<&'static str> {
        RECIPES.iter().map(|(name, _)| *name).collect()
    }

    /// Returns the recipe of a name.
    ///
    /// # Errors
    /// When there is no recipe of the name.
    pub fn named(name: &str) -> Result<Self> {
        let Some((_, text)) = RECIPES.iter().find(|(known, _)| *known == name) else {
            let names = Self::names().join(", ");
            return Err(UsageError(format!("there is no detector recipe '{name}': take {names} or a file.toml")).into());
        };
        Self::from_toml(text)
    }

    /// Reads a recipe.
    ///
    /// # Errors
    /// [`UsageError`] when a key is unknown, a type is wrong or a value out of range.
    pub fn from_toml(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|error| UsageError(shared::excerpt(&error.to_string())))?;
        recipe.validate()?;
        Ok(recipe)
    }

    fn validate(&self) -> Result<()> {
        let Self { detectors, images, epsilons, epochs, batch_size, learning_rate, dropout, passes, .. } = self;
        let check = |holds: bool, text: &str| {
            ensure!(holds, UsageError(format!("the detector recipe: {text}")));
            Ok(())
        };
        let needs_attacks = detectors.iter().any(|kind| kind.has_weights() && *kind != DetectorKind::Network);
        check(!detectors.is_empty(), "detectors names none")?;
        check((2..=1_000_000).contains(images), "images must be 2 to 1000000")?;
        check(!needs_attacks || !(epsilons.is_empty() || self.attacks.is_empty()), "epsilons or attacks are missing")?;
        check((1..=1000).contains(epochs), "epochs must be 1 to 1000")?;
        check((2..=4096).contains(batch_size), "batch-size must be 2 to 4096")?;
        check(*learning_rate > 0.0 && *learning_rate <= 1.0, "learning-rate must be above 0 and at most 1")?;
        check((0.0..0.9).contains(dropout), "dropout must be 0 to 0.9")?;
        check((1..=1000).contains(passes), "passes must be 1 to 1000")?;
        for attack in &self.attacks {
            let radius = epsilons.first().map_or(0.0, |epsilon| epsilon.value());
            attack.config(radius, 0).validate().map_err(|error| UsageError(format!("the detector recipe: {error}")))?;
        }
        Ok(())
    }

    /// Returns what a detector is trained on, in words, given the attacks that it sees: `8000 training images; fgsm, bim-5 at 2/255, 4/255;
    /// noise and perturbations as no attack`.
    pub fn in_words(&self, attacks: &[String]) -> String {
        let radii: Vec<String> = self.epsilons.iter().map(|epsilon| in_255ths(epsilon.value())).collect();
        let harmless = if self.harmless { "; noise and perturbations as no attack" } else { "" };
        format!("{} training images; {} at {}{harmless}", self.images, attacks.join(", "), radii.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_that_come_with_bastion_are_valid_and_describe_themselves() {
        for (name, text) in RECIPES {
            assert!(text.starts_with("# "), "{name}");
            assert_eq!(DetectorRecipe::named(name).unwrap(), DetectorRecipe::from_toml(text).unwrap());
        }
        let words = DetectorRecipe::named("usual").unwrap().in_words(&["fgsm".into(), "bim-5".into()]);
        assert!(words.contains("8000 training images; fgsm, bim-5 at 2/255, 4/255, 8/255; noise"), "{words}");
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (text, word) in [
            ("detectors = []", "detectors names none"),
            ("detectors = ['maps']", "epsilons or attacks"),
            ("detectors = ['energy']\nimages = 1", "images must be"),
            ("detectors = ['energy']\ndropout = 1.0", "dropout must be"),
            ("detectors = ['energy']\nepsilons = ['300/255']", "300/255"),
            ("detectors = ['energy']\nimagess = 1", "imagess"),
            ("detectors = ['enrgy']", "enrgy"),
        ] {
            let error = DetectorRecipe::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert!(DetectorRecipe::named("x").unwrap_err().to_string().contains("usual, dropout, paper or"));
    }
}
