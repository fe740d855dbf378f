//! Imports of a small synthetic set, from its files to a data set in memory.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::made::{self, Made, MadeFile};
use super::{Cache, Dataset, IMAGE_BYTES, ImportOptions, Meta, PixelStats, SIDE, beside, check_destination};
use crate::error::{Stopped, UsageError};
use crate::lock::Lock;
use crate::progress::{Progress, Stop};

const MADE: Made = Made { classes: 3, train_per_class: 4, val_per_class: 2, seed: 5 };
const TRAIN_IMAGE: &str = "train/n90000001/images/n90000001_2.JPEG";

struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn import(&self, path: &Path) -> anyhow::Result<(Meta, Vec<String>)> {
        super::import(path, &self.out(), ImportOptions::default(), &Progress::silent(), &Stop::default())
    }

    /// Imports `bytes` as an archive.
    fn import_bytes(&self, bytes: &[u8]) -> anyhow::Result<Dataset> {
        let path = made::write_file(self.dir.path(), "archive", bytes).unwrap();
        self.import(&path)?;
        Dataset::load(&self.out())
    }

    /// Returns the message with which the import of `files` fails, and checks that nothing is at the destination.
    fn failure(&self, files: &[MadeFile]) -> String {
        self.failure_of_bytes(&made::zip("tiny", files).unwrap())
    }

    fn failure_of_bytes(&self, bytes: &[u8]) -> String {
        let error = self.import_bytes(bytes).map(|_| ()).unwrap_err();
        let left: Vec<_> = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["archive"], "a failed import leaves nothing behind");
        format!("{error:#}")
    }
}

fn files() -> Vec<MadeFile> {
    MADE.files().unwrap()
}

fn replaced(path: &str, bytes: Vec<u8>) -> Vec<MadeFile> {
    let mut files = files();
    files.iter_mut().find(|file| file.0 == path).unwrap().1 = bytes;
    files
}

fn without(path: &str) -> Vec<MadeFile> {
    files().into_iter().filter(|file| file.0 != path).collect()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "'{part}' is not in: {message}");
    }
}

