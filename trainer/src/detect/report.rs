//! What was measured of detectors, as tables.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use shared::attack::in_255ths;
use shared::bundle::CheckItem;
use shared::detect::{Adaptive, Auc, Detection, DetectorFigures, DetectorKind, RATES};
use shared::metrics::Proportion;

use crate::experiment::document::{self, Block, percent};
use crate::files::write_atomically;

/// Accuracy of the paper's network of three classes.
const PAPER: f64 = 0.33;

/// Detectors of one network.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkReport {
    /// Folder of the network.
    pub dir: PathBuf,
    /// Name of the network.
    pub name: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// Its detectors, in order.
    pub detectors: Vec<(DetectorKind, DetectorFigures)>,
}

/// All that a command measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The command.
    pub command: String,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// The networks.
    pub networks: Vec<NetworkReport>,
}

impl Report {
    /// Writes `detectors.json`, `report.md` and `report.html` to the folder `dir`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        write_atomically(&dir.join("detectors.json"), &json)?;
        document::write(&self.blocks(), dir)
    }

    /// Returns the report in plain text: the table of all networks.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for network in &self.networks {
            text += &format!("{} ({})\n", network.name, network.dir.display());
            let (head, rows) = summary(network);
            text += &aligned(&head, &rows);
            for (kind, figures) in &network.detectors {
                for item in &figures.checks {
                    let mark = match item.passed {
                        Some(true) => "ok",
                        Some(false) => "FAILED",
                        None => "-",
                    };
                    text += &format!("  {mark:<6} {kind}: {}: {} (limit: {})\n", item.name, item.figure, item.limit);
                }
            }
        }
        text
    }

    /// Returns whether no check failed.
    pub fn is_believed(&self) -> bool {
        let checks =
            self.networks.iter().flat_map(|network| &network.detectors).flat_map(|(_, figures)| &figures.checks);
        checks.into_iter().all(|item| item.passed != Some(false))
    }

    fn blocks(&self) -> Vec<Block> {
        let text = |text: &str| Block::Paragraph(text.into());
        let mut blocks = vec![
            Block::Title("Detectors of attacked pictures".into()),
            Block::Code(self.command.clone()),
            text(
                "Each detector gives a picture a score. The area under the curve (AUC) is the probability that an attacked image \
                 has a higher score than an untouched one; 50 is chance. Alarms are at thresholds that 1% and 5% of untouched held-out \
                 training pictures exceed. Intervals are DeLong's and Wilson's, at 95%. All images have 8 bits, but for those of the adaptive attacks, which are not rounded.",
            ),
            text(
                "An attacker who knows the detector attacks network and detector together: the columns at the right say on how many \
                 images that were right and raised no alarm the attacker failed. That, and not the AUC, is what a detector is worth \
                 against such an attacker.",
            ),
        ];
        for network in &self.networks {
            blocks.push(Block::Heading(format!("The network {}", network.name)));
            let (head, rows) = summary(network);
            let images = network.detectors.first().map_or(0, |(_, figures)| figures.images);
            let caption = format!("{images} validation images; AUC in percent at 8/255 (4/255)");
            blocks.push(Block::Table { caption, head, rows });
            for (kind, figures) in &network.detectors {
                blocks.extend(of_detector(*kind, figures));
            }
        }
        blocks
    }
}

/// Returns head and rows of the table of all detectors of a network.
fn summary(network: &NetworkReport) -> (Vec<String>, Vec<Vec<String>>) {
    let epsilons: Vec<f32> =
        network.detectors.iter().flat_map(|(_, figures)| &figures.adaptive).fold(vec![], |mut all, one| {
            if !all.contains(&one.epsilon) {
                all.push(one.epsilon);
            }
            all
        });
    let mut head: Vec<String> =
        ["Detector", "FGSM", "BIM-5", "PGD-50", "alarms on untouched, 5%", "on noise, 5%"].map(String::from).to_vec();
    head.extend(epsilons.iter().map(|epsilon| format!("withstand the adaptive attacker at {}", in_255ths(*epsilon))));
    let row = |(kind, figures): &(DetectorKind, DetectorFigures)| {
        let of = |name: &str| figures.sets.iter().find(|row| row.set == name);
        let area = |attack: &str| {
            let at = |radius: &str| of(&format!("{attack} at {radius}")).and_then(|row| row.auc);
            match (at("8/255"), at("4/255")) {
                (Some(strong), Some(weak)) => format!("{:.1} ({:.1})", 100.0 * strong.value, 100.0 * weak.value),
                _ => String::new(),
            }
        };
        let alarms = |name: &str| of(name).map_or(String::new(), |row| percent(row.alarms[1]));
        let mut cells = vec![
            kind.label().to_string(),
            area("fgsm"),
            area("bim-5"),
            area("pgd-50"),
            alarms("untouched"),
            alarms("noise of signs at 8/255"),
        ];
        cells.extend(epsilons.iter().map(|epsilon| {
            let adaptive = figures.adaptive.iter().find(|adaptive| adaptive.epsilon == *epsilon);
            adaptive.map_or(String::new(), |one| {
                let Proportion { hits, .. } = one.withstood();
                percent(Proportion { hits, of: one.defended.hits })
            })
        }));
        cells
    };
    (head, network.detectors.iter().map(row).collect())
}

