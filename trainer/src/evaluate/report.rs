//! What an evaluation found: as a table for the terminal, as JSON, CSV and Markdown, and as figures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use shared::bundle::{ImageSet, Score};
use shared::metrics::Proportion;

use crate::figures::{BarChart, BarSeries, Estimate, LineChart, LineSeries};
use crate::run_dir::write_atomically;

/// What `--json` prints and `scores.json` holds.
#[derive(Serialize)]
pub struct Report {
    pub data_sha256: String,
    /// Validation images used.
    pub images: usize,
    pub models: Vec<ModelReport>,
}

/// The scores of one network.
#[derive(Serialize)]
pub struct ModelReport {
    pub dir: PathBuf,
    pub name: String,
    pub weights_sha256: String,
    /// In the same order for every network.
    pub scores: Vec<Score>,
}

impl ModelReport {
    /// Mean top-1 accuracy over the corruptions and severities that were evaluated.
    fn mean_under_corruption(&self) -> Option<f64> {
        let corrupted = |score: &&Score| matches!(score.set, ImageSet::Corrupted { .. });
        let values: Vec<f64> = self.scores.iter().filter(corrupted).map(|score| score.top1.value()).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

impl Report {
    /// For a terminal.
    pub fn table(&self) -> String {
        let names = self.models.iter().flat_map(|model| &model.scores).map(|score| score.to_string().len());
        let width = names.max().unwrap_or(0).max(24);
        let mut text = String::new();
        for model in &self.models {
            text += &format!("{} ({}), {} validation images\n", model.name, model.dir.display(), self.images);
            text += &format!("  {:<width$}{:>8}  {:<16}{:>8}{:>10}\n", "", "top-1", "95% interval", "top-5", "success");
            for score in &model.scores {
                let success =
                    score.success.map(|success| format!("{:.1}%", 100.0 * success.value())).unwrap_or_default();
                text += &format!(
                    "  {:<width$}{:>7.2}%  {:<16}{:>7.2}%{success:>10}\n",
                    score.to_string(),
                    100.0 * score.top1.value(),
                    interval(score),
                    100.0 * score.top5.value(),
                );
            }
            if let Some(mean) = model.mean_under_corruption() {
                text += &format!("  {:<width$}{:>7.2}%\n", "mean under corruption", 100.0 * mean);
            }
            text.push('\n');
        }
        text
    }

    /// Writes `scores.json`, `scores.csv`, `scores.md` and the figures into `dir`, which is made if need be.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        write_atomically(&dir.join("scores.json"), &serde_json::to_vec_pretty(self)?)?;
        write_atomically(&dir.join("scores.csv"), self.csv().as_bytes())?;
        let mut figures = Vec::new();
        for (name, chart) in self.epsilon_charts() {
            chart.write(&dir.join(&name))?;
            figures.push(name);
        }
        for (name, chart) in self.top_k_charts() {
            chart.write(&dir.join(&name))?;
            figures.push(name);
        }
        write_atomically(&dir.join("scores.md"), self.markdown(&figures).as_bytes())
    }

    fn csv(&self) -> String {
        let mut text = "model,measured,images,top1,top1_low,top1_high,top5,success,median_linf,median_l2\n".to_string();
        for (model, score) in self.models.iter().flat_map(|model| model.scores.iter().map(move |score| (model, score)))
        {
            let [low, high] = score.top1_interval;
            let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
            text += &format!(
                "{},{},{},{:.6},{low:.6},{high:.6},{:.6},{},{},{}\n",
                quoted(&model.name),
                quoted(&score.to_string()),
                score.top1.of,
                score.top1.value(),
                score.top5.value(),
                number(score.success.map(Proportion::value)),
                number(score.median_linf.map(f64::from)),
                number(score.median_l2.map(f64::from)),
            );
        }
        text
    }

    fn markdown(&self, figures: &[String]) -> String {
        let mut text = format!(
            "# Scores\n\nTop-1 accuracy in percent with Wilson's 95% interval, on {} validation images (data {}).\n\n| |",
            self.images, self.data_sha256
        );
        text += &self.models.iter().map(|model| format!(" {} |", model.name)).collect::<String>();
        text += &format!("\n|---|{}\n", "---|".repeat(self.models.len()));
        let rows = self.models.first().map_or(0, |model| model.scores.len());
        for row in 0..rows {
            text += &format!("| {} |", self.models[0].scores[row]);
            for model in &self.models {
                let score = &model.scores[row];
                text += &format!(" {:.2} {} |", 100.0 * score.top1.value(), interval(score));
            }
            text.push('\n');
        }
        for figure in figures {
            text += &format!("\n![{figure}]({figure}.svg)\n");
        }
        text
    }

    /// Accuracy at k, a chart for each measurement but those of corruptions, with a bar for each network: what the paper's
    /// Figures 2 to 4 show.
    fn top_k_charts(&self) -> Vec<(String, BarChart)> {
        let Some(first) = self.models.first() else { return vec![] };
        let shown = |score: &Score| !matches!(score.set, ImageSet::Corrupted { .. });
        let chart = |(row, score): (usize, &Score)| {
            let ks = || score.hits_at.iter().take_while(|[k, _]| *k <= 20);
            let values = |score: &Score| {
                let of = score.top1.of;
                score.hits_at.iter().take(ks().count()).map(|&[_, hits]| estimate(Proportion { hits, of })).collect()
            };
            let series =
                |model: &ModelReport| BarSeries { name: model.name.clone(), values: values(&model.scores[row]) };
            let chart = BarChart {
                title: format!("Accuracy at k, {score}, {} validation images", self.images),
                x_label: "k".into(),
                y_label: "accuracy".into(),
                groups: ks().map(|[k, _]| format!("top-{k}")).collect(),
                series: self.models.iter().map(series).collect(),
            };
            (format!("top-k-{}", file_name(&score.to_string())), chart)
        };
        first.scores.iter().enumerate().filter(|(_, score)| shown(score)).map(chart).collect()
    }

    /// Accuracy against epsilon, one curve for each network and attack that was run at more than one radius; a chart for
    /// white-box attacks and one for images crafted on one network.
    fn epsilon_charts(&self) -> Vec<(String, LineChart)> {
        let attacks = || self.models.iter().flat_map(|model| &model.scores).filter_map(|score| score.attack.as_ref());
        // One evaluation measures all its radii in the same space.
        let normalized = attacks().any(|attack| attack.channel_scale != [1.0; 3]);
        let charts = [("epsilon-white-box", "white-box", false), ("epsilon-transfer", "transfer", true)];
        let chart = |(file, protocol, transfer): (&str, &str, bool)| {
            let chart = LineChart {
                title: format!("Accuracy under attack, {protocol}, {} validation images", self.images),
                x_label: if normalized { "epsilon, in standard deviations" } else { "epsilon, in 255ths" }.into(),
                y_label: "top-1 accuracy".into(),
                y_percent: true,
                series: self.curves(transfer, if normalized { 1.0 } else { 255.0 }),
            };
            (!chart.series.is_empty()).then(|| (file.to_string(), chart))
        };
        charts.into_iter().filter_map(chart).collect()
    }

    /// Over epsilon times `unit`.
    fn curves(&self, transfer: bool, unit: f64) -> Vec<LineSeries> {
        let mut series: Vec<LineSeries> = Vec::new();
        for model in &self.models {
            let Some(clean) = model.scores.first() else { continue };
            for score in model.scores.iter().filter(|score| score.crafted_on.is_some() == transfer) {
                let Some(attack) = &score.attack else { continue };
                // The name without the radius, which is what the curve is drawn over and an attack's name ends with.
                let attack_name = attack.to_string();
                let kind = attack_name.split(" at ").next().unwrap_or(&attack_name);
                let name = format!("{}, {}", model.name, score.to_string().replacen(&attack_name, kind, 1));
                let point = (f64::from(attack.epsilon) * unit, estimate(score.top1));
                match series.iter_mut().find(|series| series.name == name) {
                    Some(series) => series.points.push(point),
                    None => series.push(LineSeries { name, points: vec![(0.0, estimate(clean.top1)), point] }),
                }
            }
        }
        series.retain(|series| series.points.len() > 2);
        series
    }
}

/// What was measured as the name of a file: `bim-5-at-8-255`.
fn file_name(measured: &str) -> String {
    let safe: String =
        measured.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    safe.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn interval(score: &Score) -> String {
    let [low, high] = score.top1_interval.map(|bound| 100.0 * bound);
    format!("[{low:.2}, {high:.2}]")
}

fn estimate(measured: Proportion) -> Estimate {
    let [low, high] = measured.wilson_interval();
    Estimate { value: measured.value(), low, high }
}

/// A field of a CSV file (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into() }
}

#[cfg(test)]
mod tests {
    use shared::attack::{AttackConfig, Goal};
    use tempfile::TempDir;