#[test]
fn all_forms_give_the_same_data_set() {
    let files = files();
    let folder = TempDir::new().unwrap();
    made::write_folder(&folder.path().join("some-name"), &files).unwrap();
    let mut hashes = Vec::new();
    for path in [folder.path().to_path_buf(), folder.path().join("some-name")] {
        let bench = Bench::new();
        hashes.push(bench.import(&path).unwrap().0.sha256);
    }
    for bytes in [
        made::tar("", &files).unwrap(),
        made::tar_zst("tiny-imagenet-200", &files).unwrap(),
        made::tar_zst(".", &files).unwrap(),
        made::zip("another/top", &files).unwrap(),
    ] {
        hashes.push(Bench::new().import_bytes(&bytes).unwrap().sha256);
    }
    assert_eq!(hashes.len(), 6);
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[test]
fn pictures_and_labels_are_in_order() {
    // Eleven pictures of a class: sorted by name, 10 would come before 2.
    let made = Made { classes: 2, train_per_class: 11, val_per_class: 6, seed: 1 };
    let mut files = made.files().unwrap();
    files.reverse();
    let data = Bench::new().import_bytes(&made::tar_zst("t", &files).unwrap()).unwrap();

    assert_eq!(data.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["red disc", "green disc"]);
    assert_eq!((data.train.len(), data.val.len()), (22, 12));
    assert_eq!(data.train.labels, [[0; 11], [1; 11]].concat());
    assert_eq!(data.val.labels, [0, 1].repeat(6));
    for (index, k) in [(2, 2), (10, 10), (13, 2)] {
        let wnid = &data.classes[data.train.label(index)].wnid;
        let name = format!("train/{wnid}/images/{wnid}_{k}.JPEG");
        let bytes = &files.iter().find(|file| file.0 == name).unwrap().1;
        assert_eq!(data.train.image(index), image::load_from_memory(bytes).unwrap().into_rgb8().as_raw().as_slice());
    }
}

#[test]
fn validation_alone_is_the_same() {
    let bench = Bench::new();
    let data = bench.import_bytes(&made::zip("", &files()).unwrap()).unwrap();
    let val = Dataset::load_val(&bench.out()).unwrap();
    assert_eq!((val.classes, val.val.images, val.val.labels), (data.classes, data.val.images, data.val.labels));
    assert_eq!(val.sha256, data.sha256);
    Cache::open(&bench.out()).unwrap().verify(&Progress::silent()).unwrap();
}

#[test]
fn a_small_set_is_imported_with_a_warning() {
    let bench = Bench::new();
    made::write_folder(&bench.dir.path().join("in"), &without("words.txt")).unwrap();
    let (meta, warnings) = bench.import(&bench.dir.path().join("in")).unwrap();
    assert!(!meta.whole);
    assert_says(&warnings[0], &["not the whole of Tiny ImageNet", "3 classes, 12 training and 6 validation"]);
    assert_says(&warnings[1], &["words.txt has no name for 3"]);
    assert_eq!(meta.classes[0].name, "n90000000");
}

#[test]
fn grayscale_becomes_rgb() {
    let gray: Vec<u8> = (0..SIDE * SIDE).map(|i| (i % SIDE * 3) as u8).collect();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.encode(&gray, SIDE as u32, SIDE as u32, image::ExtendedColorType::L8).unwrap();
    let files = replaced(TRAIN_IMAGE, bytes);
    let data = Bench::new().import_bytes(&made::zip("", &files).unwrap()).unwrap();
    let picture = data.train.image(4 + 2);
    assert!(picture.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
    assert!(picture.chunks_exact(3).zip(&gray).all(|(pixel, gray)| pixel[0].abs_diff(*gray) < 8));
}

#[test]
fn missing_and_unlisted_pictures_are_named() {
    let bench = Bench::new();
    assert_says(&bench.failure(&without(TRAIN_IMAGE)), &["missing", TRAIN_IMAGE]);
    assert_says(&bench.failure(&without("val/images/val_3.JPEG")), &["missing", "val/images/val_3.JPEG"]);

    let extra = |path: &str| [files(), vec![(path.to_string(), files().pop().unwrap().1)]].concat();
    assert_says(&bench.failure(&extra("val/images/val_99.JPEG")), &["not named in val_annotations.txt", "val_99.JPEG"]);
    assert_says(
        &bench.failure(&extra("train/n90000000/images/more.JPEG")),
        &["boxes.txt", "n90000000/images/more.JPEG"],
    );
    assert_says(&bench.failure(&extra("train/n5/images/n5_0.JPEG")), &["wnids.txt does not name", "train/n5"]);
    let no_class: Vec<_> = files().into_iter().filter(|file| !file.0.starts_with("train/n90000002")).collect();
    assert_says(&bench.failure(&no_class), &["no training pictures", "train/n90000002/images"]);
}

#[test]
fn lists_that_are_missing_or_wrong_are_named() {
    let bench = Bench::new();
    assert_says(&bench.failure(&without("wnids.txt")), &["no wnids.txt"]);
    assert_says(&bench.failure(&without("val/val_annotations.txt")), &["no val/val_annotations.txt"]);
    assert_says(&bench.failure(&replaced("wnids.txt", vec![])), &["wnids.txt is empty"]);
    let twice = b"n90000000\nn90000000\n".to_vec();
    assert_says(&bench.failure(&replaced("wnids.txt", twice)), &["n90000000 twice"]);
    let stray = b"val_0.JPEG\tn1\n".to_vec();
    let stray = bench.failure(&replaced("val/val_annotations.txt", stray));
    assert_says(&stray, &["line 1", "n1", "val_0.JPEG", "not in wnids.txt"]);
    let no_tab = b"val_0.JPEG n90000000\n".to_vec();
    assert_says(&bench.failure(&replaced("val/val_annotations.txt", no_tab)), &["line 1"]);
}

#[test]
fn bad_pictures_are_named() {
    let bench = Bench::new();
    let whole = files().into_iter().find(|file| file.0 == TRAIN_IMAGE).unwrap().1;
    let small = made::png(32, 64, vec![9; 32 * 64 * 3]).unwrap();
    for (bytes, why) in [
        (whole[..whole.len() / 2].to_vec(), "it ends before the picture does"),
        (b"<html>not found</html>".to_vec(), "not a picture but"),
        (Vec::new(), "an empty file"),
        ([&whole[..20], &[0xFF, 0xD9]].concat(), TRAIN_IMAGE),
        (small, "32x64 pixels instead of 64x64"),
    ] {
        assert_says(&bench.failure(&replaced(TRAIN_IMAGE, bytes)), &["1 of 12 pictures are bad", TRAIN_IMAGE, why]);
    }
    assert_says(&bench.failure(&replaced(TRAIN_IMAGE, vec![0; 2 << 20])), &[TRAIN_IMAGE, "too many"]);

    let mut many = files();
    many.iter_mut().filter(|file| file.0.starts_with("train") && file.0.ends_with("JPEG")).for_each(|file| {
        file.1.truncate(30);
    });
    assert_says(&bench.failure(&many), &["12 of 12 pictures are bad", "and 2 more"]);
}

#[test]
fn archives_that_are_cut_off_or_of_another_kind_are_refused() {
    let bench = Bench::new();
    let files = files();
    let packed = made::tar_zst("t", &files).unwrap();
    assert_says(&bench.failure_of_bytes(&packed[..packed.len() / 2]), &["archive", "cut off"]);
    assert_says(&bench.failure_of_bytes(&packed[..packed.len() - 4]), &["archive", "cut off"]);
    let zip = made::zip("t", &files).unwrap();
    assert_says(&bench.failure_of_bytes(&zip[..zip.len() - 100]), &["zip archive is damaged or cut off"]);
    let tar = made::tar("t", &files).unwrap();
    assert_says(&bench.failure_of_bytes(&tar[..tar.len() / 2]), &["tar archive is damaged or cut off"]);
    assert_says(&bench.failure_of_bytes(&tar[..tar.len() - 1024]), &["tar archive is damaged or cut off"]);
    assert_says(&bench.failure_of_bytes(b"hello"), &["neither a folder nor a .zip"]);
    assert_says(&bench.failure_of_bytes(b""), &["neither a folder nor a .zip"]);

    let mut flipped = zip;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    assert_says(&bench.failure_of_bytes(&flipped), &["damaged"]);
}

#[test]
fn two_data_sets_in_one_place_are_refused() {
    let bench = Bench::new();
    let double: Vec<MadeFile> = ["a", "b"]
        .iter()
        .flat_map(|top| files().into_iter().map(move |(path, bytes)| (format!("{top}/{path}"), bytes)))
        .collect();
    assert_says(&bench.failure_of_bytes(&made::tar_zst("", &double).unwrap()), &["two data sets", "'a/'", "'b/'"]);
    let folder = TempDir::new().unwrap();
    made::write_folder(folder.path(), &double).unwrap();
    assert_says(&format!("{:#}", bench.import(folder.path()).unwrap_err()), &["more than one data set"]);
    assert_says(&format!("{:#}", bench.import(&folder.path().join("a/val")).unwrap_err()), &["no wnids.txt"]);
    assert_says(&format!("{:#}", bench.import(&folder.path().join("c")).unwrap_err()), &["cannot read"]);
}

#[test]
fn what_a_killed_import_left_does_no_harm() {
    let bench = Bench::new();
    let left = bench.dir.path().join("out.importing");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("train.rgb8"), [1; 5000]).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    assert!(Dataset::load(&bench.out()).is_err());
    bench.import_bytes(&made::zip("", &files()).unwrap()).unwrap();
    assert!(!left.exists());
    Cache::open(&bench.out()).unwrap().verify(&Progress::silent()).unwrap();
}

#[test]
fn a_stopped_import_leaves_nothing() {
    let bench = Bench::new();
    let path = made::write_file(bench.dir.path(), "set", &made::zip("", &files()).unwrap()).unwrap();
    let stop = Stop::default();
    stop.request();
    let error = super::import(&path, &bench.out(), ImportOptions::default(), &Progress::silent(), &stop).unwrap_err();
    assert!(error.is::<Stopped>(), "{error:#}");
    assert_eq!(fs::read_dir(bench.dir.path()).unwrap().count(), 1);
}

#[test]
fn two_imports_to_one_place_do_not_mix() {
    let bench = Bench::new();
    let left = bench.dir.path().join("out.importing");
    fs::create_dir(&left).unwrap();
    let lock = Lock::take(bench.dir.path().join("out.importing.lock"), "imports into out").unwrap();
    let error = bench.import_bytes(&made::zip("", &files()).unwrap()).map(|_| ()).unwrap_err();
    assert_says(&format!("{error:#}"), &["another process (PID ", "imports into"]);
    assert!(left.exists(), "the other import's folder stays");
    drop(lock);
    bench.import_bytes(&made::zip("", &files()).unwrap()).unwrap();
}

/// Of several imports at once, one succeeds: the others find the lock, or the finished data set.
#[test]
fn imports_at_the_same_time_give_one_whole_data_set() {
    let bench = Bench::new();
    let path = made::write_file(bench.dir.path(), "set", &made::zip("", &files()).unwrap()).unwrap();
    let imports: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..6).map(|_| scope.spawn(|| bench.import(&path).map(|_| ()))).collect();
        running.into_iter().map(|import| import.join().unwrap()).collect()
    });
    assert_eq!(imports.iter().filter(|import| import.is_ok()).count(), 1, "{imports:?}");
    for error in imports.into_iter().filter_map(Result::err) {
        let message = format!("{error:#}");
        assert!(message.contains("another process") || message.contains("--force"), "{message}");
    }
    Cache::open(&bench.out()).unwrap().verify(&Progress::silent()).unwrap();
    let mut left: Vec<_> = fs::read_dir(bench.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["out", "set"]);
}

