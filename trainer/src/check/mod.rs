//! Is the evaluation right? What must hold of the attacks and scores of any network, whatever it scores, after Carlini et
//! al., *On Evaluating Adversarial Robustness* (2019): an item that fails means that the robust accuracy cannot be believed,
//! because the attack is broken, too weak, or blinded by gradients that lead nowhere.
//!
//! Attacks are run by [`crate::evaluate::Evaluation::results`], the way by which published scores are measured. An item names
//! the trials that it compares, and judges in a function of its own, which takes nothing but what was measured: so each can be
//! shown something broken. Where accuracies are compared they are those of the same images, image by image (`chance`).

mod chance;
mod controls;
mod gradients;
pub mod report;
mod rounding;
mod square;
mod strength;
mod subject;
#[cfg(test)]
mod tests;
mod wrapper;

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use burn::prelude::*;
use serde::Serialize;
use shared::bundle::Bundle;
use shared::metrics::Proportion;

use self::subject::{Outcome, Plan, Subject};
use crate::data::Split;
use crate::evaluate::{Evaluation, GRADIENT, Trial};
use crate::progress::{Progress, Stop, Unit};

/// What became of one item on one network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub name: &'static str,
    /// What was measured, or why it could not be.
    pub figure: String,
    /// What the figure must keep to.
    pub limit: String,
    pub verdict: Verdict,
    /// What it would mean if it failed.
    pub why: &'static str,
    /// Where it is about a loss on its way: that at the start and after each step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loss_curve: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Fail,
    /// The images, the networks or the settings do not show it.
    Skipped,
}

/// A network's checks, and what it scored without an attack.
pub struct Checked {
    pub clean: Proportion,
    /// In the order of the registry.
    pub checks: Vec<Check>,
}

/// An item before it has its name.
struct Finding {
    figure: String,
    limit: String,
    verdict: Verdict,
    loss_curve: Vec<f64>,
}

impl Finding {
    fn of_curve(self, loss_curve: Vec<f64>) -> Self {
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

/// One question about an evaluation.
struct Item {
    name: &'static str,
    why: &'static str,
    /// Whether it compares accuracies, which say nothing of a network that is right by chance alone.
    of_accuracy: bool,
    /// What is compared.
    trials: fn(&Plan) -> Vec<Trial>,
    /// Passes of each image through the network besides those of the trials, as [`Trial::work`] counts them.
    passes: u64,
    /// Judges the network by the outcomes of the trials, in their order.
    run: fn(&Subject, &[Rc<Outcome>]) -> Result<Finding>,
}

impl Item {
    fn check(&self, subject: &Subject) -> Result<Check> {
        let finding = match subject.not_measurable()? {
            Some(reason) if self.of_accuracy => Finding::skipped(reason),
            _ => {
                let trials = (self.trials)(&subject.plan);
                let outcomes = trials.iter().map(|trial| subject.under(trial)).collect::<Result<Vec<_>>>()?;
                (self.run)(subject, &outcomes)?
            }
        };
        let Finding { figure, limit, verdict, loss_curve } = finding;
        Ok(Check { name: self.name, figure, limit, verdict, why: self.why, loss_curve })
    }
}

/// All items, in the order of a report.
const ITEMS: [Item; 15] = [
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
        trials: Plan::attacks,
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
        name: "random search finds no more",
        why: "else there are worse images in the ball than the gradients lead to: they are masked",
        of_accuracy: false,
        trials: |plan| vec![plan.white_box(), plan.last_step()],
        passes: square::PASSES,
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

/// How many checks [`check`] makes of each network.
pub const CHECKS: usize = ITEMS.len();

/// Checks the evaluation of each of `bundles` on the images `indices` of `split`, with attacks of the radius `epsilon`
/// (pixel units, above 0).
///
/// # Errors
/// When there are no images, or the device fails or computes something that is not a number;
/// [`crate::error::Stopped`] when it was to end.
pub fn check(
    bundles: &[Bundle],
    split: &Split,
    indices: &[usize],
    epsilon: f32,
    device: &Device,
    progress: &Progress,
    stop: &Stop,
) -> Result<Vec<Checked>> {
    ensure!(!indices.is_empty(), "there are no images to check on");
    let evaluation = Evaluation { bundles, clean: split, indices, crafted: &[], trials: &[], stop };
    let passes = indices.len() as u64 * Plan { networks: bundles.len(), index: 0, epsilon }.passes();
    let task = progress.start("Checking", Some(passes * bundles.len() as u64), Unit::Passes);
    let checked = |index: usize| {
        let plan = Plan { networks: bundles.len(), index, epsilon };
        let checked = check_one(&Subject::new(&evaluation, plan, device, &task))?;
        // What was skipped is done too.
        task.set(passes * (index as u64 + 1));
        Ok(checked)
    };
    (0..bundles.len()).map(checked).collect()
}

impl Plan {
    /// Returns how often each image goes through networks in all items together, where none is skipped: what progress is
    /// measured in. A trial that several items compare is measured once.
    fn passes(&self) -> u64 {
        let mut trials = vec![Trial::CLEAN];
        for trial in ITEMS.iter().flat_map(|item| (item.trials)(self)) {
            if !trials.contains(&trial) {
                trials.push(trial);
            }
        }
        trials.iter().map(|trial| trial.work(1)).sum::<u64>() + ITEMS.iter().map(|item| item.passes).sum::<u64>()
    }
}

fn check_one(subject: &Subject) -> Result<Checked> {
    let check = |item: &Item| {
        subject.check_stop()?;
        let context = || format!("{}: '{}' could not be checked", subject.bundle().card.name, item.name);
        item.check(subject).with_context(context)
    };
    let checks = ITEMS.iter().map(check).collect::<Result<_>>()?;
    Ok(Checked { clean: subject.clean()?.correct(), checks })
}
