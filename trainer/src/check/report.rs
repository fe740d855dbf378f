//! Report of the checks: for the terminal, as JSON and as Markdown.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use shared::attack::in_255ths;
use shared::bundle::{CheckItem, Checks};
use shared::metrics::Proportion;

use super::{Check, Verdict};
use crate::figures::{Estimate, LineChart, LineSeries};
use crate::files::write_atomically;

/// The figure of the losses, without `.svg`.
const LOSS_CURVES: &str = "loss-curves";

/// The report of all networks, as `--json` prints it and `checks.json` holds it.
#[derive(Serialize)]
pub struct CheckReport {
    /// sha256 of the data set, or `made`.
    pub data: String,
    /// Number of images.
    pub images: usize,
    /// Radius of the attacks, pixel units.
    pub epsilon: f32,
    /// Number of passed checks, over all networks.
    pub passed: usize,
    /// Number of failed checks, over all networks.
    pub failed: usize,
    /// Number of skipped checks, over all networks.
    pub skipped: usize,
    /// The networks, in the order given.
    pub models: Vec<CheckedModelReport>,
}

/// The checks of one network.
#[derive(Serialize)]
pub struct CheckedModelReport {
    /// Folder of the network.
    pub dir: PathBuf,
    /// Name of the network.
    pub name: String,
    /// sha256 of the weights, hexadecimal.
    pub weights_sha256: String,
    /// Images classified correctly without an attack.
    pub clean: Proportion,
    /// Checks, in the same order for every network.
    pub checks: Vec<Check>,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Skipped => "skipped",
        }
    }
}

impl CheckedModelReport {
    /// Returns the checks as the network's card notes them, made on so many images with attacks of the radius `epsilon`
    /// (pixel units).
    pub fn for_card(&self, epsilon: f32, images: usize) -> Checks {
        let item = |check: &Check| CheckItem {
            name: check.name.into(),
            figure: check.figure.clone(),
            limit: check.limit.clone(),
            passed: match check.verdict {
                Verdict::Pass => Some(true),
                Verdict::Fail => Some(false),
                Verdict::Skipped => None,
            },
        };
        Checks {
            epsilon,
            images,
            items: self.checks.iter().map(item).collect(),
            loss_curve: self.loss_curve().to_vec(),
        }
    }

    /// Returns the loss at the start of the white-box attack and after each step; empty if it was not measured.
    fn loss_curve(&self) -> &[f32] {
        self.checks.iter().map(|check| check.loss_curve.as_slice()).find(|curve| !curve.is_empty()).unwrap_or_default()
    }
}