#[test]
fn the_end_of_a_path_does_not_matter_but_a_name_does() {
    let bench = Bench::new();
    let path = made::write_file(bench.dir.path(), "set", &made::zip("", &files()).unwrap()).unwrap();
    let import =
        |out: &Path| super::import(&path, out, ImportOptions::default(), &Progress::silent(), &Stop::default());
    import(&bench.dir.path().join("a/")).unwrap();
    import(&bench.dir.path().join("b/.")).unwrap();
    for name in ["a", "b"] {
        Cache::open(&bench.dir.path().join(name)).unwrap().verify(&Progress::silent()).unwrap();
    }
    assert_eq!(beside(Path::new("a/"), "zip").unwrap(), Path::new("a.zip"));
    for nameless in [".", "..", "a/..", "/"] {
        let error = check_destination(Path::new(nameless), false).unwrap_err();
        assert!(error.is::<UsageError>(), "{error:#}");
    }
}

#[test]
fn pixel_stats_are_kept_and_made_up_for_where_they_are_missing() {
    let bench = Bench::new();
    let data = bench.import_bytes(&made::zip("", &files()).unwrap()).unwrap();
    assert_eq!(data.pixels, PixelStats::of(&data.train.images));
    assert!(
        (0.2..0.8).contains(&data.pixels.mean[0]) && (0.05..0.5).contains(&data.pixels.std[0]),
        "{:?}",
        data.pixels
    );

    let meta = bench.out().join("meta.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
    let stored = json.as_object_mut().unwrap().remove("train_pixels").unwrap();
    assert_eq!(serde_json::from_value::<PixelStats>(stored).unwrap(), data.pixels);
    fs::write(&meta, json.to_string()).unwrap();
    let older = Dataset::load(&bench.out()).unwrap();
    assert_eq!((older.pixels, older.sha256), (data.pixels, data.sha256));
}

#[test]
fn what_is_there_is_replaced_only_by_force() {
    let bench = Bench::new();
    let first = bench.import_bytes(&made::zip("", &files()).unwrap()).unwrap();
    let other = Made { seed: 6, ..MADE }.files().unwrap();
    let path = made::write_file(bench.dir.path(), "other", &made::zip("", &other).unwrap()).unwrap();
    assert_says(&format!("{:#}", bench.import(&path).unwrap_err()), &["already", "--force"]);
    assert_eq!(Dataset::load(&bench.out()).unwrap().sha256, first.sha256);

    let force = ImportOptions { force: true, ..ImportOptions::default() };
    super::import(&path, &bench.out(), force, &Progress::silent(), &Stop::default()).unwrap();
    assert_ne!(Dataset::load(&bench.out()).unwrap().sha256, first.sha256);
    assert!(!bench.dir.path().join("out.replaced").exists());

    fs::write(bench.dir.path().join("thesis.txt"), "irreplaceable").unwrap();
    let error = super::import(&path, bench.dir.path(), force, &Progress::silent(), &Stop::default()).unwrap_err();
    assert_says(&format!("{error:#}"), &["other things than an imported data set", "--out"]);
}

#[test]
fn damage_to_the_cache_is_seen() {
    let bench = Bench::new();
    let load = || format!("{:#}", Dataset::load(&bench.out()).map(|_| ()).unwrap_err());
    assert_says(&load(), &["no imported data set", "bastion data import"]);
    bench.import_bytes(&made::zip("", &files()).unwrap()).unwrap();
    let cache = Cache::open(&bench.out()).unwrap();

    let images = bench.out().join("val.rgb8");
    let whole = fs::read(&images).unwrap();
    assert_eq!(whole.len(), 6 * IMAGE_BYTES);
    let mut flipped = whole.clone();
    flipped[77] ^= 1;
    fs::write(&images, flipped).unwrap();
    assert_says(&format!("{:#}", cache.verify(&Progress::silent()).unwrap_err()), &["val.rgb8 is damaged", "--force"]);
    fs::write(&images, &whole[1..]).unwrap();
    assert_says(&load(), &["val.rgb8", "73727 bytes instead of 73728"]);
    fs::write(&images, &whole).unwrap();
    fs::write(bench.out().join("val.labels.u16le"), [9, 0].repeat(6)).unwrap();
    assert_says(&load(), &["val.labels.u16le is damaged"]);

    let meta = bench.out().join("meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    fs::write(&meta, text.replace("\"format_version\": 1", "\"format_version\": 2")).unwrap();
    assert_says(&load(), &["newer bastion"]);
    fs::write(&meta, &text[..text.len() / 2]).unwrap();
    assert_says(&load(), &["meta.json is damaged"]);
}

/// The same seed gives the same set, another seed another one.
#[test]
fn made_sets_are_seeded() {
    assert_eq!(files(), files());
    assert_ne!(files(), Made { seed: 6, ..MADE }.files().unwrap());
    assert!(Made { classes: 21, ..MADE }.files().is_err());
    assert!(Made { val_per_class: 0, ..MADE }.files().is_err());
}
