//! The report: a table, what its columns mean, and the same as JSON and CSV.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use toml::{Table, Value};

use super::charts;
use super::results::{ComparedNetwork, ComparisonReport, NetworkResult};
use crate::experiment::clock::in_words;
use crate::experiment::document::{self, Block, counted, percent, scale};
use crate::experiment::plan::write_json;
use crate::files::write_atomically;
use crate::memory::{self, Memory};
use crate::train::TrainConfig;

impl ComparisonReport {
    /// Writes the report, `compare.json`, `compare.csv` and the figures to `out`. `config` is that of any network.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn write(&self, out: &Path, config: &TrainConfig) -> Result<()> {
        let figures = charts::write(self, out)?;
        write_json(&out.join("compare.json"), self)?;
        write_atomically(&out.join("compare.csv"), self.csv().as_bytes())?;
        document::write(&self.blocks(config, figures)?, out)
    }

    fn blocks(&self, config: &TrainConfig, figures: Vec<Block>) -> Result<Vec<Block>> {
        let mut blocks = vec![
            Block::Title("Architectures compared".into()),
            Block::Paragraph(
                "As section 2.1 of Robust Image Classification (Ravishanker, Girase, Gupta, UC Berkeley) compares networks of \
                 torchvision before it chooses one: each trained with the same settings on the same pictures."
                    .into(),
            ),
            Block::Code(self.command.clone()),
            Block::Paragraph(self.scale(config)),
            Block::Table {
                caption: format!("{} validation images", self.images),
                head: HEAD.map(String::from).to_vec(),
                rows: self.rows(),
            },
        ];
        for ComparedNetwork { arch, failure, .. } in &self.networks {
            if let Some(failure) = failure {
                blocks.push(Block::Paragraph(format!("{arch} is missing: {failure}.")));
            }
        }
        blocks.push(Block::Paragraph(format!(
            "Top-1 with Wilson's 95% interval; one run of each, so what differs from run to run is not in it. MACs are \
             multiply-accumulate operations of a forward pass of one {0}x{0} picture, enlarged first where input-size says so. \
             Images a second were measured in this very run, on the clock, beside whatever else the machine did, training with \
             its validations and checkpoints, inference with no more pictures at once than training: only the ratios, in \
             brackets, mean something. Memory is the most that the training \
             process had, data set included; a GPU's is what its allocator had reserved at the end.",
            self.side
        )));
        blocks.push(Block::Heading("Accuracy against cost".into()));
        blocks.extend(figures);
        blocks.push(Block::Heading("Settings".into()));
        let common = self.common();
        blocks.push(Block::Paragraph("Of all networks:".into()));
        blocks.push(Block::Code(toml::to_string(&common)?.trim_end().into()));
        for ComparedNetwork { arch, settings, weights_sha256, .. } in &self.networks {
            let own: Table = settings.clone().into_iter().filter(|(key, _)| !common.contains_key(key)).collect();
            let weights =
                weights_sha256.as_ref().map_or(String::new(), |sha256| format!(", from weights of SHA-256 {sha256}"));
            blocks.push(Block::Paragraph(format!("Of {arch} besides{weights}:")));
            blocks.push(Block::Code(toml::to_string(&own)?.trim_end().into()));
        }
        Ok(blocks)
    }

    /// The settings in which no network differs from another, but for its name.
    fn common(&self) -> Table {
        let Some((first, others)) = self.networks.split_first() else { return Table::new() };
        let shared = |key: &str, value: &Value| others.iter().all(|other| other.settings.get(key) == Some(value));
        let settings = first.settings.clone().into_iter();
        settings.filter(|(key, value)| key != "arch" && shared(key, value)).collect()
    }

    fn scale(&self, config: &TrainConfig) -> String {
        let start = if self.pretrained { "from pretrained weights" } else { "from scratch" };
        let budget = config.steps.map_or_else(|| counted(config.epochs, "epoch"), |steps| counted(steps, "step"));
        let TrainConfig { recipe, batch_size, image_size: side, .. } = config;
        format!(
            "Recipe {recipe}, {start}, {budget} of {batch_size} pictures a step at {side}x{side}; {}, {} validation images. Data SHA-256 {}.",
            scale(self.classes, self.train_images),
            self.images,
            self.data_sha256
        )
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let first = self.networks.iter().find_map(|entry| entry.done.as_ref());
        let row = |entry: &ComparedNetwork| {
            let mut cells = vec![
                entry.arch.clone(),
                format!("{:.2} M", entry.parameters as f64 / 1e6),
                format!("{:.3} G", entry.macs as f64 / 1e9),
            ];
            match &entry.done {
                None => cells.extend(["not done"; 6].map(String::from)),
                Some(done) => cells.extend([
                    percent(done.top1),
                    format!("{:.2}%", 100.0 * done.top5.value()),
                    speed(done, first, |done| done.training_images_per_second),
                    speed(done, first, |done| done.inference_images_per_second),
                    peak(done),
                    in_words(Duration::from_secs_f64(done.seconds)),
                ]),
            }
            cells
        };
        self.networks.iter().map(row).collect()
    }

    fn csv(&self) -> String {
        let mut csv = String::from(
            "arch,parameters,macs,images,top1,top1_low,top1_high,top5,training_images_per_second,\
             inference_images_per_second,peak_process_bytes,peak_device_bytes,steps,seconds,device,weights_sha256,failure\n",
        );
        for ComparedNetwork { arch, parameters, macs, weights_sha256, done, failure, .. } in &self.networks {
            let measured = done.as_ref().map_or(",".repeat(11), |done| {
                let told = |bytes: Option<u64>| bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
                let NetworkResult { top1, top1_interval: [low, high], top5, peak, steps, seconds, device, .. } = done;
                format!(
                    "{},{:.6},{low:.6},{high:.6},{:.6},{:.3},{:.3},{},{},{steps},{seconds:.1},\"{device}\"",
                    top1.of,
                    top1.value(),
                    top5.value(),
                    done.training_images_per_second,
                    done.inference_images_per_second,
                    told(peak.process),
                    told(peak.device)
                )
            });
            let failure = failure.as_deref().unwrap_or_default().replace('"', "\"\"");
            let weights = weights_sha256.as_deref().unwrap_or_default();
            csv += &format!("{arch},{parameters},{macs},{measured},{weights},\"{failure}\"\n");
        }
        csv
    }

    /// Returns the table for the terminal.
    pub fn summary(&self) -> String {
        let mut rows = vec![HEAD.map(String::from).to_vec()];
        rows.extend(self.rows());
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            cells.join("  ").trim_end().to_string()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

const HEAD: [&str; 9] = [
    "network",
    "parameters",
    "MACs",
    "top-1",
    "top-5",
    "images/s, training",
    "images/s, inference",
    "peak memory",
    "training took",
];

/// `12.3 (0.25)`: the ratio is to the first network.
fn speed(done: &NetworkResult, first: Option<&NetworkResult>, of: impl Fn(&NetworkResult) -> f64) -> String {
    let ratio = first.map_or(1.0, |first| of(done) / of(first));
    format!("{:.1} ({ratio:.2})", of(done))
}

fn peak(done: &NetworkResult) -> String {
    let told = |bytes: Option<u64>| bytes.map_or("not told".into(), memory::in_words);
    let Memory { process, device } = done.peak;
    // A CPU has no memory of its own.
    if done.device.starts_with("CPU") { told(process) } else { format!("{}, GPU {}", told(process), told(device)) }
}
