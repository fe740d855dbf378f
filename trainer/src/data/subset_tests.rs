//! Subsets of a small synthetic data set.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::made::{self, Made};
use super::{Cache, Dataset, IMAGE_BYTES, ImportOptions, Meta, PixelStats, Split, SubsetOptions, subset};
use crate::error::{Stopped, UsageError};
use crate::progress::{Progress, Stop};

const MADE: Made = Made { classes: 6, train_per_class: 8, val_per_class: 4, seed: 5 };

struct Bench {
    dir: TempDir,
    whole: Dataset,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let archive = made::write_file(dir.path(), "set.zip", &made::zip("", &MADE.files().unwrap()).unwrap()).unwrap();
        let whole = dir.path().join("whole");
        super::import(&archive, &whole, ImportOptions::default(), &Progress::silent(), &Stop::default()).unwrap();
        Self { whole: Dataset::load(&whole).unwrap(), dir }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("part")
    }

    fn subset(&self, options: SubsetOptions) -> anyhow::Result<Meta> {
        subset(&self.dir.path().join("whole"), &self.out(), &options, &Progress::silent(), &Stop::default())
    }

    /// Writes a subset and loads it.
    fn part(&self, options: SubsetOptions) -> Dataset {
        self.subset(SubsetOptions { force: true, ..options }).unwrap();
        Cache::open(&self.out()).unwrap().verify(&Progress::silent()).unwrap();
        Dataset::load(&self.out()).unwrap()
    }
}

fn options(classes: usize, per_class: usize, val_per_class: usize) -> SubsetOptions {
    SubsetOptions {
        classes: Some(classes),
        per_class: Some(per_class),
        val_per_class: Some(val_per_class),
        ..SubsetOptions::default()
    }
}

fn wnids(data: &Dataset) -> Vec<&str> {
    data.classes.iter().map(|class| class.wnid.as_str()).collect()
}

/// Returns the indices of the pictures of `part` in `whole`.
fn places(part: &Split, whole: &Split) -> Vec<usize> {
    let place = |index| (0..whole.len()).find(|&place| whole.image(place) == part.image(index)).unwrap();
    (0..part.len()).map(place).collect()
}

#[test]
fn so_many_of_each_class_in_their_order_with_their_labels() {
    let bench = Bench::new();
    let part = bench.part(options(3, 5, 2));
    assert_eq!((part.classes.len(), part.train.len(), part.val.len()), (3, 15, 6));
    assert!(wnids(&part).is_sorted());
    for (part_of, whole_of, each) in [(&part.train, &bench.whole.train, 5), (&part.val, &bench.whole.val, 2)] {
        let places = places(part_of, whole_of);
        for (index, &place) in places.iter().enumerate() {
            let (taken, original) = (&part.classes[part_of.label(index)], &bench.whole.classes[whole_of.label(place)]);
            assert_eq!(taken, original);
        }
        assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
        for label in 0..3 {
            assert_eq!(part_of.labels.iter().filter(|&&other| other == label).count(), each);
        }
    }
    assert_eq!(part.pixels, PixelStats::of(&part.train.images));
}

#[test]
fn it_says_what_it_is_a_part_of() {
    let bench = Bench::new();
    let meta = bench.subset(SubsetOptions { per_class: Some(2), seed: 4, ..SubsetOptions::default() }).unwrap();
    assert_eq!((meta.train.images, meta.val.images, meta.source.as_str()), (12, 24, "set.zip"));
    let note = meta.subset.unwrap();
    assert_eq!((note.data_sha256.as_str(), note.seed, note.of_classes), (bench.whole.sha256.as_str(), 4, 6));
    assert_eq!((note.per_class, note.val_per_class), (Some(2), None));
    assert_ne!(meta.sha256, bench.whole.sha256);
    // A smaller subset lies within a larger one.
    let smaller = bench.dir.path().join("smaller");
    let options = SubsetOptions { classes: Some(2), ..SubsetOptions::default() };
    let again = subset(&bench.out(), &smaller, &options, &Progress::silent(), &Stop::default()).unwrap();
    assert_eq!(again.subset.unwrap().data_sha256, meta.sha256);
}

#[test]
fn the_seed_decides_and_more_only_adds() {
    let bench = Bench::new();
    let pictures =
        |data: &Dataset| -> Vec<Vec<u8>> { data.train.images.chunks_exact(IMAGE_BYTES).map(<[u8]>::to_vec).collect() };
    let (few, many) = (bench.part(options(2, 3, 1)), bench.part(options(4, 6, 1)));
    assert!(wnids(&few).iter().all(|wnid| wnids(&many).contains(wnid)));
    let many_pictures = pictures(&many);
    assert!(pictures(&few).iter().all(|picture| many_pictures.contains(picture)));
    assert_eq!(bench.part(options(2, 3, 1)).sha256, few.sha256);
    let seeds: std::collections::BTreeSet<_> =
        (0..8).map(|seed| wnids(&bench.part(SubsetOptions { seed, ..options(2, 3, 1) })).join(" ")).collect();
    assert!(seeds.len() > 2, "{seeds:?}");
}

/// Figures measured on a subset are only comparable while this choice stands.
#[test]
fn the_choice_does_not_change_over_versions() {
    let bench = Bench::new();
    let part = bench.part(options(3, 1, 1));
    assert_eq!(wnids(&part), ["n90000001", "n90000002", "n90000004"]);
    assert_eq!(places(&part.train, &bench.whole.train), [13, 16, 39]);
    assert_eq!(places(&part.val, &bench.whole.val), [7, 10, 20]);
}

#[test]
fn what_cannot_be_taken_is_named_and_leaves_nothing() {
    let bench = Bench::new();
    for (options, says) in [
        (options(7, 1, 1), "--classes 7: the data set has 6 classes"),
        (options(6, 9, 1), "--per-class 9: the class n90000000 has 8 such pictures"),
        (options(6, 8, 5), "--val-per-class 5: the class n90000000 has 4 such pictures"),
    ] {
        let error = bench.subset(options).unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains(says), "{error}");
    }
    let stop = Stop::default();
    stop.request();
    let whole = bench.dir.path().join("whole");
    assert!(subset(&whole, &bench.out(), &options(2, 1, 1), &Progress::silent(), &stop).unwrap_err().is::<Stopped>());
    assert_eq!(left(bench.dir.path()), ["set.zip", "whole"]);

    let error = subset(
        &whole,
        &whole,
        &SubsetOptions { force: true, ..options(2, 1, 1) },
        &Progress::silent(),
        &Stop::default(),
    );
    assert!(error.unwrap_err().to_string().contains("cannot take the place of"));
    bench.subset(options(2, 1, 1)).unwrap();
    let error = bench.subset(options(2, 2, 1)).unwrap_err().to_string();
    assert!(error.contains("already") && error.contains("--force"), "{error}");
    assert_eq!(Dataset::load(&bench.out()).unwrap().train.len(), 2);
}

fn left(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
