//! Blur of the lens, of frosted glass, of a moving and of an approaching camera.

use rand::RngExt;
use rand::rngs::StdRng;

use super::Severity;
use super::plane::{Border, Plane, gaussian, sine_and_cosine};
use super::rgb::{Rgb, truncate_to_byte};
use crate::image::SIDE;

/// Blurs as a lens out of focus: the mean over a disk, whose edge a 3x3 Gaussian softens.
pub(super) fn defocus(image: &Rgb, severity: Severity) -> Rgb {
    let (radius, softness) = severity.pick([(0.5, 0.6), (1.0, 0.1), (1.5, 0.1), (2.5, 0.01), (3.0, 0.1)]);
    let taps = disk(radius, softness);
    image.map(|plane| {
        Plane::from_fn(SIDE, |x, y| {
            let tap = |&(dx, dy, weight)| weight * plane.at(x as isize + dx, y as isize + dy, Border::Mirror);
            taps.iter().map(tap).sum()
        })
    })
}

/// Returns offsets and weights (which sum to 1) of a disk of `radius` pixels, blurred by 3x3 pixels of a Gaussian.
fn disk(radius: f32, softness: f32) -> Vec<(isize, isize, f32)> {
    let inside = |x: isize, y: isize| (x * x + y * y) as f32 <= radius * radius;
    let reach = radius.ceil() as isize + 1;
    let shares = [-1, 0, 1].map(|i| (i, gaussian(i as f32, softness)));
    let mut taps = Vec::new();
    for y in -reach..=reach {
        for x in -reach..=reach {
            let neighbours = shares.iter().flat_map(|row| shares.iter().map(move |column| (row, column)));
            let weight: f32 =
                neighbours.filter(|((dy, _), (dx, _))| inside(x + dx, y + dy)).map(|((_, a), (_, b))| a * b).sum();
            // Far from the edge a narrow Gaussian underflows; taps that add nothing are dropped.
            if weight > f32::EPSILON {
                taps.push((x, y, weight));
            }
        }
    }
    let total: f32 = taps.iter().map(|(_, _, weight)| weight).sum();
    taps.iter_mut().for_each(|(_, _, weight)| *weight /= total);
    taps
}

/// Blurs as frosted glass: pixels take the colours of random neighbours, between two slight Gaussian blurs.
pub(super) fn glass(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    let (sigma, reach, rounds) = severity.pick([(0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)]);
    let blurred = |image: &Rgb| image.map(|plane| plane.gaussian_blur(sigma, 4.0, Border::Nearest));
    let mut shuffled = blurred(image).map_values(|value| f32::from(truncate_to_byte(value)) / 255.0);
    for _ in 0..rounds {
        for y in (reach + 1..=SIDE - reach).rev() {
            for x in (reach + 1..=SIDE - reach).rev() {
                let mut shifted = |from: usize| from + rng.random_range(0..2 * reach) - reach;
                let (from_x, from_y) = (shifted(x), shifted(y));
                // The reference is meant to swap the two pixels, but reads the second through a view of the first, which is
                // overwritten by then. So the reference's pictures hold copies, and so do these.
                shuffled.0.iter_mut().for_each(|plane| plane.set(x, y, plane.get(from_x, from_y)));
            }
        }
    }
    blurred(&shuffled)
}

/// Blurs as a camera that moves sideways, at most 45 degrees up or down.
pub(super) fn motion(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    let (radius, sigma) = severity.pick([(10, 1.0), (10, 1.5), (10, 2.0), (10, 2.5), (12, 3.0)]);
    let degrees = rng.random_range(-45.0..45.0);
    image.map(|plane| streak(plane, radius, sigma, degrees))
}

/// Blurs as ImageMagick's motion blur: each pixel is the mean of the pixels in the direction of `degrees` (clockwise from the
/// right), weighted by one half of a Gaussian; the kernel has 2 `radius` + 1 pixels. Returns whole levels.
pub(super) fn streak(plane: &Plane, radius: usize, sigma: f32, degrees: f32) -> Plane {
    let [sine, cosine] = sine_and_cosine(degrees);
    let weights: Vec<f32> = (0..=2 * radius).map(|i| gaussian(i as f32, sigma)).collect();
    let total: f32 = weights.iter().sum();
    let offset = |i: usize, direction: f32| (i as f32 * direction - 0.5).ceil() as isize;
    let taps: Vec<_> =
        weights.iter().enumerate().map(|(i, weight)| (offset(i, cosine), offset(i, sine), weight / total)).collect();
    Plane::from_fn(plane.side(), |x, y| {
        let tap = |&(dx, dy, weight)| weight * plane.at(x as isize + dx, y as isize + dy, Border::Nearest);
        let mean: f32 = taps.iter().map(tap).sum();
        // ImageMagick rounds to 16 bits and then drops the lower byte.
        let byte = (mean.clamp(0.0, 1.0) * 65535.0).round() as u32 / 257;
        byte as f32 / 255.0
    })
}

/// Blurs as a camera that approaches: the mean of the picture and of its enlargements in steps of 1%.
pub(super) fn zoom(image: &Rgb, severity: Severity) -> Rgb {
    // Lengths of `numpy.arange(1, stop, 0.01)`, which holds the stop itself where rounding adds it: 1.06 and 1.11 are in;
    // 1.16, 1.21 and 1.26 are not.
    let enlargements = severity.pick([7, 12, 16, 21, 26]);
    image.map(|plane| {
        // The picture itself counts twice: once unchanged and once enlarged by 0%.
        let mut sum = plane.clone();
        for percent in 0..enlargements {
            sum = sum.zip(&plane.clipped_zoom(1.0 + percent as f32 / 100.0), |sum, value| sum + value);
        }
        sum.map(|sum| sum / (enlargements + 1) as f32)
    })
}
