//! Seeds made from seeds.

/// The seed of part `n` of a work with the seed `seed`, for the use `salt`: neighbours get unrelated ones.
///
/// The value is a fixed function of its arguments, so what was drawn from it is the same in every run.
pub fn derive(seed: u64, n: u64, salt: u64) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ n.wrapping_add(1).wrapping_mul(0xBF58_476D_1CE4_E5B9)
        ^ salt.wrapping_mul(0x94D0_49BB_1331_11EB)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn seeds_of_different_parts_differ() {
        let all: HashSet<u64> = (0..8)
            .flat_map(|seed| (0..1000).flat_map(move |n| (0..4).map(move |salt| derive(seed, n, salt))))
            .collect();
        assert_eq!(all.len(), 8 * 1000 * 4);
    }
}
