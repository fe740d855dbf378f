use tempfile::TempDir;

use super::*;
use crate::data::{Cache, Class, PixelStats, made};
use crate::models::tests::bundle;

const CLASSES: usize = 5;

fn dataset() -> Dataset {
    let split = |count: usize, seed: u64| Split {
        images: (0..count).flat_map(|k| made::picture(k % CLASSES, seed + k as u64)).collect(),
        labels: (0..count).map(|k| (k % CLASSES) as u16).collect(),
    };
    let class = |class: usize| Class { wnid: format!("n{class:08}"), name: made::class_name(class) };
    let pixels = PixelStats { mean: [0.5; 3], std: [0.25; 3] };
    // More than one batch, and a last one that is shorter.
    let (train, val) = (split(230, 0), split(20, 1000));
    Dataset { classes: (0..CLASSES).map(class).collect(), train, val, pixels, sha256: "clean".into() }
}

fn paper() -> AttackConfig {
    AttackConfig { channel_scale: [0.25, 0.2, 0.3], ..AttackConfig::fgsm(0.2) }
}

fn craft_to(out: &Path, seed: u64, attack: &AttackConfig, stop: &Stop) -> Result<Meta> {
    let device = Device::flex();
    let bundle = bundle("source", seed, &device);
    craft(&dataset(), &bundle, attack, out, &device, &Progress::silent(), stop)
}

#[test]
fn every_picture_is_attacked_within_epsilon_and_reads_as_a_data_set() {
    let (dir, clean) = (TempDir::new().unwrap(), dataset());
    let out = dir.path().join("fgsm");
    let meta = craft_to(&out, 1, &paper(), &Stop::default()).unwrap();
    Cache::open(&out).unwrap().verify(&Progress::silent()).unwrap();
    let set = Dataset::load(&out).unwrap();
    assert_eq!((set.train.labels.clone(), set.val.labels.clone()), (clean.train.labels, clean.val.labels));
    assert_eq!((set.pixels, set.classes.len()), (clean.pixels, CLASSES));
    let Crafted { source, data_sha256, attack, .. } = meta.crafted.unwrap();
    assert_eq!((source.as_str(), data_sha256.as_str(), attack), ("source", "clean", paper()));
    for (found, original) in [(&set.train.images, &clean.train.images), (&set.val.images, &clean.val.images)] {
        for (picture, (found, original)) in
            found.chunks_exact(IMAGE_BYTES).zip(original.chunks_exact(IMAGE_BYTES)).enumerate()
        {
            // 0.2 of the scales, in whole levels of 8 bits.
            for (channel, most) in [12, 10, 15].into_iter().enumerate() {
                let pairs = found.iter().zip(original).skip(channel).step_by(3);
                let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(largest > 0 && largest <= most, "picture {picture}, channel {channel}: {largest}");
            }
        }
    }
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_run_that_was_cut_short_ends_with_the_same_set() {
    let dir = TempDir::new().unwrap();
    let pgd = AttackConfig::pgd(8.0 / 255.0, 1, 3);
    let whole = craft_to(&dir.path().join("whole"), 1, &pgd, &Stop::default()).unwrap();

    let out = dir.path().join("killed");
    let stop = Stop::default();
    stop.request();
    assert!(craft_to(&out, 1, &pgd, &stop).unwrap_err().is::<Stopped>());
    assert!(!out.exists(), "a set without its name");
    // A killed run leaves a first batch and a half of a picture.
    let images = fs::read(dir.path().join("whole").join("train.rgb8")).unwrap();
    let work = dir.path().join("killed.crafting");
    let left = &images[..100 * IMAGE_BYTES + 5000];
    let sum = hex(Sha256::digest(&left[..100 * IMAGE_BYTES])) + "\n";
    let mut flipped = left.to_vec();
    flipped[50 * IMAGE_BYTES] ^= 1;
    // Damage in a finished batch is found, and half of a line is no hash.
    for (images, sums) in [(left, sum.clone()), (&flipped, sum.clone()), (left, sum[..30].into()), (left, sum + "00")] {
        fs::write(work.join("train.rgb8"), images).unwrap();
        fs::write(work.join("train.sums"), sums).unwrap();
        assert_eq!(craft_to(&out, 1, &pgd, &Stop::default()).unwrap(), whole);
        Cache::open(&out).unwrap().verify(&Progress::silent()).unwrap();
        fs::remove_dir_all(&out).unwrap();
        craft_to(&out, 1, &pgd, &stop).unwrap_err();
    }
}

#[test]
fn what_is_there_or_was_begun_otherwise_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("set");
    let stopped = Stop::default();
    stopped.request();
    craft_to(&out, 1, &paper(), &stopped).unwrap_err();
    for (seed, attack) in [(2, paper()), (1, AttackConfig::fgsm(0.1))] {
        let error = craft_to(&out, seed, &attack, &Stop::default()).unwrap_err().to_string();
        assert!(error.contains("another set was begun"), "{error}");
    }
    craft_to(&out, 1, &paper(), &Stop::default()).unwrap();
    let error = craft_to(&out, 1, &paper(), &Stop::default()).unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
}

#[test]
fn two_devices_make_the_set_of_one() {
    let (dir, device) = (TempDir::new().unwrap(), Device::flex());
    let attack = AttackConfig::pgd(0.05, 1, 3);
    let alone = craft_to(&dir.path().join("one"), 1, &attack, &Stop::default()).unwrap();
    let bundles = [bundle("source", 1, &device), bundle("source", 1, &device)];
    let places = bundles.each_ref().map(|on_it| Place { name: "node", device: &device, on_it });
    let out = dir.path().join("two");
    let together = craft_on(&dataset(), &places, &attack, &out, &Progress::silent(), &Stop::default()).unwrap();
    assert_eq!(alone.sha256, together.sha256);
}
