//! Corruptions that draw no random numbers, level by level against numpy, scipy and Pillow.

use shared::corrupt::{Corrupt as _, Corruption, Severity};
use shared::image::{Picture, SIDE};
use tests::{Golden, compare};

/// Allowed difference of a value, and of values on average, in levels of 255. Levels are truncated, so a rounding error in the
/// last bit below a whole level shows as one level.
const CASES: [(Corruption, f32, f32); 6] = [
    (Corruption::Brightness, 1.0, 0.2),
    (Corruption::Contrast, 1.0, 0.01),
    (Corruption::Pixelate, 0.0, 0.0),
    // libjpeg's cosine transform is in whole numbers: a frequency on the border between two steps may be rounded to the other
    // step, which changes a whole block. So the mean is limited.
    (Corruption::JpegCompression, 255.0, 0.5),
    (Corruption::DefocusBlur, 1.0, 0.2),
    (Corruption::ZoomBlur, 1.0, 0.2),
];

#[test]
fn corruptions_are_those_of_the_reference() {
    let golden = Golden::open("corruptions.safetensors");
    let levels = |name: &str| -> Vec<f32> { golden.values(name).0.iter().map(|value| value * 255.0).collect() };
    for (corruption, max, mean) in CASES {
        for severity in Severity::ALL {
            let picture = levels(&format!("picture_{}", severity.get() % 3));
            let picture = Picture::from_rgb8(picture.iter().map(|level| level.round() as u8).collect()).unwrap();
            let corrupted = corruption.apply(&picture, severity, 0);
            // The file holds every second row.
            let rows = corrupted.as_rgb8().chunks_exact(SIDE * 3).step_by(2);
            let found: Vec<f32> = rows.flatten().map(|&level| f32::from(level)).collect();
            let difference = compare(&found, &levels(&format!("{corruption}_{severity}")), 0.5);
            // The golden levels come back from 255ths, a hair off.
            let fits = difference.max <= max + 1e-3 && difference.mean <= mean + 1e-3;
            assert!(fits, "{corruption} at severity {severity}: {difference:?}");
        }
    }
}
