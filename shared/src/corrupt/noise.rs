//! Noise of sensor and transmission. Every value is drawn independently, so the noise is coloured.

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Poisson, StandardNormal};

use super::{Severity, rgb::Rgb};

/// Adds normally distributed noise.
pub(super) fn gaussian(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    let deviation = severity.pick([0.04, 0.08, 0.12, 0.15, 0.18]);
    image.map_values(|value| value + deviation * rng.sample::<f32, _>(StandardNormal))
}

/// Replaces each value by a Poisson-distributed count of photons, of which a white pixel gets `photons` on average.
pub(super) fn shot(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    let photons = severity.pick([250.0, 100.0, 50.0, 30.0, 15.0]);
    image.map_values(|value| match Poisson::new(f64::from(value) * photons) {
        Ok(poisson) => (poisson.sample(rng) / photons) as f32,
        // Black is refused: a Poisson distribution has a mean above 0.
        Err(_) => value,
    })
}

/// Sets a share of the values to 0 or 1, with equal probability.
pub(super) fn impulse(image: &Rgb, severity: Severity, rng: &mut StdRng) -> Rgb {
    let share = severity.pick([0.01, 0.02, 0.05, 0.08, 0.14]);
    image.map_values(|value| {
        if rng.random::<f32>() >= share {
            value
        } else if rng.random() {
            1.0
        } else {
            0.0
        }
    })
}
