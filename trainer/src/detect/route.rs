//! Routing, an idea that the paper gave up: its network of three classes chooses which of three networks answers, the normal one, the
//! one trained on FGSM pictures, or the one trained on BIM pictures.

use std::path::Path;

use anyhow::{Result, ensure};
use burn::prelude::*;
use burn::tensor::TensorData;
use serde::Serialize;
use shared::attack::in_255ths;
use shared::bundle::Bundle;
use shared::detect::{Detector, DetectorKind, Evaded, Evasion, EvasionConfig, NETWORK_CLASSES, Strategy};
use shared::metrics::Proportion;
use shared::model::Classifier;
use shared::perturb::{Perturbations, draw, perturb};
use shared::seed::{Purpose, derive};

use super::adaptive::Strength;
use super::pictures::load;
use super::report::aligned;
use crate::data::{CraftedVal, Split};
use crate::error::Stopped;
use crate::evaluate::BATCH;
use crate::experiment::document::{self, Block, percent};
use crate::files::write_atomically;
use crate::models::read;
use crate::progress::{Progress, Stop, Unit};

/// Networks that a picture is routed to, in the order of the router's classes.
pub const ROUTES: [&str; NETWORK_CLASSES] = ["normal", "fgsm", "bim"];
/// Sets of validation images, with the route of an oracle.
const SETS: [(&str, usize); 4] = [("normal", 0), ("augmented", 0), ("FGSM", 1), ("BIM", 2)];
/// How an attacker of a router and its networks chooses steps.
const STRATEGIES: [Strategy; 4] = [
    Strategy::Orthogonal,
    Strategy::Sum { weight: 1.0 },
    Strategy::Sum { weight: 0.1 },
    Strategy::Sum { weight: 10.0 },
];

