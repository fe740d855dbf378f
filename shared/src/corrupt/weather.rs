//! Snow and fog. Frost has a file of its own.

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::StandardNormal;

use super::Severity;
use super::blur::streak;
use super::plane::Plane;
use super::rgb::{Rgb, truncate_to_byte};
use crate::image::SIDE;

/// Adds snow: pales the picture and lays blown flakes over it.
pub(super) fn snow(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    // Mean and deviation of the flakes, their size, the value below which there is no flake, radius and sigma of their motion
    // blur, and the share of the picture's colours that is kept.
    let (mean, deviation, size, threshold, radius, sigma, kept) = severity.pick([
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.8),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.6),
    ]);
    let flakes = Plane::from_fn(SIDE, |_, _| mean + deviation * rng.sample::<f32, _>(StandardNormal))
        .clipped_zoom(size)
        .map(|value| if value < threshold { 0.0 } else { f32::from(truncate_to_byte(value)) / 255.0 });
    let layer = streak(&flakes, radius, sigma, rng.random_range(-135.0..-45.0));
    // Turned by 180 degrees and laid over once more: flakes that fall the other way.
    let layer = Plane::from_fn(SIDE, |x, y| layer.get(x, y) + layer.get(SIDE - 1 - x, SIDE - 1 - y));
    let pale = image.map_pixels(|pixel| {
        let [red, green, blue] = pixel;
        let bright = 1.5 * (0.299 * red + 0.587 * green + 0.114 * blue) + 0.5;
        pixel.map(|value| kept * value + (1.0 - kept) * value.max(bright))
    });
    pale.map(|plane| plane.zip(&layer, |value, flake| value + flake))
}

/// Adds fog: a cloud, after which all values are scaled down, so that the sum is as bright as the picture was at most.
pub(super) fn fog(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    let (density, decay) = severity.pick([(0.4, 3.0), (0.7, 3.0), (1.0, 2.5), (1.5, 2.0), (2.0, 1.75)]);
    let brightest = image.max();
    let cloud = plasma(decay, rng);
    image.map(|plane| plane.zip(&cloud, |value, fog| (value + density * fog) * brightest / (brightest + density)))
}

/// Draws a fractal cloud in `[0, 1]` by the diamond-square algorithm (Fournier, Fussell & Carpenter, 1982), the edges joined.
///
/// Each halving of the grid divides the random shifts by the square of `decay`: a larger `decay` makes a smoother cloud.
fn plasma(decay: f32, rng: &mut StdRng) -> Plane {
    let mut map = Plane::from_fn(SIDE, |_, _| 0.0);
    let mut shift: f32 = 100.0 * 100.0;
    let mut step = SIDE;
    while step >= 2 {
        let half = step / 2;
        let mut fill = |map: &mut Plane, x: usize, y: usize, around: [(usize, usize); 4]| {
            let sum: f32 = around.iter().map(|&(x, y)| map.get(x % SIDE, y % SIDE)).sum();
            map.set(x, y, sum / 4.0 + rng.random_range(-shift..shift));
        };
        let corners = || (0..SIDE).step_by(step).flat_map(|y| (0..SIDE).step_by(step).map(move |x| (x, y)));
        for (x, y) in corners() {
            fill(&mut map, x + half, y + half, [(x, y), (x + step, y), (x, y + step), (x + step, y + step)]);
        }
        for (x, y) in corners() {
            let (middle_x, middle_y) = (x + half, y + half);
            let above = (middle_x, middle_y + SIDE - step);
            fill(&mut map, middle_x, y, [(x, y), (x + step, y), (middle_x, middle_y), above]);
            let before = (middle_x + SIDE - step, middle_y);
            fill(&mut map, x, middle_y, [(x, y), (x, y + step), (middle_x, middle_y), before]);
        }
        step = half;
        shift /= decay * decay;
    }
    let (min, max) = (map.min(), map.max());
    map.map(|height| (height - min) / (max - min))
}
