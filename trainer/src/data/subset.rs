//! Subsets of an imported data set: fewer classes, fewer pictures of each.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use shared::seed::{Purpose, derive};

use super::cache::{Cache, FORMAT_VERSION, images_file, overall_hash};
use super::import::{Staging, check_destination, without_end};
use super::pixel_stats::{PixelStats, Sums};
use super::split::splitmix64;
use super::write::{OutFile, write_labels, write_meta};
use super::{Meta, SplitMeta};
use crate::error::UsageError;
use crate::progress::{Progress, Stop, Task, Unit};

/// The size and seed of a subset; all is taken where a number is `None`.
///
/// Classes and pictures with the smallest SplitMix64 values of (seed, class or picture) are taken, and stay in their order.
/// So the choice is the same on every machine and in every version, and a larger number only adds to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubsetOptions {
    /// Number of classes.
    pub classes: Option<usize>,
    /// Training pictures of each class.
    pub per_class: Option<usize>,
    /// Validation pictures of each class.
    pub val_per_class: Option<usize>,
    /// Seed of the choice.
    pub seed: u64,
    /// Replace a data set that is already there.
    pub force: bool,
}

/// The record of which data set a subset was taken from, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subset {
    /// SHA-256 of the data set that the subset was taken from.
    pub data_sha256: String,
    /// Seed of the choice.
    pub seed: u64,
    /// Classes of that data set, of which some or all were taken.
    pub of_classes: usize,
    /// Training pictures taken of each class; `None` means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<usize>,
    /// Validation pictures taken of each class; `None` means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_per_class: Option<usize>,
}

/// Writes a subset of the data set in `from` to the folder `out`, whole or not at all.
///
/// # Errors
/// [`UsageError`] when there are fewer classes or pictures than `options` asks for; others when `from` is no clean data set,
/// `out` is in the way, something cannot be read or written, or a stop was requested.
pub fn subset(from: &Path, out: &Path, options: &SubsetOptions, progress: &Progress, stop: &Stop) -> Result<Meta> {
    let cache = Cache::open(from)?;
    cache.check_clean()?;
    // Else the hashes of the part would vouch for damaged pictures.
    cache.verify(progress)?;
    let out = &without_end(out)?;
    let same = |path: &Path| fs::canonicalize(path).ok();
    ensure!(
        same(out).is_none() || same(out) != same(from),
        "a part of {0} cannot take the place of {0}",
        from.display()
    );
    let whole = cache.meta();
    let classes = chosen_classes(whole.classes.len(), options)?;
    let train = Part::choose(&cache, "train", &classes, "--per-class", options.per_class, options.seed)?;
    let val = Part::choose(&cache, "val", &classes, "--val-per-class", options.val_per_class, options.seed)?;
    let staging = Staging::create(out)?;
    check_destination(out, options.force)?;
    let pictures = train.indices.len() + val.indices.len();
    let task = progress.start("Copying", Some(pictures as u64), Unit::Pictures);
    let (train, train_pixels) = train.copy(&cache, &staging.dir, &task, stop)?;
    let (val, _) = val.copy(&cache, &staging.dir, &task, stop)?;
    drop(task);
    let classes: Vec<_> = classes.into_iter().map(|label| whole.classes[label].clone()).collect();
    let meta = Meta {
        format_version: FORMAT_VERSION,
        source: whole.source.clone(),
        whole: false,
        sha256: overall_hash(&classes, &train, &val),
        train,
        val,
        train_pixels: Some(train_pixels),
        crafted: None,
        subset: Some(Subset {
            data_sha256: whole.sha256.clone(),
            seed: options.seed,
            of_classes: whole.classes.len(),
            per_class: options.per_class,
            val_per_class: options.val_per_class,
        }),
        classes,
    };
    write_meta(&staging.dir, &meta)?;
    staging.publish(out)?;
    Ok(meta)
}

/// Returns the labels of the chosen classes, ascending.
fn chosen_classes(all: usize, options: &SubsetOptions) -> Result<Vec<usize>> {
    let count = options.classes.unwrap_or(all);
    ensure!(count <= all, UsageError(format!("--classes {count}: the data set has {all} classes")));
    Ok(smallest(
        count,
        (0..all).map(|label| (derive(options.seed, label as u64, Purpose::SubsetClasses), label)).collect(),
    ))
}

/// Returns the `count` things with the smallest SplitMix64 values, ascending.
fn smallest(count: usize, mut things: Vec<(u64, usize)>) -> Vec<usize> {
    things.iter_mut().for_each(|(value, _)| *value = splitmix64(*value));
    things.sort_unstable();
    let mut chosen: Vec<usize> = things.into_iter().take(count).map(|(_, thing)| thing).collect();
    chosen.sort_unstable();
    chosen
}

/// The part of a split that a subset takes.
struct Part {
    split: &'static str,
    /// Indices of the pictures in the whole split, ascending.
    indices: Vec<usize>,
    /// Labels of the pictures: indices in the chosen classes.
    labels: Vec<u16>,
}

impl Part {
    fn choose(
        cache: &Cache,
        split: &'static str,
        classes: &[usize],
        flag: &str,
        per_class: Option<usize>,
        seed: u64,
    ) -> Result<Self> {
        let purpose = if split == "train" { Purpose::SubsetTraining } else { Purpose::SubsetValidation };
        let labels = cache.labels(split)?;
        let mut of_class: Vec<Vec<(u64, usize)>> = vec![Vec::new(); cache.meta().classes.len()];
        for (index, &label) in labels.iter().enumerate() {
            let class = &mut of_class[usize::from(label)];
            // A picture's value depends on its class and place in it alone, not on the other classes.
            let place = (u64::from(label) << 48) | class.len() as u64;
            class.push((derive(seed, place, purpose), index));
        }
        let mut chosen = Vec::new();
        for (new_label, &label) in classes.iter().enumerate() {
            let pictures = std::mem::take(&mut of_class[label]);
            let count = per_class.unwrap_or(pictures.len());
            ensure!(
                count <= pictures.len(),
                UsageError(format!(
                    "{flag} {count}: the class {} has {} such pictures",
                    cache.meta().classes[label].wnid,
                    pictures.len()
                ))
            );
            chosen.extend(smallest(count, pictures).into_iter().map(|index| (index, new_label as u16)));
        }
        // Sorted by index, since classes may alternate in the whole split.
        chosen.sort_unstable();
        let (indices, labels) = chosen.into_iter().unzip();
        Ok(Self { split, indices, labels })
    }

    fn copy(self, cache: &Cache, dir: &Path, task: &Task, stop: &Stop) -> Result<(SplitMeta, PixelStats)> {
        let mut out = OutFile::create(dir.join(images_file(self.split)))?;
        let mut sums = Sums::default();
        cache.each_picture(self.split, &self.indices, |picture| {
            stop.check()?;
            sums = sums.plus(Sums::of(picture));
            task.advance(1);
            out.write(picture)
        })?;
        let images_sha256 = out.finish()?;
        let labels_sha256 = write_labels(dir, self.split, self.labels.iter().copied())?;
        Ok((SplitMeta { images: self.indices.len(), images_sha256, labels_sha256 }, sums.stats()))
    }
}