/// A router with its networks, and the network that it is measured against.
pub struct Routing<'a> {
    /// The network of three classes that chooses.
    pub router: &'a Classifier,
    /// The networks of [`ROUTES`].
    pub networks: [&'a Bundle; NETWORK_CLASSES],
    /// The one network trained on all kinds of pictures.
    pub hardened: &'a Bundle,
    /// The validation pictures.
    pub split: &'a Split,
    /// Those attacked by FGSM and by BIM on the normal network.
    pub crafted: [&'a CraftedVal; 2],
    /// Plain device.
    pub device: &'a Device,
}

/// What routing was measured to be worth.
#[derive(Clone, Debug, Serialize)]
pub struct RoutingReport {
    /// The command.
    pub command: String,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// A row for each way to answer: right answers on the four sets.
    pub answers: Vec<(String, [Proportion; 4])>,
    /// Images of each set that the router sends to each network: `[set][network]`.
    pub routes: [[usize; NETWORK_CLASSES]; 4],
    /// What attackers who know all weights leave.
    pub attacked: Vec<Attacked>,
}

/// Images that are right under every attack of one radius.
#[derive(Clone, Debug, Serialize)]
pub struct Attacked {
    /// Radius in L-infinity, pixel units.
    pub epsilon: f32,
    /// Steps of each attack.
    pub steps: usize,
    /// Random starts of each attack.
    pub starts: usize,
    /// Images that router and networks still answer rightly.
    pub routed: Proportion,
    /// Images that the hardened network still answers rightly, under the same attacks.
    pub hardened: Proportion,
}

impl Routing<'_> {
    /// Counts right answers on the four sets, alone, routed, and routed by an oracle who sees how an image was made.
    ///
    /// # Errors
    /// When the device fails or a stop was requested.
    pub fn answers(&self, indices: &[usize], progress: &Progress, stop: &Stop) -> Result<RoutingReport> {
        let names =
            ["the network normal alone", "fgsm alone", "bim alone", "hardened alone", "routed", "routed by an oracle"];
        let mut answers = names.map(|name| (name.to_string(), [Proportion { hits: 0, of: 0 }; 4])).to_vec();
        let mut routes = [[0; NETWORK_CLASSES]; 4];
        let task = progress.start("Routing", Some((SETS.len() * indices.len()) as u64), Unit::Pictures);
        for batch in indices.chunks(BATCH) {
            for (set, (_, of_oracle)) in SETS.iter().enumerate() {
                ensure!(!stop.requested(), Stopped("Stopped; nothing was saved".into()));
                let images = self.images(set, batch)?;
                let route = of_classes(self.router.forward(images.clone()))?;
                let [normal, fgsm, bim] = self.networks;
                let networks =
                    [normal, fgsm, bim, self.hardened].map(|bundle| of_classes(bundle.model.forward(images.clone())));
                let networks = networks.into_iter().collect::<Result<Vec<_>>>()?;
                for (row, &index) in batch.iter().enumerate() {
                    let is_right = |network: usize| networks[network][row] == self.split.label(index);
                    let right = [
                        is_right(0),
                        is_right(1),
                        is_right(2),
                        is_right(3),
                        is_right(route[row]),
                        is_right(*of_oracle),
                    ];
                    for ((_, counts), right) in answers.iter_mut().zip(right) {
                        counts[set].hits += usize::from(right);
                        counts[set].of += 1;
                    }
                    routes[set][route[row]] += 1;
                }
                task.advance(batch.len() as u64);
            }
        }
        Ok(RoutingReport { command: String::new(), data_sha256: String::new(), answers, routes, attacked: vec![] })
    }

    fn images(&self, set: usize, batch: &[usize]) -> Result<Tensor<4>> {
        match set {
            0 | 1 => {
                let images = load(self.split, batch, self.device)?;
                let drawn = |&index: &usize| draw(&Perturbations::default(), 0, index as u64);
                Ok(if set == 0 { images } else { perturb(images, &batch.iter().map(drawn).collect::<Vec<_>>()) })
            }
            _ => load(&self.crafted[set - 2].val, batch, self.device),
        }
    }

    /// Attacks router and networks together: an image is lost as soon as it is found, within the radius, on any route with a wrong
    /// answer at its end. The hardened network is attacked in the same ways.
    ///
    /// # Errors
    /// When the device fails, the radius is out of range or a stop was requested.
    pub fn attacked(
        &self,
        indices: &[usize],
        epsilon: f32,
        strength: Strength,
        progress: &Progress,
        stop: &Stop,
    ) -> Result<Attacked> {
        let total = 2 * indices.len();
        let task = progress.start("Attacking router and networks", Some(total as u64), Unit::Pictures);
        let [mut routed, mut hardened] = [Proportion { hits: 0, of: indices.len() }; 2];
        // No score raises an alarm: the hardened network is attacked alone.
        let alone = Detector::Logits(DetectorKind::Energy);
        for batch in indices.chunks(BATCH) {
            let images = load(self.split, batch, self.device)?;
            let labels: Vec<usize> = batch.iter().map(|&index| self.split.label(index)).collect();
            let mut left = self.right(&images, &labels)?;
            for (route, network) in self.networks.iter().enumerate() {
                let router = Detector::Network(Box::new(self.router.clone()), route);
                let is_right = |images: &Tensor<4>| self.right(images, &labels);
                attack(
                    (&network.model, &router, 0.0),
                    (&images, &labels),
                    (epsilon, strength),
                    &mut left,
                    is_right,
                    stop,
                )?;
            }
            routed.hits += left.iter().filter(|left| **left).count();
            task.advance(batch.len() as u64);
            let model = &self.hardened.model;
            let is_right = |images: &Tensor<4>| Ok(right(&of_classes(model.forward(images.clone()))?, &labels));
            let mut left = is_right(&images)?;
            let network = (model, &alone, f32::MAX);
            attack(network, (&images, &labels), (epsilon, strength), &mut left, is_right, stop)?;
            hardened.hits += left.iter().filter(|left| **left).count();
            task.advance(batch.len() as u64);
        }
        Ok(Attacked { epsilon, steps: strength.steps, starts: strength.starts, routed, hardened })
    }

    /// Returns whether router and networks answer each image rightly.
    fn right(&self, images: &Tensor<4>, labels: &[usize]) -> Result<Vec<bool>> {
        let route = of_classes(self.router.forward(images.clone()))?;
        let networks = self.networks.map(|bundle| of_classes(bundle.model.forward(images.clone())));
        let networks = networks.into_iter().collect::<Result<Vec<_>>>()?;
        let answers: Vec<usize> = route.iter().enumerate().map(|(row, &route)| networks[route][row]).collect();
        Ok(right(&answers, labels))
    }
}

