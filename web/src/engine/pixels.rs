//! Sums on 8-bit pixels: what is shown is what is scored, so what is promised must hold on these.

/// Brings `changed` back to within `radius` of `original`, in place.
///
/// For a whole radius the attack's own rounding stays inside it; but the page promises it, so the page makes sure.
pub(crate) fn project(original: &[u8], changed: &mut [u8], radius: u8) {
    for (&from, to) in original.iter().zip(changed) {
        *to = (*to).clamp(from.saturating_sub(radius), from.saturating_add(radius));
    }
}

/// The largest change of a channel.
pub(crate) fn largest_change(original: &[u8], changed: &[u8]) -> u8 {
    original.iter().zip(changed).map(|(&from, &to)| from.abs_diff(to)).max().unwrap_or(0)
}

/// `original` with every channel moved by `radius` up or down by the toss of a coin: as large a change as an attack makes, but
/// aimed at nothing. The same every time.
pub(crate) fn add_noise(original: &[u8], radius: u8) -> Vec<u8> {
    // xorshift64 (Marsaglia, 2003).
    let mut coin: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut toss = || {
        coin ^= coin << 13;
        coin ^= coin >> 7;
        coin ^= coin << 17;
        coin >> 63 == 1
    };
    let moved = |from: u8, up: bool| if up { from.saturating_add(radius) } else { from.saturating_sub(radius) };
    original.iter().map(|&from| moved(from, toss())).collect()
}

/// How many times a change of at most `radius` can be amplified around mid-grey.
pub(crate) fn gain(radius: u8) -> f32 {
    match radius {
        0 => 1.0,
        radius => f32::from(127 / radius.min(127)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projection_holds_at_the_ends_of_the_range() {
        let original = [0, 3, 128, 255];
        let mut changed = [9, 0, 140, 200];
        project(&original, &mut changed, 8);
        assert_eq!(changed, [8, 0, 136, 247]);
        assert_eq!(largest_change(&original, &changed), 8);
        project(&original, &mut changed, 0);
        assert_eq!(changed, original);
    }

    #[test]
    fn noise_uses_the_whole_radius_in_both_directions() {
        let original = vec![100; 12_288];
        let noisy = add_noise(&original, 8);
        assert!(noisy.iter().all(|&value| value == 92 || value == 108));
        let ups = noisy.iter().filter(|&&value| value == 108).count();
        assert!((5_800..6_488).contains(&ups), "{ups} of 12288 tosses");
        assert_eq!(noisy, add_noise(&original, 8), "the same every time");
        assert_eq!(add_noise(&[0, 255], 0), [0, 255]);
    }

    #[test]
    fn the_amplified_change_stays_in_range() {
        for radius in 1..=32 {
            assert!(gain(radius) * f32::from(radius) <= 127.0 && gain(radius) >= 1.0);
        }
    }
}
