//! Decoding and scaling of picture files to 64x64 against Pillow.

use shared::image::Picture;
use tests::{compare, golden_bytes};

/// Pillow rounds to whole bytes between its two passes, so a value near a half may be rounded the other way.
const MAX_LOSSLESS: f32 = 1.0;
/// Decoders of lossy formats may round differently inside, above all where they spread the coarser colour planes.
const MAX_LOSSY: f32 = 8.0;

#[test]
fn pictures_are_prepared_as_pillow_does() {
    let cases: serde_json::Value = serde_json::from_slice(&golden_bytes("pictures/cases.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let lossy = case["lossy"].as_bool().unwrap();
        let picture = Picture::decode(&golden_bytes(&format!("pictures/{file}"))).unwrap();
        let expected = Picture::decode(&golden_bytes(&format!("pictures/{file}.64.png"))).unwrap();
        let difference = compare(&levels(&picture), &levels(&expected), 1.0);
        let (max, mean) = if lossy { (MAX_LOSSY, 1.0) } else { (MAX_LOSSLESS, 0.3) };
        assert!(difference.max <= max && difference.mean <= mean, "{file} ({}): {difference:?}", case["what"]);
    }
}

fn levels(picture: &Picture) -> Vec<f32> {
    picture.as_rgb8().iter().map(|&value| f32::from(value)).collect()
}
