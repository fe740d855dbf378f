//! Random changes of files.

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

/// Values at which lengths, counts and types go wrong.
const INTERESTING: [u8; 8] = [0x00, 0x01, 0x0a, 0x20, 0x7f, 0x80, 0xfe, 0xff];

/// Share of the changes that fall into a file's beginning, where headers are.
const IN_THE_BEGINNING: f64 = 0.5;

/// Length of that beginning.
const BEGINNING: usize = 256;

/// Makes files of the files of a corpus: the same ones for a seed.
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    rng: StdRng,
}

impl<'a> Mutator<'a> {
    /// Begins with a corpus, which is not empty.
    pub fn new(corpus: &'a [Vec<u8>], seed: u64) -> Self {
        assert!(!corpus.is_empty(), "there is nothing to change");
        Self { corpus, rng: StdRng::seed_from_u64(seed) }
    }

    /// Returns a file with one to four changes.
    pub fn next_file(&mut self) -> Vec<u8> {
        let mut file = self.some_file().to_vec();
        for _ in 0..self.rng.random_range(1..=4) {
            self.change(&mut file);
        }
        file
    }

    fn some_file(&mut self) -> &'a [u8] {
        &self.corpus[self.rng.random_range(0..self.corpus.len())]
    }

    fn place(&mut self, file: &[u8]) -> usize {
        let end = if self.rng.random_bool(IN_THE_BEGINNING) { file.len().min(BEGINNING) } else { file.len() };
        self.rng.random_range(0..end.max(1)).min(file.len())
    }

    /// Returns a part of a file that is not empty, of up to 64 bytes.
    fn part(&mut self, file: &[u8]) -> std::ops::Range<usize> {
        let start = self.place(file);
        start..(start + self.rng.random_range(1..=64)).min(file.len())
    }

    fn change(&mut self, file: &mut Vec<u8>) {
        if file.is_empty() {
            return file.push(self.rng.random());
        }
        let at = self.place(file);
        let within = at.min(file.len() - 1);
        match self.rng.random_range(0..8) {
            0 => file[within] ^= 1 << self.rng.random_range(0..8),
            1 => file[within] = INTERESTING[self.rng.random_range(0..INTERESTING.len())],
            2 => {
                // A number of four bytes.
                let value =
                    *[0_u32, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX].get(self.rng.random_range(0..5)).unwrap_or(&0);
                let bytes = if self.rng.random_bool(0.5) { value.to_be_bytes() } else { value.to_le_bytes() };
                for (place, byte) in file[within..].iter_mut().zip(bytes) {
                    *place = byte;
                }
            }
            3 => {
                let part = self.part(file);
                file.drain(part);
            }
            4 => {
                let part = self.part(file);
                let copy = file[part].to_vec();
                file.splice(at..at, copy);
            }
            5 => {
                let mut noise = vec![0; self.rng.random_range(1..=16)];
                self.rng.fill_bytes(&mut noise);
                file.splice(at..at, noise);
            }
            6 => file.truncate(at),
            _ => {
                let other = self.some_file();
                let part = self.part(other);
                file.splice(at..at, other[part].iter().copied());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{TARGETS, good_weights};

    /// Most files of a target, and most time, so that a slow machine is not held up.
    const MOST_FILES: usize = 3_000;
    const MOST_TIME: Duration = Duration::from_secs(8);

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        if name == "weights" {
            return vec![good_weights()];
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// Returns the seconds that somebody gives each target (`BASTION_FUZZ_SECONDS`), for a longer run than the usual one.
    fn seconds_given() -> Option<u64> {
        std::env::var("BASTION_FUZZ_SECONDS").ok()?.parse().ok()
    }

    /// Gives mutated files of a target's corpus to the target, for as long as is asked for.
    fn read_or_refused(name: &str) {
        let (most_files, most_time, seed) = match seconds_given() {
            // Other files than in every other run.
            Some(seconds) => (usize::MAX, Duration::from_secs(seconds), u64::from(std::process::id())),
            None => (MOST_FILES, MOST_TIME, 7),
        };
        let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
        let corpus = corpus(name);
        let accepted = corpus.iter().filter(|file| target(file)).count();
        assert!(accepted > 0, "{name}: not one file of the corpus is accepted");
        let mut mutator = Mutator::new(&corpus, seed);
        let started = Instant::now();
        let mut files = 0;
        while files < most_files && started.elapsed() < most_time {
            let file = mutator.next_file();
            if std::panic::catch_unwind(|| target(&file)).is_err() {
                let saved = std::env::temp_dir().join(format!("bastion-fuzz-{name}-{seed}-{files}"));
                std::fs::write(&saved, &file).unwrap();
                panic!("{name}: {} is neither read nor refused", saved.display());
            }
            files += 1;
        }
        println!("{name}: {files} files, {accepted} of {} in the corpus accepted", corpus.len());
    }

    mod files_of_strangers {
        use super::{TARGETS, read_or_refused};

        #[test]
        fn picture() {
            read_or_refused("picture");
        }

        #[test]
        fn card() {
            read_or_refused("card");
        }

        #[test]
        fn weights() {
            read_or_refused("weights");
        }

        #[test]
        fn link() {
            read_or_refused("link");
        }

        #[test]
        fn archive() {
            read_or_refused("archive");
        }

        #[test]
        fn pth() {
            read_or_refused("pth");
        }

        #[test]
        fn every_target_is_tried() {
            let names = TARGETS.map(|(name, _)| name);
            assert_eq!(
                names,
                ["picture", "card", "weights", "link", "archive", "pth"],
                "and each is a test of its own here"
            );
        }
    }

    #[test]
    fn changes_are_the_same_for_a_seed_and_differ_from_the_file() {
        let corpus = [vec![7; 100], vec![1, 2, 3]];
        let files = |seed| {
            let mut mutator = Mutator::new(&corpus, seed);
            (0..50).map(|_| mutator.next_file()).collect::<Vec<_>>()
        };
        assert_eq!(files(1), files(1));
        assert_ne!(files(1), files(2));
        assert!(files(1).iter().filter(|file| !corpus.contains(file)).count() > 40);
    }
}
