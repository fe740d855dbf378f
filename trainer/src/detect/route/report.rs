//! Figures of routing, as tables and a verdict.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use shared::attack::in_255ths;
use shared::bundle::{Bundle, CheckItem};
use shared::detect::NETWORK_CLASSES;
use shared::metrics::Proportion;

use super::{ATTACKS, ROUTES, SETS};
use crate::detect::report::{aligned, checks_table};
use crate::experiment::document::{self, Block, percent};
use crate::files::write_atomically;

/// Ways to answer, in the order of [`RoutingReport::answers`].
const WAYS: [&str; 6] = ["normal alone", "fgsm alone", "bim alone", "hardened alone", "routed", "routed by an oracle"];

/// Figures of routing against the one hardened network.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RoutingReport {
    /// The command.
    pub command: String,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// SHA-256 of the router's weights.
    pub router_sha256: String,
    /// Names and SHA-256 of the weights of the networks, the hardened one last.
    pub networks: Vec<(String, String)>,
    /// A row for each way to answer: right answers on the four sets.
    pub answers: Vec<(String, [Proportion; 4])>,
    /// Images of each set that are right routed and wrong by the hardened network, and the other way round.
    pub discordant: [[usize; 2]; 4],
    /// Images of each set that the router sends to each network: `[set][network]`.
    pub routes: [[usize; NETWORK_CLASSES]; 4],
    /// What attackers who know all weights leave.
    pub attacked: Vec<Attacked>,
    /// Checks of those attackers.
    pub checks: Vec<CheckItem>,
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
    /// Images that the hardened network still answers rightly.
    pub hardened: Proportion,
    /// Images that only router and networks answer rightly, and that only the hardened network does.
    pub discordant: [usize; 2],
}

