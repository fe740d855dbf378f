//! Checks of an evaluation, which must hold for the attacks and scores of any network, whatever its accuracy, after Carlini et
//! al., *On Evaluating Adversarial Robustness* (2019): an item that fails means that the robust accuracy cannot be believed,
//! because the attack is broken, too weak, or blinded by gradients that lead nowhere.
//!
//! Attacks are run by [`crate::evaluate::Evaluation`], as published scores are. An item names
//! the trials that it compares, and judges in a function of its own, which takes measurements alone: so tests can give it
//! broken ones. Accuracies are compared on the same images, image by image (`chance`).

mod chance;
mod checked_model;
mod controls;
mod gradients;
pub mod report;
mod rounding;
mod strength;
#[cfg(test)]
mod tests;
mod wrapper;

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use serde::Serialize;
use shared::bundle::Bundle;
use shared::metrics::Proportion;

pub use self::checked_model::Subject;
use self::checked_model::{CheckPlan, CheckedModel, Live, TrialOutcome};
use crate::data::Split;
use crate::evaluate::{Evaluation, GRADIENT, Trial};
use crate::kept::Kept;
use crate::progress::{Progress, Stop, Unit};

/// The result of one item on one network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Name of the item, the same for every network.
    pub name: &'static str,
    /// The measurement, or why there is none.
    pub figure: String,
    /// The limit that the figure must keep to.
    pub limit: String,
    /// Whether the figure keeps to the limit.
    pub verdict: Verdict,
    /// The conclusion from a failure.
    pub why: &'static str,
    /// Loss at the start of an attack and after each step, in nats; empty for items that follow no loss.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loss_curve: Vec<f32>,
}

/// The verdict on an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The figure keeps to the limit.
    Pass,
    /// The figure is beyond the limit.
    Fail,
    /// The item is not measurable with these images, networks or settings.
    Skipped,
}

/// A network's checks, and its accuracy without an attack.
pub struct Checked {
    /// Images classified correctly without an attack.
    pub clean: Proportion,
    /// Results in the order of the items.
    pub checks: Vec<Check>,
}

/// The result of an item without its name.
struct Finding {
    figure: String,
    limit: String,
    verdict: Verdict,
    loss_curve: Vec<f32>,
}

impl Finding {
    fn with_curve(self, loss_curve: Vec<f32>) -> Self {
        Self { loss_curve, ..self }
    }

    fn new(passed: bool, figure: impl Into<String>, limit: impl Into<String>) -> Self {
        let verdict = if passed { Verdict::Pass } else { Verdict::Fail };
        Self { figure: figure.into(), limit: limit.into(), verdict, loss_curve: vec![] }
    }

    fn skipped(reason: impl Into<String>) -> Self {
        Self { figure: reason.into(), limit: String::new(), verdict: Verdict::Skipped, loss_curve: vec![] }
    }
}

