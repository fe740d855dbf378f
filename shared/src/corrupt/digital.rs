//! Digital corruptions: brightness, contrast, elastic warping and pixelation. JPEG has its own file.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::StdRng;

use super::Severity;
use super::plane::{Border, Plane};
use super::rgb::Rgb;
use crate::image::SIDE;

/// Raises the value of HSV, which is the largest of red, green and blue; hue and saturation stay.
pub(super) fn brightness(image: &Rgb, severity: Severity) -> Rgb {
    let raise = severity.pick([0.1, 0.2, 0.3, 0.4, 0.5]);
    image.map_pixels(|pixel| {
        let value = pixel.into_iter().fold(0.0, f32::max);
        let raised = (value + raise).min(1.0);
        // At the same hue and saturation all three channels are proportional to the value. Black has neither hue nor
        // saturation, and becomes grey.
        if value > 0.0 { pixel.map(|channel| channel * (raised / value)) } else { [raised; 3] }
    })
}

/// Draws each channel towards its mean.
pub(super) fn contrast(image: &Rgb, severity: Severity) -> Rgb {
    let kept = severity.pick([0.4, 0.3, 0.2, 0.1, 0.05]);
    image.map(|plane| {
        let mean = plane.mean();
        plane.map(|value| (value - mean) * kept + mean)
    })
}

/// Warps the picture by a random affine map, then by smoothed random shifts of each pixel.
pub(super) fn elastic(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    // Length of the shifts, sigma of their smoothing, and largest move of a corner by the affine map. In picture sides.
    let (length, sigma, jitter) =
        severity.pick([(0.0, 0.0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)]);
    let [length, sigma, jitter] = [length, sigma, jitter].map(|share| share * SIDE as f32);
    let before = affine(jitter, rng);
    let warped = image.map(|plane| {
        Plane::from_fn(SIDE, |x, y| {
            let [x, y] = before(x as f32, y as f32);
            plane.sample(x, y, Border::Mirror)
        })
    });
    let mut shifts = || {
        let noise = Plane::from_fn(SIDE, |_, _| rng.random_range(-1.0..1.0));
        noise.gaussian_blur(sigma, 3.0, Border::Reflect).map(|shift| shift * length)
    };
    let (across, down) = (shifts(), shifts());
    warped.map(|plane| {
        Plane::from_fn(SIDE, |x, y| {
            plane.sample(x as f32 + across.get(x, y), y as f32 + down.get(x, y), Border::Reflect)
        })
    })
}

/// Draws the affine map that moves three corners of the inner square, a third of the picture to either side of its centre, by
/// up to `jitter` pixels each way, and returns the map's inverse: from a pixel of the result to its source.
fn affine(jitter: f32, rng: &mut StdRng) -> impl Fn(f32, f32) -> [f32; 2] + use<> {
    let (centre, reach) = ((SIDE / 2) as f32, (SIDE / 3) as f32);
    let from = [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]].map(|corner| corner.map(|sign: f32| centre + sign * reach));
    let to = from.map(|corner| corner.map(|position| position + rng.random_range(-jitter..jitter)));
    let sides = |[a, b, c]: [[f32; 2]; 3]| [[b[0] - a[0], b[1] - a[1]], [c[0] - a[0], c[1] - a[1]]];
    let ([u, v], [p, q]) = (sides(to), sides(from));
    let area = u[0] * v[1] - u[1] * v[0];
    move |x, y| {
        // Coordinates along two sides of the moved triangle; along the sides of the original triangle they give the source.
        let [dx, dy] = [x - to[0][0], y - to[0][1]];
        let [along_u, along_v] = [(dx * v[1] - dy * v[0]) / area, (u[0] * dy - u[1] * dx) / area];
        [0, 1].map(|axis| from[0][axis] + along_u * p[axis] + along_v * q[axis])
    }
}

/// Scales the picture down and up again, each time with Pillow's box filter.
pub(super) fn pixelate(image: &Rgb, severity: Severity) -> Rgb {
    let side = severity.pick([57, 51, 44, 38, 32]);
    image.map(|plane| {
        let levels = plane.map(|value| (value * 255.0).round());
        box_resize(&box_resize(&levels, side), SIDE).map(|level| level / 255.0)
    })
}

/// Resizes to `side` x `side` pixels: means of whole pixels, rounded to whole levels after the rows and after the columns.
fn box_resize(levels: &Plane, side: usize) -> Plane {
    let windows: Vec<_> = (0..side).map(|i| window(i, levels.side(), side)).collect();
    let mean = |window: &Range<usize>, level: &dyn Fn(usize) -> f32| {
        let sum: f32 = window.clone().map(level).sum();
        (sum / window.len() as f32 + 0.5).floor()
    };
    Plane::from_fn(side, |x, y| mean(&windows[y], &|y| mean(&windows[x], &|x| levels.get(x, y))))
}

/// Returns the pixels of `from` whose centres pixel `i` of `to` covers, at least one.
fn window(i: usize, from: usize, to: usize) -> Range<usize> {
    let scale = from as f64 / to as f64;
    let centre = (i as f64 + 0.5) * scale;
    let reach = scale.max(1.0) / 2.0;
    // A centre on the upper edge counts, one on the lower edge does not.
    let first_beyond = |edge: f64| ((edge - 0.5).floor() + 1.0).max(0.0) as usize;
    first_beyond(centre - reach)..first_beyond(centre + reach).min(from)
}