impl RoutingReport {
    /// Returns a report of no images yet.
    pub(super) fn new<'a>(networks: impl Iterator<Item = &'a Bundle>) -> Self {
        let none = [Proportion { hits: 0, of: 0 }; 4];
        Self {
            networks: networks.map(|of| (of.card.name.clone(), of.card.weights.sha256.clone())).collect(),
            answers: WAYS.map(|way| (way.to_string(), none)).to_vec(),
            ..Self::default()
        }
    }

    /// Counts an image of a set: its route, and whether each network alone, the hardened one last, and the oracle's answer rightly.
    pub(super) fn count(&mut self, set: usize, route: usize, alone: [bool; 4], oracle: bool) {
        let (routed, [.., hardened]) = (alone[route], alone);
        for ((_, counts), right) in self.answers.iter_mut().zip(alone.into_iter().chain([routed, oracle])) {
            counts[set].hits += usize::from(right);
            counts[set].of += 1;
        }
        self.routes[set][route] += 1;
        self.discordant[set][0] += usize::from(routed && !hardened);
        self.discordant[set][1] += usize::from(hardened && !routed);
    }

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

    /// Returns whether no check of the attackers failed.
    pub fn is_believed(&self) -> bool {
        self.checks.iter().all(|item| item.passed != Some(false))
    }

    fn blocks(&self) -> Vec<Block> {
        let head = |first: &str, rest: &[&str]| -> Vec<String> {
            std::iter::once(first).chain(rest.iter().copied()).map(String::from).collect()
        };
        let sets = SETS.map(|(name, _)| name);
        let images = self.answers.first().map_or(0, |(_, counts)| counts[0].of);
        let answers =
            |(name, counts): &(String, [Proportion; 4])| [vec![name.clone()], counts.map(percent).to_vec()].concat();
        let routes = |(set, routes): (&&str, &[usize; NETWORK_CLASSES])| {
            [vec![(*set).to_string()], routes.map(|count| count.to_string()).to_vec()].concat()
        };
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
                rows: self.answers.iter().map(answers).collect(),
            },
            Block::Table {
                caption: "Images that the router sends to each network".into(),
                head: head("Set", &ROUTES),
                rows: sets.iter().zip(&self.routes).map(routes).collect(),
            },
        ];
        if let Some(first) = self.attacked.first() {
            let row = |one: &Attacked| vec![in_255ths(one.epsilon), percent(one.routed), percent(one.hardened)];
            blocks.push(Block::Table {
                caption: format!(
                    "Right under attackers who know all weights, on {} validation images: {ATTACKS} attacks of {} steps and {} on each side. \
                     Towards each of the three routes: orthogonal gradients (untargeted and towards two classes) and the sum of both losses \
                     at three weights. On the hardened network: the margin, half of them untargeted, half towards nine classes",
                    first.routed.of,
                    first.steps,
                    document::counted(first.starts, "start")
                ),
                head: head("Radius", &["routed", "hardened alone"]),
                rows: self.attacked.iter().map(row).collect(),
            });
            blocks.push(checks_table("Checks of these attackers", &self.checks));
        }
        blocks.push(Block::Paragraph(self.verdict()));
        blocks
    }

    /// Returns what follows of routing against the one hardened network. Both see the same images, so those decide that one side answers
    /// rightly and the other does not: better or worse where the 95% interval of their share leaves out a half (a sign test, McNemar's).
    pub fn verdict(&self) -> String {
        let of_sets = SETS.iter().zip(self.discordant).map(|((name, _), counts)| (format!("the {name} set"), counts));
        // What a check does not bear out decides nothing.
        let attacked = self.attacked.iter().filter(|_| self.is_believed());
        let attacked = attacked.map(|one| (format!("images attacked at {}", in_255ths(one.epsilon)), one.discordant));
        let mut sides: [Vec<String>; 3] = Default::default();
        for (name, [routed, hardened]) in of_sets.chain(attacked) {
            let [low, high] = Proportion { hits: routed, of: routed + hardened }.wilson_interval();
            let side = match () {
                () if routed + hardened == 0 => 2,
                () if low > 0.5 => 0,
                () if high < 0.5 => 1,
                () => 2,
            };
            sides[side].push(name);
        }
        let [better, worse, undecided] =
            sides.map(|side| if side.is_empty() { "none".to_string() } else { side.join(", ") });
        let doubt =
            if self.is_believed() { "" } else { " A check of the attackers failed: their figures decide nothing." };
        format!(
            "Verdict, by the images that only one side answers rightly: routing is better than the one hardened network on {better}; worse \
             on {worse}; undecided on {undecided}.{doubt}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> RoutingReport {
        let mut report = RoutingReport::new(std::iter::empty());
        // 30 images of each set; the router takes the BIM network.
        for _ in 0..30 {
            report.count(0, 2, [false, false, true, false], true);
            report.count(1, 2, [false, false, true, true], true);
            report.count(2, 2, [false, true, false, true], true);
            report.count(3, 0, [false, false, true, false], true);
        }
        let share = |hits| Proportion { hits, of: 30 };
        let (routed, hardened) = (share(0), share(9));
        let attacked = Attacked { epsilon: 4.0 / 255.0, steps: 1, starts: 1, routed, hardened, discordant: [0, 9] };
        report.attacked.push(attacked);
        report
    }

    #[test]
    fn the_verdict_names_each_set_once_and_on_the_right_side() {
        let report = report();
        assert_eq!(report.routes, [[0, 0, 30], [0, 0, 30], [0, 0, 30], [30, 0, 0]]);
        assert_eq!(report.discordant, [[30, 0], [0, 0], [0, 30], [0, 0]]);
        assert_eq!(report.answers[4].1[0], Proportion { hits: 30, of: 30 });
        assert_eq!(
            report.verdict(),
            "Verdict, by the images that only one side answers rightly: routing is better than the one hardened network on the normal \
             set; worse on the FGSM set, images attacked at 4/255; undecided on the augmented set, the BIM set."
        );
    }

    #[test]
    fn attackers_who_fail_a_check_decide_nothing() {
        let mut report = report();
        report.checks.push(CheckItem {
            name: "a".into(),
            figure: String::new(),
            limit: String::new(),
            passed: Some(false),
        });
        let verdict = report.verdict();
        assert!(!verdict.contains("4/255") && verdict.contains("A check of the attackers failed"), "{verdict}");
    }
}
