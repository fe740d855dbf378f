//! White-box accuracy: each network is attacked through its own gradients, with the true labels.

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use indicatif::ProgressBar;
use shared::attack::{AttackConfig, AttackRun, Goal};
use shared::bundle::{Bundle, Score};
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::{Proportion, l2_distance, linf_distance, median, rank};

use crate::data::Split;
use crate::models::read;

/// How many images go through the network at once.
const BATCH: usize = 100;

/// Which images of a set: all of them, or so many evenly spread over it, and so over its classes.
pub fn spread(len: usize, limit: Option<usize>) -> Vec<usize> {
    let count = limit.unwrap_or(len).min(len);
    (0..count).map(|i| i * len / count).collect()
}

/// What became of the images under one attack, or under none.
#[derive(Default)]
struct Tally {
    /// Rank of the true class for each image.
    ranks: Vec<usize>,
    linf: Vec<f32>,
    l2: Vec<f32>,
}

impl Tally {
    fn at(&self, k: usize) -> Proportion {
        let hits = self.ranks.iter().filter(|&&rank| rank < k).count();
        Proportion { hits, of: self.ranks.len() }
    }

    fn score(&self, set: &str, attack: Option<&AttackConfig>, clean: &Tally) -> Score {
        let right = |ranks: &[usize], i: usize| ranks[i] == 0;
        let of = clean.at(1).hits;
        let fooled = (0..self.ranks.len()).filter(|&i| right(&clean.ranks, i) && !right(&self.ranks, i)).count();
        Score {
            set: set.into(),
            attack: attack.cloned(),
            top1: self.at(1),
            top1_interval: self.at(1).wilson_interval(),
            top5: self.at(5),
            success: attack.map(|_| Proportion { hits: fooled, of }),
            median_linf: attack.and_then(|_| median(&self.linf)),
            median_l2: attack.and_then(|_| median(&self.l2)),
        }
    }
}

/// Scores `bundle` on the images `indices` of `split`, clean and under each of `attacks`.
///
/// # Errors
/// When there are no images, or the device fails or computes something that is not a number.
pub fn evaluate(
    bundle: &Bundle,
    split: &Split,
    indices: &[usize],
    attacks: &[AttackConfig],
    device: &Device,
    bar: &ProgressBar,
) -> Result<Vec<Score>> {
    ensure!(!indices.is_empty(), "there are no images to evaluate on");
    let mut clean = Tally::default();
    let mut attacked: Vec<Tally> = attacks.iter().map(|_| Tally::default()).collect();
    for batch in indices.chunks(BATCH) {
        let pictures = batch
            .iter()
            .map(|&index| Picture::from_rgb8(split.image(index).to_vec()))
            .collect::<Result<Vec<_>, _>>()?;
        let labels: Vec<usize> = batch.iter().map(|&index| split.label(index)).collect();
        let images = pictures_to_tensor(&pictures, device);
        let pixels = read(images.clone())?;
        add_ranks(&mut clean, bundle, images.clone(), &labels)?;
        for (attack, tally) in attacks.iter().zip(&mut attacked) {
            let targets = labels.iter().map(|&label| label as i64).collect::<Vec<_>>();
            let targets = Tensor::from_data(TensorData::new(targets, [batch.len()]), device);
            let adversarial = AttackRun::new(attack, images.clone(), targets, Goal::Untargeted)?.finish(&bundle.model);
            let moved = read(adversarial.clone())?;
            let size = pixels.len() / batch.len();
            for (a, b) in pixels.chunks_exact(size).zip(moved.chunks_exact(size)) {
                tally.linf.push(linf_distance(a, b));
                tally.l2.push(l2_distance(a, b));
            }
            add_ranks(tally, bundle, adversarial, &labels)?;
        }
        bar.inc(batch.len() as u64);
    }
    let mut scores = vec![clean.score("validation", None, &clean)];
    scores.extend(attacks.iter().zip(&attacked).map(|(attack, tally)| tally.score("validation", Some(attack), &clean)));
    Ok(scores)
}

fn add_ranks(tally: &mut Tally, bundle: &Bundle, images: Tensor<4>, labels: &[usize]) -> Result<()> {
    let logits = read(bundle.model.forward(images))?;
    ensure!(
        logits.iter().all(|logit| logit.is_finite()),
        "{} computed something that is not a number",
        bundle.card.name
    );
    let classes = logits.len().checked_div(labels.len()).context("an empty batch")?;
    tally.ranks.extend(logits.chunks_exact(classes).zip(labels).map(|(row, &label)| rank(row, label)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_takes_images_from_all_over_the_set() {
        assert_eq!(spread(10, Some(5)), [0, 2, 4, 6, 8]);
        assert_eq!(spread(3, None), [0, 1, 2]);
        assert_eq!(spread(3, Some(9)), [0, 1, 2]);
    }

    #[test]
    fn success_counts_only_images_that_were_right_before() {
        let clean = Tally { ranks: vec![0, 0, 3, 0], ..Tally::default() };
        let after = Tally { ranks: vec![0, 2, 0, 7], linf: vec![0.1; 4], l2: vec![1.0, 2.0, 3.0, 4.0] };
        let score = after.score("validation", Some(&AttackConfig::fgsm(0.1)), &clean);
        assert_eq!(score.top1, Proportion { hits: 2, of: 4 });
        assert_eq!(score.success, Some(Proportion { hits: 2, of: 3 }));
        assert_eq!(score.median_l2, Some(2.5));
    }
}
