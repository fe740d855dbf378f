//! Perturbations of the real world: the paper's seven families, drawn from a seed and applied to a batch on its device.
//!
//! The order is fixed: affine, flips, rotation and perspective (composed into one resampling, so that a picture is
//! blurred once and not four times), then grayscale, then colour jitter. Each transform alone is torchvision's, with bilinear
//! resampling and black outside the picture.

mod color;
mod geometry;
#[cfg(test)]
mod tests;
mod warp;

use burn::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

pub use color::ColorChange;
pub use geometry::Projective;
pub use terms::perturb::{Affine, ColorJitter, Flip, Grayscale, Perspective, PerturbError, Perturbations, Rotation};

use crate::seed;

/// The perturbation that was drawn for a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Map of positions; the identity by default.
    pub geometry: Projective,
    /// Change of colours; none by default.
    pub color: ColorChange,
}

/// Draws the perturbation of picture number `number` under `seed`: the same on every device and in every batch.
pub fn draw(perturbations: &Perturbations, seed: u64, number: u64) -> Drawn {
    let rng = &mut StdRng::seed_from_u64(seed::derive(seed, number, seed::Purpose::Perturbation));
    // Without `..`, so that a family that is never drawn fails to compile.
    let Perturbations {
        affine: shift,
        grayscale,
        horizontal_flip,
        vertical_flip,
        rotation: turn,
        perspective: tilt,
        color_jitter: jitter,
    } = perturbations;
    let mut geometry = Projective::default();
    let mut add = |next: Option<Projective>| geometry = next.map_or(geometry, |next| geometry.then(next));
    add(affine(shift, rng));
    add(rng.random_bool(horizontal_flip.probability).then(Projective::horizontal_flip));
    add(rng.random_bool(vertical_flip.probability).then(Projective::vertical_flip));
    add(rotation(turn, rng));
    add(perspective(tilt, rng));
    let grayscale = rng.random_bool(grayscale.probability);
    Drawn { geometry, color: ColorChange { grayscale, ..color_jitter(jitter, rng) } }
}

fn affine(settings: &Affine, rng: &mut impl Rng) -> Option<Projective> {
    // Drawn even if unused, so that the probability of one family does not change the draws of the next.
    let (used, side) = (rng.random_bool(settings.probability), crate::image::SIDE as f64);
    let mut within = |most: f64| rng.random_range(-most..=most);
    // Whole pixels, as in torchvision.
    let shift = [within(settings.translate * side).round(), within(settings.translate * side).round()];
    let shear = [within(settings.shear), 0.0];
    let scale = rng.random_range(settings.scale[0]..=settings.scale[1]);
    used.then(|| Projective::affine(0.0, shift, scale, shear))
}

fn rotation(settings: &Rotation, rng: &mut impl Rng) -> Option<Projective> {
    let (used, degrees) =
        (rng.random_bool(settings.probability), rng.random_range(-settings.degrees..=settings.degrees));
    used.then(|| Projective::rotation(degrees))
}

fn perspective(settings: &Perspective, rng: &mut impl Rng) -> Option<Projective> {
    let (used, side) = (rng.random_bool(settings.probability), crate::image::SIDE as i64);
    let reach = (settings.distortion * (side / 2) as f64) as i64;
    let mut near = || rng.random_range(0..=reach) as f64;
    let last = (side - 1) as f64;
    let corners = [[near(), near()], [last - near(), near()], [last - near(), last - near()], [near(), last - near()]];
    used.then(|| Projective::perspective(corners))
}

fn color_jitter(settings: &ColorJitter, rng: &mut impl Rng) -> ColorChange {
    let used = rng.random_bool(settings.probability);
    let mut factor = |strength: f64| rng.random_range((1.0 - strength).max(0.0)..=1.0 + strength) as f32;
    let (brightness, contrast, saturation) =
        (factor(settings.brightness), factor(settings.contrast), factor(settings.saturation));
    let hue = rng.random_range(-settings.hue..=settings.hue) as f32;
    if used { ColorChange { grayscale: false, brightness, contrast, saturation, hue } } else { ColorChange::default() }
}

/// Perturbs images, each by its entry of `drawn`.
///
/// # Shapes
///
/// - `images`: `[batch, 3, height, width]` in `[0, 1]`, square, on any device; geometry is scaled to their side
/// - output: the same
///
/// # Panics
///
/// If `drawn` has not one entry for each image.
pub fn perturb(images: Tensor<4>, drawn: &[Drawn]) -> Tensor<4> {
    assert_eq!(images.dims()[0], drawn.len(), "one draw for each image");
    let (geometry, colors): (Vec<_>, Vec<_>) = drawn.iter().map(|&Drawn { geometry, color }| (geometry, color)).unzip();
    color::recolor(warp::warp(images, &geometry), &colors)
}
