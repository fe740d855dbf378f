//! The data set: imported once from Tiny ImageNet's layout, cached as raw arrays, whole or in part, held in memory while
//! training.

mod cache;
mod crafted;
mod decode;
mod error;
mod fetch;
#[cfg(test)]
mod fetch_tests;
mod hash;
mod import;
mod layout;
mod leftovers;
#[cfg(test)]
mod leftovers_tests;
pub mod made;
pub mod photos;
mod pixel_stats;
mod raw;
mod source;
mod split;
mod subset;
#[cfg(test)]
mod subset_tests;
#[cfg(test)]
mod tests;
mod text;
mod write;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use cache::{Cache, Meta, SplitMeta, images_file};
pub use crafted::{Crafted, CraftedVal};
pub use error::BadSource;
pub use fetch::{Archive, Download, TINY_IMAGENET, TINY_IMAGENET_URL};
pub(crate) use hash::{hex, sha256_of_file};
pub use import::{ImportOptions, beside, check_destination, import};
pub use pixel_stats::PixelStats;
pub use shared::bundle::Class;
pub use split::{HELD_OUT_SEED, Split};
pub use subset::{Subset, SubsetOptions, subset};
pub use write::seal;

/// Side of every picture, in pixels.
pub const SIDE: usize = 64;
/// Bytes of one picture: 64 rows of 64 pixels of red, green, blue.
pub const IMAGE_BYTES: usize = SIDE * SIDE * 3;

/// A data set in memory, 1.35 GB for the whole of Tiny ImageNet.
pub struct Dataset {
    /// Classes in the order of their labels.
    pub classes: Vec<Class>,
    /// The training pictures.
    pub train: Split,
    /// The validation pictures.
    pub val: Split,
    /// Mean and standard deviation of the training pictures.
    pub pixels: PixelStats,
    /// SHA-256 over all pictures, labels and classes: two data sets with the same hash are the same.
    pub sha256: String,
}

/// A data set's validation pictures alone, 123 MB for Tiny ImageNet.
pub struct ValSet {
    /// Classes in the order of their labels.
    pub classes: Vec<Class>,
    /// The validation pictures.
    pub val: Split,
    /// SHA-256 of the whole data set, as in [`Dataset::sha256`].
    pub sha256: String,
}

impl Dataset {
    /// Loads the data set that [`import()`] wrote to `dir`. All bytes are compared with the hashes taken at the
    /// import.
    ///
    /// # Errors
    /// When there is no data set in `dir`, or one that is damaged or of a newer format.
    pub fn load(dir: &Path) -> Result<Self> {
        let cache = Cache::open(dir)?;
        let (train, val) = (cache.train()?, cache.val()?);
        let Meta { classes, sha256, train_pixels, .. } = cache.into_meta();
        // Older versions did not write them.
        let pixels = train_pixels.unwrap_or_else(|| PixelStats::of(&train.images));
        Ok(Self { classes, train, val, pixels, sha256 })
    }

    /// Loads a data set like [`Dataset::load`], and refuses crafted ones.
    ///
    /// # Errors
    /// As for [`Dataset::load`], and when the set is crafted.
    pub fn load_clean(dir: &Path) -> Result<Self> {
        Cache::open(dir)?.check_clean()?;
        Self::load(dir)
    }

    /// Loads the validation pictures of a clean data set.
    ///
    /// # Errors
    /// As for [`Dataset::load_clean`].
    pub fn load_val(dir: &Path) -> Result<ValSet> {
        let cache = Cache::open(dir)?;
        cache.check_clean()?;
        let val = cache.val()?;
        let Meta { classes, sha256, .. } = cache.into_meta();
        Ok(ValSet { classes, val, sha256 })
    }
}

/// Returns the folder of the data set: the one that `--data` names, else `BASTION_DATA`, else `data/tiny-imagenet-200`.
pub fn dir_or_default(given: Option<&Path>) -> PathBuf {
    match (given, std::env::var_os("BASTION_DATA")) {
        (Some(given), _) => given.to_path_buf(),
        (None, Some(variable)) if !variable.is_empty() => variable.into(),
        _ => Path::new("data").join("tiny-imagenet-200"),
    }
}
