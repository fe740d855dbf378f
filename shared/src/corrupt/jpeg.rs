//! The losses of JPEG, without a file: entropy coding is lossless, so it is left out.
//!
//! The pipeline has libjpeg's defaults, which Pillow uses: YCbCr of JFIF, colour at half the resolution (4:2:0), the 8x8
//! cosine transform, the example tables of ITU-T T.81 (annex K), and triangle interpolation of the colour on the way back.
//! The encoder of the `image` crate keeps the colour at full resolution: a milder corruption.

use super::Severity;
use super::plane::{Border, Plane, sine_and_cosine};
use super::rgb::Rgb;

const BLOCK: usize = 8;

/// Quantisation steps of luminance at quality 50, by rising frequency across and down.
#[rustfmt::skip]
const LUMINANCE: [u32; BLOCK * BLOCK] = [
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];

/// Quantisation steps of chrominance at quality 50.
#[rustfmt::skip]
const CHROMINANCE: [u32; BLOCK * BLOCK] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

/// Applies the losses of a JPEG file.
pub(super) fn compress(image: &Rgb, severity: Severity) -> Rgb {
    let quality = severity.pick([65, 58, 50, 40, 25]);
    let Rgb([luma, blue, red]) = image.map_pixels(|pixel| to_ycbcr(pixel.map(|value| value * 255.0)));
    let luma = quantise(&luma, &steps(&LUMINANCE, quality));
    let [blue, red] = [blue, red].map(|plane| double(&quantise(&halve(&plane), &steps(&CHROMINANCE, quality))));
    Rgb([luma, blue, red]).map_pixels(|pixel| to_rgb(pixel).map(|level| level / 255.0))
}

/// Converts levels of red, green and blue to luminance and two colour differences around 128, in whole levels.
fn to_ycbcr([red, green, blue]: [f32; 3]) -> [f32; 3] {
    [
        0.299 * red + 0.587 * green + 0.114 * blue,
        128.0 - 0.168_735_9 * red - 0.331_264_1 * green + 0.5 * blue,
        128.0 + 0.5 * red - 0.418_687_6 * green - 0.081_312_4 * blue,
    ]
    .map(f32::round)
}

/// Converts back, as the inverse of [`to_ycbcr`], within 0 to 255.
fn to_rgb([luma, blue, red]: [f32; 3]) -> [f32; 3] {
    let (blue, red) = (blue - 128.0, red - 128.0);
    [1.402 * red, -0.344_136_3 * blue - 0.714_136_3 * red, 1.772 * blue]
        .map(|difference| (luma + difference).round().clamp(0.0, 255.0))
}

/// Returns means of 2x2 pixels. Halves are rounded down in even columns and up in odd columns, so that rounding adds no cast.
fn halve(plane: &Plane) -> Plane {
    Plane::from_fn(plane.side() / 2, |x, y| {
        let sum =
            [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| plane.get(2 * x + dx, 2 * y + dy)).iter().sum::<f32>();
        ((sum + 1.0 + (x % 2) as f32) / 4.0).floor()
    })
}

/// Doubles the size, bilinear between the centres of the large pixels; ties are rounded up and down by turns, as in [`halve`].
fn double(plane: &Plane) -> Plane {
    let position = |i: usize| (i as f32 + 0.5) / 2.0 - 0.5;
    Plane::from_fn(plane.side() * 2, |x, y| {
        let rounding = if x % 2 == 0 { 8.0 / 16.0 } else { 7.0 / 16.0 };
        (plane.sample(position(x), position(y), Border::Nearest) + rounding).floor()
    })
}

/// Returns the quantisation steps at `quality`, 1 to 100, by the rule of libjpeg.
fn steps(at_50: &[u32; BLOCK * BLOCK], quality: u32) -> [f32; BLOCK * BLOCK] {
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    at_50.map(|step| ((step * percent + 50) / 100).clamp(1, 255) as f32)
}

/// Rounds the frequencies of each 8x8 block to multiples of `steps` and transforms them back to levels.
fn quantise(levels: &Plane, steps: &[f32; BLOCK * BLOCK]) -> Plane {
    let waves = cosines();
    let mut changed = levels.clone();
    for top in (0..levels.side()).step_by(BLOCK) {
        for left in (0..levels.side()).step_by(BLOCK) {
            let block = Plane::from_fn(BLOCK, |x, y| levels.get(left + x, top + y) - 128.0);
            let frequencies = transform(&block, |frequency, position| waves.get(position, frequency));
            let kept = Plane::from_fn(BLOCK, |x, y| {
                let step = steps[y * BLOCK + x];
                // libjpeg has frequencies in eighths, so the many ties are decided as there.
                let eighths = (frequencies.get(x, y) * 8.0).round();
                (eighths / (8.0 * step)).round() * step
            });
            let block = transform(&kept, |position, frequency| waves.get(position, frequency));
            for y in 0..BLOCK {
                for x in 0..BLOCK {
                    changed.set(left + x, top + y, (block.get(x, y) + 128.0).round().clamp(0.0, 255.0));
                }
            }
        }
    }
    changed
}

/// Returns the orthonormal cosine basis: columns are positions, rows are frequencies.
fn cosines() -> Plane {
    let side = BLOCK as f32;
    Plane::from_fn(BLOCK, |position, frequency| {
        let scale = if frequency == 0 { 1.0 / side } else { 2.0 / side };
        let [_, cosine] = sine_and_cosine(90.0 * ((2 * position + 1) * frequency) as f32 / side);
        scale.sqrt() * cosine
    })
}

/// Multiplies the rows of a block and then its columns by a matrix, `weight(output, input)`.
fn transform(block: &Plane, weight: impl Fn(usize, usize) -> f32) -> Plane {
    let rows = Plane::from_fn(BLOCK, |x, y| (0..BLOCK).map(|i| weight(x, i) * block.get(i, y)).sum());
    Plane::from_fn(BLOCK, |x, y| (0..BLOCK).map(|i| weight(y, i) * rows.get(x, i)).sum())
}
