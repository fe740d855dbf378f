//! Pictures and labels in memory, and the held-out part of them.

use super::IMAGE_BYTES;

/// The seed that held-out pictures are chosen by, whatever the seed of the run: a network that was fine-tuned from another
/// one is then validated on pictures that neither was trained on.
pub const HELD_OUT_SEED: u64 = 0;

/// Pictures with their labels.
pub struct Split {
    /// `[N, 64, 64, 3]`, RGB, 8 bits, one picture after the other.
    pub images: Vec<u8>,
    /// `[N]`, indices in the list of classes.
    pub labels: Vec<u16>,
}

impl Split {
    /// Returns the number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns picture `index`, `[64, 64, 3]`.
    ///
    /// # Panics
    /// When `index` is not below [`Split::len`].
    pub fn image(&self, index: usize) -> &[u8] {
        &self.images[index * IMAGE_BYTES..(index + 1) * IMAGE_BYTES]
    }

    /// Returns the label of picture `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Split::len`].
    pub fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    /// Returns the indices to train on and the held-out ones, both ascending: `per_class` pictures of each class are held
    /// out, but never more than half of a class.
    ///
    /// The choice depends on `seed`, the labels and their order alone. In each class the pictures with the smallest
    /// [SplitMix64](https://prng.di.unimi.it/splitmix64.c) values of (seed, label, place in the class) are taken, so the
    /// choice is the same on every machine and in every version, and a larger `per_class` only adds to it.
    pub fn held_out(&self, seed: u64, per_class: usize) -> (Vec<usize>, Vec<usize>) {
        let classes = self.labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
        let mut ranked: Vec<Vec<(u64, usize)>> = vec![Vec::new(); classes];
        for (index, &label) in self.labels.iter().enumerate() {
            let class = &mut ranked[usize::from(label)];
            let place = (u64::from(label) << 48) | class.len() as u64;
            class.push((splitmix64(splitmix64(seed) ^ place), index));
        }
        let mut held = vec![false; self.len()];
        for mut class in ranked {
            class.sort_unstable();
            let count = per_class.min(class.len() / 2);
            class.iter().take(count).for_each(|&(_, index)| held[index] = true);
        }
        (0..self.len()).partition(|&index| !held[index])
    }
}

/// Returns the first output of SplitMix64 from the state `seed`.
pub(super) fn splitmix64(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(labels: Vec<u16>) -> Split {
        Split { images: vec![0; labels.len() * IMAGE_BYTES], labels }
    }

    #[test]
    fn splitmix64_is_the_published_one() {
        assert_eq!(splitmix64(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(splitmix64(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn held_out_is_per_class_seeded_and_complete() {
        let split = split((0..3).flat_map(|label| [label; 30]).collect());
        let (train, held) = split.held_out(7, 10);
        assert_eq!((train.len(), held.len()), (60, 30));
        for label in 0..3 {
            assert_eq!(held.iter().filter(|&&index| split.label(index) == label).count(), 10);
        }
        let mut all = [train, held.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..90).collect::<Vec<_>>());
        assert_eq!(split.held_out(7, 10).1, held);
        assert_ne!(split.held_out(8, 10).1, held);
        let fewer = split.held_out(7, 4).1;
        assert!(fewer.iter().all(|index| held.contains(index)));
    }

    /// Figures measured on held-out pictures are only comparable while this choice stands.
    #[test]
    fn held_out_does_not_change_over_versions() {
        let split = split([[0; 8], [1; 8]].concat());
        assert_eq!(split.held_out(1, 3).1, [0, 6, 7, 10, 14, 15]);
    }

    #[test]
    fn small_classes_keep_half() {
        let (train, held) = split(vec![0, 1, 1, 2, 2, 2]).held_out(0, 10);
        assert_eq!((train.len(), held.len()), (4, 2));
    }
}