/// A check of an evaluation.
struct Item {
    name: &'static str,
    why: &'static str,
    /// Whether the item compares accuracies, which mean nothing for a network that is right by chance alone.
    of_accuracy: bool,
    /// Trials that are compared.
    trials: fn(&CheckPlan) -> Vec<Trial>,
    /// Passes of each image through the network besides those of the trials, as [`Trial::work`] counts them.
    passes: u64,
    /// Judges the network by the outcomes of the trials, in their order.
    run: fn(&CheckedModel<'_>, &[Rc<TrialOutcome>]) -> Result<Finding>,
}

impl Item {
    fn check(&self, model: &CheckedModel<'_>) -> Result<Check> {
        let finding = match model.not_measurable()? {
            Some(reason) if self.of_accuracy => Finding::skipped(reason),
            _ => {
                let trials = (self.trials)(&model.plan);
                let outcomes = trials.iter().map(|trial| model.outcome(trial)).collect::<Result<Vec<_>>>()?;
                (self.run)(model, &outcomes)?
            }
        };
        let Finding { figure, limit, verdict, loss_curve } = finding;
        Ok(Check { name: self.name, figure, limit, verdict, why: self.why, loss_curve })
    }
}

/// All items, in the order of a report.
const ITEMS: [Item; 17] = [
    Item {
        name: "epsilon 0 changes nothing",
        why: "else the attack's way to the network is another than the plain one",
        of_accuracy: false,
        trials: wrapper::epsilon_zero_trials,
        passes: 0,
        run: wrapper::epsilon_zero,
    },
    Item {
        name: "attacks keep to the ball",
        why: "else they do more than epsilon allows, or show the network what is no picture",
        of_accuracy: false,
        trials: CheckPlan::attacks,
        passes: 0,
        run: wrapper::ball,
    },
    Item {
        name: "logits are the image's own",
        why: "else images of a batch influence each other (batch norm in training mode), or an accuracy cannot be repeated",
        of_accuracy: false,
        trials: |_| vec![],
        passes: 0,
        run: wrapper::logits_alone,
    },
    Item {
        name: "logits are no probabilities",
        why: "else softmax is taken twice: the loss is nearly flat, and attacks that follow the loss are far too weak",
        of_accuracy: false,
        trials: |_| vec![],
        passes: 0,
        run: wrapper::logits_not_probabilities,
    },
    Item {
        name: "BIM is as strong as FGSM",
        why: "else the steps go astray: masked gradients, a wrong projection or step size",
        of_accuracy: true,
        trials: |plan| vec![plan.fgsm(), plan.bim(plan.epsilon)],
        passes: 0,
        run: strength::iterated,
    },
    Item {
        name: "a larger epsilon does not help",
        why: "else the attack misses what a smaller ball already holds",
        of_accuracy: true,
        trials: strength::ladder,
        passes: 0,
        run: strength::larger_epsilon,
    },
    Item {
        name: "twice the steps change nothing",
        why: "else the attack stopped too early, and robust accuracy is too high",
        of_accuracy: true,
        trials: |plan| vec![plan.white_box(), plan.pgd(plan.epsilon, 2)],
        passes: 0,
        run: strength::more_steps,
    },
    Item {
        name: "margin losses find little more",
        why: "else cross entropy is blind here, as with logits too far apart for f32: accuracy under PGD on cross entropy alone \
              says nothing",
        of_accuracy: true,
        trials: |plan| vec![plan.white_box(), plan.with_margins()],
        passes: 0,
        run: strength::margins,
    },
    Item {
        name: "until fooled is as strong as the last step",
        why: "else what is published, the worst case over all steps, is none: images are lost, or let go too early",
        of_accuracy: true,
        trials: |plan| vec![plan.white_box(), plan.last_step()],
        passes: 0,
        run: strength::until_fooled,
    },
    Item {
        name: "epsilon 0.5 leaves chance",
        why: "in a ball where every image can become grey, accuracy can only come from an attack that fails",
        of_accuracy: true,
        trials: |plan| vec![plan.unbounded()],
        passes: 0,
        run: strength::unbounded,
    },
    Item {
        name: "no catastrophic overfitting",
        why: "else the network has learned to escape single steps, and more of them find it undefended",
        of_accuracy: true,
        trials: |plan| vec![Trial::CLEAN, plan.fgsm(), plan.white_box()],
        passes: 0,
        run: strength::overfitting,
    },
    Item {
        name: "noise is weaker than white-box",
        why: "else the gradients are worth no more than the toss of a coin",
        of_accuracy: true,
        trials: |plan| vec![plan.noise(), plan.white_box()],
        passes: 0,
        run: controls::noise,
    },
    Item {
        name: "transfer is weaker than white-box",
        why: "else the network's own gradients are masked: those of another one lead further",
        of_accuracy: true,
        trials: controls::transfer_trials,
        passes: 0,
        run: controls::transfer,
    },
    Item {
        name: "Square finds none that PGD missed",
        why: "else there are worse images in the ball than the gradients lead to: they are masked",
        of_accuracy: false,
        trials: |plan| vec![plan.white_box(), plan.last_step(), plan.square()],
        passes: 0,
        run: controls::random_search,
    },
    Item {
        name: "gradients are not zero",
        why: "an image without a gradient cannot be attacked by any, and counts as robust for nothing",
        of_accuracy: false,
        trials: |_| vec![],
        passes: GRADIENT,
        run: gradients::zeros,
    },
    Item {
        name: "the loss climbs to a plateau",
        why: "else the gradients do not lead uphill, or the attack stops on the way",
        of_accuracy: false,
        trials: |_| vec![],
        passes: 0,
        run: gradients::climb,
    },
    Item {
        name: "success survives 8 bits",
        why: "else the attack lives on changes that no picture file can hold",
        of_accuracy: true,
        trials: |_| vec![Trial::CLEAN],
        passes: rounding::PASSES,
        run: rounding::png,
    },
];

/// Number of checks that [`check`] makes of each network.
pub const CHECKS: usize = ITEMS.len();

/// Checks the evaluation of each of `bundles` on the images `indices` of `split`, with attacks of the radius `epsilon`
/// (pixel units, above 0). Measures the images of `kept` that are not measured yet; if these are a part of all, the checks say
/// nothing.
///
/// # Errors
/// When there are no images, or the device fails or computes something that is not a number, or results cannot be written;
/// [`crate::error::Stopped`] after a request to stop.
#[expect(clippy::too_many_arguments, reason = "each is a thing of its own, and there is one caller")]
pub fn check(
    bundles: &[Bundle],
    split: &Split,
    indices: &[usize],
    epsilon: f32,
    kept: &Kept,
    device: &Device,
    progress: &Progress,
    stop: &Stop,
) -> Result<Vec<Checked>> {
    ensure!(!indices.is_empty(), "there are no images to check on");
    let evaluation = Evaluation { bundles, clean: split, indices, crafted: &[], trials: &[], stop };
    if kept.hundreds().is_empty() {
        return Ok(vec![]);
    }
    let subject = Subject::new(bundles, split, indices);
    let passes = kept.images() as u64 * CheckPlan { networks: bundles.len(), index: 0, epsilon }.passes();
    let task = progress.start("Checking", Some(passes * bundles.len() as u64), Unit::Passes);
    let checked = |index: usize| {
        let plan = CheckPlan { networks: bundles.len(), index, epsilon };
        task.skip_to(passes * index as u64 + evaluation.done(&plan.trials(), &[index], kept)?);
        let live = Live { evaluation: &evaluation, device, task: &task };
        let checked = check_one(&CheckedModel::new(&subject, plan, kept, Some(live)))?;
        // Skipped items count as done too.
        task.skip_to(passes * (index as u64 + 1));
        Ok(checked)
    };
    (0..bundles.len()).map(checked).collect()
}

/// Judges each of the networks of `subject` by what is in `kept`, and measures nothing.
///
/// # Errors
/// Names the images that are not in `kept`.
pub fn judge(subject: &Subject, epsilon: f32, kept: &Kept) -> Result<Vec<Checked>> {
    let networks = subject.networks.len();
    let checked = |index| check_one(&CheckedModel::new(subject, CheckPlan { networks, index, epsilon }, kept, None));
    (0..networks).map(checked).collect()
}

impl CheckPlan {
    /// Returns how often each image goes through networks in all items together, where none is skipped: the unit of progress.
    /// A trial that several items compare is measured once.
    fn passes(&self) -> u64 {
        let trials = self.trials();
        trials.iter().map(|trial| trial.work(1)).sum::<u64>() + ITEMS.iter().map(|item| item.passes).sum::<u64>()
    }

    /// Returns the trials of all items, each once.
    fn trials(&self) -> Vec<Trial> {
        let mut trials = vec![Trial::CLEAN];
        for trial in ITEMS.iter().flat_map(|item| (item.trials)(self)) {
            if !trials.contains(&trial) {
                trials.push(trial);
            }
        }
        trials
    }
}

fn check_one(model: &CheckedModel<'_>) -> Result<Checked> {
    let check = |item: &Item| {
        model.check_stop()?;
        let context = || format!("{}: '{}' could not be checked", model.name(), item.name);
        item.check(model).with_context(context)
    };
    let checks = ITEMS.iter().map(check).collect::<Result<_>>()?;
    Ok(Checked { clean: model.clean()?.correct(), checks })
}