    use super::*;

    fn score(attack: Option<AttackConfig>, hits: usize) -> Score {
        let top1 = Proportion { hits, of: 100 };
        Score {
            set: ImageSet::Validation,
            attack,
            goal: Goal::Untargeted,
            restarts: 1,
            crafted_on: None,
            top1,
            top1_interval: top1.wilson_interval(),
            top5: top1,
            hits_at: vec![[1, hits], [5, hits + 5]],
            success: None,
            median_linf: None,
            median_l2: None,
        }
    }

    fn report() -> Report {
        let bim = |epsilon_255: f32| Some(AttackConfig::bim(epsilon_255 / 255.0, 5));
        let scores = vec![score(None, 60), score(bim(4.0), 20), score(bim(8.0), 10)];
        let model = |name: &str| ModelReport {
            dir: "runs/a".into(),
            name: name.into(),
            weights_sha256: "ab".into(),
            scores: scores.clone(),
        };
        Report { data_sha256: "cd".into(), images: 100, models: vec![model("standard"), model("hard, \"ened\"")] }
    }

    #[test]
    fn tables_have_a_row_for_each_score_and_a_column_for_each_network() {
        let report = report();
        let table = report.table();
        assert!(table.contains("BIM-5 at 4/255"), "{table}");
        assert!(table.contains("20.00%  [13.34, 28.88]"), "{table}");
        let markdown = report.markdown(&["top-k-clean".into()]);
        assert!(markdown.contains("| BIM-5 at 8/255 | 10.00 [5.52, 17.44] | 10.00 [5.52, 17.44] |"), "{markdown}");
        let csv = report.csv();
        assert_eq!(csv.lines().count(), 7);
        assert!(csv.contains("\"hard, \"\"ened\"\"\",BIM-5 at 8/255,100,0.100000"), "{csv}");
    }

