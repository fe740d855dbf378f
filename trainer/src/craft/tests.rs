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
    let sum = Plan::read(&work).unwrap().sum(&left[..100 * IMAGE_BYTES]).unwrap() + "\n";
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

/// Crafts a part into `dir`.
fn craft_part(dir: &Path, shard: (usize, usize), seed: u64, stop: &Stop) -> Result<usize> {
    let device = Device::flex();
    let bundle = bundle("source", seed, &device);
    let places = [Place { name: "", device: &device, on_it: &bundle }];
    let attack = AttackConfig::pgd(0.05, 1, 3);
    let shard = Shard::new(shard.0, shard.1).unwrap();
    craft_shard(&dataset(), &places, &attack, dir, shard, &Progress::silent(), stop)
}

#[test]
fn parts_make_the_set_of_one_run() {
    let dir = TempDir::new().unwrap();
    let whole = craft_to(&dir.path().join("whole"), 1, &AttackConfig::pgd(0.05, 1, 3), &Stop::default()).unwrap();
    let [here, there] = ["here", "there"].map(|name| dir.path().join(name));
    let stopped = Stop::default();
    stopped.request();
    // Three parts in two folders, one of them stopped and gone on with.
    assert!(craft_part(&here, (1, 3), 1, &stopped).unwrap_err().is::<Stopped>());
    let of = |parts: &[&PathBuf], out: &str| {
        let dirs: Vec<PathBuf> = parts.iter().map(|&part| part.clone()).collect();
        merge(&dirs, &dataset(), &dir.path().join(out), &Progress::silent())
    };
    let error = |parts: &[&PathBuf]| format!("{:#}", of(parts, "none").unwrap_err());
    assert!(error(&[&here]).contains("shard 2/3 is missing"), "{}", error(&[&here]));
    let pictures = [(&here, 1), (&there, 2), (&here, 3)]
        .map(|(dir, part)| craft_part(dir, (part, 3), 1, &Stop::default()).unwrap());
    assert_eq!(pictures.iter().sum::<usize>(), 250);
    let merged = of(&[&there, &here], "merged").unwrap();
    assert_eq!(merged, whole);
    Cache::open(&dir.path().join("merged")).unwrap().verify(&Progress::silent()).unwrap();
    // Said again, a part that is done stays as it is.
    assert_eq!(craft_part(&here, (3, 3), 1, &Stop::default()).unwrap(), pictures[2]);

    let double = dir.path().join("double");
    craft_part(&double, (2, 3), 1, &Stop::default()).unwrap();
    let text = error(&[&here, &there, &double]);
    assert!(text.contains("shard 2/3 is in both") && text.contains("double"), "{text}");
    let foreign = dir.path().join("foreign");
    craft_part(&foreign, (2, 3), 2, &Stop::default()).unwrap();
    let text = error(&[&here, &foreign]);
    assert!(text.contains("foreign") && text.contains("another network"), "{text}");
    assert!(craft_part(&here, (2, 3), 2, &Stop::default()).unwrap_err().to_string().contains("another set was begun"));
    // The files of a part of another set, copied beside the others.
    let mixed = dir.path().join("mixed");
    fs::create_dir(&mixed).unwrap();
    for (from, part) in [(&here, "1-of-3"), (&here, "3-of-3"), (&foreign, "2-of-3")] {
        for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name().into_string().unwrap();
            if name.contains(part) || (name == PLAN && from == &here) {
                fs::copy(entry.path(), mixed.join(name)).unwrap();
            }
        }
    }
    assert!(error(&[&mixed]).contains("is of another set than the"), "{}", error(&[&mixed]));
    let refused = |dir: &Path, part| craft_part(dir, part, 1, &Stop::default()).unwrap_err().to_string();
    assert!(refused(&here, (2, 2)).contains("is cut into other parts: it holds shard"), "{}", refused(&here, (2, 2)));
    // A set that is finished is no folder for parts.
    assert!(refused(&dir.path().join("whole"), (1, 2)).contains("holds other things than parts"));
    let halves = dir.path().join("halves");
    craft_part(&halves, (1, 2), 1, &Stop::default()).unwrap();
    let text = error(&[&here, &there, &halves]);
    assert!(text.contains("is cut into other parts") && text.contains("halves"), "{text}");
    // A byte that was flipped, and a file that was cut.
    let file = there.join("train-2-of-3.rgb8");
    let bytes = fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    flipped[7] ^= 1;
    for (content, words) in [(&flipped[..], "is damaged from picture 0"), (&bytes[..5000], "shard 2/3")] {
        fs::write(&file, content).unwrap();
        let text = error(&[&here, &there]);
        assert!(text.contains(words) && text.contains("train-2-of-3.rgb8"), "{text}");
    }
    for name in ["none", "none.merging"] {
        assert!(!dir.path().join(name).exists(), "{name}");
    }
}
