//! Pictures that detectors are trained on: untouched, harmlessly changed, and attacked.

use anyhow::Result;
use burn::prelude::*;
use shared::attack::{AttackRun, Ball, Goal, Norm, ThreatModel};
use shared::image::{Picture, pictures_to_tensor};
use shared::model::Classifier;
use shared::perturb::{Perturbations, draw, perturb};
use shared::seed::{Purpose, derive};

use super::recipe::DetectorRecipe;
use crate::data::Split;

/// Kind of a training picture, in the order of the classes of `shared::detect::MapHead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variety {
    /// As it was.
    Untouched,
    /// Under noise or a perturbation.
    Changed,
    /// Attacked in one step.
    OneStep,
    /// Attacked in several steps.
    Iterative,
}

impl Variety {
    /// Returns whether an alarm is right.
    pub fn is_attack(self) -> bool {
        matches!(self, Self::OneStep | Self::Iterative)
    }
}

/// Returns the pictures `indices` of `split` as a tensor, `[N, 3, 64, 64]`.
///
/// # Errors
/// When a picture has another size.
pub fn load(split: &Split, indices: &[usize], device: &Device) -> Result<Tensor<4>> {
    let pictures = indices.iter().map(|&index| Picture::from_rgb8(split.image(index).to_vec()));
    Ok(pictures_to_tensor(&pictures.collect::<Result<Vec<_>, _>>()?, device))
}

/// Rounds pictures to 8 bits, as files hold them.
pub fn in_8_bits(images: Tensor<4>) -> Tensor<4> {
    images.mul_scalar(255.0).round().div_scalar(255.0)
}

/// Makes all varieties of pictures, `[N, 3, 64, 64]`, each of `N` rows. `first` is the number of the first picture, which decides
/// radii and draws.
///
/// # Errors
/// When an attack cannot be run.
pub fn varieties(
    recipe: &DetectorRecipe,
    model: &Classifier,
    images: &Tensor<4>,
    first: usize,
) -> Result<Vec<(Variety, Tensor<4>)>> {
    let [count, ..] = images.dims();
    let mut made = vec![(Variety::Untouched, images.clone())];
    // Each batch has the next of the radii.
    let batch = first / count.max(1);
    let radius = |place: usize| recipe.epsilons[(batch + place) % recipe.epsilons.len()].value();
    let seed = derive(recipe.seed, first as u64, Purpose::CraftedStarts);
    if recipe.harmless {
        for (place, corner) in [(0, false), (1, true)] {
            made.push((Variety::Changed, noise(images, radius(place), seed, corner)));
        }
        let perturbations = Perturbations::default();
        let drawn: Vec<_> = (0..count).map(|place| draw(&perturbations, recipe.seed, (first + place) as u64)).collect();
        made.push((Variety::Changed, perturb(images.clone(), &drawn)));
    }
    let labels: Tensor<1, Int> = model.forward(images.clone()).argmax(1).reshape([count]);
    for (place, attack) in recipe.attacks.iter().enumerate() {
        let config = attack.config(radius(place), seed);
        let attacked = AttackRun::new(&config, images.clone(), labels.clone(), Goal::Untargeted)?.finish(model);
        let variety = if attack.steps > 1 { Variety::Iterative } else { Variety::OneStep };
        made.push((variety, attacked));
    }
    Ok(made.into_iter().map(|(variety, images)| (variety, in_8_bits(images))).collect())
}

/// Returns images under noise within `epsilon` in L-infinity: uniform, or of the largest size with random signs.
pub fn noise(images: &Tensor<4>, epsilon: f32, seed: u64, corner: bool) -> Tensor<4> {
    let ball = Ball::new(images.clone(), ThreatModel { norm: Norm::Linf, epsilon, channel_scale: [1.0; 3] });
    if corner { ball.random_corner(seed) } else { ball.random_start(seed) }
}
