//! A crafted set put together from parts that were crafted one by one.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::{BATCH, PLAN, Plan, check_free, part_of, pictures_of, publish, sums_file};
use crate::data::{Crafted, Dataset, IMAGE_BYTES, Meta, beside, hex, images_file, seal};
use crate::kept::Shard;
use crate::lock::Lock;
use crate::progress::{Progress, Unit};

/// Returns whether `dir` holds parts of a crafted set.
pub fn is_shard(dir: &Path) -> bool {
    dir.join(PLAN).is_file()
}

/// Puts the parts in the folders `dirs` together to the set in the folder `out`, that of one run over all pictures.
///
/// # Errors
/// Names the folder that is of another network, attack, data set or division; the part that is missing, in two folders, not finished
/// or damaged; when `out` is there already or cannot be written.
pub fn merge(dirs: &[PathBuf], clean: &Dataset, out: &Path, progress: &Progress) -> Result<Meta> {
    check_free(out)?;
    let crafted = common_plan(dirs)?;
    ensure!(
        crafted.data_sha256 == clean.sha256,
        "{} was crafted from other data (sha256 {}) than this ({}): give its own with --data",
        dirs[0].display(),
        crafted.data_sha256,
        clean.sha256
    );
    let parts = parts_in(dirs)?;
    let dir = beside(out, "merging")?;
    let context = || format!("cannot write to {}", dir.display());
    fs::create_dir_all(&dir).with_context(context)?;
    let _lock = Lock::take(beside(out, "merging.lock")?, &format!("merges {}", out.display()))?;
    let pictures = clean.train.len() + clean.val.len();
    let task = progress.start("Merging", Some(pictures as u64), Unit::Pictures);
    for (split, count) in [("train", clean.train.len()), ("val", clean.val.len())] {
        let path = dir.join(images_file(split));
        let mut whole = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        for (shard, from) in &parts {
            let part = pictures_of(*shard, count).len();
            copy(from, split, *shard, part, &mut whole)?;
            task.advance(part as u64);
        }
        whole.sync_all().with_context(|| format!("cannot write {}", path.display()))?;
    }
    drop(task);
    let meta = seal(&dir, clean, crafted, progress)?;
    publish(&dir, out)?;
    Ok(meta)
}

/// Returns the network, attack and data set that all folders are of.
fn common_plan(dirs: &[PathBuf]) -> Result<Crafted> {
    let mut common: Option<Plan> = None;
    for dir in dirs {
        let path = dir.join(PLAN);
        let text = fs::read(&path).with_context(|| {
            format!("cannot read {}: a part is a folder that `bastion craft --shard` wrote", path.display())
        })?;
        let plan: Plan =
            serde_json::from_slice(&text).with_context(|| format!("{} cannot be understood", path.display()))?;
        let Plan { version, crafted: first } = common.get_or_insert_with(|| plan.clone());
        let differs = [
            ("version of Bastion", *version != plan.version),
            ("network", first.weights_sha256 != plan.crafted.weights_sha256),
            ("data set", first.data_sha256 != plan.crafted.data_sha256),
            ("attack", first.attack != plan.crafted.attack),
        ];
        let differs: Vec<&str> = differs.iter().filter(|(_, differs)| *differs).map(|(what, _)| *what).collect();
        ensure!(
            differs.is_empty(),
            "{} holds no part of what {} does: another {}",
            dir.display(),
            dirs[0].display(),
            differs.join(", another ")
        );
    }
    Ok(common.context("there is no folder to merge")?.crafted)
}

/// Returns all parts of one division, in their order, each with its folder.
fn parts_in(dirs: &[PathBuf]) -> Result<Vec<(Shard, &Path)>> {
    let mut found: Vec<(Shard, &Path)> = Vec::new();
    for dir in dirs {
        let context = || format!("cannot read {}", dir.display());
        for entry in fs::read_dir(dir).with_context(context)? {
            let name = entry.with_context(context)?.file_name();
            let name = name.to_str().and_then(|name| name.strip_prefix("train-")?.strip_suffix(".sums"));
            let Some(shard) = name.and_then(Shard::from_a_name) else { continue };
            if let Some((_, other)) = found.iter().find(|(other, _)| *other == shard) {
                bail!("shard {shard} is in both {} and {}: leave one of the two out", other.display(), dir.display());
            }
            found.push((shard, dir));
        }
    }
    let Some(&(first, dir)) = found.first() else { bail!("{} holds no shard", dirs[0].display()) };
    for (shard, from) in &found {
        ensure!(
            first.siblings().any(|sibling| sibling == *shard),
            "{} is cut into other parts than {}: shard {shard} and shard {first}",
            from.display(),
            dir.display()
        );
    }
    let of = |sibling: Shard| {
        let part = found.iter().find(|(shard, _)| *shard == sibling);
        part.copied().with_context(|| format!("shard {sibling} is missing: craft it, or give its folder too"))
    };
    first.siblings().map(of).collect()
}

/// Appends the pictures of a part of a split to `whole`, each batch after its hash was compared.
fn copy(dir: &Path, split: &str, shard: Shard, pictures: usize, whole: &mut File) -> Result<()> {
    let path = dir.join(images_file(&part_of(split, shard)));
    let unfinished =
        || format!("shard {shard} ({}) is not finished: give its command again to go on with it", path.display());
    let noted = fs::read_to_string(dir.join(sums_file(split, shard))).with_context(unfinished)?;
    let mut noted = noted.lines();
    let mut file = File::open(&path).with_context(unfinished)?;
    let mut batch = vec![0; BATCH * IMAGE_BYTES];
    for start in (0..pictures).step_by(BATCH) {
        let bytes = &mut batch[..BATCH.min(pictures - start) * IMAGE_BYTES];
        let sum = noted.next().with_context(unfinished)?;
        file.read_exact(bytes).with_context(unfinished)?;
        ensure!(
            hex(Sha256::digest(&*bytes)) == sum,
            "{} is damaged from picture {start} on: give the command of shard {shard} again",
            path.display()
        );
        whole.write_all(bytes).context("cannot write the set: make room")?;
    }
    let more = file.read(&mut batch).with_context(unfinished)? > 0 || noted.next().is_some();
    ensure!(!more, "{} holds more pictures than shard {shard} has: it is no part of this set", path.display());
    Ok(())
}
