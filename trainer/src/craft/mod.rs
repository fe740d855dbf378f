//! Sets of attacked pictures, crafted from one network and kept, which the paper trains on and validates with.
//!
//! A crafted set has the layout of an imported data set, with the clean set's labels and a record of how it was made:
//! training and evaluation take it by `--crafted` alone. It grows batch by batch in a folder beside its destination, where a
//! killed run is resumed, and which no other command reads. Several machines craft a part each ([`craft_shard`]), and [`merge()`] puts
//! the parts together.

mod merge;
mod plan;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use shared::attack::{AttackConfig, AttackRun, Goal, smallest_in_8_bits};
use shared::bundle::Bundle;
use shared::image::{Picture, pictures_to_tensor};
use shared::seed::{Purpose, derive};

use crate::data::{Crafted, Dataset, IMAGE_BYTES, Meta, Split, beside, images_file, seal};
use crate::error::Stopped;
use crate::kept::Shard;
use crate::lock::Lock;
use crate::models::read;
use crate::nodes::{Place, in_turns};
use crate::progress::{Progress, Stop, Unit};

/// Number of pictures attacked at once.
const BATCH: usize = 100;

pub use self::merge::{is_shard, merge};
use self::plan::{PLAN, Plan};

/// The class that an attack leads away from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AwayFrom {
    /// The class that the source network predicts for the clean picture.
    Predicted,
    True,
}

/// Attacks every picture of `dataset` through `source` and writes the set to the folder `out`.
///
/// # Errors
/// Under the conditions of [`craft_on`].
pub fn craft(
    dataset: &Dataset,
    source: &Bundle,
    attack: &AttackConfig,
    out: &Path,
    device: &Device,
    progress: &Progress,
    stop: &Stop,
) -> Result<Meta> {
    craft_on(dataset, &[Place { name: "", device, on_it: source }], attack, out, progress, stop)
}