    #[test]
    fn curves_start_at_the_clean_accuracy() {
        let charts = report().epsilon_charts();
        assert_eq!(charts.len(), 1);
        let (name, chart) = &charts[0];
        assert_eq!(name, "epsilon-white-box");
        let names: Vec<_> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["standard, BIM-5", "hard, \"ened\", BIM-5"]);
        let points: Vec<f64> = chart.series[0].points.iter().map(|(x, _)| x.round()).collect();
        assert_eq!((points, chart.series[0].points[0].1.value), (vec![0.0, 4.0, 8.0], 0.6));
    }

    #[test]
    fn radii_in_normalised_space_are_not_255ths() {
        let mut report = report();
        for attack in report.models.iter_mut().flat_map(|model| &mut model.scores).filter_map(|s| s.attack.as_mut()) {
            (attack.epsilon, attack.channel_scale) = (attack.epsilon * 10.0, [0.28; 3]);
        }
        let (_, chart) = report.epsilon_charts().remove(0);
        assert_eq!(
            (chart.x_label.as_str(), chart.series[0].name.as_str()),
            ("epsilon, in standard deviations", "standard, BIM-5")
        );
        let largest = chart.series[0].points[2].0;
        assert!((largest - 80.0 / 255.0).abs() < 1e-6, "{largest}");
    }

    #[test]
    fn a_report_is_a_folder_of_files() {
        let dir = TempDir::new().unwrap();
        let out = dir.path().join("report");
        report().write(&out).unwrap();
        let markdown = fs::read_to_string(out.join("scores.md")).unwrap();
        for figure in ["epsilon-white-box", "top-k-clean", "top-k-bim-5-at-4-255", "top-k-bim-5-at-8-255"] {
            assert!(markdown.contains(&format!("({figure}.svg)")), "{markdown}");
            assert!(
                out.join(figure).with_extension("svg").is_file() && out.join(figure).with_extension("png").is_file()
            );
        }
        assert!(out.join("scores.json").is_file() && out.join("scores.csv").is_file());
    }
}
