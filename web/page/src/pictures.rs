//! Sums on the pictures that the page shows.

use protocol::Pixels;

/// How a change is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Drawing {
    /// Each channel around mid-grey.
    #[default]
    Channels,
    /// Orange where the picture became lighter, blue where darker, over white: two colours that nearly everyone tells apart.
    Signed,
}

/// Largest amplification that can be chosen.
pub const MAX_GAIN: u8 = 64;

/// Returns the amplification at which a change of at most `epsilon_255` just fits the range.
pub fn usual_gain(epsilon_255: u8) -> u8 {
    (127 / epsilon_255.max(1)).clamp(1, MAX_GAIN)
}

/// Returns what `after` adds to `before`, amplified `gain` times; empty where the two are not of one size.
pub fn change(before: &Pixels, after: &Pixels, gain: u8, drawing: Drawing) -> Pixels {
    if before.0.len() != after.0.len() {
        return Pixels::default();
    }
    let pairs = before.0.chunks_exact(4).zip(after.0.chunks_exact(4));
    Pixels(pairs.flat_map(|(before, after)| pixel(before, after, gain.into(), drawing)).collect())
}

/// Returns the number of pixels in which `after` differs from `before`.
pub fn pixels_changed(before: &Pixels, after: &Pixels) -> usize {
    before.0.chunks_exact(4).zip(after.0.chunks_exact(4)).filter(|(before, after)| before != after).count()
}

fn pixel(before: &[u8], after: &[u8], gain: f32, drawing: Drawing) -> [u8; 4] {
    let change = [0, 1, 2].map(|channel| gain * (f32::from(after[channel]) - f32::from(before[channel])));
    let [red, green, blue] = match drawing {
        Drawing::Channels => change.map(|change| 128.0 + change),
        Drawing::Signed => {
            const ORANGE: [f32; 3] = [213.0, 94.0, 0.0];
            const BLUE: [f32; 3] = [0.0, 90.0, 181.0];
            let mean = change.iter().sum::<f32>() / 3.0;
            let ink = if mean > 0.0 { ORANGE } else { BLUE };
            let part = (mean.abs() / 127.0).min(1.0);
            ink.map(|ink| 255.0 + (ink - 255.0) * part)
        }
    };
    // `as` stays within 0 to 255.
    [red.round() as u8, green.round() as u8, blue.round() as u8, u8::MAX]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(before: [u8; 3], after: [u8; 3], gain: u8, drawing: Drawing) -> Vec<u8> {
        let pixels = |[r, g, b]: [u8; 3]| Pixels(vec![r, g, b, 255]);
        change(&pixels(before), &pixels(after), gain, drawing).0
    }

    #[test]
    fn changed_pixels_are_counted_once_whatever_channels_change() {
        let before = Pixels(vec![9; 12]);
        let mut after = before.clone();
        assert_eq!(pixels_changed(&before, &after), 0);
        after.0[0] = 8;
        after.0[2] = 7;
        after.0[9] = 1;
        assert_eq!(pixels_changed(&before, &after), 2);
    }

    #[test]
    fn no_change_is_grey_or_white() {
        assert_eq!(one([9, 99, 200], [9, 99, 200], 64, Drawing::Channels), [128, 128, 128, 255]);
        assert_eq!(one([9, 99, 200], [9, 99, 200], 64, Drawing::Signed), [255; 4]);
    }

    #[test]
    fn a_change_is_amplified_and_stays_in_range() {
        assert_eq!(one([10, 10, 10], [14, 6, 10], 15, Drawing::Channels), [188, 68, 128, 255]);
        assert_eq!(one([0, 255, 10], [255, 0, 10], 64, Drawing::Channels), [255, 0, 128, 255]);
        assert_eq!(one([0; 3], [255; 3], 1, Drawing::Signed), [213, 94, 0, 255]);
        assert_eq!(one([255; 3], [0; 3], 64, Drawing::Signed), [0, 90, 181, 255]);
    }

    #[test]
    fn the_usual_gain_fills_the_range() {
        assert_eq!([usual_gain(0), usual_gain(1), usual_gain(4), usual_gain(32)], [64, 64, 31, 3]);
        for epsilon in 1..=32 {
            assert!(u32::from(usual_gain(epsilon)) * u32::from(epsilon) <= 127);
        }
    }

    #[test]
    fn pictures_of_two_sizes_have_no_difference() {
        assert_eq!(change(&Pixels(vec![0; 4]), &Pixels(vec![0; 8]), 1, Drawing::Channels), Pixels::default());
    }
}