/// Attacks every picture of `dataset` and writes the set to the folder `out`, as [`craft`] does, on several devices at once:
/// each has the network. The batches, and what is random in them, are the same on any number of devices.
///
/// # Errors
/// When `out` is there already, another process is crafting it, or another set was begun there; when something cannot be
/// written (the finished pictures stay, and the same call resumes); when the device fails; or when a stop was requested.
pub fn craft_on(
    dataset: &Dataset,
    places: &[Place<'_, Bundle>],
    attack: &AttackConfig,
    out: &Path,
    progress: &Progress,
    stop: &Stop,
) -> Result<Meta> {
    check_free(out)?;
    let crafted = record(dataset, places, attack)?;
    let work = Work::open(beside(out, "crafting")?, beside(out, "crafting.lock")?, out, Shard::WHOLE, &crafted)?;
    work.attack(dataset, places, attack, progress, stop)?;
    let meta = seal(&work.dir, dataset, crafted, progress)?;
    for file in [PLAN.into(), sums_file("train", Shard::WHOLE), sums_file("val", Shard::WHOLE)] {
        fs::remove_file(work.dir.join(file)).with_context(|| format!("cannot tidy up {}", work.dir.display()))?;
    }
    publish(&work.dir, out)?;
    Ok(meta)
}

/// Attacks the pictures of one part of `dataset`, cut at whole hundreds of each split, and leaves them in the folder `dir`, which
/// other parts may share. [`merge()`] makes the set of all parts. Returns the number of pictures of the part.
///
/// # Errors
/// Under the conditions of [`craft_on`], and when `dir` holds other things, or parts of another set or of another division.
pub fn craft_shard(
    dataset: &Dataset,
    places: &[Place<'_, Bundle>],
    attack: &AttackConfig,
    dir: &Path,
    shard: Shard,
    progress: &Progress,
    stop: &Stop,
) -> Result<usize> {
    let crafted = record(dataset, places, attack)?;
    merge::refuse_other_division(dir, shard)?;
    let lock = dir.join(format!("{}.lock", part_of("crafting", shard)));
    let work = Work::open(dir.to_path_buf(), lock, dir, shard, &crafted)?;
    work.attack(dataset, places, attack, progress, stop)
}

fn record(dataset: &Dataset, places: &[Place<'_, Bundle>], attack: &AttackConfig) -> Result<Crafted> {
    let source = places.first().context("there is no device to craft on")?.on_it;
    Ok(Crafted {
        source: source.card.name.clone(),
        weights_sha256: source.card.weights.sha256.clone(),
        data_sha256: dataset.sha256.clone(),
        attack: attack.clone(),
    })
}

fn check_free(out: &Path) -> Result<()> {
    ensure!(!out.exists(), "{} is there already; name another folder", out.display());
    Ok(())
}

/// Gives a finished set its name.
fn publish(dir: &Path, out: &Path) -> Result<()> {
    fs::rename(dir, out).with_context(|| format!("cannot move {} to {}", dir.display(), out.display()))
}

/// Returns the numbers of the pictures of a part of a split of `count`.
fn pictures_of(shard: Shard, count: usize) -> Range<usize> {
    let hundreds = shard.hundreds(count.div_ceil(BATCH));
    (hundreds.start * BATCH).min(count)..(hundreds.end * BATCH).min(count)
}

/// Returns the pictures `indices` of `split`, attacked: `[N, 64, 64, 3]` bytes, within epsilon after rounding to 8 bits.
fn attacked(
    split: &Split,
    indices: &[usize],
    source: &Bundle,
    attack: &AttackConfig,
    from: AwayFrom,
    device: &Device,
) -> Result<Vec<u8>> {
    let originals = indices.iter().map(|&index| Picture::from_rgb8(split.image(index).to_vec()));
    let originals = originals.collect::<Result<Vec<_>, _>>()?;
    let images = pictures_to_tensor(&originals, device);
    let labels: Tensor<1, Int> = match from {
        AwayFrom::Predicted => source.model.forward(images.clone()).argmax(1).reshape([indices.len()]),
        AwayFrom::True => {
            let labels: Vec<i64> = indices.iter().map(|&index| split.label(index) as i64).collect();
            Tensor::from_data(TensorData::new(labels, [indices.len()]), device)
        }
    };
    // Random starts differ between batches, and are the same after an interruption.
    let seed = derive(attack.seed, indices[0] as u64, Purpose::CraftedStarts);
    let config = AttackConfig { seed, ..attack.clone() };
    let goal = Goal::Untargeted;
    let values = read(AttackRun::new(&config, images, labels.clone(), goal)?.finish(&source.model))?;
    let labels: Vec<usize> = if config.kind.ends_at_the_boundary() {
        read(labels.float())?.into_iter().map(|label| label as usize).collect()
    } else {
        vec![]
    };
    let mut bytes = Vec::with_capacity(indices.len() * IMAGE_BYTES);
    for (place, (values, original)) in values.chunks_exact(IMAGE_BYTES).zip(&originals).enumerate() {
        let picture = match labels.get(place) {
            Some(&label) => {
                let rounded = smallest_in_8_bits(&source.model, original, values, &config, label, goal, device);
                pollster::block_on(rounded)?
            }
            None => Picture::from_attacked(values, original, &attack.threat())?,
        };
        bytes.extend_from_slice(picture.as_rgb8());
    }
    Ok(bytes)
}

/// The folder of an unfinished set or of parts of one, and the part that is crafted, locked.
struct Work {
    dir: PathBuf,
    plan: Plan,
    shard: Shard,
    _lock: Lock,
}

impl Work {
    /// Opens the folder `dir` of a set that will be `out`.
    fn open(dir: PathBuf, lock: PathBuf, out: &Path, shard: Shard, crafted: &Crafted) -> Result<Self> {
        let context = || format!("cannot write to {}", dir.display());
        for folder in lock.parent().into_iter().chain(dir.parent()) {
            fs::create_dir_all(folder).with_context(context)?;
        }
        let lock = Lock::take(lock, &format!("crafts {}", out.display()))?;
        fs::create_dir_all(&dir).with_context(context)?;
        let plan = Plan::new(crafted);
        plan.take(&dir)?;
        Ok(Self { dir, plan, shard, _lock: lock })
    }

    /// Attacks the pictures of the part that are not done yet. Returns the number of pictures of the part.
    fn attack(
        &self,
        dataset: &Dataset,
        places: &[Place<'_, Bundle>],
        attack: &AttackConfig,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<usize> {
        let splits = [("train", &dataset.train, AwayFrom::Predicted), ("val", &dataset.val, AwayFrom::True)];
        let pictures = splits.iter().map(|(_, split, _)| pictures_of(self.shard, split.len()).len()).sum::<usize>();
        let task = progress.start("Crafting", Some(pictures as u64), Unit::Pictures);
        for (name, split, from) in splits {
            let part = pictures_of(self.shard, split.len());
            let mut file = self.images(name, part.len(), progress)?;
            task.skip(file.done as u64);
            let indices: Vec<usize> = (part.start + file.done..part.end).collect();
            let batches: Vec<&[usize]> = indices.chunks(BATCH).collect();
            let kept = |done: usize| {
                ensure!(!stop.requested(), Stopped(format!("Stopped; {done} pictures of {name} are kept")));
                Ok(())
            };
            kept(file.done)?;
            let work = |place: &Place<'_, Bundle>, batch: &&[usize]| {
                attacked(split, batch, place.on_it, attack, from, place.device)
            };
            in_turns(places, &batches, work, |bytes| {
                file.add(&bytes)?;
                task.advance((bytes.len() / IMAGE_BYTES) as u64);
                if file.done < part.len() { kept(file.done) } else { Ok(()) }
            })?;
            file.finish()?;
        }
        Ok(pictures)
    }

    /// Opens the file of the finished pictures of a split of `count`. Batches that are not as they were written are crafted
    /// again, with all after them.
    fn images(&self, split: &str, count: usize, progress: &Progress) -> Result<Images> {
        let path = self.dir.join(images_file(&part_of(split, self.shard)));
        let sums_path = self.dir.join(sums_file(split, self.shard));
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).read(true).append(true).open(path);
            file.with_context(|| format!("cannot write {}", path.display()))
        };
        let (mut file, sums) = (open(&path)?, open(&sums_path)?);
        let noted = fs::read_to_string(&sums_path).unwrap_or_default();
        let noted: Vec<&str> = noted.split_inclusive('\n').filter(|line| line.len() == SUM_BYTES).collect();
        let mut done = 0;
        let mut batch = vec![0; BATCH * IMAGE_BYTES];
        for (number, noted) in noted.iter().enumerate() {
            // An incomplete batch is crafted again as a whole, since its pictures share the seed of their random starts.
            let pictures = BATCH.min(count.saturating_sub(number * BATCH));
            let bytes = &mut batch[..pictures * IMAGE_BYTES];
            if pictures == 0 || file.read_exact(bytes).is_err() {
                break;
            }
            if self.plan.sum(bytes)? != noted.trim_end() {
                progress.warn(format!(
                    "{} was damaged since it was begun, or is of another set: its pictures from number {done} on are crafted again",
                    path.display()
                ));
                break;
            }
            done += pictures;
        }
        let context = || format!("cannot write {}", path.display());
        file.set_len((done * IMAGE_BYTES) as u64).with_context(context)?;
        sums.set_len((done.div_ceil(BATCH) * SUM_BYTES) as u64).with_context(context)?;
        Ok(Images { path, plan: self.plan.clone(), file, sums, done })
    }
}

/// Returns `train-3-of-8` for the third of eight parts of `train`, and `train` for the whole.
fn part_of(name: &str, shard: Shard) -> String {
    if shard.is_whole() { name.into() } else { format!("{name}-{}", shard.in_a_name()) }
}

/// Returns the name of the file with the SHA-256 of each finished batch of a part of a split, a line each.
fn sums_file(split: &str, shard: Shard) -> String {
    format!("{}.sums", part_of(split, shard))
}

/// Bytes of a line of such a file.
const SUM_BYTES: usize = 65;

/// A growing file of pictures.
struct Images {
    path: PathBuf,
    plan: Plan,
    file: File,
    /// SHA-256 of each batch of them.
    sums: File,
    /// Number of whole pictures in the file.
    done: usize,
}

impl Images {
    fn add(&mut self, pictures: &[u8]) -> Result<()> {
        // The hash comes last: a batch without one is not taken for done.
        let sum = self.plan.sum(pictures)? + "\n";
        self.file.write_all(pictures).and_then(|()| self.sums.write_all(sum.as_bytes())).with_context(|| {
            format!("cannot write {}; what is done is kept: make room and say the same again", self.path.display())
        })?;
        self.done += pictures.len() / IMAGE_BYTES;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.file.sync_all().with_context(|| format!("cannot write {}", self.path.display()))
    }
}
