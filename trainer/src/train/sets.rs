//! Loading and checking of the crafted sets that a recipe trains on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use shared::attack::AttackKind;

use super::mix::Share;
use crate::data::{Cache, Dataset, Split};
use crate::error::UsageError;

/// Training pictures attacked beforehand, in the order of the clean ones.
pub type CraftedPictures = HashMap<AttackKind, Arc<Split>>;

/// A crafted set that a run trains on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CraftedSet {
    /// Folder of the set.
    pub dir: PathBuf,
    /// SHA-256 of the set, as in [`Dataset::sha256`].
    pub sha256: String,
}

/// Loads the training pictures of the sets in `dirs`, by attack, with a record of each set.
///
/// # Errors
/// [`UsageError`] when `dirs` lacks a set that `mix` needs, or has one that `mix` does not need; others when a folder holds no
/// crafted set, or a set was crafted from other pictures than `dataset`'s or from another network than the first set.
pub fn load(dirs: &[PathBuf], mix: &[Share], dataset: &Dataset) -> Result<(CraftedPictures, Vec<CraftedSet>)> {
    let mut sets = HashMap::new();
    let mut notes: Vec<CraftedSet> = Vec::new();
    let mut source: Option<(String, &Path)> = None;
    for dir in dirs {
        let cache = Cache::open(dir)?;
        let sha256 = cache.meta().sha256.clone();
        let crafted = cache.meta().crafted.clone();
        let crafted = crafted
            .with_context(|| format!("{} is no set of attacked pictures; `bastion craft` makes one", dir.display()))?;
        let kind = crafted.attack.kind;
        let needed = mix.iter().any(|share| share.crafted_by() == Some(kind));
        ensure!(
            needed,
            UsageError(format!("the recipe trains on no {} pictures, as are in {}", kind.label(), dir.display()))
        );
        ensure!(
            crafted.data_sha256 == dataset.sha256,
            "{} was crafted from another data set than the one to train on (SHA-256 {}, not {})",
            dir.display(),
            crafted.data_sha256,
            dataset.sha256
        );
        if let Some((weights, first)) = &source {
            ensure!(
                *weights == crafted.weights_sha256,
                "{} and {} were crafted from different networks: craft both from one",
                first.display(),
                dir.display()
            );
        }
        source.get_or_insert((crafted.weights_sha256, dir));
        let split = cache.train()?;
        ensure!(split.labels == dataset.train.labels, "{} has other pictures than the data set", dir.display());
        let twice = sets.insert(kind, Arc::new(split)).is_some();
        ensure!(!twice, UsageError(format!("two sets of {} pictures are given; one is trained on", kind.label())));
        notes.push(CraftedSet { dir: std::path::absolute(dir)?, sha256 });
    }
    let mut missing: Vec<String> = mix
        .iter()
        .filter_map(|share| share.crafted_by())
        .filter(|kind| !sets.contains_key(kind))
        .map(|kind| kind.label().to_lowercase())
        .collect();
    missing.dedup();
    let [first, ..] = &missing[..] else { return Ok((sets, notes)) };
    Err(UsageError(format!(
        "the recipe trains on pictures attacked beforehand, and those by {} are missing: make them with `bastion craft --model \
         MODEL --attack {first} --epsilon-space normalized --out SET` and give --crafted SET",
        missing.join(" and ")
    ))
    .into())
}

#[cfg(test)]
mod tests {
    use shared::attack::AttackConfig;
    use tempfile::TempDir;

    use super::super::tests::dataset;
    use super::*;
    use crate::craft::craft;
    use crate::models::tests::bundle;
    use crate::progress::{Progress, Stop};

    const NEED_BOTH: [Share; 2] = [Share::CraftedFgsm, Share::CraftedBim];

    fn set(dir: &TempDir, name: &str, seed: u64, attack: &AttackConfig) -> PathBuf {
        let (out, device) = (dir.path().join(name), burn::prelude::Device::flex());
        craft(
            &dataset(),
            &bundle("source", seed, &device),
            attack,
            &out,
            &device,
            &Progress::silent(),
            &Stop::default(),
        )
        .unwrap();
        out
    }

    fn failure(dirs: &[PathBuf], mix: &[Share], dataset: &Dataset) -> anyhow::Error {
        load(dirs, mix, dataset).map(|_| ()).unwrap_err()
    }

    #[test]
    fn sets_are_what_the_recipe_needs_and_belong_together() {
        let dir = TempDir::new().unwrap();
        let clean = dataset();
        let (fgsm, bim) = (AttackConfig::fgsm(0.1), AttackConfig::bim(0.1, 1));
        let (fgsm_set, bim_set) = (set(&dir, "fgsm", 1, &fgsm), set(&dir, "bim", 1, &bim));
        let (sets, notes) = load(&[fgsm_set.clone(), bim_set], &NEED_BOTH, &clean).unwrap();
        assert_eq!((sets.len(), notes.len()), (2, 2));
        assert_eq!(sets[&AttackKind::Bim].len(), clean.train.len());
        assert_ne!(sets[&AttackKind::Bim].images, clean.train.images);

        let missing = failure(std::slice::from_ref(&fgsm_set), &NEED_BOTH, &clean);
        assert!(missing.is::<UsageError>() && missing.to_string().contains("bastion craft"), "{missing}");
        let idle = failure(std::slice::from_ref(&fgsm_set), &[Share::Normal], &clean);
        assert!(idle.is::<UsageError>() && idle.to_string().contains("trains on no FGSM pictures"), "{idle}");
        let twice = failure(&[fgsm_set.clone(), fgsm_set.clone()], &NEED_BOTH, &clean);
        assert!(twice.to_string().contains("two sets of FGSM"), "{twice}");
        let nowhere = failure(&[dir.path().join("none")], &NEED_BOTH, &clean);
        assert!(nowhere.to_string().contains("none"), "{nowhere}");
        let other = failure(&[fgsm_set.clone(), set(&dir, "other", 2, &bim)], &NEED_BOTH, &clean);
        assert!(other.to_string().contains("different networks"), "{other}");
        let elsewhere = Dataset { sha256: "another".into(), ..clean };
        let elsewhere = failure(&[fgsm_set], &NEED_BOTH, &elsewhere);
        assert!(elsewhere.to_string().contains("from another data set"), "{elsewhere}");
    }
}
