//! Checks that an attack survives in a picture file: 8 bits a channel.

use std::rc::Rc;

use anyhow::Result;
use shared::attack::{BIM_STEPS, ThreatModel};
use shared::image::{Picture, pictures_to_tensor};
use shared::metrics::Proportion;

use super::Finding;
use super::chance::exceeds;
use super::checked_model::{CheckedModel, TrialOutcome};
use crate::data::IMAGE_BYTES;
use crate::evaluate::{GRADIENT, logits};
use crate::models::read;

/// Passes of each image: BIM anew, since a trial keeps no pictures, and one for the file.
pub const PASSES: u64 = BIM_STEPS as u64 * GRADIENT + 2;
/// Largest share of the fooled images that may be classified correctly again.
const LOST: f64 = 0.1;

/// Compares BIM's success on its images as they are and as PNG files.
pub fn png(model: &CheckedModel<'_>, outcomes: &[Rc<TrialOutcome>]) -> Result<Finding> {
    // A little below 1: 1/255 as f32 times 255 may be less than 1.
    if model.plan.epsilon * 255.0 < 0.999 {
        return Ok(Finding::skipped("not measurable: epsilon is less than a level of 8 bits"));
    }
    let trial = model.plan.bim(model.plan.epsilon);
    let batches = model.each_batch("png", PASSES, |bundle, batch| {
        let (mut exact, mut rounded) = (TrialOutcome::default(), TrialOutcome::default());
        let attacked = batch.attacked(&batch.images, &trial, bundle)?.images;
        let mut files = Vec::with_capacity(batch.pictures.len());
        for (values, original) in read(attacked.clone())?.chunks_exact(IMAGE_BYTES).zip(&batch.pictures) {
            let picture = Picture::from_attacked(values, original, &ThreatModel::linf(model.plan.epsilon))?;
            files.push(Picture::decode(&picture.encode_png()?)?);
        }
        let written = pictures_to_tensor(&files, &batch.images.device());
        exact.add(&logits(bundle, attacked)?, &batch.labels);
        rounded.add(&logits(bundle, written)?, &batch.labels);
        Ok((exact.right, rounded.right))
    })?;
    let (exact, rounded): (Vec<_>, Vec<_>) = batches.into_iter().unzip();
    Ok(judge_png(&outcomes[0].right, &exact.concat(), &rounded.concat()))
}

fn judge_png(clean: &[bool], exact: &[bool], rounded: &[bool]) -> Finding {
    let seen = clean.iter().filter(|&&right| right).count();
    let fooled = |after: &[bool]| clean.iter().zip(after).filter(|&(&clean, &after)| clean && !after).count();
    let lost = clean.iter().zip(exact).zip(rounded).filter(|&((&clean, &exact), &rounded)| clean && !exact && rounded);
    let lost = Proportion { hits: lost.count(), of: fooled(exact) };
    if lost.of == 0 {
        return Finding::skipped("not measurable: BIM fools no image");
    }
    let percent = |fooled: usize| 100.0 * fooled as f64 / seen as f64;
    let figure = format!(
        "BIM's success {:.1}%, as PNG {:.1}%: {} of {} fooled are lost",
        percent(fooled(exact)),
        percent(fooled(rounded)),
        lost.hits,
        lost.of
    );
    Finding::new(!exceeds(lost, LOST), figure, "10% lost, within the interval")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict::{Fail, Pass, Skipped};

    #[test]
    fn an_attack_that_rounding_undoes_fails() {
        let right = |from: usize| (0..100).map(|index| index >= from && index < 60).collect::<Vec<_>>();
        let judge = |exact, rounded| judge_png(&right(0), &right(exact), &right(rounded));
        let finding = judge(50, 48);
        assert_eq!(finding.verdict, Pass);
        assert_eq!(finding.figure, "BIM's success 83.3%, as PNG 80.0%: 2 of 50 fooled are lost");
        assert_eq!(judge(50, 30).verdict, Fail);
        assert_eq!(judge(0, 0).verdict, Skipped);
    }
}