/// Attacks the images that are left by a network and a detector that must stay at or below a threshold, and strikes out those that
/// `is_right` denies.
fn attack(
    (model, detector, threshold): (&Classifier, &Detector, f32),
    (images, labels): (&Tensor<4>, &[usize]),
    (epsilon, strength): (f32, Strength),
    left: &mut [bool],
    is_right: impl Fn(&Tensor<4>) -> Result<Vec<bool>>,
    stop: &Stop,
) -> Result<()> {
    let device = images.device();
    let classes: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [labels.len()]), &device);
    for (number, strategy) in STRATEGIES.into_iter().enumerate() {
        for start in 0..strength.starts {
            if left.iter().all(|left| !left) {
                return Ok(());
            }
            let seed = derive(number as u64, start as u64, Purpose::Restart);
            let config = EvasionConfig { epsilon, steps: strength.steps, strategy, threshold, seed };
            let about = Evaded { labels: classes.clone(), targets: None, guides: None };
            let mut run = Evasion::new(&config, images.clone(), about)?;
            while !run.is_done() {
                ensure!(!stop.requested(), Stopped("Stopped; nothing was saved".into()));
                run.step(model, detector);
            }
            for (left, right) in left.iter_mut().zip(is_right(&run.best())?) {
                *left &= right;
            }
        }
    }
    Ok(())
}

fn of_classes(logits: Tensor<2>) -> Result<Vec<usize>> {
    let [count, _] = logits.dims();
    let classes = read::<1>(logits.argmax(1).float().reshape([count]))?;
    Ok(classes.into_iter().map(|class| class as usize).collect())
}

fn right(answers: &[usize], labels: &[usize]) -> Vec<bool> {
    answers.iter().zip(labels).map(|(answer, label)| answer == label).collect()
}

