//! Perturbations of the real world: the paper's seven families, drawn from a seed and applied to a batch on its device.
//!
//! The order is fixed: affine, flips, rotation and perspective (composed into one resampling, so that a picture is
//! blurred once and not four times), then grayscale, then colour jitter. Each transform for itself is torchvision's, with
//! bilinear resampling and black where there was no picture.

mod color;
mod config;
mod geometry;
#[cfg(test)]
mod tests;
mod warp;

use burn::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

pub use color::ColorChange;
pub use config::{Affine, ColorJitter, Flip, Grayscale, Perspective, PerturbError, Perturbations, Rotation};
pub use geometry::Projective;

use crate::seed;

/// What happens to one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawn {
    pub geometry: Projective,
    pub color: ColorChange,
}

impl Perturbations {
    /// What happens to picture number `number` under `seed`: the same on every device and in every batch.
    pub fn draw(&self, seed: u64, number: u64) -> Drawn {
        let rng = &mut StdRng::seed_from_u64(seed::derive(seed, number, seed::Purpose::Perturbation));
        let mut geometry = Projective::default();
        let mut add = |next: Option<Projective>| geometry = next.map_or(geometry, |next| geometry.then(next));
        add(self.affine.draw(rng));
        add(rng.random_bool(self.horizontal_flip.probability).then(Projective::horizontal_flip));
        add(rng.random_bool(self.vertical_flip.probability).then(Projective::vertical_flip));
        add(self.rotation.draw(rng));
        add(self.perspective.draw(rng));
        let grayscale = rng.random_bool(self.grayscale.probability);
        Drawn { geometry, color: ColorChange { grayscale, ..self.color_jitter.draw(rng) } }
    }
}

impl Affine {
    fn draw(&self, rng: &mut impl Rng) -> Option<Projective> {
        // Drawn even if unused, so that the probability of one family does not change the draws of the next.
        let (used, side) = (rng.random_bool(self.probability), crate::image::SIDE as f64);
        let mut within = |most: f64| rng.random_range(-most..=most);
        // Whole pixels, as in torchvision.
        let shift = [within(self.translate * side).round(), within(self.translate * side).round()];
        let shear = [within(self.shear), 0.0];
        let scale = rng.random_range(self.scale[0]..=self.scale[1]);
        used.then(|| Projective::affine(0.0, shift, scale, shear))
    }
}

impl Rotation {
    fn draw(&self, rng: &mut impl Rng) -> Option<Projective> {
        let (used, degrees) = (rng.random_bool(self.probability), rng.random_range(-self.degrees..=self.degrees));
        used.then(|| Projective::rotation(degrees))
    }
}

impl Perspective {
    fn draw(&self, rng: &mut impl Rng) -> Option<Projective> {
        let (used, side) = (rng.random_bool(self.probability), crate::image::SIDE as i64);
        let reach = (self.distortion * (side / 2) as f64) as i64;
        let mut near = || rng.random_range(0..=reach) as f64;
        let last = (side - 1) as f64;
        let corners =
            [[near(), near()], [last - near(), near()], [last - near(), last - near()], [near(), last - near()]];
        used.then(|| Projective::perspective(corners))
    }
}

impl ColorJitter {
    fn draw(&self, rng: &mut impl Rng) -> ColorChange {
        let used = rng.random_bool(self.probability);
        let mut factor = |strength: f64| rng.random_range((1.0 - strength).max(0.0)..=1.0 + strength) as f32;
        let (brightness, contrast, saturation) =
            (factor(self.brightness), factor(self.contrast), factor(self.saturation));
        let hue = rng.random_range(-self.hue..=self.hue) as f32;
        if used {
            ColorChange { grayscale: false, brightness, contrast, saturation, hue }
        } else {
            ColorChange::default()
        }
    }
}

/// The images perturbed, each as its `drawn` says.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]` in `[0, 1]`, square, on any device; geometry is scaled to their side
/// - output: the same
///
/// # Panics
///
/// When there is not one `drawn` for each image.
pub fn perturb(images: Tensor<4>, drawn: &[Drawn]) -> Tensor<4> {
    assert_eq!(images.dims()[0], drawn.len(), "one draw for each image");
    let geometry: Vec<_> = drawn.iter().map(|drawn| drawn.geometry).collect();
    let colors: Vec<_> = drawn.iter().map(|drawn| drawn.color).collect();
    color::recolor(warp::warp(images, &geometry), &colors)
}
