//! A crafted set put together from parts that were crafted one by one.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{BATCH, PLAN, Plan, check_free, part_of, pictures_of, publish, sums_file};
use crate::data::{Crafted, Dataset, IMAGE_BYTES, Meta, beside, images_file, seal};
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
    dir.parent().map_or(Ok(()), fs::create_dir_all).with_context(context)?;
    let _lock = Lock::take(beside(out, "merging.lock")?, &format!("merges {}", out.display()))?;
    check_free(out)?;
    fs::create_dir_all(&dir).with_context(context)?;
    let merged = put_together(&parts, clean, crafted, &dir, progress);
    if merged.is_err() {
        // The folder holds a part of a set, of a gigabyte or more.
        let _ = fs::remove_dir_all(&dir);
    }
    let meta = merged?;
    publish(&dir, out)?;
    Ok(meta)
}

/// Writes the set of all `parts` into the folder `dir`.
fn put_together(
    parts: &[(Shard, &Path)],
    clean: &Dataset,
    crafted: Crafted,
    dir: &Path,
    progress: &Progress,
) -> Result<Meta> {
    let pictures = clean.train.len() + clean.val.len();
    let task = progress.start("Merging", Some(pictures as u64), Unit::Pictures);
    for (split, count) in [("train", clean.train.len()), ("val", clean.val.len())] {
        let path = dir.join(images_file(split));
        let cannot = || format!("cannot write {}: make room, and merge again", path.display());
        let mut whole = File::create(&path).with_context(cannot)?;
        for (shard, from) in parts {
            let part = pictures_of(*shard, count).len();
            copy(from, split, *shard, part, |bytes| whole.write_all(bytes).with_context(cannot))?;
            task.advance(part as u64);
        }
        whole.sync_all().with_context(cannot)?;
    }
    drop(task);
    seal(dir, clean, crafted, progress)
}

/// Returns the network, attack and data set that all folders are of.
fn common_plan(dirs: &[PathBuf]) -> Result<Crafted> {
    let mut common: Option<Plan> = None;
    for dir in dirs {
        let plan = Plan::read(dir)?;
        let differs = common.get_or_insert_with(|| plan.clone()).differences(&plan);
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
        for shard in shards_in(dir)? {
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
            "{} is cut into other parts than {}: shard {shard} and shard {first}; give the parts of one division alone",
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

/// Returns the parts in a folder, finished or not.
fn shards_in(dir: &Path) -> Result<Vec<Shard>> {
    let context = || format!("cannot read {}", dir.display());
    let mut shards = vec![];
    for entry in fs::read_dir(dir).with_context(context)? {
        let name = entry.with_context(context)?.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix("train-")?.strip_suffix(".sums"));
        shards.extend(name.and_then(Shard::from_a_name));
    }
    Ok(shards)
}

/// Refuses a part where the folder `dir` holds parts of another division, since no merge takes both.
pub(super) fn refuse_other_division(dir: &Path, shard: Shard) -> Result<()> {
    let found = if dir.exists() { shards_in(dir)? } else { vec![] };
    let other = found.into_iter().find(|found| !shard.siblings().any(|sibling| sibling == *found));
    let Some(other) = other else { return Ok(()) };
    bail!(
        "{} is cut into other parts: it holds shard {other}; give the same division again, or another folder",
        dir.display()
    )
}

/// Gives the pictures of a part of a split to `write`, each batch after its hash was compared.
fn copy(
    dir: &Path,
    split: &str,
    shard: Shard,
    pictures: usize,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let path = dir.join(images_file(&part_of(split, shard)));
    let unfinished =
        || format!("shard {shard} ({}) is not finished: give its command again to go on with it", path.display());
    let plan = Plan::read(dir)?;
    let noted = fs::read_to_string(dir.join(sums_file(split, shard))).with_context(unfinished)?;
    let mut noted = noted.lines();
    let mut file = File::open(&path).with_context(unfinished)?;
    let mut batch = vec![0; BATCH * IMAGE_BYTES];
    for start in (0..pictures).step_by(BATCH) {
        let bytes = &mut batch[..BATCH.min(pictures - start) * IMAGE_BYTES];
        let sum = noted.next().with_context(unfinished)?;
        file.read_exact(bytes).with_context(unfinished)?;
        ensure!(
            plan.sum(bytes)? == sum,
            "{} is damaged from picture {start} on, or is of another set than the {PLAN} beside it: give the command of shard {shard} again",
            path.display()
        );
        write(bytes)?;
    }
    let more = file.read(&mut batch).with_context(unfinished)? > 0 || noted.next().is_some();
    ensure!(!more, "{} holds more pictures than shard {shard} has: it is no part of this set", path.display());
    Ok(())
}