impl RoutingReport {
    /// Writes `routing.json`, `report.md` and `report.html` to the folder `dir`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        write_atomically(&dir.join("routing.json"), &json)?;
        document::write(&self.blocks(), dir)
    }

    /// Returns the report in plain text: its tables and the verdict.
    pub fn table(&self) -> String {
        let text = |block: Block| match block {
            Block::Table { caption, head, rows } => Some(format!("{caption}\n{}", aligned(&head, &rows))),
            _ => None,
        };
        let tables: Vec<String> = self.blocks().into_iter().filter_map(text).collect();
        format!("{}\n{}\n", tables.join("\n"), self.verdict())
    }

    fn blocks(&self) -> Vec<Block> {
        let head = |first: &str, rest: &[&str]| -> Vec<String> {
            std::iter::once(first).chain(rest.iter().copied()).map(String::from).collect()
        };
        let sets = SETS.map(|(name, _)| name);
        let images = self.answers.first().map_or(0, |(_, counts)| counts[0].of);
        let mut blocks = vec![
            Block::Title("Routing to attack-specific networks".into()),
            Block::Code(self.command.clone()),
            Block::Paragraph(
                "The paper's network of three classes (untouched, FGSM, BIM) looks at each image first and chooses the network that \
                 answers: the normal one, the one trained on FGSM pictures, or the one trained on BIM pictures. The oracle is told how \
                 the image was made. The single hardened network stands beside. FGSM and BIM images were crafted once on the normal \
                 network (the paper's protocol)."
                    .into(),
            ),
            Block::Table {
                caption: format!("Top-1 accuracy on {images} validation images a set, with Wilson's 95% interval"),
                head: head("", &sets),
                rows: self
                    .answers
                    .iter()
                    .map(|(name, counts)| [vec![name.clone()], counts.map(percent).to_vec()].concat())
                    .collect(),
            },
            Block::Table {
                caption: "Images that the router sends to each network".into(),
                head: head("Set", &ROUTES),
                rows: sets
                    .iter()
                    .zip(&self.routes)
                    .map(|(set, routes)| [vec![(*set).to_string()], routes.map(|count| count.to_string()).to_vec()].concat())
                    .collect(),
            },
        ];
        if let Some(first) = self.attacked.first() {
            blocks.push(Block::Table {
                caption: format!(
                    "Right under attackers who know router and networks, on {} validation images: orthogonal gradients and the sum of both \
                     losses at three weights, {} steps, {} starts each, towards each of the three routes",
                    first.routed.of, first.steps, first.starts
                ),
                head: head("Radius", &["routed", "hardened alone"]),
                rows: self
                    .attacked
                    .iter()
                    .map(|one| vec![in_255ths(one.epsilon), percent(one.routed), percent(one.hardened)])
                    .collect(),
            });
        }
        blocks.push(Block::Paragraph(self.verdict()));
        blocks
    }

    /// Returns what follows of routing against the one hardened network: where 95% intervals are apart.
    pub fn verdict(&self) -> String {
        let row = |name: &str| self.answers.iter().find(|(row, _)| row == name).map(|(_, counts)| *counts);
        let (Some(routed), Some(hardened)) = (row("routed"), row("hardened alone")) else { return String::new() };
        let mut sides: [Vec<String>; 3] = Default::default();
        let mut put = |name: String, routed: Proportion, hardened: Proportion| {
            let ([low, high], [low_hardened, high_hardened]) = (routed.wilson_interval(), hardened.wilson_interval());
            let side = if low > high_hardened {
                0
            } else if high < low_hardened {
                1
            } else {
                2
            };
            sides[side].push(name);
        };
        for ((name, _), (routed, hardened)) in SETS.iter().zip(routed.into_iter().zip(hardened)) {
            put(format!("the {name} set"), routed, hardened);
        }
        for one in &self.attacked {
            put(format!("images attacked at {}", in_255ths(one.epsilon)), one.routed, one.hardened);
        }
        let named = |side: &[String]| if side.is_empty() { "none".into() } else { side.join(", ") };
        format!(
            "Verdict, where 95% intervals are apart: routing is better than the one hardened network on {}; worse on {}; undecided on {}.",
            named(&sides[0]),
            named(&sides[1]),
            named(&sides[2])
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_names_each_set_once_and_on_the_right_side() {
        let of = |hits| Proportion { hits, of: 1000 };
        let answers = vec![
            ("hardened alone".into(), [of(500), of(500), of(500), of(500)]),
            ("routed".into(), [of(700), of(510), of(300), of(490)]),
        ];
        let attacked = Attacked { epsilon: 4.0 / 255.0, steps: 1, starts: 1, routed: of(0), hardened: of(300) };
        let report = RoutingReport {
            command: "bastion detector route".into(),
            data_sha256: String::new(),
            answers,
            routes: [[0; 3]; 4],
            attacked: vec![attacked],
        };
        assert_eq!(
            report.verdict(),
            "Verdict, where 95% intervals are apart: routing is better than the one hardened network on the normal set; worse on the \
             FGSM set, images attacked at 4/255; undecided on the augmented set, the BIM set."
        );
        assert_eq!(report.blocks().len(), 7);
    }
}