fn of_detector(kind: DetectorKind, figures: &DetectorFigures) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(kind.label().to_string())];
    let area = |auc: Option<Auc>| {
        auc.map_or(String::new(), |Auc { value, interval: [low, high] }| {
            format!("{:.1} [{:.1}, {:.1}]", 100.0 * value, 100.0 * low, 100.0 * high)
        })
    };
    let of = |share: Proportion| if share.of == 0 { String::new() } else { percent(share) };
    let row = |set: &Detection| {
        let (changed, alarms) = set.of_changed.unwrap_or((None, [Proportion { hits: 0, of: 0 }; 2]));
        let name = if set.attacked && !set.seen { format!("{} (not trained on)", set.set) } else { set.set.clone() };
        vec![name, area(set.auc), of(set.alarms[0]), of(set.alarms[1]), area(changed), of(alarms[1])]
    };
    let rates = RATES.map(|rate| format!("alarms at {}%", 100.0 * rate));
    let [first, second] = rates;
    let of_changed = ["AUC, changed answers", "alarms at 5%, changed answers"].map(String::from);
    blocks.push(Block::Table {
        caption: format!("{} of {}", kind.label(), document::counted(figures.images, "image")),
        head: [vec!["Images".into(), "AUC".into(), first, second], of_changed.to_vec()].concat(),
        rows: figures.sets.iter().map(row).collect(),
    });
    if let Some(confusion) = &figures.confusion {
        let rows = confusion
            .kinds
            .iter()
            .zip(&confusion.counts)
            .map(|(kind, counts)| [vec![kind.clone()], counts.iter().map(usize::to_string).collect()].concat());
        let paper = if kind == DetectorKind::Network {
            format!("; the paper's reached {:.0}%", 100.0 * PAPER)
        } else {
            String::new()
        };
        blocks.push(Block::Table {
            caption: format!(
                "True kinds (rows) and detected ones; balanced accuracy {:.1}%, chance {:.1}%{paper}",
                100.0 * confusion.balanced_accuracy(),
                100.0 / confusion.kinds.len().max(1) as f64
            ),
            head: [vec!["Images".to_string()], confusion.kinds.clone()].concat(),
            rows: rows.collect(),
        });
    }
    blocks.extend(figures.adaptive.iter().map(of_adaptive));
    if !figures.checks.is_empty() {
        blocks.push(checks_table("Checks of the adaptive attacks", &figures.checks));
    }
    blocks
}

/// Returns the table of checks.
pub(super) fn checks_table(caption: &str, checks: &[CheckItem]) -> Block {
    let passed = |passed: Option<bool>| match passed {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    let row =
        |item: &CheckItem| vec![item.name.clone(), item.figure.clone(), item.limit.clone(), passed(item.passed).into()];
    Block::Table {
        caption: caption.into(),
        head: ["Check", "Figure", "Limit", "Passed"].map(String::from).to_vec(),
        rows: checks.iter().map(row).collect(),
    }
}

fn of_adaptive(adaptive: &Adaptive) -> Block {
    let Adaptive { epsilon, rate, steps, starts, defended, left } = adaptive;
    let caption = format!(
        "Attacks on network and detector together at {}, threshold at {}% false alarms, {steps} steps, {}: images still right and without \
         an alarm, of {} that were before ({} of all {})",
        in_255ths(*epsilon),
        100.0 * rate,
        document::counted(*starts, "start"),
        defended.hits,
        percent(*defended),
        defended.of
    );
    let row = |(name, left): &(String, usize)| vec![name.clone(), left.to_string()];
    Block::Table {
        caption,
        head: ["Attack", "Left by it and those before"].map(String::from).to_vec(),
        rows: left.iter().map(row).collect(),
    }
}

/// Lays a table out in columns.
pub(super) fn aligned(head: &[String], rows: &[Vec<String>]) -> String {
    let all = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    all().map(line).collect()
}
