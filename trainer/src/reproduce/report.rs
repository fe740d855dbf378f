//! The report: what was done, the tables beside the paper's, and what they say.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use shared::metrics::Proportion;

use super::document::{Block, html, markdown};
use super::estimate::in_words;
use super::findings::{Results, Verdict, finding, percent};
use super::paper::{CONCLUSIONS, Column, TABLE_1};
use super::plan::{MODELS, Plan};
use crate::evaluate::report::{Figure, Report};
use crate::files::write_atomically;
use crate::train::TrainConfig;

/// What the report tells.
pub struct Reproduction<'a> {
    pub plan: &'a Plan,
    /// Settings of the normal model; the others' differ in their mix alone.
    pub config: &'a TrainConfig,
    pub classes: usize,
    pub train_images: usize,
    /// The name of the device.
    pub device: String,
    pub seconds: f64,
    pub scores: &'a Report,
}

impl Reproduction<'_> {
    /// Writes `report.md` and `report.html`, the scores in all their forms, and the figures.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let figures = self.scores.write(dir)?;
        let blocks = self.blocks(&figures)?;
        write_atomically(&dir.join("report.md"), markdown(&blocks).as_bytes())?;
        write_atomically(&dir.join("report.html"), html(&blocks).as_bytes())
    }

    fn blocks(&self, figures: &[Figure]) -> Result<Vec<Block>> {
        let scores: Vec<_> = self.scores.models.iter().map(|model| model.scores.clone()).collect();
        let results = Results { scores: &scores };
        let mut blocks = vec![
            Block::Title("The paper's experiment, reproduced".into()),
            Block::Paragraph(
                "Robust Image Classification (Ravishanker, Girase, Gupta, UC Berkeley): five models, trained on normal pictures, \
                 on augmented ones, on pictures attacked by FGSM and by BIM, and on the union of all (hardened), each shown \
                 four validation sets."
                    .into(),
            ),
            Block::Code(self.plan.command.clone()),
            Block::Paragraph(self.scale()),
        ];
        blocks.push(Block::Heading("The paper's protocol (transfer)".into()));
        blocks.push(Block::Paragraph(
            "FGSM and BIM-5 pictures, epsilon 0.2 in normalised space (11 to 12 steps of 255), were crafted once on the normal \
             model, saved in 8 bits, and shown to all models; so what the normal model's own row shows is not transfer. Top-1 \
             accuracy with Wilson's 95% interval."
                .into(),
        ));
        blocks.push(self.table("Here", &Column::ALL[..4], |cell| results.get(cell).map(percent)));
        blocks.push(paper_table());
        blocks.push(Block::Heading("White-box".into()));
        blocks.push(Block::Paragraph(
            "Each model attacked through its own gradients, with the paper's radius and, as the field does, with PGD-20 at 4/255. \
             Only this may be called robust accuracy. The noise is as large as the paper's attacks and aimed at nothing."
                .into(),
        ));
        blocks.push(self.table("Here", &Column::ALL[4..], |cell| results.get(cell).map(percent)));
        blocks.push(Block::Heading("The paper's conclusions, point by point".into()));
        blocks.push(Block::Paragraph(format!(
            "A claim holds where the 95% intervals are apart. One run of each model, so what differs from run to run is not in \
             these intervals. {}",
            tally(&results)
        )));
        for conclusion in CONCLUSIONS {
            let row = |claim| {
                let found = finding(claim, &results)?;
                Some(vec![found.claim, found.paper, found.here, found.verdict.label().into()])
            };
            blocks.push(Block::Table {
                caption: conclusion.question.into(),
                head: ["claim", "paper", "here", "holds here"].map(String::from).to_vec(),
                rows: conclusion.claims.iter().filter_map(row).collect(),
            });
        }
        blocks.push(Block::Heading("Accuracy at k".into()));
        let figure = |figure: &Figure| Block::Figure { file: figure.file.clone(), caption: figure.title.clone() };
        blocks.extend(figures.iter().map(figure));
        blocks.push(Block::Heading("Settings".into()));
        blocks.push(Block::Paragraph(
            "Of the normal model; the others' differ in what a batch is made of (mix). All models see the same number of \
             pictures, whatever shares their batches have."
                .into(),
        ));
        blocks.push(Block::Code(crate::train::to_toml(self.config)?.trim_end().into()));
        Ok(blocks)
    }

    fn scale(&self) -> String {
        let architecture = match self.config.architecture() {
            Ok(architecture) => architecture.name(),
            Err(error) => error.to_string(),
        };
        format!(
            "{architecture} from scratch (the paper fine-tunes a Wide ResNet-50 that knows ImageNet) on {} classes (chance is \
             {:.1}%), {} training \
             pictures, {} validation pictures, {} epoch{}; {} on {}. Data SHA-256 {}.",
            self.classes,
            100.0 / self.classes as f64,
            self.train_images,
            self.scores.images,
            self.config.epochs,
            if self.config.epochs == 1 { "" } else { "s" },
            in_words(Duration::from_secs_f64(self.seconds)),
            self.device,
            self.scores.data_sha256
        )
    }

    fn table(
        &self,
        caption: &str,
        columns: &[Column],
        cell: impl Fn((&'static str, Column)) -> Option<String>,
    ) -> Block {
        let row = |model: &'static str| {
            let cells = columns.iter().map(|&column| cell((model, column)).unwrap_or_default());
            [model.to_string()].into_iter().chain(cells).collect()
        };
        Block::Table {
            caption: format!("{caption}, {} validation images a set", self.scores.images),
            head: ["trained on"]
                .into_iter()
                .chain(columns.iter().map(|column| column.label()))
                .map(String::from)
                .collect(),
            rows: MODELS.into_iter().map(row).collect(),
        }
    }
}