impl CheckReport {
    /// Returns the report of `models`, and counts their verdicts.
    pub fn new(data: String, images: usize, epsilon: f32, models: Vec<CheckedModelReport>) -> Self {
        let count = |verdict| models.iter().flat_map(|model| &model.checks).filter(|c| c.verdict == verdict).count();
        let (passed, failed, skipped) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Skipped));
        Self { data, images, epsilon, passed, failed, skipped, models }
    }

    /// Returns the failed checks, as `hardened: gradients are not zero`.
    pub fn failures(&self) -> Vec<String> {
        let failed = |model: &CheckedModelReport| {
            let failed = model.checks.iter().filter(|check| check.verdict == Verdict::Fail);
            failed.map(|check| format!("{}: {}", model.name, check.name)).collect::<Vec<_>>()
        };
        self.models.iter().flat_map(failed).collect()
    }

    /// Formats the report for a terminal.
    pub fn table(&self) -> String {
        let widest = |text: fn(&Check) -> &str| {
            let all = self.models.iter().flat_map(|model| &model.checks);
            all.filter(|check| check.verdict != Verdict::Skipped).map(|c| text(c).chars().count()).max().unwrap_or(0)
        };
        let (name, figure) = (widest(|check| check.name).max(34), widest(|check| &check.figure));
        let mut text = String::new();
        for model in &self.models {
            let Proportion { hits, of } = model.clean;
            text += &format!("{} ({}), {hits} of {of} images seen rightly\n", model.name, model.dir.display());
            text += &format!("  {:<8} {:<name$}  {:<figure$}  limit\n", "", "", "figure");
            for check in &model.checks {
                let line = format!(
                    "  {:<8} {:<name$}  {:<figure$}  {}",
                    check.verdict.word(),
                    check.name,
                    check.figure,
                    check.limit
                );
                text += &format!("{}\n  {:<8} {}\n", line.trim_end(), "", check.why);
            }
            text.push('\n');
        }
        text + &self.summary()
    }

    fn summary(&self) -> String {
        format!(
            "epsilon {}, {} images: {} passed, {} failed, {} skipped",
            in_255ths(self.epsilon),
            self.images,
            self.passed,
            self.failed,
            self.skipped
        )
    }

    /// Returns the chart of all networks' losses during the attack; `None` if no loss was measured.
    fn loss_curves(&self) -> Option<LineChart> {
        let series = |model: &CheckedModelReport| {
            let points = model.loss_curve().iter().enumerate();
            let points: Vec<_> = points.map(|(step, &loss)| (step as f64, Estimate::exact(f64::from(loss)))).collect();
            (!points.is_empty()).then(|| LineSeries { name: model.name.clone(), points })
        };
        let series: Vec<LineSeries> = self.models.iter().filter_map(series).collect();
        (!series.is_empty()).then(|| LineChart {
            title: format!("Loss along white-box PGD at {}", in_255ths(self.epsilon)),
            x_label: "step".into(),
            y_label: "mean cross entropy".into(),
            y_percent: false,
            series,
        })
    }

    /// Writes `checks.json`, `checks.md` and `loss-curves.svg` into `dir`, which is made if need be.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        write_atomically(&dir.join("checks.json"), &serde_json::to_vec_pretty(self)?)?;
        if let Some(chart) = self.loss_curves() {
            chart.write(&dir.join(LOSS_CURVES))?;
        }
        write_atomically(&dir.join("checks.md"), self.markdown().as_bytes())
    }

    fn markdown(&self) -> String {
        let mut text = format!("# Is the evaluation right?\n\nData {}, {}.\n", self.data, self.summary());
        for model in &self.models {
            let Proportion { hits, of } = model.clean;
            text += &format!("\n## {}\n\n{hits} of {of} images seen rightly.\n\n", model.name);
            text += "| check | verdict | figure | limit | why |\n|---|---|---|---|---|\n";
            for Check { name, figure, limit, verdict, why, .. } in &model.checks {
                text += &format!("| {name} | {} | {figure} | {limit} | {why} |\n", verdict.word());
            }
        }
        if let Some(chart) = self.loss_curves() {
            text += &format!("\n![{}]({LOSS_CURVES}.svg)\n", chart.title);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn report() -> CheckReport {
        let check = |name, verdict, figure: &str, limit: &str| Check {
            name,
            figure: figure.into(),
            limit: limit.into(),
            verdict,
            why: "else it is wrong",
            loss_curve: if verdict == Verdict::Pass { vec![1.0, 2.5] } else { vec![] },
        };
        let checks = vec![
            check("one", Verdict::Pass, "1", "2"),
            check("two", Verdict::Fail, "3", "2"),
            check("three", Verdict::Skipped, "not measurable: 1 of 4 images right", ""),
        ];
        let clean = Proportion { hits: 1, of: 4 };
        let model = |name: &str| CheckedModelReport {
            dir: "runs/a".into(),
            name: name.into(),
            weights_sha256: "ab".into(),
            clean,
            checks: checks.clone(),
        };
        CheckReport::new("cd".into(), 4, 4.0 / 255.0, vec![model("standard"), model("hardened")])
    }

    #[test]
    fn every_verdict_is_counted_and_failures_are_named() {
        let report = report();
        assert_eq!((report.passed, report.failed, report.skipped), (2, 2, 2));
        assert_eq!(report.failures(), ["standard: two", "hardened: two"]);
        let table = report.table();
        assert!(table.ends_with("epsilon 4/255, 4 images: 2 passed, 2 failed, 2 skipped"), "{table}");
        assert!(table.contains("  FAIL     two"), "{table}");
        assert!(table.lines().all(|line| line.trim_end() == line), "{table}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["models"][1]["checks"][2]["verdict"], "skipped");
    }

    #[test]
    fn a_report_is_a_folder_of_files() {
        let dir = TempDir::new().unwrap();
        let out = dir.path().join("report");
        report().write(&out).unwrap();
        let markdown = fs::read_to_string(out.join("checks.md")).unwrap();
        assert!(markdown.contains("| two | FAIL | 3 | 2 | else it is wrong |"), "{markdown}");
        assert!(markdown.contains("![Loss along white-box PGD at 4/255](loss-curves.svg)"), "{markdown}");
        for file in ["checks.json", "loss-curves.svg"] {
            assert!(out.join(file).is_file(), "{file}");
        }
    }

    #[test]
    fn a_card_notes_every_item_and_the_losses() {
        let report = report();
        let checks = report.models[0].for_card(report.epsilon, report.images);
        let passed: Vec<_> = checks.items.iter().map(|item| item.passed).collect();
        assert_eq!(passed, [Some(true), Some(false), None]);
        assert_eq!((checks.images, checks.loss_curve.as_slice()), (4, &[1.0, 2.5][..]));
        let json = serde_json::to_string(&checks).unwrap();
        assert_eq!(serde_json::from_str::<Checks>(&json).unwrap(), checks, "{json}");
    }
}
