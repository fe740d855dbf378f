//! Frost on a window, drawn: the benchmark lays photographs over the picture, which this repository may not ship.

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::StandardNormal;

use super::Severity;
use super::plane::{Border, Plane, sine_and_cosine};
use super::rgb::Rgb;
use crate::image::SIDE;

/// Shares of red, green and blue in the colour of ice.
const TINT: [f32; 3] = [0.88, 0.97, 1.0];
/// Number of feathers of ice in a picture.
const FEATHERS: usize = 14;
/// Angle of the side branches: that of the hexagonal crystals of ice.
const BRANCH_DEGREES: f32 = 60.0;

/// Adds frost to the picture, with weights that sum to more than 1, so that the picture also brightens.
pub(super) fn frost(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    let (kept, added) = severity.pick([(1.0, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)]);
    let ice = window(rng);
    let mut tints = TINT.into_iter();
    image.map(|plane| {
        let tint = tints.next().unwrap_or(1.0);
        plane.zip(&ice, |value, ice| kept * value + added * (tint * ice).min(1.0))
    })
}

/// Draws the brightness of a frozen window in `[0, 1]`: uneven rime, feathers of ice, and grain.
fn window(rng: &mut StdRng) -> Plane {
    let rime = stretch(&noise(rng).gaussian_blur(8.0, 3.0, Border::Reflect));
    let grain = noise(rng).gaussian_blur(0.6, 3.0, Border::Reflect);
    let mut ice = Plane::from_fn(SIDE, |_, _| 0.0);
    for _ in 0..FEATHERS {
        let side = SIDE as f32;
        let root = [rng.random_range(0.0..side), rng.random_range(0.0..side)];
        let (degrees, length) = (rng.random_range(0.0..360.0), rng.random_range(0.3..0.8) * side);
        feather(&mut ice, root, degrees, length, rng);
    }
    let ice = ice.map(|amount| 1.0 - (-f64::from(amount)).exp() as f32);
    let frozen = rime.zip(&ice, |rime, ice| 0.15 + 0.35 * rime + ice * (0.3 + 0.4 * rime));
    frozen.zip(&grain, |brightness, grain| (brightness * (1.0 + 0.15 * grain)).clamp(0.0, 1.0))
}

/// Draws a needle of `length` pixels from `root`, with ever shorter needles to either side.
fn feather(ice: &mut Plane, root: [f32; 2], degrees: f32, length: f32, rng: &mut StdRng) {
    const SHORTEST: f32 = 2.0;
    let [sine, cosine] = sine_and_cosine(degrees);
    let along = |distance: f32| [root[0] + cosine * distance, root[1] + sine * distance];
    let density = rng.random_range(0.2..0.9);
    for half_pixel in 0..=(2.0 * length) as usize {
        deposit(ice, along(half_pixel as f32 / 2.0), density);
    }
    // Uneven distances, or the branches of neighbouring feathers make a lattice.
    let mut distance = rng.random_range(1.0..4.0);
    while distance < length {
        for turn in [-BRANCH_DEGREES, BRANCH_DEGREES] {
            let shorter = rng.random_range(0.2..0.55) * (length - distance);
            if shorter >= SHORTEST {
                let bend = rng.random_range(-8.0..8.0);
                feather(ice, along(distance), degrees + turn + bend, shorter, rng);
            }
        }
        distance += rng.random_range(2.0..5.0);
    }
}

/// Adds `amount` at a place between pixels, spread over the four pixels around the place; pixels off the picture are dropped.
fn deposit(ice: &mut Plane, [x, y]: [f32; 2], amount: f32) {
    let (left, top) = (x.floor(), y.floor());
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let (column, row) = (left + dx, top + dy);
        let within = |position: f32| (0.0..SIDE as f32).contains(&position);
        if within(column) && within(row) {
            let share = (1.0 - (x - column).abs()) * (1.0 - (y - row).abs());
            let (column, row) = (column as usize, row as usize);
            ice.set(column, row, ice.get(column, row) + share * amount);
        }
    }
}

fn noise(rng: &mut StdRng) -> Plane {
    Plane::from_fn(SIDE, |_, _| rng.sample(StandardNormal))
}

/// Rescales a plane to the range 0 to 1.
fn stretch(plane: &Plane) -> Plane {
    let (min, max) = (plane.min(), plane.max());
    plane.map(|value| (value - min) / (max - min))
}