/// `Of 19 claims, 12 hold, ...`
fn tally(results: &Results) -> String {
    let claims = CONCLUSIONS.iter().flat_map(|conclusion| conclusion.claims);
    let verdicts: Vec<Verdict> = claims.filter_map(|claim| Some(finding(claim, results)?.verdict)).collect();
    let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
    format!(
        "Of {} claims {} hold here, {} are the other way round, and {} are not decided by so many images.",
        verdicts.len(),
        count(Verdict::Holds),
        count(Verdict::Reversed),
        count(Verdict::Undecided)
    )
}

fn paper_table() -> Block {
    let row = |(model, values): (&str, &[f64; 4])| {
        [model.to_string()].into_iter().chain(values.iter().map(|value| format!("{:.2}%", 100.0 * value))).collect()
    };
    Block::Table {
        caption: "The paper's Table 1, 10,000 validation images a set".into(),
        head: ["trained on"]
            .into_iter()
            .chain(Column::ALL[..4].iter().map(|column| column.label()))
            .map(String::from)
            .collect(),
        rows: MODELS.into_iter().zip(&TABLE_1).map(row).collect(),
    }
}

/// For the last line on the terminal: the paper's table's counterpart, short.
pub fn summary(report: &Report) -> String {
    let short = |measured: Proportion| format!("{:>9.2}%", 100.0 * measured.value());
    let mut text = format!("{:<12}", "trained on");
    text += &Column::ALL[..4].iter().map(|column| format!("{:>10}", column.label())).collect::<String>();
    text += &Column::ALL[4..7].iter().map(|column| format!("{:>10}", short_label(*column))).collect::<String>();
    for (name, model) in MODELS.iter().zip(&report.models) {
        let cells: String = model.scores.iter().take(7).map(|score| short(score.top1)).collect();
        text += &format!("\n{name:<12}{cells}");
    }
    text + "\n(top-1; the last three through each model's own gradients, FGSM and BIM as before, at 0.2 std, PGD-20 at 4/255)"
}

fn short_label(column: Column) -> &'static str {
    match column {
        Column::WhiteBoxFgsm => "own FGSM",
        Column::WhiteBoxBim => "own BIM",
        Column::WhiteBoxPgd => "own PGD",
        other => other.label(),
    }
}
