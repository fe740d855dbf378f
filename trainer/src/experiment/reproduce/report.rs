//! The report: what was done, the tables beside the paper's, and what they say.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::findings::{ClaimVerdict, finding, measured};
use super::paper::{CONCLUSIONS, Column, TABLE_1};
use super::plan::MODELS;
use crate::evaluate::report::{Figure, Report};
use crate::experiment::clock::in_words;
use crate::experiment::document::{self, Block, counted, percent, scale};
use crate::train::{Pretrained, TrainConfig, to_toml};

/// What the report of a reproduction holds.
pub struct ReproductionReport<'a> {
    /// The command that began it.
    pub command: &'a str,
    /// Settings of the normal model; the others' differ in their mix alone.
    pub config: &'a TrainConfig,
    /// The file of weights that all models started from; none means from scratch.
    pub pretrained: Option<&'a Pretrained>,
    /// Classes of the data set that was used.
    pub classes: usize,
    /// Its training pictures.
    pub train_images: usize,
    /// Names of the devices.
    pub device: String,
    /// Time of all stages.
    pub took: Duration,
    /// Scores of all models, in the order of [`MODELS`].
    pub scores: &'a Report,
}

impl ReproductionReport<'_> {
    /// Writes the report, the scores in all their forms, and the figures to `dir`.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let figures = self.scores.write(dir)?;
        document::write(&self.blocks(figures)?, dir)
    }

    fn blocks(&self, figures: Vec<Figure>) -> Result<Vec<Block>> {
        let mut blocks = vec![
            Block::Title("The paper's experiment, reproduced".into()),
            Block::Paragraph(
                "Robust Image Classification (Ravishanker, Girase, Gupta, UC Berkeley): five models, trained on normal pictures, \
                 on augmented ones, on pictures attacked by FGSM and by BIM, and on the union of all (hardened), each shown \
                 four validation sets."
                    .into(),
            ),
            Block::Code(self.command.into()),
            Block::Paragraph(self.scale()),
            Block::Paragraph(self.start()),
            Block::Heading("The paper's protocol (transfer)".into()),
            Block::Paragraph(
                "FGSM and BIM-5 pictures, epsilon 0.2 in the space normalised by ImageNet's deviations (11 to 12 steps of 255), were crafted once on the normal \
                 model, saved in 8 bits, and shown to all models; so what the normal model's own row shows is not transfer. Top-1 \
                 accuracy with Wilson's 95% interval."
                    .into(),
            ),
            self.table(&Column::ALL[..4]),
            paper_table(),
            Block::Heading("White-box".into()),
            Block::Paragraph(
                "Each model attacked through its own gradients, with the paper's radius and, as the field does, with PGD-20 at 4/255. \
                 Only this may be called robust accuracy. The noise is as large as the paper's attacks and aimed at nothing."
                    .into(),
            ),
            self.table(&Column::ALL[4..]),
            Block::Heading("The paper's conclusions, point by point".into()),
            Block::Paragraph(format!(
                "A claim holds where the 95% intervals are apart. One run of each model, so what differs from run to run is not in \
                 these intervals. {}",
                self.tally()
            )),
        ];
        for conclusion in CONCLUSIONS {
            let findings = conclusion.claims.iter().filter_map(|claim| finding(claim, &self.scores.models));
            blocks.push(Block::Table {
                caption: conclusion.question.into(),
                head: ["claim", "paper", "here", "holds here"].map(String::from).to_vec(),
                rows: findings.map(|(_, row)| row).collect(),
            });
        }
        blocks.push(Block::Heading("Accuracy at k".into()));
        blocks.extend(figures.into_iter().map(|Figure { file, title }| Block::Figure { file, caption: title }));
        blocks.push(Block::Heading("Settings".into()));
        blocks.push(Block::Paragraph(
            "Of the normal model; the others' differ in what a batch is made of (mix). All models see the same number of \
             pictures, whatever shares their batches have."
                .into(),
        ));
        blocks.push(Block::Code(to_toml(self.config)?.trim_end().into()));
        Ok(blocks)
    }

    fn scale(&self) -> String {
        let architecture = match self.config.architecture() {
            Ok(architecture) => architecture.name(),
            Err(error) => error.to_string(),
        };
        format!(
            "{architecture} on {}, {} validation pictures, {}; {} on {}. Data \
             SHA-256 {}.",
            scale(self.classes, self.train_images),
            self.scores.images,
            counted(self.config.epochs, "epoch"),
            in_words(self.took),
            self.device,
            self.scores.data_sha256
        )
    }

    fn start(&self) -> String {
        let Some(Pretrained { file, sha256 }) = self.pretrained else {
            return "All models were trained from scratch; the paper fine-tunes a Wide ResNet-50 that knows ImageNet."
                .into();
        };
        let file = file.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "All models started from weights for ImageNet, as the paper's did (a Wide ResNet-50): {file}, SHA-256 {sha256}. ImageNet's              training pictures are among what those weights learned from, so these accuracies stand beside the paper's, and not              beside those of networks from scratch."
        )
    }

    fn table(&self, columns: &[Column]) -> Block {
        let cell = |model, column| measured(&self.scores.models, (model, column)).map(percent).unwrap_or_default();
        let row = |model| columns.iter().map(|&column| cell(model, column)).collect();
        table(format!("Here, {} validation images a set", self.scores.images), columns, MODELS.map(row))
    }

    /// `Of 19 claims 12 hold, ...`
    fn tally(&self) -> String {
        let claims = CONCLUSIONS.iter().flat_map(|conclusion| conclusion.claims);
        let verdicts: Vec<ClaimVerdict> =
            claims.filter_map(|claim| Some(finding(claim, &self.scores.models)?.0)).collect();
        let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
        format!(
            "Of {} claims {} hold here, {} are the other way round, and {} are not decided by so many images.",
            verdicts.len(),
            count(ClaimVerdict::Holds),
            count(ClaimVerdict::Reversed),
            count(ClaimVerdict::Undecided)
        )
    }

    /// Returns the counterpart of the paper's table, short, for the terminal.
    pub fn summary(&self) -> String {
        let columns = &Column::ALL[..7];
        let heads: String = columns
            .iter()
            .map(|column| format!("{:>10}", column.label().replace("white-box ", "own ").replace("-20, 4/255", "")))
            .collect();
        let mut text = format!("{:<12}{heads}", "trained on");
        for (name, model) in MODELS.iter().zip(&self.scores.models) {
            let scores = model.scores.iter().take(columns.len());
            let cells: String = scores.map(|score| format!("{:>9.2}%", 100.0 * score.top1.value())).collect();
            text += &format!("\n{name:<12}{cells}");
        }
        text + "\n(top-1; the last three through each model's own gradients, FGSM and BIM as before, at 0.2 std, PGD-20 at 4/255)"
    }
}

fn paper_table() -> Block {
    let rows = TABLE_1.map(|values| values.map(|value| format!("{:.2}%", 100.0 * value)).to_vec());
    table("The paper's Table 1, 10,000 validation images a set".into(), &Column::ALL[..4], rows)
}

/// A table with a row for each of [`MODELS`].
fn table(caption: String, columns: &[Column], rows: [Vec<String>; MODELS.len()]) -> Block {
    let labels = columns.iter().map(|column| column.label());
    Block::Table {
        caption,
        head: ["trained on"].into_iter().chain(labels).map(String::from).collect(),
        rows: MODELS.iter().zip(rows).map(|(model, row)| [vec![model.to_string()], row].concat()).collect(),
    }
}
